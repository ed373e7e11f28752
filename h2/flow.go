package h2

import "encoding/binary"

// A data is a DATA frame that is handed on as it arrives.
type data struct {
	open bool
	end  bool
	left int // bytes of content
	pad  int // bytes of padding after it
	id   uint32
}

// onData takes the header of a DATA frame (RFC 9113 §6.1). Its payload, which starts with p, is taken by readData.
func (s *Server) onData(out []byte, f frame, p []byte) (used int, _ []byte, err *ConnError) {
	switch {
	case f.id == 0:
		return 0, out, connError(ProtocolError, "data on the connection")
	case s.idle(f.id):
		return 0, out, connError(ProtocolError, "data on an idle stream")
	case int64(f.length) > s.recv:
		return 0, out, connError(FlowControlError, "data beyond the connection's window")
	}
	d := data{open: true, end: f.has(flagEndStream), left: f.length, id: f.id}
	if f.has(flagPadded) {
		if f.length == 0 {
			return 0, out, connError(FrameSizeError, "padded frame without pad length")
		}
		if d.pad = int(p[0]); d.pad >= f.length {
			return 0, out, connError(ProtocolError, "padding longer than the frame")
		}
		d.left -= d.pad + 1
		used = 1
	}
	if d.left == 0 && !d.end {
		if err := s.spend(emptyFrames); err != nil {
			return 0, out, err
		}
	}
	s.data = d
	s.recv -= int64(f.length)
	i := s.find(f.id)
	if i < 0 {
		s.pending += int64(f.length)
		out, err = s.closedData(out, f.id)
		return used, s.updateConn(out), err
	}
	out, err = s.receive(out, &s.streams[i], f.length)
	return used, s.updateConn(out), err
}

// closedData answers DATA on a closed stream (RFC 9113 §5.1).
func (s *Server) closedData(out []byte, id uint32) ([]byte, *ConnError) {
	switch s.closing(id) {
	case byEnd:
		return out, connError(StreamClosed, "data on a closed stream")
	case byClient:
		return s.streamError(out, id, StreamClosed)
	}
	return out, nil // the client doesn't know yet that we reset it
}

// receive accounts for the DATA frame s.data on a stream, which is length bytes long.
func (s *Server) receive(out []byte, st *stream, length int) ([]byte, *ConnError) {
	d := &s.data
	st.balance -= int64(length)
	switch {
	case st.remoteEnded:
		return s.streamError(out, st.id, StreamClosed)
	case int64(length) > st.recv:
		return s.streamError(out, st.id, FlowControlError)
	}
	st.recv -= int64(length)
	if st.left >= 0 {
		if st.left -= int64(d.left); st.left < 0 || d.end && st.left > 0 {
			return s.streamError(out, st.id, ProtocolError)
		}
	}
	if length > d.left { // nobody else will use the padding
		return s.Grant(out, st.id, length-d.left), nil
	}
	return s.update(out, st), nil
}

// readData hands on what has arrived of the DATA frame under way.
func (s *Server) readData(out, p []byte) (used int, _ []byte) {
	d := &s.data
	n := min(d.left, len(p))
	d.left -= n
	used = min(n+d.pad, len(p))
	if d.left == 0 {
		d.pad -= used - n
		d.open = d.pad > 0
	} else {
		used = n
	}
	end := d.end && d.left == 0
	if n == 0 && !end {
		return used, out
	}
	i := s.find(d.id)
	if i < 0 || s.streams[i].remoteEnded {
		return used, out
	}
	id := d.id
	if end {
		d.end = false
		s.remoteEnd(&s.streams[i])
	}
	out = s.handler.Data(out, id, p[:n], end)
	return used, s.finish(out, id)
}

// Grant says that n more bytes of a stream's content are welcome, because as many have been used or because there is
// room for them: the stream's window and the connection's open that much. What a client sent beyond what was granted
// is Settings.StreamWindow at most on a stream, or 65,535 bytes until the client has acknowledged our SETTINGS, and
// 65,535 bytes on the connection: it keeps the connection's window closed until it is granted or the stream is gone.
// WINDOW_UPDATE is sent when it is worth a frame. Grant does nothing for a stream that is gone.
func (s *Server) Grant(out []byte, id uint32, n int) []byte {
	i := s.find(id)
	if i < 0 || n <= 0 || s.failed != nil {
		return out
	}
	st, more := &s.streams[i], int64(n)
	if st.remoteEnded {
		more = min(more, -st.balance)
	} else {
		more = min(more, maxWindow-max(st.recv+st.pending, 0), maxWindow-(s.recv+max(s.pending, 0)))
	}
	if more <= 0 {
		return out
	}
	st.balance += more
	st.pending += more
	s.pending += more
	return s.updateConn(s.update(out, st))
}

// update announces what was granted for a stream once that doubles what is left of its window.
func (s *Server) update(out []byte, st *stream) []byte {
	if st.pending <= 0 || st.pending < st.recv || st.remoteEnded {
		return out
	}
	out = appendWindow(out, st.id, st.pending)
	st.recv += st.pending
	st.pending = 0
	return out
}

// updateConn is update for the connection's window.
func (s *Server) updateConn(out []byte) []byte {
	if s.pending <= 0 || s.pending < s.recv {
		return out
	}
	out = appendWindow(out, 0, s.pending)
	s.recv += s.pending
	s.pending = 0
	return out
}

// onWindow takes WINDOW_UPDATE (RFC 9113 §6.9).
func (s *Server) onWindow(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	if len(p) != 4 {
		return out, connError(FrameSizeError, "bad length of a window update")
	}
	if f.id != 0 && s.idle(f.id) {
		return out, connError(ProtocolError, "window update of an idle stream")
	}
	if err := s.spend(windowUpdates); err != nil {
		return out, err
	}
	n := int64(binary.BigEndian.Uint32(p) & maxWindow)
	if f.id == 0 {
		return s.widen(out, n)
	}
	i := s.find(f.id)
	switch {
	case i < 0:
		return out, nil
	case n == 0:
		return s.streamError(out, f.id, ProtocolError)
	case s.streams[i].send+n > maxWindow:
		return s.streamError(out, f.id, FlowControlError)
	}
	st := &s.streams[i]
	st.send += n
	if st.blocked && st.send > 0 && s.send > 0 {
		st.blocked = false
		out = s.handler.Writable(out, f.id)
	}
	return out, nil
}

// widen opens the connection's window for us.
func (s *Server) widen(out []byte, n int64) ([]byte, *ConnError) {
	switch {
	case n == 0:
		return out, connError(ProtocolError, "window update of nothing")
	case s.send+n > maxWindow:
		return out, connError(FlowControlError, "connection's window overflows")
	}
	if s.maxID == 0 && s.shapeWindow == 0 {
		s.shapeWindow = uint32(n)
	}
	s.send += n
	return s.writable(out), nil
}

// writable tells the streams that waited for a window, as long as the connection's is open.
func (s *Server) writable(out []byte) []byte {
	for id := uint32(0); s.send > 0; {
		i := s.after(id)
		for i < len(s.streams) && (!s.streams[i].blocked || s.streams[i].send <= 0) {
			i++
		}
		if i == len(s.streams) {
			break
		}
		id = s.streams[i].id
		s.streams[i].blocked = false
		out = s.handler.Writable(out, id)
	}
	return out
}
