package h1

import (
	"iter"
	"math/bits"
	"strings"
)

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	isToken  = table("!#$%&'*+-.^_`|~" + digits + letters)                   // RFC 9110 §5.6.2
	isTarget = table("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + digits + letters) // visible ASCII but "#"
	isHost   = table("-._~" + digits + letters)                              // unreserved, RFC 3986 §2.3
	isValue  = valueTable()                                                  // RFC 9110 §5.5
)

func table(chars string) (t [256]bool) {
	for _, c := range []byte(chars) {
		t[c] = true
	}
	return t
}

func valueTable() (t [256]bool) {
	for c := range t {
		t[c] = c == '\t' || c >= 0x20 && c != 0x7f
	}
	return t
}

// ValidToken reports whether s is a token (RFC 9110 §5.6.2), as method and field names must be.
func ValidToken(s string) bool {
	return s != "" && tokenEnd(s, 0) == len(s)
}

// ValidFieldValue reports whether s may be written as a field value or a reason phrase: no control character but
// HTAB, and no whitespace at either end, which a reader would drop (RFC 9110 §5.5). The empty value is valid.
func ValidFieldValue(s string) bool {
	return s == "" || valueEnd(s, 0) == len(s) && !isSpace(s[0]) && !isSpace(s[len(s)-1])
}

// EqualFold reports whether s is lower in any case. lower is ASCII without upper-case letters.
func EqualFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Tokens yields the elements of a comma-separated list such as Connection's, without the whitespace around them.
// Empty elements are skipped (RFC 9110 §5.6.1.2). Quoted strings have no meaning in such lists.
func Tokens(v string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for more := true; more; {
			var t string
			t, v, more = strings.Cut(v, ",")
			if t = trimSpace(t); t != "" && !yield(t) {
				return
			}
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// trimSpace removes optional whitespace (OWS, RFC 9110 §5.6.3) from both ends.
func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// readField reads the field line at p of s, which ends with an empty line, and returns where the next line starts.
// spaced tolerates whitespace between name and colon.
func readField(s string, p int, spaced bool) (name, value string, next int, f *refusal) {
	i := tokenEnd(s, p)
	name = s[p:i]
	if s[i] != ':' || i == p {
		f = nameFault(s, p, i)
		if f != errColonSpace || !spaced {
			return "", "", 0, f
		}
		i += strings.IndexByte(s[i:], ':')
	}
	i++
	for isSpace(s[i]) {
		i++
	}
	end := valueEnd(s, i)
	if s[end] != '\r' || s[end+1] != '\n' {
		return "", "", 0, controlFault(s, end)
	}
	next = end + 2
	for end > i && isSpace(s[end-1]) {
		end--
	}
	return name, s[i:end], next, nil
}

// nameFault says what is wrong with the field line at p of s, whose token ends at i.
func nameFault(s string, p, i int) *refusal {
	switch c := s[i]; {
	case isSpace(c) && i == p:
		return errFold
	case c == '\r' || c == '\n':
		return controlFault(s, i)
	case isSpace(c) && i > p:
		for isSpace(s[i]) {
			i++
		}
		if s[i] == ':' {
			return errColonSpace
		}
	}
	return errName
}

// controlFault says what is wrong with the control character at i of s, which ends no value properly.
func controlFault(s string, i int) *refusal {
	switch {
	case s[i] == '\n':
		return errBareLF
	case s[i] == '\r' && s[i+1] == '\n':
		return errName // a line without a colon
	case s[i] == '\r':
		return errBareCR
	}
	return errValue
}

// The scans below look at eight bytes at a time. Each builds a mask in which the high bit of a byte is set if the byte
// may end the scan. Borrows and carries can set bits falsely, but only above a byte that is set rightly, and just the
// lowest one is read.

const (
	ones  = 0x01010101_01010101
	highs = 0x80 * ones
)

// valueEnd returns the index of the first byte of s at or after i that may not stand in a field value, len(s) if none.
func valueEnd(s string, i int) int {
	for i+8 <= len(s) {
		w := load64(s[i : i+8])
		m := ((w - 0x20*ones) | (w + ones)) & highs // below 0x20 or above 0x7e
		if m != 0 {
			i += bits.TrailingZeros64(m) / 8
			break
		}
		i += 8
	}
	for i < len(s) && isValue[s[i]] { // HTAB and obs-text are rare
		i++
	}
	return i
}

// targetEnd is valueEnd for a request target.
func targetEnd(s string, i int) int {
	for i+8 <= len(s) {
		w := load64(s[i : i+8])
		hash := w ^ '#'*ones
		m := ((w - 0x21*ones) | (w + ones) | (hash-ones)&^hash) & highs
		if m != 0 {
			i += bits.TrailingZeros64(m) / 8
			break
		}
		i += 8
	}
	for i < len(s) && isTarget[s[i]] {
		i++
	}
	return i
}

// tokenEnd is valueEnd for a token; letters and "-" go in eights.
func tokenEnd(s string, i int) int {
	for i+8 <= len(s) {
		w := load64(s[i : i+8])
		dash := w ^ '-'*ones
		dash = (dash&^highs + 0x7f*ones) | dash // its high bits are clear where a byte is '-', and no carry crosses bytes
		w |= 0x20 * ones                        // lower case
		m := ((w - 'a'*ones) | (w + (0x7f-'z')*ones)) & dash & highs
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if !isToken[s[i]] {
			return i
		}
		i++
	}
	for i < len(s) && isToken[s[i]] {
		i++
	}
	return i
}

// load64 reads the first 8 bytes of s; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
