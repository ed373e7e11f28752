package h2

import "slices"

// A stream is one that is open or half-closed.
type stream struct {
	id       uint32
	priority Priority

	remoteEnded bool // the client has sent END_STREAM
	localEnded  bool // we have
	blocked     bool // has something to send that its window or the connection's didn't let pass
	want        bool // is to be considered by Next
	tunnel      bool // of CONNECT: it has no trailers

	send    int64 // bytes of content we may send; negative after a smaller SETTINGS_INITIAL_WINDOW_SIZE
	recv    int64 // bytes of content the client may send
	pending int64 // granted, but not announced with WINDOW_UPDATE yet
	balance int64 // bytes granted less bytes received: what the connection's window is wider for this stream's sake
	left    int64 // bytes of content still to come by the declared content-length, -1 if unknown
}

// keepStreams is how many streams' memory a connection without streams keeps.
const keepStreams = 4

// find returns the index of an open stream in s.streams, which is in order of ids, or -1.
func (s *Server) find(id uint32) int {
	n := len(s.streams)
	if n > 0 && s.streams[n-1].id == id {
		return n - 1
	}
	i := s.after(id - 1)
	if i < n && s.streams[i].id == id {
		return i
	}
	return -1
}

// after returns the index of the first open stream whose id is greater.
func (s *Server) after(id uint32) int {
	lo, hi := 0, len(s.streams)
	for lo < hi {
		if m := int(uint(lo+hi) / 2); s.streams[m].id <= id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// remove forgets the stream at index i. What it holds of the connection's window is given back.
func (s *Server) remove(out []byte, i int, how closing) []byte {
	st := &s.streams[i]
	s.closed(st.id, how)
	if st.want {
		s.wants--
	}
	s.pending -= st.balance
	s.streams = slices.Delete(s.streams, i, i+1)
	if len(s.streams) == 0 && cap(s.streams) > keepStreams {
		s.streams = nil
	}
	return s.updateConn(out)
}

// remoteEnd notes that the stream's request is complete, and so needs no window any more.
func (s *Server) remoteEnd(st *stream) {
	st.remoteEnded = true
	if st.balance > 0 {
		s.pending -= st.balance
		st.balance = 0
	}
}

// A closing is how a stream was closed, which decides how frames are answered that arrive thereafter (RFC 9113 §5.1).
type closing uint32

const (
	forgotten closing = iota
	byEnd             // both sides sent END_STREAM
	byClient          // the client sent RST_STREAM
	byServer          // we sent RST_STREAM, and the client may not know yet
)

// keepClosed is how many closed streams a connection remembers.
const keepClosed = 64

// closed remembers that id, which is odd, was closed.
func (s *Server) closed(id uint32, how closing) {
	c := id>>1<<2 | uint32(how)
	if len(s.ring) < keepClosed {
		s.ring = append(s.ring, c)
		return
	}
	s.ring[s.ringAt%keepClosed] = c
	s.ringAt++
}

// closing returns how id was closed. It must not be open.
func (s *Server) closing(id uint32) closing {
	for _, c := range s.ring {
		if c>>2 == id>>1 {
			return closing(c & 3)
		}
	}
	return forgotten
}

// idle reports whether a stream was never used; those with even ids never are, since nothing is pushed.
func (s *Server) idle(id uint32) bool { return id > s.maxID || id&1 == 0 }

// streamError resets a stream for an error of the client's (RFC 9113 §5.4.2).
func (s *Server) streamError(out []byte, id uint32, code Code) ([]byte, *ConnError) {
	if err := s.spend(streamErrors); err != nil {
		return out, err
	}
	out = appendReset(out, id, code)
	i := s.find(id)
	if i < 0 {
		if s.closing(id) == forgotten {
			s.closed(id, byServer)
		}
		return out, nil
	}
	out = s.remove(out, i, byServer)
	return s.handler.Reset(out, id, code), nil
}

// onReset takes RST_STREAM (RFC 9113 §6.4).
func (s *Server) onReset(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	switch {
	case f.id == 0:
		return out, connError(ProtocolError, "reset of the connection")
	case len(p) != 4:
		return out, connError(FrameSizeError, "bad length of a reset")
	case s.idle(f.id):
		return out, connError(ProtocolError, "reset of an idle stream")
	}
	i := s.find(f.id)
	if i < 0 || !s.streams[i].localEnded {
		if err := s.spend(resets); err != nil {
			return out, err
		}
	}
	if i < 0 {
		return out, nil
	}
	code := Code(uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3]))
	out = s.remove(out, i, byClient)
	return s.handler.Reset(out, f.id, code), nil
}
