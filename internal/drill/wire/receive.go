package wire

import (
	"encoding/binary"
	"fmt"
)

// receive reads frames as long as there are streams, or until the connection ends if it is to stay.
func (s *session) receive() {
	for {
		f, err := s.frame()
		if err == nil {
			err = s.handle(&f)
			s.in.start += len(f.payload)
		}
		if err != nil {
			s.in.drop()
			s.fail(err)
			return
		}
		s.flush()
		if s.rest() {
			return
		}
	}
}

// rest reports whether there is nothing to read for any more.
func (s *session) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) > 0 || s.stays || s.in.buffered() > 0 {
		return false
	}
	s.reading = false
	s.in.drop()
	return true
}

// frame reads the next frame. Its payload, the first bytes that are unread, is valid until the next read.
func (s *session) frame() (frame, error) {
	b, err := s.in.peek(frameHead)
	if err != nil {
		return frame{}, err
	}
	f, length := parseFrameHead(b)
	if length > maxFrame {
		return f, fmt.Errorf("%w: frame of %d bytes", ErrMalformed, length)
	}
	s.in.start += frameHead
	f.payload, err = s.in.peek(length)
	return f, unexpected(err)
}

// handle does what a frame says.
func (s *session) handle(f *frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gathering.id != 0 && (f.typ != continuationFrame || f.id != s.gathering.id) {
		return fmt.Errorf("%w: frame of type %d inside a field block", ErrMalformed, f.typ)
	}
	if len(s.pending) > maxPending {
		return fmt.Errorf("%w: %d bytes of answers unread", ErrMalformed, len(s.pending))
	}
	switch f.typ {
	case dataFrame:
		return s.onData(f)
	case headersFrame, continuationFrame:
		return s.onFields(f)
	case resetFrame:
		return s.onReset(f)
	case settingsFrame:
		return s.onSettings(f)
	case pingFrame:
		return s.onPing(f)
	case goAwayFrame:
		return s.onGoAway(f)
	case windowFrame:
		return s.onWindow(f)
	case pushFrame:
		return fmt.Errorf("%w: PUSH_PROMISE unasked", ErrMalformed)
	}
	return nil // PRIORITY, and what is not known (RFC 9113 §5.5)
}

// of returns the stream of a frame: nil of one that has ended, an error of one that never was.
func (s *session) of(f *frame) (*stream, error) {
	if f.id&1 == 0 || f.id > s.opened {
		return nil, fmt.Errorf("%w: frame of type %d of stream %d", ErrMalformed, f.typ, f.id)
	}
	return s.streams[f.id], nil
}

// onData moves content to the stream's writer, and gives the server its windows back.
func (s *session) onData(f *frame) error {
	st, err := s.of(f)
	if err != nil {
		return err
	}
	data, err := f.unpad()
	if err != nil {
		return err
	}
	size, whole := int64(len(f.payload)), s.conn.software.HTTP2.connectionWindow()
	if s.credit -= size; s.credit < 0 {
		return fmt.Errorf("%w: more than the connection's window", ErrMalformed)
	}
	if s.credit < whole/2 {
		s.answer(appendWord(nil, windowFrame, 0, uint32(whole-s.credit)))
		s.credit = whole
	}
	if st == nil {
		return nil
	}
	if st.credit -= size; st.credit < 0 {
		return fmt.Errorf("%w: more than the window of stream %d", ErrMalformed, f.id)
	}
	if err := st.take(data); err != nil {
		s.answer(appendWord(nil, resetFrame, st.id, uint32(codeCancel)))
		s.end(st, err)
		return nil
	}
	if f.has(flagEndStream) {
		s.end(st, st.complete())
		return nil
	}
	if whole := s.conn.software.HTTP2.streamWindow(); st.credit < whole/2 {
		s.answer(appendWord(nil, windowFrame, st.id, uint32(whole-st.credit)))
		st.credit = whole
	}
	return nil
}

// take moves content of a response to its writer.
func (st *stream) take(data []byte) error {
	r := st.response
	r.Bytes += int64(len(data))
	switch {
	case !st.headed:
		return fmt.Errorf("%w: DATA before HEADERS", ErrMalformed)
	case r.Bytes > maxBody:
		return fmt.Errorf("%w: body exceeds %d bytes", ErrMalformed, maxBody)
	case len(data) > 0 && !st.hasBody():
		return fmt.Errorf("%w: content of a response that has none", ErrMalformed)
	case st.w == nil:
		return nil
	}
	_, err := st.w.Write(data)
	return err
}

