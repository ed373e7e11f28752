package httpcache

import (
	"math"
	"strings"
)

// RangeOutcome is what a Range field makes of a complete stored response.
type RangeOutcome uint8

const (
	RangeIgnored       RangeOutcome = iota // answer with the whole content: there is no Range field, or it may be ignored
	RangeSatisfiable                       // answer 206 with the one range
	RangeUnsatisfiable                     // answer 416
)

// Range judges a request's Range field against the stored response with size bytes of content; start and length are
// meaningful if it is satisfiable. It applies to GET and 200 only, and only if If-Range, if there is one, holds
// (RFC 9110 §13.2.2, §14.2).
func (m *Metadata) Range(req *Request, size int64) (start, length int64, o RangeOutcome) {
	value, n := singleton(req.Fields, "Range")
	if n != 1 || req.Method != "GET" || m.Status != 200 || !m.ifRange(req.Fields) {
		return 0, 0, RangeIgnored
	}
	return ParseRange(value, size)
}

// maxParts bounds the ranges of one request. Requests for more are answered with the whole, as RFC 9110 §14.2 and §17.15 allow for what
// looks like an attack.
const maxParts = 8

// Ranges is [Metadata.Range] for requests that may want several ranges. Parts are in the order in which they were asked for, without
// those that can't be satisfied. More than [maxParts] are ignored, and overlapping ones: together they never are more than the
// content.
func (m *Metadata) Ranges(req *Request, size int64) (parts []Part, o RangeOutcome) {
	value, n := singleton(req.Fields, "Range")
	if n != 1 || req.Method != "GET" || m.Status != 200 || !m.ifRange(req.Fields) {
		return nil, RangeIgnored
	}
	return ParseRanges(value, size)
}

// ParseRanges reads the value of a Range field with up to [maxParts] ranges of content of size bytes.
func ParseRanges(value string, size int64) (parts []Part, o RangeOutcome) {
	unit, list, ok := strings.Cut(value, "=")
	if !ok || strings.Count(list, ",") >= maxParts {
		return nil, RangeIgnored
	}
	for spec := range strings.SplitSeq(list, ",") {
		if spec = trimOWS(spec); spec == "" {
			continue
		}
		start, length, outcome := ParseRange(unit+"="+spec, size)
		switch {
		case outcome == RangeIgnored:
			return nil, RangeIgnored
		case outcome == RangeUnsatisfiable:
			o = RangeUnsatisfiable
			continue
		}
		for _, p := range parts {
			if start < p.First+p.Length && p.First < start+length {
				return nil, RangeIgnored
			}
		}
		parts = append(parts, Part{First: start, Length: length, Total: size})
	}
	if len(parts) > 0 {
		o = RangeSatisfiable
	}
	return parts, o
}

// ParseRange reads the value of a Range field (RFC 9110 §14.1.2) for content of size bytes. It serves one range of
// bytes; other units, several ranges and broken values are ignored, as is any range of empty content.
func ParseRange(value string, size int64) (start, length int64, o RangeOutcome) {
	unit, spec, _ := strings.Cut(value, "=")
	first, last, ok := strings.Cut(spec, "-")
	if !sameName(unit, "bytes") || !ok || size <= 0 {
		return 0, 0, RangeIgnored
	}
	if first == "" {
		return suffixRange(last, size)
	}
	start, ok = parsePosition(first)
	if !ok {
		return 0, 0, RangeIgnored
	}
	end := size - 1
	if last != "" {
		if end, ok = parsePosition(last); !ok || end < start {
			return 0, 0, RangeIgnored
		}
		end = min(end, size-1)
	}
	if start >= size {
		return 0, 0, RangeUnsatisfiable
	}
	return start, end - start + 1, RangeSatisfiable
}

// suffixRange is the range of the last so many bytes.
func suffixRange(count string, size int64) (start, length int64, o RangeOutcome) {
	length, ok := parsePosition(count)
	switch {
	case !ok:
		return 0, 0, RangeIgnored
	case length == 0:
		return 0, 0, RangeUnsatisfiable
	}
	length = min(length, size)
	return size - length, length, RangeSatisfiable
}

// parsePosition reads 1*DIGIT; what does not fit is the greatest int64.
func parsePosition(s string) (v int64, ok bool) {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		digit := int64(s[i] - '0')
		if v > (math.MaxInt64-digit)/10 {
			v = math.MaxInt64
			continue
		}
		v = v*10 + digit
	}
	return v, s != ""
}
