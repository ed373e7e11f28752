package wire

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

const (
	maxHead  = 16 << 10 // bytes of a response head or trailer, and of a line in it
	maxBody  = 4 << 20  // bytes of a response body
	readSize = 4 << 10  // bytes read at once
	bulkSize = 32 << 10 // bytes read at once of what is longer
)

// Buffers of readers that are in a message. An idle connection has none.
var (
	small = sync.Pool{New: func() any { return new([readSize]byte) }}
	bulk  = sync.Pool{New: func() any { return new([bulkSize]byte) }}
)

// reader buffers what a connection receives. A bufio.Reader would keep its buffer while the connection is idle.
type reader struct {
	source     io.Reader
	buf        []byte // from small or bulk; nil: none
	start, end int    // of what is unread
}

func (in *reader) buffered() int { return in.end - in.start }

// fill reads once, making room as it must. It is called with a buffer that is not full of unread bytes.
func (in *reader) fill() error {
	switch {
	case in.buf == nil:
		in.buf = small.Get().(*[readSize]byte)[:]
	case in.start == in.end:
		in.start, in.end = 0, 0
	case in.end == len(in.buf):
		in.end = copy(in.buf, in.buf[in.start:in.end])
		in.start = 0
	}
	n, err := in.source.Read(in.buf[in.end:])
	in.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// grow exchanges the buffer for a large one.
func (in *reader) grow() {
	if len(in.buf) == bulkSize {
		return
	}
	large := bulk.Get().(*[bulkSize]byte)
	n := copy(large[:], in.buf[in.start:in.end])
	in.drop()
	in.buf, in.start, in.end = large[:], 0, n
}

// drop gives the buffer back, and what is unread in it away.
func (in *reader) drop() {
	switch len(in.buf) {
	case readSize:
		small.Put((*[readSize]byte)(in.buf))
	case bulkSize:
		bulk.Put((*[bulkSize]byte)(in.buf))
	}
	in.buf, in.start, in.end = nil, 0, 0
}

// line returns the next line without its CRLF (or bare LF); it is valid until the next read.
func (in *reader) line() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(in.buf[in.start+seen:in.end], '\n'); i >= 0 {
			line := in.buf[in.start : in.start+seen+i]
			in.start += seen + i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		seen = in.buffered()
		if seen >= maxHead {
			return nil, fmt.Errorf("%w: line exceeds %d bytes", ErrMalformed, maxHead)
		}
		if seen == readSize {
			in.grow()
		}
		if err := in.fill(); err != nil {
			if seen > 0 {
				err = unexpected(err)
			}
			return nil, err
		}
	}
}

// peek returns the next n bytes, at most bulkSize, and leaves them unread.
func (in *reader) peek(n int) ([]byte, error) {
	if n > readSize {
		in.grow()
	}
	for in.buffered() < n {
		if err := in.fill(); err != nil {
			if in.buffered() > 0 {
				err = unexpected(err)
			}
			return nil, err
		}
	}
	return in.buf[in.start : in.start+n], nil
}

// take moves exactly n bytes to w, or throws them away if w is nil.
func (in *reader) take(w io.Writer, n int64) error {
	if n > int64(in.buffered())+readSize {
		in.grow()
	}
	for n > 0 {
		if in.buffered() == 0 {
			if err := in.fill(); err != nil {
				return unexpected(err)
			}
		}
		k := int(min(n, int64(in.buffered())))
		if w != nil {
			if _, err := w.Write(in.buf[in.start : in.start+k]); err != nil {
				return err
			}
		}
		in.start += k
		n -= int64(k)
	}
	return nil
}

// rest moves all that comes until the connection ends, and returns how many bytes.
func (in *reader) rest(w io.Writer) (int64, error) {
	var total int64
	in.grow()
	for {
		k := in.buffered()
		if total += int64(k); total > maxBody {
			return total, fmt.Errorf("%w: body exceeds %d bytes", ErrMalformed, maxBody)
		}
		if err := in.take(w, int64(k)); err != nil {
			return total, err
		}
		if err := in.fill(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
	}
}

// unexpected turns the end of the stream inside a message into an error of its own.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
