package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// A head is a field section that waits for CONTINUATION.
type head struct {
	id            uint32 // 0 if there is none
	end           bool   // END_STREAM
	selfDependent bool   // its stream depends on itself (RFC 7540 §5.3.1)
	continuations int    // frames so far
	block         []byte // what has come
}

// onHeaders takes HEADERS (RFC 9113 §6.2).
func (s *Server) onHeaders(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	if f.id&1 == 0 {
		return out, connError(ProtocolError, "headers on a stream that a client can't open")
	}
	p, err := unpad(f, p)
	if err != nil {
		return out, err
	}
	h := head{id: f.id, end: f.has(flagEndStream)}
	if f.has(flagPriority) {
		if len(p) < 5 {
			return out, connError(FrameSizeError, "headers too short for their priority")
		}
		h.selfDependent = binary.BigEndian.Uint32(p)&maxWindow == f.id
		p = p[5:]
	}
	if f.has(flagEndHeaders) {
		return s.onSection(out, &h, p)
	}
	if len(p) == 0 {
		err = s.spend(emptyFrames)
	}
	h.block = append([]byte(nil), p...)
	s.head = h
	return out, err
}

// onContinuation takes CONTINUATION (RFC 9113 §6.10). Server.admit sees to it that it belongs to s.head.
func (s *Server) onContinuation(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	h := &s.head
	if h.continuations++; h.continuations > s.settings.continuations {
		return out, connError(EnhanceYourCalm, "too many continuations")
	}
	if len(h.block)+len(p) > s.settings.maxBlock {
		return out, connError(EnhanceYourCalm, "field section too large")
	}
	h.block = append(h.block, p...)
	if !f.has(flagEndHeaders) {
		if len(p) == 0 {
			return out, s.spend(emptyFrames)
		}
		return out, nil
	}
	whole := *h
	s.head = head{}
	return s.onSection(out, &whole, whole.block)
}

// onSection takes a whole field section, by the state of its stream (RFC 9113 §5.1). It is decoded in any case, since
// the next one may refer to what it adds to the table.
func (s *Server) onSection(out []byte, h *head, block []byte) ([]byte, *ConnError) {
	ignored := s.goAway == 2 && h.id > s.lastID
	if h.id > s.maxID && !ignored {
		return s.onRequest(out, h, block)
	}
	i := s.find(h.id)
	if i >= 0 && !s.streams[i].remoteEnded {
		return s.onTrailers(out, h, block)
	}
	if err := s.skip(block); err != nil {
		return out, err
	}
	if ignored {
		s.maxID = max(s.maxID, h.id)
		return out, nil
	}
	if i >= 0 {
		return s.streamError(out, h.id, StreamClosed)
	}
	switch s.closing(h.id) {
	case byServer: // the client doesn't know yet
		return out, nil
	case byEnd:
		return out, connError(StreamClosed, "headers on a closed stream")
	case forgotten:
		if len(s.ring) < keepClosed { // then it was never open
			return out, connError(ProtocolError, "stream ids go back")
		}
	}
	return s.streamError(out, h.id, StreamClosed)
}

// onRequest opens a stream.
func (s *Server) onRequest(out []byte, h *head, block []byte) ([]byte, *ConnError) {
	s.maxID = h.id
	if len(s.streams) >= s.settings.maxStreams {
		if err := s.skip(block); err != nil {
			return out, err
		}
		if err := s.spend(refused); err != nil {
			return out, err
		}
		s.closed(h.id, byServer)
		return appendReset(out, h.id, RefusedStream), nil
	}
	q, err := s.decode(block, false)
	if err != nil {
		return out, err
	}
	if h.selfDependent || !q.complete(h.end) {
		return s.streamError(out, h.id, ProtocolError)
	}
	if q.Excess != 0 {
		for range 1 + len(block)/excessUnit {
			if err := s.spend(streamErrors); err != nil {
				return out, err
			}
		}
	}
	if s.shapeN == 0 {
		s.shapePseudo, s.shapeN = q.order, q.orderN
	}
	s.spent.earn(priorities, 2, keepEarned)
	q.ID = h.id
	q.Priority = s.takeUpdate(h.id, q.Priority)
	if s.streams == nil {
		s.streams = make([]stream, 0, keepStreams)
	}
	s.streams = append(s.streams, stream{
		id: h.id, priority: q.Priority, remoteEnded: h.end, tunnel: q.Method == "CONNECT",
		send: s.peerWindow, recv: s.window, left: q.Length,
	})
	return s.handler.Headers(out, &q.Request), nil
}

