package request

import (
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/h2"
	"github.com/seawall/seawall/internal/flow"
)

const (
	// turnOutput bounds what one turn answers before its output is sent: pipelined requests wait their turn.
	turnOutput = 32 << 10
	// turnRequests bounds how many it decides.
	turnRequests = 32
)

// session is HTTP/1.1 on one connection.
type session struct {
	room    *Room
	info    *flow.Conn
	conn    flow.Connection
	x       *exchange // the request in progress
	scanned int       // how much of the next head has been searched for its end
	began   bool      // there was a request
	http2   *h2session
}

// Turn implements [flow.Session].
func (s *session) Turn(in []byte, out *flow.Output, now time.Time) (used int, next flow.Next) {
	if s.http2 != nil || !s.began && s.prefaced(in) {
		return s.turnHTTP2(in, out, now)
	}
	for requests := 1; ; requests++ {
		rest := in[used:]
		end, err := h1.End(rest, s.scanned, s.room.limits)
		if end == 0 && err == nil {
			s.scanned = len(rest)
			return used, flow.More
		}
		s.scanned, s.began = 0, true
		x := s.begin(out, now)
		if err != nil {
			x.reject(err)
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
		switch {
		case out.Referred() > 0 || len(out.Head) > turnOutput:
			return used, flow.Flush
		case requests >= turnRequests && used < len(in):
			return used, flow.Yield
		}
	}
}

// prefaced tells whether a connection begins as HTTP/2 does, as far as that has arrived (prior knowledge, RFC 9113 §3.3).
func (s *session) prefaced(in []byte) bool {
	n := min(len(in), len(h2.Preface))
	return n > 0 && in[0] == 'P' && string(in[:n]) == h2.Preface[:n] && s.room.offersHTTP2 && s.info.TLS == nil
}

func (s *session) turnHTTP2(in []byte, out *flow.Output, now time.Time) (used int, next flow.Next) {
	if s.http2 == nil {
		if len(in) < len(h2.Preface) {
			return 0, flow.More
		}
		s.http2 = s.room.openHTTP2(s.info, s.conn)
	}
	return s.http2.Turn(in, out, now)
}

// Fulfil implements [flow.Session].
func (s *session) Fulfil(out *flow.Output) flow.Next {
	x := s.x
	x.out, x.arrived, x.mayWait = out, nil, true
	x.reading = x.flow.Request.Upgrade != "" || x.pending.Load() && !x.within(len(s.conn.Buffered()))
	x.flow.Task = s.conn.Task()
	s.room.path.Fulfil(&x.flow)
	if !x.hijacked {
		s.conn.Discard(x.skip(len(s.conn.Buffered())))
	}
	return s.end()
}

// Timeout implements [flow.Session].
func (s *session) Timeout(in []byte, out *flow.Output, now time.Time) {
	if s.http2 != nil {
		s.http2.Timeout(in, out, now)
		return
	}
	x := s.begin(out, now)
	x.refuse(&headTimeout)
	s.room.path.Decide(&x.flow)
	s.end()
}

// Parts implements [flow.Session].
func (s *session) Parts() bool { return s.http2 != nil }

// End implements [flow.Session]. An exchange that is still in progress has met a fault: something may still use it, so it is left to the
// collector.
func (s *session) End() {
	s.x = nil
	if s.http2 != nil {
		s.http2.End()
	}
}

func (s *session) begin(out *flow.Output, now time.Time) *exchange {
	x := s.room.pool.Get().(*exchange)
	s.x = x
	x.session, x.out = s, out
	x.flow.Exchange, x.flow.Abort = x, s.conn.Abort()
	s.room.identify(&x.flow, s.info, now)
	return x
}

// end finishes the request in progress and tells how the connection goes on.
func (s *session) end() flow.Next {
	next, refused := s.x.next(), s.x.flow.Verdict.Refusal != nil
	s.release()
	if !s.conn.Judged(refused) {
		s.conn.Breach(flow.Hopeless)
		return flow.Reset
	}
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
