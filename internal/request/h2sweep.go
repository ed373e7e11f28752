package request

import (
	"time"

	"github.com/seawall/seawall/h2"
)

// pace is how fast a client takes or sends the content of one stream while somebody waits for it. Waits add up, so that a client who moves
// a byte now and then can't start afresh with each.
type pace struct {
	moved, seen   int64 // bytes; what the last look saw
	waited, still time.Duration
}

// tooSlow notes that somebody has waited since the last look, lasted ago: nothing may stand still for stall, and beyond that time the
// average must reach rate, in bytes a second.
func (p *pace) tooSlow(lasted, stall time.Duration, rate int) bool {
	p.waited += lasted
	p.still += lasted
	if p.moved != p.seen {
		p.seen, p.still = p.moved, 0
	}
	over := p.waited - stall
	return p.still >= stall || over > 0 && float64(p.moved) < float64(rate)*over.Seconds()
}

// sweep looks at what takes time, once a second.
func (s *h2session) sweep(frames []byte) []byte {
	lasted := s.now.Sub(s.swept)
	if lasted < sweepEvery {
		return frames
	}
	s.swept = s.now
	limits := &s.room.connections
	lasted = min(lasted, 2*sweepEvery) // longer if nobody waited
	for i := len(s.streams) - 1; i >= 0; i-- {
		st := &s.streams[i]
		if st.parted {
			frames = s.server.AppendReset(frames, st.id, h2.NoError)
			s.remove(i)
			continue
		}
		st.parted = st.parts
		if len(st.rest) > 0 && s.server.Window(st.id) <= 0 && st.pace.tooSlow(lasted, limits.StallTimeout, limits.MinRate) {
			frames = s.server.AppendReset(frames, st.id, h2.Cancel)
			s.drop(i, errStalled)
			continue
		}
		switch x := st.x; {
		case x == nil:
		case x.switching: // to another protocol, whose patience is its own
			if x.pace.tooSlow(lasted, limits.TunnelTimeout, 0) {
				frames = s.server.AppendReset(frames, st.id, h2.Cancel)
				s.drop(i, errStalled)
			}
		case x.awaited && x.pace.tooSlow(lasted, limits.StallTimeout, limits.MinRate):
			x.late = true
			x.reading.Notify()
		}
	}
	return frames
}

// stuck tells whether a field section has been arriving for too long.
func (s *h2session) stuck() bool {
	switch {
	case !s.server.InFields():
		s.section = time.Time{}
	case s.section.IsZero():
		s.section = s.now
	default:
		return s.now.Sub(s.section) > s.room.connections.HeadTimeout
	}
	return false
}