// onTrailers ends a request with a trailer section (RFC 9113 §8.1).
func (s *Server) onTrailers(out []byte, h *head, block []byte) ([]byte, *ConnError) {
	q, err := s.decode(block, true)
	if err != nil {
		return out, err
	}
	st := &s.streams[s.find(h.id)]
	switch {
	case !h.end || h.selfDependent || q.malformed || st.left > 0 || st.tunnel:
		return s.streamError(out, h.id, ProtocolError)
	case q.Excess != 0:
		return s.streamError(out, h.id, EnhanceYourCalm)
	}
	s.remoteEnd(st)
	out = s.handler.Trailers(out, h.id, q.Fields)
	return s.finish(out, h.id), nil
}

// decode decodes a field section. Its result is overwritten by the next one's.
func (s *Server) decode(block []byte, trailers bool) (*section, *ConnError) {
	if s.section == nil {
		s.section = s.settings.sections.Get().(*section)
	}
	s.section.reset(trailers, s.settings.ExtendedConnect)
	return s.section, s.decompress(block, true)
}

// skip decodes a field section that nobody wants.
func (s *Server) skip(block []byte) *ConnError { return s.decompress(block, false) }

// workUnit is how many bytes of a field section cost as much as a small request.
const workUnit = 256

// decompress has block decoded, and its fields added to s.section if they are wanted. What is not wanted is neither
// expanded nor copied, but for what enters the table. No string is longer than a block can hold.
func (s *Server) decompress(block []byte, wanted bool) *ConnError {
	s.Work(1 + len(block)/workUnit)
	if s.dec == nil {
		s.dec = hpack.NewDecoder(tableSize, s.emit)
		s.dec.SetMaxStringLength(2 * s.settings.maxBlock)
	}
	block, err := s.resizeTable(block)
	if err != nil {
		return err
	}
	switch lines, ok := fieldLines(block, s.settings.maxLines); {
	case lines > s.settings.maxLines:
		return connError(EnhanceYourCalm, "too many field lines")
	case !ok:
		return connError(CompressionError, "bad field section")
	}
	s.dec.SetEmitEnabled(wanted)
	if _, err := s.dec.Write(block); err != nil || s.dec.Close() != nil {
		return connError(CompressionError, "bad field section")
	}
	return nil
}

// fieldLines counts the field lines of a block (RFC 7541 §6), up to the one after most: what is short while it is compressed may take long to
// decode. It is not ok if it ends within a line, has an integer that is too long (§5.1), or a change of the table's size among them (§4.2).
func fieldLines(block []byte, most int) (n int, ok bool) {
	for len(block) > 0 && n <= most {
		n++
		used := lineLength(block)
		if used == 0 {
			return n, false
		}
		block = block[used:]
	}
	return n, true
}

// lineLength is how many bytes the first field line of a block takes, 0 if that is not ok.
func lineLength(block []byte) int {
	prefix, strings := uint(4), 1 // a literal that does not enter the table
	switch {
	case block[0]&0x80 != 0:
		prefix, strings = 7, 0
	case block[0]&0x40 != 0:
		prefix = 6
	case block[0]&0x20 != 0:
		return 0
	}
	index, used := readInt(block, prefix)
	if used == 0 {
		return 0
	}
	if index == 0 && strings > 0 {
		strings = 2
	}
	for range strings {
		if used == len(block) {
			return 0
		}
		size, n := readInt(block[used:], 7)
		if n == 0 || int(size) > len(block)-used-n {
			return 0
		}
		used += n + int(size)
	}
	return used
}

// emit takes a field from the decoder.
func (s *Server) emit(f hpack.HeaderField) {
	if !s.section.add(f.Name, f.Value, s.settings) {
		s.dec.SetEmitEnabled(false)
	}
}

// resizeTable takes the changes of the table's size with which a block may begin: the smallest size since the last
// block, and the final one (RFC 7541 §4.2).
func (s *Server) resizeTable(block []byte) ([]byte, *ConnError) {
	for n := 0; len(block) > 0 && block[0]>>5 == 0b001; n++ {
		if err := s.spend(tableUpdates); err != nil {
			return nil, err
		}
		size, used := readInt(block, 5)
		if used == 0 || size > tableSize || n == 2 {
			return nil, connError(CompressionError, "bad change of the table's size")
		}
		s.dec.SetMaxDynamicTableSize(size)
		block = block[used:]
	}
	return block, nil
}

// readInt reads an integer with a prefix of so many bits (RFC 7541 §5.1) in up to four bytes. used is 0 if it is
// longer, or not whole.
func readInt(b []byte, prefix uint) (n uint32, used int) {
	n = uint32(b[0]) & (1<<prefix - 1)
	if n < 1<<prefix-1 {
		return n, 1
	}
	for i := 1; i < min(len(b), 4); i++ {
		n += uint32(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}