// hasBody reports whether the response may have content (RFC 9110 §6.4.1).
func (st *stream) hasBody() bool {
	status := st.response.Status
	return st.method != "HEAD" && status != 204 && status != 304
}

// complete says what is wrong with a response at its end (RFC 9113 §8.1.1).
func (st *stream) complete() error {
	if !st.headed {
		return fmt.Errorf("%w: the stream ended before a final response", ErrMalformed)
	}
	if st.length >= 0 && st.length != st.response.Bytes && st.hasBody() {
		return fmt.Errorf("%w: %d bytes of content, Content-Length %d", ErrMalformed, st.response.Bytes, st.length)
	}
	return nil
}

func (s *session) onReset(f *frame) error {
	st, err := s.of(f)
	if err != nil {
		return err
	}
	if len(f.payload) != 4 {
		return fmt.Errorf("%w: RST_STREAM of %d bytes", ErrMalformed, len(f.payload))
	}
	if st != nil {
		s.end(st, &resetError{code(binary.BigEndian.Uint32(f.payload))})
	}
	return nil
}

// onSettings takes a server's SETTINGS (RFC 9113 §6.5).
func (s *session) onSettings(f *frame) error {
	if f.id != 0 || len(f.payload)%6 != 0 || f.has(flagAck) && len(f.payload) > 0 {
		return fmt.Errorf("%w: SETTINGS of %d bytes, stream %d", ErrMalformed, len(f.payload), f.id)
	}
	if f.has(flagAck) {
		return nil
	}
	for p := f.payload; len(p) > 0; p = p[6:] {
		value := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case settingTableSize:
			s.newTable = min(value, maxTable)
		case settingMaxStreams:
			s.most = int(min(value, maxStreams))
		case settingInitialWindow:
			if value > maxWindow {
				return fmt.Errorf("%w: initial window of %d bytes", ErrMalformed, value)
			}
			for _, st := range s.streams {
				st.window += int64(value) - s.initial
			}
			s.initial = int64(value)
		case settingMaxFrame: // no frame of ours exceeds the least that may be set
		}
	}
	s.tell()
	s.answer(appendFrameHead(nil, 0, settingsFrame, flagAck, 0))
	return nil
}

func (s *session) onPing(f *frame) error {
	if f.id != 0 || len(f.payload) != 8 {
		return fmt.Errorf("%w: PING of %d bytes, stream %d", ErrMalformed, len(f.payload), f.id)
	}
	if !f.has(flagAck) {
		s.answer(append(appendFrameHead(nil, 8, pingFrame, flagAck, 0), f.payload...))
	}
	return nil
}

// onGoAway ends the streams that the server will not answer (RFC 9113 §6.8).
func (s *session) onGoAway(f *frame) error {
	if f.id != 0 || len(f.payload) < 8 {
		return fmt.Errorf("%w: GOAWAY of %d bytes, stream %d", ErrMalformed, len(f.payload), f.id)
	}
	s.leaving = true
	last, why := binary.BigEndian.Uint32(f.payload)&(1<<31-1), code(binary.BigEndian.Uint32(f.payload[4:]))
	for id, st := range s.streams {
		switch {
		case id <= last:
		case why == codeNone:
			s.end(st, errGoingAway)
		default:
			s.end(st, &resetError{why})
		}
	}
	s.tell()
	return nil
}

// onWindow gives back what may be sent (RFC 9113 §6.9).
func (s *session) onWindow(f *frame) error {
	if len(f.payload) != 4 {
		return fmt.Errorf("%w: WINDOW_UPDATE of %d bytes", ErrMalformed, len(f.payload))
	}
	n := int64(binary.BigEndian.Uint32(f.payload) & maxWindow)
	window := &s.window
	if f.id != 0 {
		st, err := s.of(f)
		if err != nil || st == nil {
			return err
		}
		window = &st.window
	}
	if *window += n; n == 0 || *window > maxWindow {
		return fmt.Errorf("%w: WINDOW_UPDATE by %d to %d", ErrMalformed, n, *window)
	}
	s.tell()
	return nil
}
