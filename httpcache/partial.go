package httpcache

import (
	"math"
	"strconv"
	"strings"
)

// Part is what part of a representation a 206 carries, in bytes: Length from First on, of Total.
type Part struct{ First, Length, Total int64 }

// ParseContentRange reads the Content-Range of a 206 with one part (RFC 9110 §14.4). ok is false if it is missing, repeated, broken or
// invalid, counts in other units than bytes, or does not tell the representation's length: such a part can't be combined.
func ParseContentRange(fields []Field) (p Part, ok bool) {
	value, n := singleton(fields, "Content-Range")
	unit, rest, _ := strings.Cut(value, " ")
	span, total, cut := strings.Cut(rest, "/")
	first, last, cut2 := strings.Cut(span, "-")
	if n != 1 || !sameName(unit, "bytes") || !cut || !cut2 {
		return Part{}, false
	}
	from, ok1 := parsePosition(first)
	to, ok2 := parsePosition(last)
	size, ok3 := parsePosition(total)
	if !ok1 || !ok2 || !ok3 || from > to || to >= size || size == math.MaxInt64 {
		return Part{}, false
	}
	return Part{First: from, Length: to - from + 1, Total: size}, true
}

// Combines reports whether parts of two responses for one request, one of which may be whole, are of the same representation: both have
// the same strong validator (RFC 9111 §3.4, RFC 9110 §8.8.1).
func (m *Metadata) Combines(other *Metadata) bool {
	if m.ETag != "" || other.ETag != "" {
		return m.ETag == other.ETag && !isWeak(m.ETag)
	}
	return m.LastModified.Equal(other.LastModified) && m.strongLastModified() && other.strongLastModified()
}

// ConfirmedBy reports whether a 200 to HEAD tells of the stored response with size bytes of content (RFC 9111 §4.3.5): the validators
// that came are the stored one's, and so is Content-Length, if there is one. At least one validator has to have come: without,
// anybody could keep what is stored fresh for ever by asking with HEAD, whatever becomes of the content.
func (m *Metadata) ConfirmedBy(head *Response, size int64) bool {
	confirmed := false
	if has(head.Fields, "ETag") {
		if tag := etagField(head.Fields); tag == "" || tag != m.ETag {
			return false
		}
		confirmed = true
	}
	if has(head.Fields, "Last-Modified") {
		t, ok := dateField(head.Fields, "Last-Modified", m.ResponseTime)
		if !ok || !t.Equal(m.LastModified) {
			return false
		}
		confirmed = true
	}
	if value, n := singleton(head.Fields, "Content-Length"); n > 0 {
		if length, ok := parsePosition(value); n > 1 || !ok || length != size {
			return false
		}
	}
	return confirmed
}

// String is the part as Content-Range has it.
func (p Part) String() string {
	b := strconv.AppendInt([]byte("bytes "), p.First, 10)
	b = strconv.AppendInt(append(b, '-'), p.First+p.Length-1, 10)
	return string(strconv.AppendInt(append(b, '/'), p.Total, 10))
}
