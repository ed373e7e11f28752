package httpcache

import (
	"strings"
	"time"
)

// Validators appends the fields that make a GET request ask the origin whether the stored response is still good:
// If-None-Match and If-Modified-Since, as far as there is an ETag or Last-Modified to make them from (RFC 9111 §4.3.1).
// The caller first removes the client's own conditional fields and Range.
func (m *Metadata) Validators(dst []Field) []Field {
	if m.ETag != "" {
		dst = append(dst, Field{"If-None-Match", m.ETag})
	}
	if !m.LastModified.IsZero() {
		dst = append(dst, Field{"If-Modified-Since", formatDate(m.LastModified)})
	}
	return dst
}

// NotModified reports whether 304 answers the request instead of the stored response (RFC 9111 §4.3.2, in the order of
// RFC 9110 §13.2.2): If-None-Match by weak comparison, else If-Modified-Since against Last-Modified or, without that,
// Date. If-Match and If-Unmodified-Since are for the origin and ignored here.
func (m *Metadata) NotModified(req *Request) bool {
	if req.Method != "GET" && req.Method != "HEAD" || m.Status < 200 || m.Status > 299 {
		return false
	}
	if has(req.Fields, "If-None-Match") {
		return m.noneMatchFails(req.Fields)
	}
	since, ok := dateField(req.Fields, "If-Modified-Since", m.ResponseTime)
	if !ok {
		return false
	}
	modified := m.LastModified
	if modified.IsZero() {
		modified = m.Date
	}
	return !modified.After(since)
}

// noneMatchFails reports whether If-None-Match lists the stored entity-tag or is "*", which matches any response.
func (m *Metadata) noneMatchFails(fields []Field) bool {
	if value, n := singleton(fields, "If-None-Match"); n == 1 && value == "*" {
		return true
	}
	for line := range lines(fields, "If-None-Match") {
		for line != "" {
			tag, rest, ok := cutEntityTag(line)
			if !ok {
				break
			}
			if m.ETag != "" && opaqueTag(tag) == opaqueTag(m.ETag) {
				return true
			}
			line = rest
		}
	}
	return false
}

// NotModifiedWeakly reports whether a 304 for which [Metadata.NotModified] holds should have the weak form of the entity-tag: that is
// what the client knows, of a coded form that is not here any more, and a strong one would say that it has the stored bytes.
func (m *Metadata) NotModifiedWeakly(req *Request) bool {
	if !m.SharedDate || m.ETag == "" || isWeak(m.ETag) {
		return false
	}
	weakly := false
	for line := range lines(req.Fields, "If-None-Match") {
		for line != "" {
			tag, rest, ok := cutEntityTag(line)
			if !ok {
				break
			}
			if tag == m.ETag {
				return false
			}
			weakly = weakly || opaqueTag(tag) == opaqueTag(m.ETag)
			line = rest
		}
	}
	return weakly
}

// Freshens reports whether a 304 that answered a request with the stored response's [Metadata.Validators] speaks of that
// response (RFC 9111 §4.3.4). If not, the stored response is of no use for it: the caller asks again, unconditionally. A
// 304 without any validator is taken to mean the one response that was asked about.
func (m *Metadata) Freshens(notModified *Response) bool {
	tag := etagField(notModified.Fields)
	lastModified, dated := dateField(notModified.Fields, "Last-Modified", m.ResponseTime)
	switch {
	case tag != "" && m.ETag != "" && isWeak(tag):
		return opaqueTag(tag) == opaqueTag(m.ETag)
	case tag != "" && m.ETag != "":
		return tag == m.ETag
	case tag != "" && !isWeak(tag) && !m.strongLastModified(): // a strong validator that nothing stored has
		return false
	case dated && !m.LastModified.IsZero():
		return lastModified.Equal(m.LastModified)
	}
	return tag == "" && !dated
}

// ifRange reports whether a Range field applies to the stored response: there is no If-Range, or its one validator
// matches by strong comparison (RFC 9110 §13.1.5).
func (m *Metadata) ifRange(fields []Field) bool {
	value, n := singleton(fields, "If-Range")
	if n != 1 {
		return n == 0
	}
	if tag, rest, ok := cutEntityTag(value); ok {
		return rest == "" && !isWeak(tag) && tag == m.ETag
	}
	date, ok := ParseDate(value, m.ResponseTime)
	return ok && date.Equal(m.LastModified) && m.strongLastModified()
}

// strongLastModified reports whether no other form or version can have had the same Last-Modified (RFC 9110 §8.8.2.2). One second
// between it and Date would do if both surely came from one clock; a minute covers clocks that differ.
func (m *Metadata) strongLastModified() bool {
	return !m.SharedDate && !m.LastModified.IsZero() && m.Date.Sub(m.LastModified) >= time.Minute
}

// etagField returns the entity-tag in the ETag field, or "" if that is missing, repeated or broken.
func etagField(fields []Field) string {
	value, n := singleton(fields, "ETag")
	if tag, rest, ok := cutEntityTag(value); n == 1 && ok && rest == "" {
		return tag
	}
	return ""
}

// cutEntityTag cuts the first entity-tag (RFC 9110 §8.8.3) off a list of them. ok is false if there is none, or what
// stands there is none.
func cutEntityTag(list string) (tag, rest string, ok bool) {
	list = strings.TrimLeft(list, ", \t")
	start := strings.TrimPrefix(list, "W/")
	if start == "" || start[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(start); i++ {
		switch c := start[i]; {
		case c == '"':
			end := len(list) - len(start) + i + 1
			rest = strings.TrimLeft(list[end:], " \t")
			return list[:end], rest, rest == "" || rest[0] == ','
		case c <= ' ' || c == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}

func isWeak(tag string) bool { return strings.HasPrefix(tag, "W/") }

// opaqueTag is the part of an entity-tag that weak comparison compares.
func opaqueTag(tag string) string { return strings.TrimPrefix(tag, "W/") }
