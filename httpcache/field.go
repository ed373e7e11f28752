package httpcache

import (
	"iter"
	"strings"
	"time"
)

func sameName(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}

// lines yields the values of all field lines with the given name.
func lines(fields []Field, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range fields {
			if sameName(fields[i].Name, name) && !yield(fields[i].Value) {
				return
			}
		}
	}
}

// singleton returns the trimmed value of a field that must not be repeated and the number of its lines. The value means
// something only if there is exactly one.
func singleton(fields []Field, name string) (value string, n int) {
	for line := range lines(fields, name) {
		value = trimOWS(line)
		n++
	}
	return value, n
}

func has(fields []Field, name string) bool {
	for range lines(fields, name) {
		return true
	}
	return false
}

// dateField reads a field that holds one date; ok is false if it is missing, repeated or broken.
func dateField(fields []Field, name string, now time.Time) (t time.Time, ok bool) {
	value, n := singleton(fields, name)
	if n != 1 {
		return time.Time{}, false
	}
	return ParseDate(value, now)
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// trimOWS removes optional whitespace (RFC 9110 §5.6.3) from both ends.
func trimOWS(s string) string {
	for s != "" && isOWS(s[0]) {
		s = s[1:]
	}
	for s != "" && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// cutElement cuts the first element off a comma-separated list (RFC 9110 §5.6.1); commas within quoted strings do not
// separate, and a quoted string that does not end takes everything. The element is trimmed and may be empty. more tells
// whether a comma, and so another element, followed.
func cutElement(list string) (element, rest string, more bool) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return trimOWS(list[:i]), list[i+1:], true
		}
	}
	return trimOWS(list), "", false
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenChar(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
