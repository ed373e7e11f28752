package limit

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ways is the number of keys a set holds: with its lock they fill a cache line, and their times the next.
const ways = 7

// stripes is the number of counters over which evictions are spread, so that a flood does not contend for one.
const stripes = 32

// maxCapacity bounds a Table at about 78 GiB.
const maxCapacity = 1 << 32

// A Key names what is limited. It is a keyed hash, made by a method of the Table it is used with: which keys share a set
// cannot be foreseen from outside.
type Key uint64

// A Table holds the theoretical arrival times of a fixed number of keys. It is safe for concurrent use. Its locks are one
// to every 7 keys, held for some nanoseconds; none is shared by all callers.
type Table struct {
	seed  maphash.Seed
	epoch time.Time
	sets  []set

	forgotten [stripes]stripe
}

// A set is where a key may be: 128 bytes, two neighbouring cache lines. An empty way is one whose time was long ago.
type set struct {
	mu    sync.Mutex
	keys  [ways]Key
	tats  [ways]int64 // theoretical arrival times, ns since the table's epoch
	spans [ways]span  // how long the whole burst of each key's rate takes to drain
}

// A stripe is a share of a counter, on a cache line of its own.
type stripe struct {
	n atomic.Uint64
	_ [56]byte
}

// New returns a table for capacity keys, rounded up to a multiple of 7. It allocates its memory, 18.3 bytes a key, at
// once and never more; the operating system backs it with pages as keys come. It panics unless capacity is between 1 and
// 2³².
func New(capacity int) *Table {
	if capacity < 1 || capacity > maxCapacity {
		panic(fmt.Sprintf("limit: capacity of %d keys is not between 1 and %d", capacity, maxCapacity))
	}
	return &Table{
		seed:  maphash.MakeSeed(),
		epoch: time.Now(),
		sets:  make([]set, (capacity+ways-1)/ways),
	}
}

// Key returns the key of an address in a zone. Kind tells apart what is counted of the same address: give each limit its
// own. An IPv4 address and its IPv4-mapped IPv6 form have the same key; an IPv6 scope zone is ignored.
func (t *Table) Key(zone uint64, kind uint8, addr netip.Addr) Key {
	var b [25]byte
	ip := addr.As16()
	copy(b[:], ip[:])
	binary.NativeEndian.PutUint64(b[16:], zone)
	b[24] = kind
	return Key(maphash.Bytes(t.seed, b[:]))
}

// KeyString is Key for what has no address: a session, a fingerprint, a token, or several joined.
func (t *Table) KeyString(zone uint64, kind uint8, s string) Key {
	var b [17]byte
	binary.NativeEndian.PutUint64(b[:], maphash.String(t.seed, s))
	binary.NativeEndian.PutUint64(b[8:], zone)
	b[16] = kind
	return Key(maphash.Bytes(t.seed, b[:]))
}

// KeyBytes is the key of what has no address and no zone, in a table of its own: several values joined.
func (t *Table) KeyBytes(b []byte) Key {
	return Key(maphash.Bytes(t.seed, b))
}

// Take takes cost units from key's burst if the rate allows. Else it takes none, and retryAfter is how long until it
// would allow them (Never if cost exceeds the burst). A cost below 1 is always allowed. A key the table does not know has
// its whole burst; it is never refused for want of room. A now before New counts as the time of New.
func (t *Table) Take(key Key, r Rate, cost int, now time.Time) (ok bool, retryAfter time.Duration) {
	if !r.limits(cost) {
		return true, 0
	}
	if cost > r.burst {
		return false, Never
	}
	at := since(t.epoch, now)
	s := t.set(key)
	s.mu.Lock()
	i := s.claim(key, r, at, &t.forgotten[key%stripes])
	s.tats[i], retryAfter = r.take(s.tats[i], at, cost)
	s.mu.Unlock()
	return retryAfter == 0, retryAfter
}

// Charge takes cost units whether or not the rate allows them, for work that is done already. What exceeds the burst is not owed.
func (t *Table) Charge(key Key, r Rate, cost int, now time.Time) {
	if !r.limits(cost) {
		return
	}
	at := since(t.epoch, now)
	s := t.set(key)
	s.mu.Lock()
	i := s.claim(key, r, at, &t.forgotten[key%stripes])
	s.tats[i] = r.charge(s.tats[i], at, cost)
	s.mu.Unlock()
}

// Peek answers as Take would, and takes nothing.
func (t *Table) Peek(key Key, r Rate, cost int, now time.Time) (ok bool, retryAfter time.Duration) {
	if !r.limits(cost) {
		return true, 0
	}
	if cost > r.burst {
		return false, Never
	}
	at := since(t.epoch, now)
	s := t.set(key)
	s.mu.Lock()
	var tat int64
	if i := s.find(key); i >= 0 {
		tat = s.tats[i]
	}
	s.mu.Unlock()
	_, retryAfter = r.take(tat, at, cost)
	return retryAfter == 0, retryAfter
}

// Refund gives back cost units that were taken for work that never happened. A key forgotten since has nothing to get
// back.
func (t *Table) Refund(key Key, r Rate, cost int, now time.Time) {
	if !r.limits(cost) {
		return
	}
	at := since(t.epoch, now)
	s := t.set(key)
	s.mu.Lock()
	if i := s.find(key); i >= 0 {
		s.tats[i] = r.refund(s.tats[i], at, cost)
	}
	s.mu.Unlock()
}

// Stats are a table's counts.
type Stats struct {
	Capacity  int    // keys the table can hold
	Live      int    // keys that have not their whole burst now
	Forgotten uint64 // live keys evicted since New: each got its burst back before its time
}

// Stats counts. It visits every set (about a millisecond for a million keys), holding no lock for long.
func (t *Table) Stats(now time.Time) Stats {
	at := since(t.epoch, now)
	st := Stats{Capacity: len(t.sets) * ways}
	for i := range t.forgotten {
		st.Forgotten += t.forgotten[i].n.Load()
	}
	for i := range t.sets {
		s := &t.sets[i]
		s.mu.Lock()
		for _, tat := range s.tats {
			if tat > at {
				st.Live++
			}
		}
		s.mu.Unlock()
	}
	return st
}

// set returns the set of a key: the key's place in [0, 2⁶⁴) scaled to the number of sets.
func (t *Table) set(key Key) *set {
	i, _ := bits.Mul64(uint64(key), uint64(len(t.sets)))
	return &t.sets[i]
}

// find returns the way that holds key, or -1.
func (s *set) find(key Key) int {
	for i := range s.keys {
		if s.keys[i] == key {
			return i
		}
	}
	return -1
}

// claim returns the way of key, which is new to the set if need be, for a Rate that it is to be metered at.
func (s *set) claim(key Key, r Rate, now int64, forgotten *stripe) int {
	i := s.find(key)
	if i < 0 {
		var live bool
		if i, live = s.replace(key, now); live {
			forgotten.n.Add(1)
		}
	}
	s.spans[i] = r.span
	return i
}

// replace gives key the way whose debt is the smallest part of its burst, and reports whether that was a live one. A
// time not after now says what absence says, so replacing it loses nothing.
func (s *set) replace(key Key, now int64) (way int, live bool) {
	least := math.Inf(1)
	for i, tat := range s.tats {
		if debt := float64(tat-now) / float64(s.spans[i].duration()); debt < least {
			way, least = i, debt
		}
	}
	s.keys[way], s.tats[way] = key, 0
	return way, least > 0
}
