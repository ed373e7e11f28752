package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	maxFields  = 128 // of a response head or trailer
	maxInterim = 4   // 1xx responses before a final one
)

// ErrMalformed is an answer that breaks the protocol, or one of this package's bounds.
var ErrMalformed = errors.New("malformed response")

// Response is what a client needs to know of a response, besides its body.
type Response struct {
	Status     int
	Fields     []Field       // in order; empty after Shoot
	RetryAfter time.Duration // from Retry-After in seconds; 0: none
	Bytes      int64         // of the body, as sent
}

// Field returns the value of the first field of that name, or "".
func (r *Response) Field(name string) string {
	for i := range r.Fields {
		if strings.EqualFold(r.Fields[i].Name, name) {
			return r.Fields[i].Value
		}
	}
	return ""
}

// framing is how a response of HTTP/1.1 ends (RFC 9112 §6).
type framing struct {
	length  int64 // of the body; -1: until the connection closes
	chunked bool
	close   bool // the connection ends with this response
}

// head reads the head of the next final response, skipping interim ones. Fields are kept if keep says so.
func (c *Conn) head(r *Response, keep bool) (framing, error) {
	for range maxInterim {
		*r = Response{Fields: r.Fields[:0]}
		f := framing{length: -1}
		if err := c.status(r, &f); err != nil {
			return f, err
		}
		if err := c.fields(r, &f, keep); err != nil {
			return f, err
		}
		if r.Status == 101 || r.Status >= 200 {
			return f, nil
		}
	}
	return framing{}, fmt.Errorf("%w: too many interim responses", ErrMalformed)
}

func (c *Conn) status(r *Response, f *framing) error {
	line, err := c.in.line()
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1."))
	if !ok || len(rest) < 5 || rest[1] != ' ' {
		return fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
	}
	f.close = rest[0] == '0'
	status := 0
	for _, digit := range rest[2:5] {
		if digit < '0' || digit > '9' {
			return fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
		}
		status = status*10 + int(digit-'0')
	}
	if status < 100 || status > 599 {
		return fmt.Errorf("%w: status %d", ErrMalformed, status)
	}
	r.Status = status
	return nil
}

func (c *Conn) fields(r *Response, f *framing, keep bool) error {
	bytesLeft := maxHead
	for range maxFields {
		line, err := c.in.line()
		if err != nil {
			return unexpected(err)
		}
		if len(line) == 0 {
			return nil
		}
		if bytesLeft -= len(line); bytesLeft < 0 {
			return fmt.Errorf("%w: head exceeds %d bytes", ErrMalformed, maxHead)
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return fmt.Errorf("%w: field line %.40q", ErrMalformed, line)
		}
		value = bytes.Trim(value, " \t")
		if keep {
			r.Fields = append(r.Fields, Field{string(name), string(value)})
		}
		if err := f.note(name, value); err != nil {
			return err
		}
		r.note(name, value)
	}
	return fmt.Errorf("%w: more than %d field lines", ErrMalformed, maxFields)
}

// note takes framing from one field (RFC 9112 §6).
func (f *framing) note(name, value []byte) error {
	switch len(name) { // most fields are none of these
	case len("Content-Length"):
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			return nil
		}
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || (f.length >= 0 && f.length != int64(n)) {
			return fmt.Errorf("%w: Content-Length %.40q", ErrMalformed, value)
		}
		f.length = int64(n)
	case len("Transfer-Encoding"):
		if !bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			return nil
		}
		if !bytes.EqualFold(value, []byte("chunked")) || f.chunked {
			return fmt.Errorf("%w: Transfer-Encoding %.40q", ErrMalformed, value)
		}
		f.chunked = true
	case len("Connection"):
		f.close = f.close || bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// note takes Retry-After from one field, if it is in seconds.
func (r *Response) note(name, value []byte) {
	if len(name) != len("Retry-After") || !bytes.EqualFold(name, []byte("Retry-After")) {
		return
	}
	if n, err := strconv.ParseUint(string(value), 10, 31); err == nil {
		r.RetryAfter = time.Duration(n) * time.Second
	}
}

// body moves the body that f frames to w, or throws it away if w is nil.
func (c *Conn) body(r *Response, f framing, w io.Writer) (err error) {
	switch {
	case f.chunked:
		return c.chunks(r, w)
	case f.length > maxBody:
		return fmt.Errorf("%w: body exceeds %d bytes", ErrMalformed, maxBody)
	case f.length >= 0:
		r.Bytes = f.length
		return c.in.take(w, f.length)
	}
	r.Bytes, err = c.in.rest(w)
	return err
}

// chunks reads a chunked body with its trailers (RFC 9112 §7.1).
func (c *Conn) chunks(r *Response, w io.Writer) error {
	for {
		line, err := c.in.line()
		if err != nil {
			return unexpected(err)
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 31)
		if r.Bytes += int64(n); err != nil || r.Bytes > maxBody {
			return fmt.Errorf("%w: chunk size %.40q", ErrMalformed, line)
		}
		if n == 0 {
			return c.fields(&Response{}, &framing{length: -1}, false)
		}
		if err := c.in.take(w, int64(n)); err != nil {
			return err
		}
		if line, err = c.in.line(); err != nil {
			return unexpected(err)
		}
		if len(line) != 0 {
			return fmt.Errorf("%w: chunk of %d bytes does not end in CRLF", ErrMalformed, n)
		}
	}
}
