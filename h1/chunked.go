package h1

import (
	"bytes"
	"slices"
)

// maxSizeLine bounds the bytes of a chunk's size and extensions; maxSizeDigits those of the size alone.
const (
	maxSizeLine   = 64
	maxSizeDigits = 16
)

// A Decoder undoes the chunked coding (RFC 9112 §7.1) as the bytes arrive, in whatever pieces. It consumes all that it
// is given up to the end of the content, copies no data, and keeps nothing but the trailer section. The zero value is
// ready for the content of a request, with the default Limits.
//
// In requests chunk extensions are refused: no client needs them, and readers that disagree about where one ends
// disagree about where the request ends. So are trailer fields that must not be there (framing, routing,
// authentication and the like, RFC 9110 §6.5.1), for a reader that merges trailers into the head would believe them.
// In responses extensions, and the spaces that old origins put behind the size, are skipped, and such trailer fields
// are dropped. Line ends are CRLF in both.
type Decoder struct {
	Response bool   // the content is a response's
	Limits   Limits // bounds the trailer section: Head its bytes, Fields its number of fields

	state    chunkState
	left     int64 // bytes of data still to come in this chunk
	line     int   // bytes of this size line so far
	raw      []byte
	trailers []Field
	fault    *refusal
}

type chunkState uint8

const (
	atSize    chunkState = iota // a hexadecimal digit or the end of the size
	inExt                       // in an extension
	sizeLF                      // the LF of the size line
	inData                      //
	dataCR                      // the line end behind the data
	dataLF                      //
	atTrailer                   // the first byte of the trailer section
	inTrailer                   //
	lastLF                      // the LF of an empty trailer section
	ended
)

// Reset makes d ready for the content of another message. Response and Limits stay.
func (d *Decoder) Reset() { *d = Decoder{Response: d.Response, Limits: d.Limits} }

// Done reports whether the end of the content, trailers included, has been consumed.
func (d *Decoder) Done() bool { return d.state == ended }

// Trailers returns the trailer fields, in order, once d is done; nil if there were none.
func (d *Decoder) Trailers() []Field { return d.trailers }

// Next consumes n bytes of b, at most up to the end of the content. data, a part of b that may be empty, is what they
// hold of the decoded content. Call it with what follows b[:n] until n is 0, which means that it wants more bytes or
// that d is done. An error is final.
func (d *Decoder) Next(b []byte) (data []byte, n int, err error) {
	for n < len(b) && d.state != ended && d.fault == nil {
		switch d.state {
		case inData:
			k := int(min(d.left, int64(len(b)-n)))
			if d.left -= int64(k); d.left == 0 {
				d.state = dataCR
			}
			return b[n : n+k], n + k, nil
		case inTrailer:
			n += d.trailer(b[n:])
		default:
			d.step(b[n])
			n++
		}
	}
	if d.fault == nil {
		return nil, n, nil
	}
	if d.Response {
		return nil, n, &d.fault.response
	}
	return nil, n, &d.fault.request
}

// step takes one byte of what stands between the data of two chunks.
func (d *Decoder) step(c byte) {
	switch d.state {
	case atSize:
		d.size(c)
	case inExt:
		d.extension(c)
	case sizeLF:
		d.expect(c, '\n', inData, errBareCR)
		if d.left == 0 {
			d.state = atTrailer
		}
		d.line = 0
	case dataCR:
		d.expect(c, '\r', dataLF, errChunkEnd)
	case dataLF:
		d.expect(c, '\n', atSize, errChunkEnd)
	case atTrailer:
		if d.state = inTrailer; c == '\r' {
			d.state = lastLF
			return
		}
		d.trailer([]byte{c})
	case lastLF:
		d.expect(c, '\n', ended, errBareCR)
	}
}

func (d *Decoder) expect(c, want byte, next chunkState, f *refusal) {
	if c != want {
		d.fault = f
		return
	}
	d.state = next
}

// size takes a byte of the size line up to the end of the size.
func (d *Decoder) size(c byte) {
	digit := c - '0'
	if digit > 9 {
		if digit = c | 0x20 - 'a' + 10; digit < 10 {
			digit = 16
		}
	}
	switch {
	case digit < 16 && (d.line == maxSizeDigits || d.left > (1<<63-1)>>4):
		d.fault = errChunkSize
	case digit < 16:
		d.left = d.left<<4 | int64(digit)
		d.line++
	case d.line == 0:
		d.fault = errChunkSize
	case c == '\r':
		d.state = sizeLF
	case c == '\n':
		d.fault = errBareLF
	case c != ';' && !isSpace(c):
		d.fault = errChunkSize
	case !d.Response:
		d.fault = errChunkExt
	default:
		d.state = inExt
		d.line++
	}
}

// extension skips a byte of the size line behind the size.
func (d *Decoder) extension(c byte) {
	switch d.line++; {
	case c == '\r':
		d.state = sizeLF
	case c == '\n':
		d.fault = errBareLF
	case !isValue[c]:
		d.fault = errChunkExt
	case d.line > maxSizeLine:
		d.fault = errChunkLong
	}
}

// trailer takes the bytes of b up to the end of a line, or all, and returns how many these are.
func (d *Decoder) trailer(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 {
		n = len(b)
	}
	if len(d.raw)+n > d.Limits.orDefault().Head {
		d.fault = errTrailerLong
		return n
	}
	d.raw = append(d.raw, b[:n]...)
	switch {
	case b[n-1] != '\n':
	case !bytes.HasSuffix(d.raw, []byte("\r\n")):
		d.fault = errBareLF
	case bytes.HasSuffix(d.raw, []byte("\n\r\n")):
		if d.fault = d.readTrailers(string(d.raw)); d.fault == nil {
			d.raw, d.state = nil, ended
		}
	}
	return n
}

// readTrailers reads a whole trailer section, which ends with an empty line.
func (d *Decoder) readTrailers(s string) *refusal {
	limit := d.Limits.orDefault().Fields
	for p := 0; s[p] != '\r' || s[p+1] != '\n'; {
		name, value, next, f := readField(s, p, false)
		if f != nil {
			return f
		}
		if limit--; limit < 0 {
			return errFields
		}
		p = next
		if !forbiddenTrailer(name) {
			d.trailers = append(d.trailers, Field{name, value})
		} else if !d.Response {
			return errTrailerField
		}
	}
	return nil
}

// forbiddenInTrailers are fields for framing, routing, request modification, authentication, response control and
// content format (RFC 9110 §6.5.1), and those of one connection.
var forbiddenInTrailers = []string{
	"content-length", "transfer-encoding", "trailer", "connection", "keep-alive", "proxy-connection", "upgrade", "te",
	"host", "forwarded", "via", "max-forwards",
	"cache-control", "pragma", "expect", "range", "if-match", "if-none-match", "if-modified-since",
	"if-unmodified-since", "if-range",
	"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie",
	"age", "date", "expires", "location", "retry-after", "vary", "warning",
	"content-encoding", "content-type", "content-range",
}

func forbiddenTrailer(name string) bool {
	return slices.ContainsFunc(forbiddenInTrailers, func(lower string) bool { return imitates(name, lower) }) ||
		len(name) > 12 && EqualFold(name[:12], "x-forwarded-")
}
