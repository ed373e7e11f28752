package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// recentSlots is how many invalidations of a zone are remembered for fetches that are under way.
const recentSlots = 1024

// recent remembers when targets were invalidated, for what is fetched meanwhile: a fetch that began before must not be stored after, and which
// variants of a target are being fetched nobody knows. What is stored already is dropped at once. Each target has one slot; another one that
// takes it leaves its time behind for all, so that too much is kept out of the store, never too little.
type recent struct {
	mu    sync.Mutex // of who notes
	slots [recentSlots]struct{ target, at atomic.Int64 }
	floor atomic.Int64
}

// invalidate remembers an invalidation of a target.
func (z *purges) invalidate(seed maphash.Seed, t *target, at int64) {
	if z.recent.Load() == nil {
		z.recent.CompareAndSwap(nil, new(recent))
	}
	z.recent.Load().note(seed, t, at)
}

// outdated tells whether what was fetched for an entry may be from before an invalidation.
func (z *purges) outdated(seed maphash.Seed, e *entry) bool {
	c := z.recent.Load()
	return c != nil && c.after(seed, &e.target, e.begun)
}

// purged tells whether a response that is being fetched must not be for those who ask now.
func (p *Policy) purged(e *entry) bool {
	return !p.purges.alive(e) || p.purges.outdated(p.room.seed, e)
}

// note remembers an invalidation of a target at a time.
func (c *recent) note(seed maphash.Seed, t *target, at int64) {
	h := t.hash(seed)
	s := &c.slots[uint64(h)%recentSlots]
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.target.Load() != h {
		c.floor.Store(max(c.floor.Load(), s.at.Load()))
	}
	s.at.Store(at) // before the target: who finds that finds this time, or a later one
	s.target.Store(h)
}

// after tells whether a target may have been invalidated after a time.
func (c *recent) after(seed maphash.Seed, t *target, begun int64) bool {
	h := t.hash(seed)
	s := &c.slots[uint64(h)%recentSlots]
	return begun < c.floor.Load() || s.target.Load() == h && begun < s.at.Load()
}

// hash is one for all schemes, ports and dimensions of a URL.
func (t *target) hash(seed maphash.Seed) int64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(t.host)
	h.WriteByte(0)
	h.WriteString(t.path)
	if t.hasQuery {
		h.WriteByte('?')
		h.WriteString(t.query)
	}
	return int64(h.Sum64())
}
