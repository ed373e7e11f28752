package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// asideSteps is in how many steps what is set aside grows. Each change has the store begin anew to find out what kind of traffic it
	// has, so they are few.
	asideSteps = 16
	// lendAfter is how long less has been wanted than was set aside, before that is lent again.
	lendAfter = 30 * time.Second
)

// budget counts the bytes of what is under way against a limit. What is not wanted of the limit is lent to stored objects: they have all
// memory but what is set aside here. That grows as soon as it is wanted, and objects have gone before it is used.
type budget struct {
	limit  int64
	resize func(aside int64) // has stored objects make room; it may evict many
	used   atomic.Int64
	aside  atomic.Int64
	peak   atomic.Int64 // of used since the last look
	looked atomic.Int64 // when that was, in ns since 1970

	mu sync.Mutex // of who changes aside
}

func (b *budget) init(limit int64, resize func(aside int64)) { b.limit, b.resize = limit, resize }

// take reserves n bytes if they fit.
func (b *budget) take(n int64) bool { return b.takeBelow(n, b.limit) }

// takeBelow reserves n bytes if no more than limit is reserved then.
func (b *budget) takeBelow(n, limit int64) bool {
	used := b.used.Add(n)
	if used > limit {
		b.used.Add(-n)
		return false
	}
	b.cover(used)
	return true
}

// add reserves n bytes more, also beyond the limit, or gives back -n.
func (b *budget) add(n int64) {
	if used := b.used.Add(n); n > 0 {
		b.cover(used)
	}
}

// full tells that nothing is left.
func (b *budget) full() bool { return b.used.Load() >= b.limit }

// cover sets aside what is used.
func (b *budget) cover(used int64) {
	for p := b.peak.Load(); used > p && !b.peak.CompareAndSwap(p, used); p = b.peak.Load() {
	}
	if used <= b.aside.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if aside := b.steps(used); aside > b.aside.Load() {
		b.resize(aside)
		b.aside.Store(aside)
	}
}

// steps is what is set aside for so many bytes.
func (b *budget) steps(used int64) int64 {
	step := max(b.limit/asideSteps, 1)
	return min((used+step-1)/step*step, b.limit)
}

// lend gives stored objects what has not been wanted lately, if that is more than a step. It is called when one more comes.
func (b *budget) lend(now time.Time) {
	last := b.looked.Load()
	if now.UnixNano()-last < int64(lendAfter) || !b.looked.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.used.Load()
	aside, before := b.steps(max(b.peak.Swap(used), used)), b.aside.Load()
	if before-aside <= b.limit/asideSteps {
		return
	}
	b.aside.Store(aside)
	if b.used.Load() > aside { // who came between may not have seen that
		b.aside.Store(before)
		return
	}
	b.resize(aside)
}
