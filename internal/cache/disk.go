package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

const (
	// promptRead is the longest body that is read on a loop, in bytes, if the page cache has it.
	promptRead = 256 << 10
	// streamFrom is the length from which a fresh body is sent from the disk piece by piece, and not put into memory.
	streamFrom = 1 << 20
	// diskReads bounds the reads that wait for the disk at one time: each holds a thread.
	diskReads = 64
	// queueShare is the part of the memory that may wait to be written: one in queueShare, but two of the largest objects at least.
	queueShare = 16
)

// tier is the room's part on the disk.
type tier struct {
	spec spec.Disk
	// slots are taken by reads that wait.
	slots chan struct{}
	log   *slog.Logger

	noting sync.Mutex // of the file of purges
	noted  int        // lines that were added to it since it was written anew

	opening sync.Mutex // of the copies' part, and of what follows
	// surviving tells that a zone wants copies, closed that the folder is another process's, unpurged that purges were lost.
	surviving, closed, unpurged bool

	lender  lender
	recalls *recalls

	mu sync.Mutex
	// reading are the objects that are being read into memory.
	reading map[store.Key]*reading
}

// reading is one read that several flows may wait for.
type reading struct {
	done    chan struct{}
	waiting int
}

func newTier(s *spec.Memory) (*tier, error) {
	d := s.Disk
	switch {
	case d.Path == "":
	case d.Size < store.MinSize:
		return nil, fmt.Errorf("cache.disk.size: %v is too small: want at least %v", d.Size, spec.Size(store.MinSize))
	case d.Object <= 0 || d.Objects <= 0:
		return nil, errors.New("cache.disk: want room for objects: object and objects are at least 1")
	}
	d.Object = min(d.Object, d.Size/8)
	return &tier{spec: d, slots: make(chan struct{}, diskReads), reading: make(map[store.Key]*reading)}, nil
}

// OpenDisk begins to use the folder on the disk, if there is to be one. It does not fail: a disk that can't be used says so in the log, and
// is tried again.
func (r *Room) OpenDisk(log *slog.Logger) error {
	s := &r.tier.spec
	if s.Path == "" {
		return nil
	}
	r.tier.log = log
	d, err := store.Open(store.Options{
		Folder: s.Path, Size: int64(s.Size), Objects: s.Objects, Queue: r.queueBytes(), Wanted: r.wanted, Log: log,
	})
	if err != nil {
		return fmt.Errorf("cache on the disk: %w", err)
	}
	r.tier.opening.Lock()
	defer r.tier.opening.Unlock()
	if err := r.recallPurges(s.Path); err != nil { // which may have been of anything
		log.Error("the cache on the disk can't be used: its purges can't be read", "error", err)
		d.Clear()
		r.tier.unpurged = true
	}
	r.disk.Store(d)
	r.openCopies()
	return nil
}

// queueBytes bounds what waits to be written, in bytes.
func (r *Room) queueBytes() int64 {
	return max(r.size/queueShare, 2*min(int64(r.tier.spec.Object), r.maxObject))
}

// CloseDisk gives the folder to the next process. What is dropped from then on is noted there all the same, so that the next one does not
// find it.
func (r *Room) CloseDisk() {
	r.tier.opening.Lock()
	r.tier.closed = true
	r.tier.opening.Unlock()
	for _, d := range [...]*store.Disk{r.disk.Load(), r.copies.Load()} {
		if d != nil {
			d.Close()
		}
	}
}

// diskKey is where on the disk an entry of a target is: a response without variants and a marker lie under the target alone.
func diskKey(d *store.Disk, t *target, generation uint64, variant string) store.Key {
	var b [512]byte
	text := t.append(b[:0])
	if generation != 0 {
		text = append(binary.LittleEndian.AppendUint64(text, generation), variant...)
	}
	return d.Key(text)
}

// key is where on the disk the entry is.
func (e *entry) key(d *store.Disk) store.Key {
	if e.survival {
		return diskKey(d, &e.target, 0, "")
	}
	return diskKey(d, &e.target, e.generation, e.variant)
}

