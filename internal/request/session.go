package request

import (
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// turnOutput bounds what one turn answers before its output is sent: pipelined requests wait their turn.
const turnOutput = 32 << 10

// session is HTTP/1.1 on one connection.
type session struct {
	room    *Room
	info    *flow.Conn
	stream  flow.Stream
	x       *exchange // the request in progress
	scanned int       // how much of the next head has been searched for its end
}

// Turn implements [flow.Session].
func (s *session) Turn(in []byte, out *flow.Output, now time.Time) (used int, next flow.Next) {
	for {
		rest := in[used:]
		end, err := h1.End(rest, s.scanned, s.room.limits)
		if end == 0 && err == nil {
			s.scanned = len(rest)
			return used, flow.More
		}
		s.scanned = 0
		x := s.begin(out, now)
		if err != nil {
			x.refuse(refusal(err))
		} else {
			x.read(string(rest[:end]))
			x.arrived = rest[end:]
			used += end
		}
		if !s.room.path.Decide(&x.flow) {
			return used, flow.Wait
		}
		used += x.skip(len(x.arrived))
		if next := s.end(); next != flow.More {
			return used, next
		}
		if len(out.Tail) > 0 || len(out.Head) > turnOutput {
			return used, flow.Flush
		}
	}
}

// Fulfil implements [flow.Session].
func (s *session) Fulfil(out *flow.Output) flow.Next {
	x := s.x
	x.out, x.arrived, x.mayWait = out, nil, true
	x.reading = x.flow.Request.Upgrade != "" || x.pending.Load() && !x.within(len(s.stream.Buffered()))
	x.flow.Task = s.stream.Task()
	s.room.path.Fulfil(&x.flow)
	if !x.hijacked {
		s.stream.Discard(x.skip(len(s.stream.Buffered())))
	}
	return s.end()
}

// Timeout implements [flow.Session].
func (s *session) Timeout(_ []byte, out *flow.Output, now time.Time) {
	x := s.begin(out, now)
	x.refuse(&headTimeout)
	s.room.path.Decide(&x.flow)
	s.end()
}

// End implements [flow.Session]. An exchange that is still in progress has met a fault: something may still use it, so it is left to the
// collector.
func (s *session) End() { s.x = nil }

func (s *session) begin(out *flow.Output, now time.Time) *exchange {
	x := s.room.pool.Get().(*exchange)
	s.x = x
	x.session, x.out = s, out
	x.flow.Exchange, x.flow.Abort = x, s.stream.Abort()
	s.room.identify(&x.flow, s.info, now)
	return x
}

// end finishes the request in progress and tells how the connection goes on.
func (s *session) end() flow.Next {
	next := s.x.next()
	s.release()
	return next
}

func (s *session) release() {
	x := s.x
	s.x = nil
	asked, answered := x.head.Fields, x.flow.Response.Fields
	clear(asked)
	clear(answered)
	*x = exchange{head: h1.Request{Fields: asked[:0]}, flow: flow.Flow{Response: flow.Response{Fields: answered[:0]}}}
	s.room.pool.Put(x)
}
