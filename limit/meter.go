package limit

import (
	"sync/atomic"
	"time"
)

// A Meter is one un-keyed GCRA, such as the requests per second to an origin. It is safe for concurrent use and
// takes no lock. Make one with NewMeter.
type Meter struct {
	epoch time.Time
	rate  atomic.Pointer[Rate]
	tat   atomic.Int64 // theoretical arrival time, ns since epoch
}

// NewMeter returns a meter with a full burst.
func NewMeter(r Rate) *Meter {
	m := &Meter{epoch: time.Now()}
	m.rate.Store(&r)
	return m
}

// SetRate changes the rate from the next Take on. What was taken stays taken, up to the new burst.
func (m *Meter) SetRate(r Rate) {
	m.rate.Store(&r)
}

// Take takes cost units if the rate allows, else it takes none and returns how long until it would allow them (Never if
// cost exceeds the burst). A cost below 1 is always allowed. A now before NewMeter counts as the time of NewMeter.
func (m *Meter) Take(cost int, now time.Time) (ok bool, wait time.Duration) {
	r := *m.rate.Load()
	if !r.limits(cost) {
		return true, 0
	}
	if cost > r.burst {
		return false, Never
	}
	at := since(m.epoch, now)
	for {
		tat := m.tat.Load()
		next, wait := r.take(tat, at, cost)
		if next == tat || m.tat.CompareAndSwap(tat, next) {
			return wait == 0, wait
		}
	}
}

// Refund gives back cost units that were taken for work that never happened.
func (m *Meter) Refund(cost int, now time.Time) {
	r := *m.rate.Load()
	if !r.limits(cost) {
		return
	}
	at := since(m.epoch, now)
	for {
		tat := m.tat.Load()
		next := r.refund(tat, at, cost)
		if next == tat || m.tat.CompareAndSwap(tat, next) {
			return
		}
	}
}
