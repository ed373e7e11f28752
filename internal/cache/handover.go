package cache

import (
	"bufio"
	"encoding/gob"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
	"github.com/seawall/seawall/internal/flow"
)

// At an upgrade one process sends its objects to another over a stream, the ones that are asked for most first, and from then on each
// tells the other what it drops: in both, requests may still be under way. What is dropped while objects are sent is told after them, in
// the one order that the stream has, so nothing comes back.
//
// The stream is a gob: fields are matched by their names, so that another version, older or newer, skips what it does not know. A change
// that makes the records of old versions wrong takes another kind.

// record is one unit of the stream.
type record struct {
	Kind kind
	// Target is what an object was stored for, or what is dropped.
	Target place
	// Vary and Variant are the names and the values by which an object was selected.
	Vary    []string
	Variant []byte
	// Generation is of the marker that has these names: by it, what is on the disk is found.
	Generation uint64
	Status     int
	Fields     []flow.Field
	Meta       httpcache.Metadata
	Body       []byte
	// Begun is when an object's fetch began, and Purge what is purged of the target's zone.
	Begun int64
	Purge purgeText
	// Negotiable tells that it may have coded forms, which are Forms.
	Negotiable bool
	Forms      []recordForm
}

// purgeText is a purge on the stream.
type purgeText struct {
	Scope      Scope
	Host, Text string
	At         int64
	Soft       bool
}

// recordForm is a coded form on the stream.
type recordForm struct {
	Coding httpcache.Coding
	Level  coding.Level
	Body   []byte
}

// place is a target on the stream.
type place struct {
	Zone, Scheme, Host, Path, Query string
	HasQuery                        bool
	Port, Dimensions                string
}

// kind is what a record is about. Unknown ones are skipped.
type kind uint8

const (
	kindObject  kind = 1 + iota
	kindWhole        // no more objects follow
	kindDrop         // a target, under either scheme
	kindDropAll      // everything
	kindPurge        // of a zone
	kindKeyed        // an object whose key has a port or dimensions
	kindCopy         // a survival copy
)

// mostUntold bounds the drops that wait to be told to a peer. Past it, the peer drops everything.
const mostUntold = 4096

// peer is another process that shares the cache's business.
type peer struct {
	mu      sync.Mutex
	dropped []target
	purged  []zonePurge
	all     bool
	wake    chan struct{}
}

type zonePurge struct {
	zone string
	purgeRecord
}

// peers are the present ones: mostly none.
type peers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*peer]
}

func (p *peers) add() *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &peer{wake: make(chan struct{}, 1)}
	var list []*peer
	if old := p.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = append(list, q)
	p.list.Store(&list)
	return q
}

func (p *peers) remove(q *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*p.list.Load()), func(other *peer) bool { return other == q })
	p.list.Store(&list)
}

// tell has all peers told that a target is dropped, but the one that said it.
func (p *peers) tell(t target, from *peer) {
	list := p.list.Load()
	if list == nil {
		return
	}
	for _, q := range *list {
		if q != from {
			q.drop(t)
		}
	}
}

// tellPurge has all peers told of a purge, but the one that said it.
func (p *peers) tellPurge(zone string, r purgeRecord, from *peer) {
	list := p.list.Load()
	if list == nil {
		return
	}
	for _, q := range *list {
		if q != from {
			q.purge(zonePurge{zone, r})
		}
	}
}

func (p *peers) tellAll(from *peer) {
	for _, q := range *p.list.Load() {
		if q != from {
			q.dropAll()
		}
	}
}

func (q *peer) drop(t target) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.all:
	case len(q.dropped) >= mostUntold:
		q.all, q.dropped = true, nil
	default:
		q.dropped = append(q.dropped, t.clone())
	}
	q.signal()
}

func (q *peer) purge(z zonePurge) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.purged) < mostUntold {
		q.purged = append(q.purged, z)
	} else {
		q.all, q.dropped = true, nil
	}
	q.signal()
}

func (q *peer) dropAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all, q.dropped = true, nil
	q.signal()
}

func (q *peer) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// writer writes records to a peer; one goroutine uses it.
type writer struct {
	peer   *peer
	buffer *bufio.Writer
	gob    *gob.Encoder
}

func newWriter(to io.Writer, q *peer) *writer {
	buffer := bufio.NewWriterSize(to, 64<<10)
	return &writer{peer: q, buffer: buffer, gob: gob.NewEncoder(buffer)}
}

// drops writes what has been dropped by now.
func (w *writer) drops() error {
	q := w.peer
	q.mu.Lock()
	dropped, purged, all := q.dropped, q.purged, q.all
	q.dropped, q.purged, q.all = nil, nil, false
	q.mu.Unlock()
	for _, z := range purged {
		if err := w.gob.Encode(&record{Kind: kindPurge, Target: place{Zone: z.zone}, Purge: z.text()}); err != nil {
			return err
		}
	}
	if all {
		return w.gob.Encode(&record{Kind: kindDropAll})
	}
	for i := range dropped {
		if err := w.gob.Encode(&record{Kind: kindDrop, Target: placeOf(&dropped[i])}); err != nil {
			return err
		}
	}
	return nil
}

// follow writes what is dropped, until done is closed or the stream fails.
func (w *writer) follow(done <-chan struct{}) error {
	for {
		if err := w.drops(); err != nil {
			return err
		}
		if err := w.buffer.Flush(); err != nil {
			return err
		}
		select {
		case <-w.peer.wake:
		case <-done:
			return nil
		}
	}
}

func placeOf(t *target) place {
	return place{t.zone, t.scheme, t.host, t.path, t.query, t.hasQuery, t.port, t.dimensions}
}

