package conn

import (
	"sync/atomic"
	"time"
)

// pace is how fast the peer is in one direction: what has moved, and how long a request has waited for it so far. Waits between which
// we were busy add up, so that a peer who moves a byte now and then can't start afresh with each. Begin, end and reset are for
// whoever waits, judge is for the sweeper.
type pace struct {
	moved  atomic.Int64 // bytes in all
	since  atomic.Int64 // while somebody waits: when that began, less what this request's earlier waits took; else 0
	base   atomic.Int64 // what had moved when this request's first wait began
	waited int64        // what this request's waits that are over took, in ms
}

// begin begins a wait at now; moved is what has moved so far.
func (p *pace) begin(now, moved int64) {
	if p.waited == 0 {
		p.base.Store(moved)
	}
	p.since.Store(now - p.waited)
}

func (p *pace) end(now int64) {
	p.waited = now - p.since.Load()
	p.since.Store(0)
}

// reset forgets the waits of the last request.
func (p *pace) reset() { p.waited = 0 }

// waiting tells whether a wait goes on.
func (p *pace) waiting() bool { return p.since.Load() != 0 }

// tooSlow judges the wait that goes on, if one does: nothing may stand still for stall, and beyond that time the average over all of
// the request's waits must reach rate, in bytes a second. Of what has moved, held is not with the peer yet.
func (p *pace) tooSlow(seen *progress, now, held int64, stall time.Duration, rate int) bool {
	since, base, moved := p.since.Load(), p.base.Load(), p.moved.Load()-held
	if since == 0 || p.since.Load() != since {
		return false
	}
	if seen.still(since, now, moved) >= stall {
		return true
	}
	over := time.Duration(now-since)*time.Millisecond - stall
	return over > 0 && float64(moved-base) < float64(rate)*over.Seconds()
}

// progress is what the sweeper has seen of one wait.
type progress struct {
	since          int64 // which wait
	moved, movedAt int64 // what had moved when it last moved
}

// still notes what has moved and returns for how long nothing has.
func (p *progress) still(since, now, moved int64) time.Duration {
	if p.since != since || p.moved != moved {
		*p = progress{since: since, moved: moved, movedAt: now}
	}
	return time.Duration(now-p.movedAt) * time.Millisecond
}
