package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// errNoHTTP2 says that a server took an offer of HTTP/2 for another protocol.
var errNoHTTP2 = errors.New("it does not speak HTTP/2")

const (
	http2Window = 65535 // bytes that RFC 9113 §6.9.2 lets a server send before it is told otherwise
	headerTable = 4096  // bytes, as in §6.5.2
)

// clientTLS is how the bench shakes hands in a scenario.
func (s scenario) clientTLS() *tls.Config {
	config := clientTLS()
	if s.http2 {
		config.NextProtos = []string{http2.NextProtoTLS, "http/1.1"} // else who speaks the latter alone refuses to talk
	}
	return config
}

// An http2Conn is the client's side of a connection over HTTP/2 (RFC 9113), read and written through x/net's framer. The deadline of
// what it runs on bounds how long it reads.
type http2Conn struct {
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer // what the encoder writes
	scheme  string       // of what is asked for
	window  uint32       // of a new stream
	streams map[uint32]*http2Stream
	last    uint32 // stream; the client's are odd
}

// An http2Stream is a request, and what has come of its answer.
type http2Stream struct {
	status string // empty before the head
	window int    // bytes that may have come
	body   int    // bytes that have
	ended  bool
}

// newHTTP2Conn begins a connection whose streams have a window of so many bytes at first.
func newHTTP2Conn(c io.ReadWriter, window uint32) (*http2Conn, error) {
	h := &http2Conn{framer: http2.NewFramer(c, c), scheme: "https", window: window, streams: map[uint32]*http2Stream{}}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	h.encoder = hpack.NewEncoder(&h.block)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil, err
	}
	return h, h.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
	)
}

// request asks for a path on a new stream.
func (h *http2Conn) request(authority, path string) (*http2Stream, error) {
	id := h.last + 2
	if h.last == 0 {
		id = 1
	}
	h.block.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: http.MethodGet}, {Name: ":scheme", Value: h.scheme},
		{Name: ":authority", Value: authority}, {Name: ":path", Value: path},
	} {
		if err := h.encoder.WriteField(f); err != nil {
			return nil, err
		}
	}
	s := &http2Stream{window: int(h.window)}
	h.streams[id], h.last = s, id
	return s, h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.block.Bytes(), EndStream: true, EndHeaders: true,
	})
}

// release lets the server send so many bytes more on every stream that has not ended.
func (h *http2Conn) release(size int) error {
	for id, s := range h.streams {
		if s.ended {
			continue
		}
		s.window += size
		for _, id := range []uint32{0, id} {
			if err := h.framer.WriteWindowUpdate(id, uint32(size)); err != nil {
				return err
			}
		}
	}
	return nil
}

// until reads frames until something has come.
func (h *http2Conn) until(come func() bool) error {
	for !come() {
		if err := h.read(); err != nil {
			return err
		}
	}
	return nil
}

// read reads a frame, and answers it if that is wanted.
func (h *http2Conn) read() error {
	frame, err := h.framer.ReadFrame()
	if err != nil {
		return err
	}
	s := h.streams[frame.Header().StreamID]
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return h.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return h.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
	case *http2.MetaHeadersFrame:
		if s != nil && s.status == "" {
			s.status, s.ended = f.PseudoValue("status"), f.StreamEnded()
			return nil
		}
		return fmt.Errorf("unexpected %v", f)
	case *http2.DataFrame:
		if s == nil || s.status == "" || s.ended {
			return fmt.Errorf("unexpected %v", f)
		}
		s.body += len(f.Data())
		s.ended = f.StreamEnded()
		if s.body > s.window {
			return fmt.Errorf("%d bytes on a stream: its window allows %d", s.body, s.window)
		}
	default: // GOAWAY, RST_STREAM, PUSH_PROMISE and what nobody should send
		return fmt.Errorf("unexpected %v", f)
	}
	return nil
}

// verify makes sure that the answer is there, whole.
func (s *http2Stream) verify(size int) error {
	if s.status != strconv.Itoa(http.StatusOK) || s.body != size || !s.ended {
		return fmt.Errorf("status %s with %d bytes, ended %t: want 200 with %d", s.status, s.body, s.ended, size)
	}
	return nil
}

// talkHTTP2 sends the request and reads the answer, on the first stream of a connection.
func (t *site) talkHTTP2(c io.ReadWriter, address string) error {
	h, err := newHTTP2Conn(c, http2Window)
	if err != nil {
		return err
	}
	s, err := h.request(address, t.path)
	if err != nil {
		return err
	}
	if err := h.until(func() bool { return s.ended }); err != nil {
		return err
	}
	return s.verify(len(t.body))
}
