package loop

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// side is one direction of a connection: who waits for it, and until when.
type side struct {
	ready    atomic.Bool // there was an event since this was last cleared, before a try
	expired  atomic.Bool // the deadline has passed
	waiting  atomic.Pointer[waiter]
	deadline atomic.Pointer[deadline] // nil if none was ever set
}

// waiter is who waits: a task on its loop, or a goroutine, for its turn to be true. That is no channel: those belong to the synctest bubble
// that made them, and waiters are kept for others.
type waiter struct {
	task *Task // nil for a goroutine

	mu   sync.Mutex
	turn bool
	told sync.Cond
}

var goroutines = sync.Pool{New: func() any {
	w := new(waiter)
	w.told.L = &w.mu
	return w
}}

// wait waits for an event that comes after ready was last cleared, or for the deadline.
func (s *side) wait(t *Task) error {
	if s.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	var w *waiter
	if t.Left() {
		w = goroutines.Get().(*waiter)
		defer goroutines.Put(w)
	} else {
		w = &t.self
	}
	s.waiting.Store(w)
	if (!s.ready.Load() && !s.expired.Load()) || !s.waiting.CompareAndSwap(w, nil) {
		w.park() // whoever took w wakes it
	}
	if s.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (w *waiter) park() {
	if w.task != nil {
		w.task.wait()
		return
	}
	w.mu.Lock()
	for !w.turn {
		w.told.Wait()
	}
	w.turn = false
	w.mu.Unlock()
}

// tell ends a goroutine's park.
func (w *waiter) tell() {
	w.mu.Lock()
	w.turn = true
	w.told.Signal()
	w.mu.Unlock()
}

// event notes that something has changed, and wakes who waits. It is called on the loop on.
func (s *side) event(on *Loop) {
	s.ready.Store(true)
	s.wake(on)
}

// wake wakes who waits, if somebody does. On is the loop on which it is called, nil for elsewhere.
func (s *side) wake(on *Loop) {
	w := s.waiting.Swap(nil)
	switch {
	case w == nil:
	case w.task == nil:
		w.tell()
	case w.task.loop == on:
		w.task.resume()
	default:
		w.task.loop.post(posted{task: w.task})
	}
}

// expire lets all waits end, now and later, until a deadline is set anew.
func (s *side) expire() {
	s.expired.Store(true)
	s.wake(nil)
}

// Signal is news for one task or goroutine at a time, from anywhere. The zero value is ready to use.
type Signal struct{ side side }

// Wait waits for the next [Signal.Notify], or takes the one that has come since the last wait. T is who waits.
func (s *Signal) Wait(t *Task) {
	_ = s.side.wait(t) // which has no deadline
	s.side.ready.Store(false)
}

// Notify ends a wait, or the next one. It never waits itself, and runs nothing.
func (s *Signal) Notify() { s.side.event(nil) }

// deadline is a timer of a side.
type deadline struct {
	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
}

// set moves the deadline; the zero time is none.
func (s *side) set(at time.Time) {
	d := s.deadline.Load()
	if d == nil {
		if at.IsZero() {
			s.expired.Store(false)
			return
		}
		d = new(deadline)
		if !s.deadline.CompareAndSwap(nil, d) {
			d = s.deadline.Load()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	left := time.Until(at)
	if at.IsZero() || left <= 0 {
		if d.timer != nil {
			d.timer.Stop()
		}
		s.expired.Store(!at.IsZero())
		if !at.IsZero() {
			s.wake(nil)
		}
		return
	}
	s.expired.Store(false)
	if d.timer == nil {
		d.timer = time.AfterFunc(left, func() { s.pass(d) })
	} else {
		d.timer.Reset(left)
	}
}

// pass is the timer's: the deadline may have been moved since it fired.
func (s *side) pass(d *deadline) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.at.IsZero() && !time.Now().Before(d.at) {
		s.expire()
	}
}

// stop ends the timer of a connection that is being closed.
func (s *side) stop() {
	if d := s.deadline.Load(); d != nil {
		d.mu.Lock()
		d.at = time.Time{}
		if d.timer != nil {
			d.timer.Stop()
		}
		d.mu.Unlock()
	}
}
