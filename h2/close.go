package h2

// Close ends the connection for a reason of the server's own: GOAWAY says which request was the last to be served. Nothing is read or
// written any more.
func (s *Server) Close(out []byte, code Code) []byte {
	if s.failed != nil {
		return out
	}
	if !s.greeted {
		s.greeted = true
		out = append(out, s.settings.greeting...)
	}
	s.failed = connError(code, "closed")
	return appendGoAway(out, s.served(), code)
}

// Window returns how many bytes of content the windows of a stream and of the connection let us send, at most 0 if none.
func (s *Server) Window(id uint32) int64 {
	if i := s.find(id); i >= 0 {
		return min(s.streams[i].send, s.send)
	}
	return 0
}

// Open reports whether a stream is open, if only for the rest of its request.
func (s *Server) Open(id uint32) bool { return s.find(id) >= 0 }

// InFields reports whether a field section has begun to arrive whose CONTINUATION is awaited.
func (s *Server) InFields() bool { return s.head.id != 0 }
