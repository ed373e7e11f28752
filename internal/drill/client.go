package drill

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is a client's connection with its read buffer.
type conn struct {
	net.Conn
	br   *bufio.Reader
	used bool // has carried a response
}

// exchange writes a request and reads the response, its body into w (nil: nowhere). It reports by reuse whether the
// connection may carry another.
func (c *conn) exchange(request []byte, r *response, w io.Writer) (reuse bool, err error) {
	if _, err := c.Write(request); err != nil {
		return false, err
	}
	if err := r.readHead(c.br); err != nil {
		return false, err
	}
	if err := r.readBody(c.br, w); err != nil {
		return false, err
	}
	c.used = true
	return !r.close && c.br.Buffered() == 0, nil
}

// abandon resets the connection instead of closing it in order, so that it leaves no TIME_WAIT behind.
func (c *conn) abandon() {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// why names a failed exchange in one word, as the table counts it.
func why(err error) string {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.why
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, errMalformed):
		return "malformed"
	}
	return "closed" // reset or ended before the answer was whole
}

// failure is an answer that came, but was not the right one.
type failure struct {
	why        string
	retryAfter time.Duration
	what       string
}

func (f *failure) Error() string { return f.what }
