package coding

import (
	"bytes"
	"io"

	"github.com/seawall/seawall/httpcache"
)

// Stream codes a body as it comes, at a level that keeps up with it. What it is given comes out whole each time, so that nobody waits for what has
// been said. It has a window of 256 KiB, and takes about 1 MiB of memory with that. It is for one goroutine at a time.
type Stream struct {
	encoders *Encoders
	coding   httpcache.Coding
	encoder  encoder // nil when it is over
	out      bytes.Buffer
}

// Stream begins to code a body.
func (e *Encoders) Stream(c httpcache.Coding) *Stream {
	s := &Stream{encoders: e, coding: c}
	s.encoder, _ = e.idle[c][passing].Get().(encoder)
	if s.encoder == nil {
		s.encoder = newEncoder(c, passing)
	}
	s.encoder.Reset(&s.out)
	return s
}

// Code returns a piece in the coding, valid until the next call. After the last, the stream is over.
func (s *Stream) Code(piece []byte, last bool) ([]byte, error) {
	s.out.Reset()
	_, err := s.encoder.Write(piece)
	switch {
	case err != nil:
	case last:
		err = s.encoder.Close()
		s.End()
	case len(piece) > 0:
		err = s.encoder.Flush()
	}
	return s.out.Bytes(), err
}

// End gives the encoder back. It is called for a stream that is given up, and does nothing after the last piece.
func (s *Stream) End() {
	if s.encoder == nil {
		return
	}
	s.encoder.Reset(io.Discard)
	s.encoders.idle[s.coding][passing].Put(s.encoder)
	s.encoder = nil
}
