package store

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	indexShards = 64
	firstSlots  = 16
	// asked is the bit of a slot's meta that tells that its object was asked for since it was written, sound that this process has read
	// from there what was written.
	asked = 1 << 31
	sound = 1 << 30
)

// slot is where one object is: 24 bytes, in tables of which between two and four fifths are in use.
type slot struct {
	key     Key
	segment uint32 // 0 in an empty slot
	offset  uint32
	meta    uint32 // length, and the bits
	body    uint32 // length
}

// A body that is apart is in the segment of which the slot has the number's last 9 bits, above the length of meta.
const (
	hints     = 1 << 9
	hintShift = 20
)

// apartIn are a slot's bits for a body in a segment.
func apartIn(segment uint32) uint32 { return apart | segment%hints<<hintShift }

func (s *slot) metaSize() uint32 { return s.meta & maxMeta }
func (s *slot) apart() bool      { return s.meta&apart != 0 }
func (s *slot) hint() uint32     { return s.meta >> hintShift % hints }
func (s *slot) prefix() int      { return prefix(s.metaSize(), s.body) }

// listed is meta as a segment's list has it.
func (s *slot) listed() uint32 { return s.meta &^ (asked | sound) }

// mayBeIn tells whether the object has a part in a segment: surely if its record is there, else if the body could be.
func (s *slot) mayBeIn(segment uint32) bool {
	return s.segment == segment || s.apart() && s.hint() == segment%hints
}

// rank is how much its object is to be kept.
func (s *slot) rank() int {
	rank := int(s.meta>>31) * 2
	if s.body == 0 {
		rank++
	}
	return rank
}

// same tells whether two slots are the same place.
func (s *slot) same(o *slot) bool {
	return s.key == o.key && s.segment == o.segment && s.offset == o.offset
}

// index finds objects by key. Keys are hashes: their lowest bits place them, their highest choose the shard.
type index struct {
	shards [indexShards]indexShard
	count  atomic.Int64
}

// indexShard is an open-addressed table, with linear probing. Methods are called with mu held.
type indexShard struct {
	mu    sync.Mutex
	slots []slot
	used  int
	// queued are the keys' objects that are still to be written.
	queued map[Key]*item
	// dead, while what is on disk is being found, has the greatest seq that was deleted or replaced of each key; nil after that.
	dead map[Key]uint64
}

func (x *index) shard(k Key) *indexShard { return &x.shards[k>>58] }

// find returns a key's slot, nil if there is none.
func (s *indexShard) find(k Key) *slot {
	if len(s.slots) == 0 {
		return nil
	}
	mask := Key(len(s.slots) - 1)
	for i := k & mask; s.slots[i].segment != 0; i = (i + 1) & mask {
		if s.slots[i].key == k {
			return &s.slots[i]
		}
	}
	return nil
}

// put adds a slot, or replaces its key's.
func (x *index) put(s *indexShard, v slot) {
	if old := s.find(v.key); old != nil {
		*old = v
		return
	}
	if (s.used+1)*5 > len(s.slots)*4 {
		old := s.slots
		s.slots = make([]slot, max(2*len(old), firstSlots))
		for i := range old {
			if old[i].segment != 0 {
				s.place(old[i])
			}
		}
	}
	s.place(v)
	s.used++
	x.count.Add(1)
}

func (s *indexShard) place(v slot) {
	mask := Key(len(s.slots) - 1)
	i := v.key & mask
	for s.slots[i].segment != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = v
}

// drop removes a key's slot and tells whether there was one. Those behind it that it had pushed aside move up.
func (x *index) drop(s *indexShard, k Key) bool {
	at := s.find(k)
	if at == nil {
		return false
	}
	mask := Key(len(s.slots) - 1)
	hole := k & mask
	for &s.slots[hole] != at {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; s.slots[i].segment != 0; i = (i + 1) & mask {
		if home := s.slots[i].key & mask; (i-home)&mask >= (i-hole)&mask {
			s.slots[hole] = s.slots[i]
			hole = i
		}
	}
	s.slots[hole] = slot{}
	s.used--
	x.count.Add(-1)
	return true
}

// trust notes that what a slot's place has is sound.
func (x *index) trust(v *slot) {
	s := x.shard(v.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.find(v.key); now != nil && now.same(v) {
		now.meta |= sound
	}
}

// forget forgets all objects, queued ones too.
func (x *index) forget() {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		x.count.Add(-int64(s.used))
		s.slots, s.used, s.queued = nil, 0, make(map[Key]*item)
		s.mu.Unlock()
	}
}

// loading begins, or ends, the time in which deletes are kept for what is still to be found.
func (x *index) loading(begin bool) {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		s.dead = nil
		if begin {
			s.dead = make(map[Key]uint64)
		}
		s.mu.Unlock()
	}
}

// of returns the slots that may have a part in a segment, in their order there.
func (x *index) of(segment uint32) (found []slot) {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		for _, v := range s.slots {
			if v.segment != 0 && v.mayBeIn(segment) {
				found = append(found, v)
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(found, func(a, b slot) int { return int(int64(a.offset) - int64(b.offset)) })
	return found
}

// dropSame removes a slot unless its key has moved.
func (x *index) dropSame(v *slot) {
	s := x.shard(v.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.find(v.key); now != nil && now.same(v) {
		x.drop(s, v.key)
	}
}
