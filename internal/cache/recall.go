package cache

import (
	"slices"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// onDisk, as a flow's Fetch, tells Join that the disk may have the answer, and has to be waited for.
type onDisk struct{}

// place is where on the disk a spot's entry would be.
func (s *spot) place(d *store.Disk) store.Key { return diskKey(d, &s.target, s.generation, s.variant) }

// name sets the variant of a spot that has a marker.
func (s *spot) name(q *flow.Request, p *Policy) {
	if s.vary != nil && s.variant == "" {
		s.variant = string(p.languages.AppendVaryKey(nil, s.vary, q.Fields))
	}
}

// matches tells whether an entry that was read is one for the spot.
func (s *spot) matches(e *entry) bool {
	return e.target == s.target && e.generation == s.generation && e.variant == s.variant && (e.marker == nil || s.vary == nil)
}

// recall looks for a spot's entry, which memory does not have, on the disk, as far as that takes no waiting. It reports true if the disk may
// have it, and has to be waited for.
func (p *Policy) recall(f *flow.Flow, s *spot) (later bool) {
	d := p.room.disk.Load()
	if d == nil {
		return false
	}
	s.name(f.Effective(), p)
	for s.entry == nil {
		found, ok := d.Find(s.place(d))
		if !ok {
			return false
		}
		later, ok := p.recallNow(f, s, &found)
		found.Release()
		if later || !ok {
			return later
		}
	}
	return false
}

// recallNow reads an object into memory that is lent. There it stays for one answer, or a copy of it is stored. It reports ok if there is
// something to go on with.
func (p *Policy) recallNow(f *flow.Flow, s *spot, found *store.Found) (later, ok bool) {
	q, r := f.Effective(), p.room
	switch {
	case found.Size() > promptRead:
		return true, false
	case p.recallFile(f, s, found):
		return false, true
	}
	lent := r.tier.lender.lend(found.Length())
	if lent == nil {
		return true, false
	}
	meta, body, err := found.Try(lent.memory)
	if err != nil {
		lent.Return()
		return true, false
	}
	e := p.assemble(meta, len(body))
	if e != nil && s.matches(e) && p.lendable(q, e) && r.once(s, found) {
		e.complete(body)
		e.message.Loan = lent
		s.entry = e
		return false, true
	}
	defer lent.Return()
	if e == nil {
		return false, false
	}
	e.complete(slices.Clone(body))
	return false, p.take(q, s, e, found)
}

// assemble makes an entry of what was read, but for the body of size bytes; nil if it is of no use.
func (p *Policy) assemble(meta []byte, size int) *entry {
	e, err := parseEntry(meta)
	switch {
	case err != nil:
		return nil
	case e.marker != nil:
		return e
	case !p.purges.alive(e):
		return nil
	}
	if p.compression.applies(e.message.Status, e.message.Fields, int64(size)) {
		e.negotiate(nil)
	}
	return e
}

// take puts an entry that was read for a spot into memory. If it is a marker, the spot is that of a variant from then on. It reports false if
// the spot has no use for it.
func (p *Policy) take(q *flow.Request, s *spot, e *entry, from *store.Found) bool {
	r := p.room
	if !s.matches(e) {
		return false
	}
	if e = r.install(s, e, from); e == nil || !s.matches(e) {
		return false
	}
	m := e.marker
	if m == nil {
		s.entry = e
		return true
	}
	s.vary, s.generation = m.vary, m.generation
	s.name(q, p)
	s.key = r.variantKey(s.primary, m.generation, []byte(s.variant))
	if e := r.get(s.key, &s.target); e != nil && s.matches(e) {
		s.entry = e
	}
	return true
}

// recallWaiting does for Join what Lookup had to leave: it reads what the disk has, once for all flows that ask for it at that time, and
// answers as Lookup would have. It reports false if the flow is to go on with Join.
func (p *Policy) recallWaiting(f *flow.Flow) bool {
	q, d := f.Effective(), p.room.disk.Load()
	f.Cache.Fetch = nil
	f.Task.Leave()
	var s spot
	for range 3 { // a marker, the response, and once more if another flow has read them
		p.locate(q, &s)
		if s.entry != nil {
			break
		}
		s.name(q, p)
		found, ok := d.Find(s.place(d))
		if !ok {
			break
		}
		if found.Size() > streamFrom && p.stream(f, &s, &found) {
			return true
		}
		if !p.read(f, &s, found) {
			break
		}
	}
	p.answer(f, &s)
	c := &f.Cache
	return c.Message != nil || c.Refusal != nil
}

// read has an object read into memory, or waits until another flow's read is done. It reports false if that came to nothing. found is
// released.
func (p *Policy) read(f *flow.Flow, s *spot, found store.Found) bool {
	r := p.room
	k := s.place(r.disk.Load())
	t := r.tier
	t.mu.Lock()
	rd := t.reading[k]
	if rd != nil {
		rd.waiting++
		most := rd.waiting > p.waiters
		t.mu.Unlock()
		found.Release()
		return !most && await(f, rd.done)
	}
	rd = &reading{done: make(chan struct{})}
	t.reading[k] = rd
	t.mu.Unlock()
	copied := *s // the flow may leave earlier; what it knows of the request is its own
	copied.target = s.target.clone()
	go func() {
		defer found.Release()
		p.load(&copied, &found)
		t.mu.Lock()
		delete(t.reading, k)
		t.mu.Unlock()
		close(rd.done)
	}()
	return await(f, rd.done)
}

// load reads an object into memory, within the bounds for what is under way.
func (p *Policy) load(s *spot, found *store.Found) {
	r := p.room
	r.tier.slots <- struct{}{}
	defer func() { <-r.tier.slots }()
	size := found.Size()
	if size > r.maxObject || !r.filling.take(size) {
		return
	}
	defer r.filling.add(-size)
	meta, body, err := found.Read()
	if err != nil {
		return // it is forgotten, and counted
	}
	if e := p.assemble(meta, len(body)); e != nil && s.matches(e) {
		e.complete(body)
		r.install(s, e, found)
	}
}

// stream answers with a large object out of the disk if it is fresh: found is the message's then. It reports false otherwise.
func (p *Policy) stream(f *flow.Flow, s *spot, found *store.Found) bool {
	now := time.Now()
	done := make(chan struct{})
	opened := make(chan *diskBody, 1) // holds at most the one that is sent
	matching := *s
	matching.target = s.target.clone()
	again := *found
	if !again.Acquire() {
		return false
	}
	go func() {
		defer close(done)
		opened <- p.openStream(&matching, &again)
	}()
	var b *diskBody
	if await(f, done) {
		b = <-opened
	} else {
		go func() { (<-opened).drop() }()
	}
	if b == nil {
		return false
	}
	d := p.decide(b.entry, f.Effective(), now)
	status := flow.Hit
	switch {
	case d.Outcome == httpcache.Fresh:
	case d.Outcome == httpcache.Stale && d.Reason == httpcache.AllowedByMaxStale:
		status = flow.Stale
	default:
		b.drop()
		return false
	}
	found.Release()
	serve(&f.Cache, b.entry, status, &d)
	f.Cache.Reason = d.Reason.String()
	f.Cache.Message = &flow.Message{Status: b.entry.message.Status, Fields: b.entry.message.Fields, Length: b.blocks.Size(), Stream: b}
	return true
}

// openStream reads an object's head, and gives found back unless the body can be read in pieces.
func (p *Policy) openStream(s *spot, found *store.Found) *diskBody {
	r := p.room
	r.tier.slots <- struct{}{}
	defer func() { <-r.tier.slots }()
	meta, blocks, err := found.ReadMeta()
	if err == nil {
		if e, err := parseEntry(meta); err == nil && s.matches(e) && e.marker == nil && p.purges.alive(e) && r.filling.take(store.BlockSize) {
			return &diskBody{room: r, entry: e, blocks: blocks, end: blocks.Size()}
		}
	}
	found.Release()
	return nil
}

// await lets a flow wait, at most headWait, for something that is done elsewhere, and reports whether that is done.
func await(f *flow.Flow, done <-chan struct{}) bool {
	g := make(gone, 1)
	if !f.Abort.Watch(g) {
		return false
	}
	defer f.Abort.Unwatch()
	timer := time.NewTimer(headWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-g:
	case <-timer.C:
	}
	return false
}

// gone is signalled when a client leaves.
type gone chan struct{}

// Interrupt implements [flow.Interrupter].
func (g gone) Interrupt() {
	select {
	case g <- struct{}{}:
	default:
	}
}
