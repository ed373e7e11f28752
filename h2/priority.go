package h2

import (
	"encoding/binary"
	"strings"
)

// A Priority is a request's priority (RFC 9218 §4).
type Priority struct {
	Urgency     uint8 // 0 is the most urgent, 7 the least
	Incremental bool  // the response is of use in parts
}

const (
	defaultUrgency = 3
	keepUpdates    = 8 // priorities kept for streams to come; later ones replace the oldest
)

// An update is the priority of a stream to come.
type update struct {
	id       uint32
	priority Priority
}

// ParsePriority reads the value of a priority field. What it doesn't understand has its default (RFC 9218 §4).
func ParsePriority(v string) Priority {
	p := Priority{Urgency: defaultUrgency}
	for v != "" {
		item := v
		if i := strings.IndexByte(v, ','); i >= 0 {
			item, v = v[:i], v[i+1:]
		} else {
			v = ""
		}
		if i := strings.IndexByte(item, ';'); i >= 0 {
			item = item[:i]
		}
		for item != "" && isSpace(item[0]) {
			item = item[1:]
		}
		for item != "" && isSpace(item[len(item)-1]) {
			item = item[:len(item)-1]
		}
		switch {
		case len(item) == 3 && item[:2] == "u=" && item[2]-'0' < 8:
			p.Urgency = item[2] - '0'
		case item == "i" || item == "i=?1":
			p.Incremental = true
		case item == "i=?0":
			p.Incremental = false
		}
	}
	return p
}

// onPriority checks PRIORITY, which means nothing any more (RFC 9113 §5.3.2, §6.3).
func (s *Server) onPriority(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	if f.id == 0 {
		return out, connError(ProtocolError, "priority of the connection")
	}
	if err := s.spend(priorities); err != nil {
		return out, err
	}
	var code Code
	switch {
	case len(p) != 5:
		code = FrameSizeError
	case binary.BigEndian.Uint32(p)&maxWindow == f.id:
		code = ProtocolError
	default:
		return out, nil
	}
	if s.idle(f.id) { // nothing can be reset
		return out, connError(code, "bad priority frame")
	}
	return s.streamError(out, f.id, code)
}

// onPriorityUpdate takes PRIORITY_UPDATE (RFC 9218 §7.1).
func (s *Server) onPriorityUpdate(f frame, p []byte) *ConnError {
	switch {
	case f.id != 0:
		return connError(ProtocolError, "priority update on a stream")
	case len(p) < 4:
		return connError(FrameSizeError, "bad length of a priority update")
	}
	if err := s.spend(priorities); err != nil {
		return err
	}
	id := binary.BigEndian.Uint32(p) & maxWindow
	if id&1 == 0 {
		return connError(ProtocolError, "priority update of a stream that a client can't open")
	}
	pr := ParsePriority(string(p[4:min(len(p), 4+64)]))
	if i := s.find(id); i >= 0 {
		s.streams[i].priority = pr
	} else if s.idle(id) {
		s.keepUpdate(update{id, pr})
	}
	return nil
}

func (s *Server) keepUpdate(u update) {
	for i := range s.updates {
		if s.updates[i].id == u.id {
			s.updates[i] = u
			return
		}
	}
	if len(s.updates) == keepUpdates {
		copy(s.updates, s.updates[1:])
		s.updates[keepUpdates-1] = u
		return
	}
	s.updates = append(s.updates, u)
}

// takeUpdate returns the priority that a PRIORITY_UPDATE gave a stream that is now opened, or else p. Updates for
// streams that were skipped are dropped too.
func (s *Server) takeUpdate(id uint32, p Priority) Priority {
	if len(s.updates) == 0 {
		return p
	}
	kept := s.updates[:0]
	for _, u := range s.updates {
		if u.id == id {
			p = u.priority
		} else if u.id > id {
			kept = append(kept, u)
		}
	}
	if s.updates = kept; len(kept) == 0 {
		s.updates = nil
	}
	return p
}

// Priority returns a stream's priority as the client last gave it, the default for one that is gone.
func (s *Server) Priority(id uint32) Priority {
	if i := s.find(id); i >= 0 {
		return s.streams[i].priority
	}
	return Priority{Urgency: defaultUrgency}
}

// Want says whether a stream has content to send, and so takes part in Next.
func (s *Server) Want(id uint32, want bool) {
	i := s.find(id)
	if i < 0 || s.streams[i].localEnded || s.streams[i].want == want {
		return
	}
	s.streams[i].want = want
	if want {
		s.wants++
	} else {
		s.wants--
	}
}

// Next returns which of the streams with Want should send next: the most urgent; among those one that isn't
// incremental, lowest id first; else the incremental ones in turn (RFC 9218 §10). Streams whose window is closed are
// left out, all if the connection's is. A stream that only has to end need not wait for Next. The work is linear in
// the open streams, a comparison or two each.
func (s *Server) Next() (id uint32, ok bool) {
	if s.wants == 0 || s.send <= 0 || s.breach != nil || s.failed != nil {
		return 0, false
	}
	best, rank := -1, 0
	for i := range s.streams {
		st := &s.streams[i]
		if !st.want || st.send <= 0 {
			continue
		}
		r := int(st.priority.Urgency)*3 + 1
		if st.priority.Incremental {
			if r++; st.id <= s.turn {
				r++ // had its turn
			}
		}
		if best < 0 || r < rank {
			best, rank = i, r
		}
	}
	if best < 0 {
		return 0, false
	}
	st := &s.streams[best]
	if st.priority.Incremental {
		s.turn = st.id
	}
	return st.id, true
}