// keepOnDisk has an entry written that has just been stored in memory. It does not wait.
func (r *Room) keepOnDisk(e *entry) {
	if d := r.disk.Load(); d != nil && e.parts == nil && len(e.message.Body) <= int(r.tier.spec.Object) {
		d.Renew(e.key(d), e, e.bytes, e.place)
	}
}

// supersede makes the disk forget what a new entry is about to replace, so that a crash can't bring it back, and tells where that was. It is called
// before the entry is served. If the entry is a variant and the disk does not have its marker, that is written, too.
func (r *Room) supersede(f *flow.Flow, s *spot, e *entry) (was store.Place) {
	d := r.disk.Load()
	if d == nil {
		return was
	}
	was = r.forgetOnDisk(d, f, s.key, e.key(d))
	if e.generation == 0 {
		return was
	}
	k := diskKey(d, &s.target, 0, "")
	if s.marked != nil {
		r.forgetOnDisk(d, f, s.primary, k)
	}
	sh := r.fills.shard(s.primary)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	m := r.get(s.primary, &s.target)
	if m != nil && m.marker != nil && m.marker.generation == e.generation && (m == s.marked || !d.Has(k)) {
		d.Put(k, m, m.bytes)
	}
	return was
}

// forgetOnDisk deletes what the disk has under a key, and tells where that was. After it, nobody puts that into memory under k who has read it
// before.
func (r *Room) forgetOnDisk(d *store.Disk, f *flow.Flow, k, onDisk store.Key) (was store.Place) {
	if !d.Has(onDisk) {
		return was
	}
	f.Task.Leave() // the note is written before anything else happens
	was = d.Delete(onDisk)
	r.fills.pass(k)
	return was
}

// erase forgets a stored response, in memory and on the disk.
func (r *Room) erase(f *flow.Flow, k store.Key, e *entry) {
	if d := r.disk.Load(); d != nil {
		r.forgetOnDisk(d, f, k, e.key(d))
	}
	r.objects.Delete(k)
}

// dropOnDisk forgets what the disk has of a target: its response or, with the marker, all its variants, and its survival copy.
func (r *Room) dropOnDisk(k store.Key, t *target) {
	if d := r.disk.Load(); d != nil {
		d.Delete(diskKey(d, t, 0, ""))
		r.fills.pass(k)
	}
	if d := r.copies.Load(); d != nil {
		d.Delete(diskKey(d, t, 0, ""))
		r.fills.pass(r.survivalKey(k))
	}
}

func (r *Room) clearDisk() {
	for _, d := range [...]*store.Disk{r.disk.Load(), r.copies.Load()} {
		if d != nil {
			d.Clear()
		}
	}
}

// pass waits for whoever has the shard of a key, so that what it is doing is done.
func (t *table) pass(k store.Key) {
	sh := t.shard(k)
	sh.mu.Lock()
	sh.mu.Unlock() //nolint:staticcheck // nothing is to be done meanwhile
}

// wanted tells whether memory has an entry, so that it should stay on the disk, too.
func (r *Room) wanted(meta []byte) bool {
	e, err := parseEntry(meta)
	if err != nil {
		return false
	}
	k := r.key(r.basis(e.target.zone), &e.target)
	switch {
	case e.survival:
		k = r.survivalKey(k)
	case e.generation != 0:
		k = r.variantKey(k, e.generation, []byte(e.variant))
	}
	return r.objects.Has(k)
}

// install puts an entry that was read from the disk into memory, unless it is out of date there by now or memory has another. It returns
// what memory has then, nil if that is nothing.
func (r *Room) install(s *spot, e *entry, from *store.Found) *entry {
	e.target.zone = s.target.zone
	sh := r.fills.shard(s.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if have := r.get(s.key, &e.target); have != nil {
		return have
	}
	if !from.Current() {
		return nil
	}
	r.objects.Set(s.key, e)
	if m := r.markerOf(s); m != nil {
		if oldest, full := m.add(s.key); full {
			r.objects.Delete(oldest)
		}
	}
	return e
}

// markerOf is the marker of a variant's spot, nil if that is none or memory has lost it.
func (r *Room) markerOf(s *spot) *marker {
	if s.vary == nil {
		return nil
	}
	if e := r.get(s.primary, &s.target); e != nil {
		return e.marker
	}
	return nil
}
