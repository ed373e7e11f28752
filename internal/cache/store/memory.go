// Package store keeps complete responses: in memory ([Memory]), and below it in files ([Disk]).
//
// Memory is bounded by its values' bytes. When it is full, what is asked for least goes (W-TinyLFU, Einziger et al. 2017): one flood of
// new keys does not push out what many ask for. Reads take no lock that cores share. Nothing expires here: a stale response is still
// worth its validators. The bound may be exceeded for moments while an eviction catches up. It fails by forgetting: a value that was set
// may be gone at the next read.
//
// Disk is segment files that are only appended to, with an index in memory, bounded by the files' bytes and by objects. When it is full,
// the oldest segment goes; what was asked for, or what its owner still wants, is written again, up to half of a segment. Whoever deletes
// notes that in a journal before it is done, so that what was deleted or replaced does not come back, also if the process is killed at
// any moment; what was being written then is told by its checksums, and lost. Each start sees everything that the one before has
// closed, and finds it in the background. A disk that is full or fails is given up, and tried again with nothing on it.
//
// The package learns keys and values from cache and writes nothing but its files.
package store

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// Key is a keyed hash that nobody outside can aim at. Values carry what it stands for, since two of them could be equal.
type Key uint64

// Sized is a value that knows its bytes, overhead included. The size is asked once, when the value is set.
type Sized interface{ Size() int64 }

// MaxValue is the size above which a value is not kept.
const MaxValue = math.MaxUint32

// Memory is a bounded set of values, safe for concurrent use. The nil memory keeps nothing.
type Memory[V Sized] struct {
	values    *otter.Cache[Key, V]
	evictions atomic.Uint64
}

// New makes a store for at most size bytes.
func New[V Sized](size int64) (*Memory[V], error) {
	if size <= 0 {
		return nil, fmt.Errorf("memory store: size %d is not positive", size)
	}
	m := &Memory[V]{}
	values, err := otter.New(&otter.Options[Key, V]{
		MaximumWeight: uint64(size),
		Weigher:       func(_ Key, v V) uint32 { return uint32(v.Size()) },
		OnAtomicDeletion: func(e otter.DeletionEvent[Key, V]) {
			if e.WasEvicted() {
				m.evictions.Add(1)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("memory store: %w", err)
	}
	m.values = values
	return m, nil
}

// Get returns the value of a key. It does not wait and does not allocate.
func (m *Memory[V]) Get(k Key) (v V, ok bool) {
	if m == nil {
		return v, false
	}
	return m.values.GetIfPresent(k)
}

// Has tells whether a key has a value; it does not count as asking for it.
func (m *Memory[V]) Has(k Key) bool {
	_, ok := m.values.GetEntryQuietly(k)
	return ok
}

// Set keeps a value in place of what the key had. A value above [MaxValue] is dropped together with what it would replace.
func (m *Memory[V]) Set(k Key, v V) {
	switch {
	case m == nil:
	case v.Size() > MaxValue:
		m.values.Invalidate(k)
	default:
		m.values.Set(k, v)
	}
}

// Update puts what change makes of a key's value in its place, in one step; change may be called more than once, must not wait, and
// reports false to leave the value as it is. Without a value nothing happens.
func (m *Memory[V]) Update(k Key, change func(V) (V, bool)) {
	m.values.ComputeIfPresent(k, func(old V) (V, otter.ComputeOp) {
		if v, ok := change(old); ok {
			return v, otter.WriteOp
		}
		return old, otter.CancelOp
	})
}

// Delete forgets a key.
func (m *Memory[V]) Delete(k Key) {
	if m != nil {
		m.values.Invalidate(k)
	}
}

// Clear forgets everything.
func (m *Memory[V]) Clear() {
	if m != nil {
		m.values.InvalidateAll()
	}
}

// Hottest returns the keys, those first that are asked for most. Meanwhile nothing is evicted, but reads go on.
func (m *Memory[V]) Hottest() []Key {
	if m == nil {
		return nil
	}
	keys := make([]Key, 0, m.values.EstimatedSize())
	for e := range m.values.Hottest() {
		keys = append(keys, e.Key)
	}
	return keys
}

// Resize bounds the values' bytes anew. What has no room any more is gone when it returns.
func (m *Memory[V]) Resize(size int64) { m.values.SetMaximum(uint64(size)) }

// Filled tells whether a value has been evicted by now: as a rule, there is no room but what others make.
func (m *Memory[V]) Filled() bool { return m.evictions.Load() > 0 }

// Stats tells how many values there are, their bytes, and how many have been evicted for want of room.
func (m *Memory[V]) Stats() (values int, bytes int64, evictions uint64) {
	if m == nil {
		return 0, 0, 0
	}
	return m.values.EstimatedSize(), int64(m.values.WeightedSize()), m.evictions.Load()
}
