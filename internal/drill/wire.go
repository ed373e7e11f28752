package drill

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	maxFields = 128     // header lines of a response
	maxBody   = 4 << 20 // bytes of a response body
)

var errMalformed = errors.New("malformed response")

// response is what a client needs to know of an HTTP/1.1 response head (RFC 9112 §4).
type response struct {
	status     int
	length     int64 // of the body; -1: until the connection closes
	chunked    bool
	close      bool          // the connection ends with this response
	retryAfter time.Duration // from Retry-After in seconds; 0: none
	keep       bool          // set by the caller: fill fields
	fields     []struct{ Name, Value string }
}

// field returns the value of the first field of that name, or "".
func (r *response) field(name string) string {
	for _, f := range r.fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// readHead reads the head of the next final response, skipping 1xx ones. A line must fit br's buffer.
func (r *response) readHead(br *bufio.Reader) error {
	for range 4 {
		*r = response{length: -1, keep: r.keep, fields: r.fields[:0]}
		if err := r.readStatus(br); err != nil {
			return err
		}
		if err := r.readFields(br); err != nil {
			return err
		}
		if r.status >= 200 {
			if r.status == 204 || r.status == 304 {
				r.length, r.chunked = 0, false
			}
			r.close = r.close || (r.length < 0 && !r.chunked)
			return nil
		}
	}
	return fmt.Errorf("%w: too many interim responses", errMalformed)
}

func (r *response) readStatus(br *bufio.Reader) error {
	line, err := readLine(br)
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1."))
	if !ok || len(rest) < 5 || rest[1] != ' ' {
		return fmt.Errorf("%w: status line %.40q", errMalformed, line)
	}
	r.close = rest[0] == '0'
	for _, c := range rest[2:5] {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: status line %.40q", errMalformed, line)
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 || r.status > 599 || r.status == 101 {
		return fmt.Errorf("%w: status %d", errMalformed, r.status)
	}
	return nil
}

func (r *response) readFields(br *bufio.Reader) error {
	for range maxFields {
		line, err := readLine(br)
		if err != nil {
			return unexpected(err)
		}
		if len(line) == 0 {
			return nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return fmt.Errorf("%w: field line %.40q", errMalformed, line)
		}
		if err := r.note(name, bytes.Trim(value, " \t")); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d field lines", errMalformed, maxFields)
}

// note takes framing (RFC 9112 §6) and Retry-After from one field, and keeps the field if asked to.
func (r *response) note(name, value []byte) error {
	if r.keep {
		r.fields = append(r.fields, struct{ Name, Value string }{string(name), string(value)})
	}
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || (r.length >= 0 && r.length != int64(n)) {
			return fmt.Errorf("%w: Content-Length %.40q", errMalformed, value)
		}
		r.length = int64(n)
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if !bytes.EqualFold(value, []byte("chunked")) {
			return fmt.Errorf("%w: Transfer-Encoding %.40q", errMalformed, value)
		}
		r.chunked = true
	case bytes.EqualFold(name, []byte("Connection")):
		r.close = r.close || bytes.EqualFold(value, []byte("close"))
	case bytes.EqualFold(name, []byte("Retry-After")):
		if n, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			r.retryAfter = time.Duration(n) * time.Second
		}
	}
	return nil
}

// readBody copies the body to w, or throws it away if w is nil.
func (r *response) readBody(br *bufio.Reader, w io.Writer) error {
	switch {
	case r.chunked:
		return readChunks(br, w)
	case r.length >= 0:
		return take(br, w, r.length)
	}
	if w == nil {
		w = io.Discard
	}
	n, err := io.CopyN(w, br, maxBody+1)
	if n > maxBody {
		return fmt.Errorf("%w: body exceeds %d bytes", errMalformed, maxBody)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// readChunks reads a chunked body with its trailers (RFC 9112 §7.1).
func readChunks(br *bufio.Reader, w io.Writer) error {
	total := int64(0)
	for {
		line, err := readLine(br)
		if err != nil {
			return unexpected(err)
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 31)
		if total += int64(n); err != nil || total > maxBody {
			return fmt.Errorf("%w: chunk size %.40q", errMalformed, line)
		}
		if n == 0 {
			return (&response{}).readFields(br)
		}
		if err := take(br, w, int64(n)); err != nil {
			return err
		}
		if line, err = readLine(br); err != nil || len(line) != 0 {
			return fmt.Errorf("%w: chunk of %d bytes does not end in CRLF", errMalformed, n)
		}
	}
}

// take moves exactly n bytes from br to w.
func take(br *bufio.Reader, w io.Writer, n int64) error {
	if n > maxBody {
		return fmt.Errorf("%w: body exceeds %d bytes", errMalformed, maxBody)
	}
	var err error
	if w == nil {
		_, err = br.Discard(int(n))
	} else {
		_, err = io.CopyN(w, br, n)
	}
	return unexpected(err)
}

// readLine returns the next line without its CRLF (or bare LF); it is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, fmt.Errorf("%w: line exceeds %d bytes", errMalformed, br.Size())
	case err == io.EOF && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// unexpected turns the end of the stream inside a message into an error of its own.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
