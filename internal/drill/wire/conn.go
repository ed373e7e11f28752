package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Conn is a client's connection.
type Conn struct {
	stream   net.Conn // what HTTP is spoken over: link, or TLS on it
	link     *link
	software *Software
	target   Target
	session  *session // of HTTP/2; nil: HTTP/1.1
	in       reader   // of HTTP/1.1
	out      []byte   // the request; reused
	reusable bool
}

// Request is what a client asks. Its own fields take the places that the Software has for them.
type Request struct {
	Method, Path string
	Host         string // "": the target's
	Dest         string // what for (Fetch §2.2.5): "document" or "", "style", "script", "image", "font", "empty"
	Fields       []Field
	Body         []byte
	Pace         int // bytes a second that the client reads, of the whole connection; 0: as they come
}

// Do sends q and reads the response: its fields into r, whose own it reuses, its body as sent into w (nil: nowhere), which must not
// block. Over HTTP/2 it may be called by several goroutines, over HTTP/1.1 by one at a time. Errors are those of the network and of ctx, and
// ErrMalformed. r.Status tells whether an answer had begun: if not, and the connection had been used before, a user agent may
// ask again on another (RFC 9112 §9.3.1).
func (c *Conn) Do(ctx context.Context, q *Request, r *Response, w io.Writer) error {
	*r = Response{Fields: r.Fields[:0]}
	if c.session != nil {
		return c.session.do(ctx, q, r, w)
	}
	defer c.guard(ctx, q.Pace)()
	c.out = c.render(c.out[:0], q)
	err := c.exchange(c.out, q.Method, r, w, true)
	if cap(c.out) > readSize {
		c.out = nil
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// guard lets ctx end what is done on a connection of HTTP/1.1, until the returned function is called.
func (c *Conn) guard(ctx context.Context, pace int) (release func()) {
	deadline, _ := ctx.Deadline()
	c.link.until(deadline)
	c.link.slow(pace)
	if ctx.Done() == nil {
		return func() {}
	}
	undo := context.AfterFunc(ctx, func() { _ = c.link.SetDeadline(time.Unix(1, 0)) })
	return func() {
		if !undo() {
			c.reusable = false
		}
	}
}

// exchange writes a request of HTTP/1.1 and reads the response. Between exchanges there is no buffer.
func (c *Conn) exchange(request []byte, method string, r *Response, w io.Writer, keep bool) error {
	c.reusable = false
	defer c.in.drop()
	_, refused := c.stream.Write(request) // an answer may be there all the same: 413 before the body was taken
	f, err := c.head(r, keep)
	if err != nil {
		if refused != nil && r.Status == 0 {
			return refused
		}
		return err
	}
	switch {
	case r.Status == 101:
		return fmt.Errorf("%w: status 101 unasked", ErrMalformed)
	case r.Status == 204 || r.Status == 304 || method == "HEAD":
		f.length, f.chunked = 0, false
	}
	if err := c.body(r, f, w); err != nil {
		return err
	}
	c.reusable = refused == nil && !f.close && (f.length >= 0 || f.chunked) && c.in.buffered() == 0
	return nil
}

// HTTP2 reports whether the connection speaks it.
func (c *Conn) HTTP2() bool { return c.session != nil }

// Reusable reports whether the connection may carry another request: that it has ended meanwhile shows when it does.
func (c *Conn) Reusable() bool {
	if c.session != nil {
		return c.session.reusable()
	}
	return c.reusable
}

// Close ends the connection in order. It may be called while another goroutine waits in Do.
func (c *Conn) Close() {
	if c.session != nil {
		c.session.leave()
	}
	_ = c.stream.Close()
}

// Abandon resets the connection instead, so that it leaves no TIME_WAIT behind.
func (c *Conn) Abandon() { Abandon(c.link.Conn) }

// Abandon resets what DialTCP has connected.
func Abandon(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = nc.Close()
}

// Why names a failure in one word: timeout, refused (the connection, or a stream of it), closed (reset or ended before the
// answer was whole), malformed, tls.
func Why(err error) string {
	var reset *resetError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &reset) && reset.refuses():
		return "refused"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, errTLS) && !broken(err):
		return "tls"
	}
	return "closed"
}

// broken reports whether err is the end of a connection.
func broken(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