func (p *place) target() target {
	return target{p.Zone, p.Scheme, p.Host, p.Path, p.Query, p.HasQuery, p.Port, p.Dimensions}
}

// Send writes the objects to stream, those first that are asked for most, for as long as within allows. From then on, until the stream
// ends, each side tells the other what it drops. It returns when the stream has ended; that is no error.
func (r *Room) Send(stream io.ReadWriter, within time.Duration) error {
	q := r.peers.add()
	defer r.peers.remove(q)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.receive(gob.NewDecoder(bufio.NewReader(stream)), q, nil, nil) // its end is the stream's
	}()
	w := newWriter(stream, q)
	if err := r.send(w, time.Now().Add(within)); err != nil {
		return fmt.Errorf("sending the cache: %w", err)
	}
	_ = w.follow(done)
	<-done
	return nil
}

// send writes the objects, and between them what is dropped meanwhile: an object is looked at, written, and then its drop, if one came
// between.
func (r *Room) send(w *writer, until time.Time) error {
	for _, k := range r.objects.Hottest() {
		if time.Now().After(until) {
			break
		}
		e, _ := r.objects.Get(k)
		if e == nil || e.marker != nil || !r.purgesOf(e.target.zone).alive(e) || e.soft.Load() != 0 {
			continue
		}
		rec := record{
			Kind: kindObject, Target: placeOf(&e.target),
			Status: e.message.Status, Fields: e.originFields(), Meta: e.meta, Body: e.message.Body, Begun: e.begun,
		}
		rec.addForms(e)
		if e.target.port != "" || e.target.dimensions != "" {
			rec.Kind = kindKeyed
		}
		switch primary := r.key(r.basis(e.target.zone), &e.target); k {
		case primary:
		case r.survivalKey(primary):
			rec.Kind = kindCopy
		default:
			m, _ := r.objects.Get(primary)
			variant := []byte(e.variant)
			if m == nil || m.marker == nil || m.target != e.target || r.variantKey(primary, m.marker.generation, variant) != k {
				continue // nobody finds it any more
			}
			rec.Vary, rec.Variant, rec.Generation = m.marker.vary, variant, m.marker.generation
		}
		if err := w.gob.Encode(&rec); err != nil {
			return err
		}
		if err := w.drops(); err != nil {
			return err
		}
	}
	return w.gob.Encode(&record{Kind: kindWhole})
}

// Receive keeps the objects that [Room.Send] writes, as far as they fit and belong to these zones, and calls whole with their number when
// no more follow, also because the stream broke. From then on, until the stream ends, each side tells the other what it drops. Nothing
// else may use the room before whole is called.
func (r *Room) Receive(stream io.ReadWriter, zones []string, whole func(objects int)) error {
	q := r.peers.add()
	defer r.peers.remove(q)
	known := make(map[string]string, len(zones))
	for _, z := range zones {
		known[z] = z
	}
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		_ = newWriter(stream, q).follow(done)
	}()
	err := r.receive(gob.NewDecoder(bufio.NewReaderSize(stream, 64<<10)), q, known, whole)
	close(done)
	<-told
	return err
}

// receive takes records until the stream ends. Objects are taken until there are no more, if whole is to be told.
func (r *Room) receive(from *gob.Decoder, q *peer, zones map[string]string, whole func(int)) error {
	var objects int
	var bytes int64
	end := func() {
		if whole != nil {
			whole(objects)
			whole = nil
		}
	}
	defer end()
	for {
		var rec record
		switch err := from.Decode(&rec); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("receiving the cache: %w", err)
		}
		t := rec.Target.target()
		switch rec.Kind {
		case kindObject, kindKeyed, kindCopy:
			zone, ok := zones[t.zone]
			if t.zone = zone; ok && whole != nil {
				if n := r.restore(t, &rec, r.size-bytes); n > 0 {
					objects, bytes = objects+1, bytes+n
				}
			}
		case kindWhole:
			end()
		case kindDrop:
			r.drop(r.basis(t.zone), t)
			r.peers.tell(t, q)
		case kindPurge:
			r.purge(t.zone, rec.Purge.record(), q)
		case kindDropAll:
			r.fills.barAll()
			r.clearDisk()
			r.objects.Clear()
			r.peers.tellAll(q)
		}
	}
}

// restore stores an object, if it takes no more than most bytes, and returns how many.
func (r *Room) restore(t target, rec *record, most int64) (bytes int64) {
	if int64(len(rec.Body)) > r.maxObject || len(rec.Vary) > maxVaryNames {
		return 0
	}
	begun := rec.Begun
	if begun == 0 { // of a version that does not know it
		begun = r.tick()
	}
	e := newEntry(t, &rec.Meta, rec.Status, rec.Fields, begun)
	e.variant = string(rec.Variant)
	e.complete(slices.Clip(rec.Body))
	rec.restoreForms(e)
	if e.bytes > most {
		return 0
	}
	s := spot{target: e.target, primary: r.key(r.basis(t.zone), &t)}
	s.key = s.primary
	switch {
	case rec.Kind == kindCopy:
		s.key, e.survival = r.survivalKey(s.primary), true
	case len(rec.Vary) > 0:
		sh := r.fills.shard(s.primary)
		sh.mu.Lock()
		r.assignVariant(&s, e, r.get(s.primary, &t), rec.Vary, rec.Variant, rec.Generation)
		sh.mu.Unlock()
	}
	r.objects.Set(s.key, e)
	return e.bytes
}

// Clear forgets all objects, to give their memory back. Fetches in progress go on.
func (r *Room) Clear() { r.objects.Clear() }
