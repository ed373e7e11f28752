package h2

// The Append methods append frames of a response to out. They append nothing for a stream that is gone, or on which
// the response has ended. Within Feed they are to be given the Handler's out, so that frames keep their order.

// writableStream returns the open stream on which a response can be sent, or nil.
func (s *Server) writableStream(id uint32) *stream {
	if s.failed != nil {
		return nil
	}
	if i := s.find(id); i >= 0 && !s.streams[i].localEnded {
		return &s.streams[i]
	}
	return nil
}

// AppendInfo appends an interim response; status is 1xx, but not 101 (RFC 9113 §8.6).
func (s *Server) AppendInfo(out []byte, id uint32, status int, fields []Field) []byte {
	if s.writableStream(id) == nil {
		return out
	}
	return s.appendHead(out, id, status, fields, -1, 0)
}

// AppendHeaders appends the head of a response; status has three digits. end says that there is no content. Field
// names are written in lower case, and connection-specific fields (RFC 9113 §8.2.2) are left out. Values are written
// as they are: those that did not come out of a parser are to be checked first. length becomes content-length, unless
// it is negative; then it may be among the fields.
//
// A response may end before its request. Then the stream stays open for the rest of the request, unless AppendReset
// with NoError asks the client not to send it (RFC 9113 §8.1).
func (s *Server) AppendHeaders(out []byte, id uint32, status int, fields []Field, length int64, end bool) []byte {
	st := s.writableStream(id)
	if st == nil {
		return out
	}
	s.spent.earn(windowUpdates, 1, keepEarned)
	if !end {
		return s.appendHead(out, id, status, fields, length, 0)
	}
	return s.localEnd(s.appendHead(out, id, status, fields, length, flagEndStream), st)
}

// AppendTrailers appends the trailer section that ends a response. Without fields it ends it all the same.
func (s *Server) AppendTrailers(out []byte, id uint32, fields []Field) []byte {
	st := s.writableStream(id)
	if st == nil {
		return out
	}
	if len(fields) == 0 {
		return s.localEnd(appendFrame(out, 0, typeData, flagEndStream, id), st)
	}
	return s.localEnd(s.appendHead(out, id, 0, fields, -1, flagEndStream), st)
}

// AppendData appends as much content as the stream's window and the connection's allow, in frames of up to 16 KiB, and
// returns how many bytes of p that was. If it was all, and end is set, the response ends. If it was not, Writable will
// be called. An end without content needs no window.
func (s *Server) AppendData(out []byte, id uint32, p []byte, end bool) (_ []byte, n int) {
	st := s.writableStream(id)
	if st == nil {
		return out, 0
	}
	for n < len(p) {
		size := int(min(int64(len(p)-n), maxFrame, st.send, s.send))
		if size <= 0 || s.breach != nil {
			st.blocked = true
			return out, n
		}
		s.sent(size, len(p)-n)
		st.send -= int64(size)
		s.send -= int64(size)
		flags := uint8(0)
		if end && n+size == len(p) {
			flags = flagEndStream
		}
		out = appendFrame(out, size, typeData, flags, id)
		out = append(out, p[n:n+size]...)
		n += size
	}
	switch {
	case !end:
		return out, n
	case n == 0:
		out = appendFrame(out, 0, typeData, flagEndStream, id)
	}
	return s.localEnd(out, st), n
}

// sent accounts for a DATA frame of size bytes when there were left bytes to send.
func (s *Server) sent(size, left int) {
	const small = 1 << 10
	s.spent.earn(windowUpdates, float32(3+size>>11), keepEarned)
	s.spent.earn(pings, 1, keepEarned)
	if size >= small {
		s.spent.earn(smallFrames, 1, 0)
	} else if size < left {
		s.breach = s.spend(smallFrames)
	}
}

// AppendReset appends RST_STREAM. The stream is gone then; Handler.Reset is not called for it. After a whole response
// NoError tells the client that the rest of its request isn't needed.
func (s *Server) AppendReset(out []byte, id uint32, code Code) []byte {
	i := s.find(id)
	if i < 0 || s.failed != nil {
		return out
	}
	return s.remove(appendReset(out, id, code), i, byServer)
}

// localEnd notes that the response is complete.
func (s *Server) localEnd(out []byte, st *stream) []byte {
	st.localEnded, st.blocked = true, false
	if st.want {
		st.want = false
		s.wants--
	}
	return s.finish(out, st.id)
}

// finish removes a stream on which both sides have ended.
func (s *Server) finish(out []byte, id uint32) []byte {
	i := s.find(id)
	if i < 0 || !s.streams[i].remoteEnded || !s.streams[i].localEnded {
		return out
	}
	return s.remove(out, i, byEnd)
}
