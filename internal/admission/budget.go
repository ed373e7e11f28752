package admission

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/limit"
)

// budget is what one origin has been given, and who waits for more. It outlives the policies that use it.
//
// No wake-up is lost. Whoever waits is counted in waiting, and only then, under mu, tries for a share (serve). Whoever gives a
// share back gives it back first and then reads waiting. Atomics are sequentially consistent, so either the one who gives
// back sees the waiter and serves the queue, or the waiter's try comes after the share was given back and finds it. A try that
// took a share of concurrency and failed at the rate gives it back under mu or goes on to serve under mu: the same holds.
// Rate comes back by itself; serve sets the timer for it whenever the first in turn lacks nothing else.
type budget struct {
	concurrent atomic.Int64 // requests at the origin
	upgrades   atomic.Int64 // connections that the origin has upgraded; they are not in concurrent any more
	waiting    atomic.Int64 // the queue's length and what a predecessor wants, for those without mu
	retired    atomic.Bool  // a successor has the budget: concurrent and upgrades are pinned, holding counts
	usedUp     atomic.Int64 // when somebody last found it used up, in Unix nanoseconds
	current    atomic.Pointer[terms]
	meter      *limit.Meter

	mu      sync.Mutex
	loan    loan
	holding holding
	queue   *queue
	timer   *time.Timer // calls serve at wake
	wake    time.Time   // zero if the timer is not set
	waiters sync.Pool
}

// outcome is how a wait ended.
type outcome uint8

const (
	undecided outcome = iota
	admitted
	dropped // from a full queue
	expired
	gone
)

// waiter is one request in the queue. All fields but done are guarded by its budget's mu while it is there.
type waiter struct {
	budget  *budget
	outcome outcome
	backlog time.Duration // how long the oldest in the queue had waited when this one was refused
	done    chan struct{} // gets one token when outcome is decided
	since   time.Time
	class   *class          // nil outside the queue
	place   element[waiter] // in its source's line
	age     element[waiter] // in the queue's ages
}

func newBudget(t *terms) *budget {
	b := &budget{meter: limit.NewMeter(t.rate), queue: newQueue()}
	b.current.Store(t)
	b.waiters.New = func() any {
		w := &waiter{budget: b, done: make(chan struct{}, 1)}
		w.place.value, w.age.value = w, w
		return w
	}
	return b
}

// terms returns the terms in force: those offered, if they are newer.
func (b *budget) terms(offered *terms) *terms {
	t := b.current.Load()
	if t == offered || t.generation >= offered.generation {
		return t
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t = b.current.Load(); t.generation < offered.generation {
		t = offered
		b.current.Store(t)
		b.meter.SetRate(t.rate)
		b.serve(time.Now())
	}
	return t
}

// busyFor is how long a budget counts as busy after it was used up: a flood that limits hold back leaves room at once, for itself.
const busyFor = 10 * time.Second

// busy tells whether the budget is used up, or was a moment ago.
func (b *budget) busy(now time.Time) bool { return now.UnixNano()-b.usedUp.Load() < int64(busyFor) }

// try takes a share without waiting, if nobody else waits for one.
func (b *budget) try(t *terms, now time.Time) bool {
	if b.waiting.Load() > 0 {
		return false
	}
	ok, _ := b.take(t, now)
	return ok
}

// take takes a share if there is one. A positive wait tells that only the rate is lacking, and for how long.
func (b *budget) take(t *terms, now time.Time) (ok bool, wait time.Duration) {
	if !acquire(&b.concurrent, t.concurrent) {
		return false, 0
	}
	if !t.metered {
		return true, 0
	}
	ok, wait = b.meter.Take(1, now)
	if !ok {
		b.concurrent.Add(-1)
	}
	return ok, wait
}

// acquire adds one to n unless that would exceed limit.
func acquire(n *atomic.Int64, limit int64) bool {
	for {
		have := n.Load()
		if have >= limit {
			return false
		}
		if n.CompareAndSwap(have, have+1) {
			return true
		}
	}
}

// release gives back a share of concurrency.
func (b *budget) release() {
	retired := b.retired.Load()
	if !retired {
		b.concurrent.Add(-1)
		if b.waiting.Load() == 0 && !b.retired.Load() {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if retired {
		b.giveBack(1, 0)
		return
	}
	b.serve(time.Now())
}

// waiter returns a waiter that is not in the queue yet.
func (b *budget) waiter() *waiter {
	w := b.waiters.Get().(*waiter)
	w.outcome = undecided
	return w
}

// enqueue puts w into the queue, unless its client has gone. Its outcome may have been decided when enqueue returns.
func (b *budget) enqueue(w *waiter, source netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.outcome != undecided {
		return
	}
	now := time.Now()
	b.queue.push(w, source, now)
	b.waiting.Store(b.wanting())
	b.serve(now)
}

// serve ends the waits that are over: too long, or with a share taken, or with no room in the queue. Call it with mu held.
func (b *budget) serve(now time.Time) {
	t := b.current.Load()
	for w := b.queue.oldest(); t.queue > 0 && w != nil && now.Sub(w.since) >= t.timeout; w = b.queue.oldest() {
		b.queue.remove(w)
		b.settle(w, expired, t.timeout)
	}
	lacking := b.dispatch(t, now)
	for b.queue.len() > t.queue {
		w, backlog := b.queue.loser(), now.Sub(b.queue.oldest().since)
		b.queue.remove(w)
		b.settle(w, dropped, backlog)
	}
	b.schedule(now, t.timeout, lacking)
	if b.retired.Load() {
		b.giveBack(0, 0)
	}
}

// dispatch hands out shares in turn, as long as there are any. It returns how long it will take until the next one has one, if
// that is a matter of the rate alone.
func (b *budget) dispatch(t *terms, now time.Time) (lacking time.Duration) {
	for b.wanting() > 0 {
		ok, wait := b.take(t, now)
		if !ok {
			return wait
		}
		b.hand(func() bool { return acquire(&b.upgrades, t.upgrades) })
	}
	return 0
}

// settle tells w, which is not in the queue any more, how its wait ended.
func (b *budget) settle(w *waiter, o outcome, backlog time.Duration) {
	w.outcome, w.backlog = o, backlog
	b.waiting.Store(b.wanting())
	w.done <- struct{}{}
}

// schedule has the queue served again when the rate allows the next one, where only that is lacking, or the oldest has waited
// too long. A timer set for earlier is left alone: it costs less to come once in vain than to set it at every turn.
func (b *budget) schedule(now time.Time, timeout, lacking time.Duration) {
	var at time.Time
	if oldest := b.queue.oldest(); oldest != nil {
		at = oldest.since.Add(timeout)
	}
	if lacking > 0 && (at.IsZero() || now.Add(lacking).Before(at)) {
		at = now.Add(lacking)
	}
	if at.IsZero() {
		return
	}
	if !b.wake.IsZero() && !at.Before(b.wake) {
		return
	}
	b.wake = at
	if b.timer == nil {
		b.timer = time.AfterFunc(at.Sub(now), b.woken)
	} else {
		b.timer.Reset(at.Sub(now))
	}
}

func (b *budget) woken() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake = time.Time{}
	b.serve(time.Now())
}

// Interrupt ends w's wait because its client has gone ([flow.Interrupter]).
func (w *waiter) Interrupt() {
	b := w.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.outcome != undecided {
		return
	}
	if w.class != nil {
		b.queue.remove(w)
	}
	b.settle(w, gone, 0)
	b.serve(time.Now())
}
