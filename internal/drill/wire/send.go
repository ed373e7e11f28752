package wire

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// sendHead writes HEADERS. The caller holds writing.
func (s *session) sendHead(ctx context.Context, id uint32, q *Request, end bool) error {
	p, prior := s.conn.software.priority(q)
	s.out = appendHeaders(s.out[:0], s.encode(q), id, p, prior, end)
	return s.write(ctx, s.out)
}

// encode returns the field block of a request, valid until the next. The caller holds writing.
func (s *session) encode(q *Request) []byte {
	s.block.Reset()
	c := s.conn
	method, host := q.Method, q.Host
	if method == "" {
		method = "GET"
	}
	if host == "" {
		host = c.target.Host
	}
	for _, letter := range c.software.HTTP2.Pseudo {
		f := hpack.HeaderField{}
		switch letter {
		case 'm':
			f = hpack.HeaderField{Name: ":method", Value: method}
		case 'a':
			f = hpack.HeaderField{Name: ":authority", Value: host}
		case 's':
			f = hpack.HeaderField{Name: ":scheme", Value: "https"}
		case 'p':
			f = hpack.HeaderField{Name: ":path", Value: q.Path}
		}
		_ = s.enc.WriteField(f) // into memory
	}
	s.fields = c.software.lay(s.fields[:0], q, layout{host: host, secure: c.target.TLS, http2: true})
	for _, f := range s.fields {
		s.encodeField(strings.ToLower(f.Name), f.Value)
	}
	return s.block.Bytes()
}

// encodeField encodes one field, cookies one by one (RFC 9113 §8.2.3).
func (s *session) encodeField(name, value string) {
	for name == "cookie" {
		crumb, rest, more := strings.Cut(value, "; ")
		if !more {
			break
		}
		_ = s.enc.WriteField(hpack.HeaderField{Name: name, Value: crumb})
		value = rest
	}
	_ = s.enc.WriteField(hpack.HeaderField{Name: name, Value: value})
}

// write writes out until the deadline of ctx, or for writeTimeout: a write that is cut off ends the connection, so a request
// that is late does not cut it off at once. The caller holds writing.
func (s *session) write(ctx context.Context, out []byte) error {
	now := time.Now()
	deadline, ok := ctx.Deadline()
	switch {
	case !ok:
		deadline = now.Add(writeTimeout)
	case deadline.Sub(now) < graceTimeout:
		deadline = now.Add(graceTimeout)
	}
	s.conn.link.writeUntil(deadline)
	_, err := s.conn.stream.Write(out)
	return err
}

// upload sends a request's content as the windows allow (RFC 9113 §5.2).
func (s *session) upload(ctx context.Context, st *stream, body []byte) error {
	for len(body) > 0 {
		n, wait := s.allow(st, len(body))
		if n == 0 {
			select {
			case <-wait:
				continue
			case <-st.done: // answered before all was sent
				return errAnswered
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		flags := uint8(0)
		if n == len(body) {
			flags = flagEndStream
		}
		s.writing.Lock()
		s.out = append(appendFrameHead(s.out[:0], n, dataFrame, flags, st.id), body[:n]...)
		err := s.write(ctx, s.out)
		s.writing.Unlock()
		if err != nil {
			s.fail(err)
			return err
		}
		s.flush()
		body = body[n:]
	}
	return nil
}

// errAnswered ends an upload, not the request.
var errAnswered = errors.New("answered")

// allow takes as much of the windows as there is of n bytes, or returns what to wait for.
func (s *session) allow(st *stream, n int) (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := min(int64(n), st.window, s.window, maxFrame)
	if room <= 0 || s.streams[st.id] != st {
		return 0, s.change()
	}
	st.window -= room
	s.window -= room
	return int(room), nil
}

// Reset opens a stream of HTTP/2 with q, which has no content, and resets it at once (CVE-2023-44487). It waits for nobody, but for the kernel to take
// what is written. It fails when the connection has ended or takes no more streams.
func (c *Conn) Reset(q *Request) error {
	s := c.session
	if s == nil {
		return errNotHTTP2
	}
	s.writing.Lock()
	id, err := s.skip()
	if err == nil {
		p, prior := c.software.priority(q)
		s.out = appendHeaders(s.out[:0], s.encode(q), id, p, prior, true)
		s.out = appendWord(s.out, resetFrame, id, uint32(codeCancel))
		err = s.write(context.Background(), s.out)
	}
	s.writing.Unlock()
	s.flush()
	return err
}

// errNotHTTP2 is a Reset over HTTP/1.1.
var errNotHTTP2 = errors.New("streams are of HTTP/2")

// skip takes the number of a stream that nobody waits for.
func (s *session) skip() (id uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admits(); err != nil {
		return 0, err
	}
	id = s.next
	s.number()
	s.stays = true
	s.read()
	return id, nil
}
