package h2

import (
	"net/netip"
	"strings"
)

const (
	digits = "0123456789"
	lowers = "abcdefghijklmnopqrstuvwxyz"
	uppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	isName   = table("!#$%&'*+-.^_`|~" + digits + lowers)                            // RFC 9113 §8.2.1: a token without upper case
	isToken  = table("!#$%&'*+-.^_`|~" + digits + lowers + uppers)                   // RFC 9110 §5.6.2
	isTarget = table("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + digits + lowers + uppers) // visible ASCII but "#"
	isHost   = table("-._~" + digits + lowers + uppers)                              // unreserved, RFC 3986 §2.3
	isValue  = valueTable()                                                          // RFC 9110 §5.5
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

// only reports whether s is not empty and has no character but those of t.
func only(s string, t *[256]bool) bool {
	for i := range len(s) {
		if !t[s[i]] {
			return false
		}
	}
	return s != ""
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// equalFold reports whether s is lower in any case. lower is ASCII without upper-case letters.
func equalFold(s, lower string) bool {
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

// The checks below look at eight bytes at a time, of which the last eight may overlap those before. Each gathers a mask
// in which the high bit of a byte is set if the byte may be a bad one. Borrows and carries can set bits falsely, but never
// clear one, and the table has the last word.

const (
	ones  = 0x01010101_01010101
	highs = 0x80 * ones
)

// validName reports whether s is a field name in lower case; letters and "-" go in eights.
func validName(s string) bool {
	if len(s) < 8 {
		return only(s, &isName)
	}
	mask := uint64(0)
	for i := 0; ; i += 8 {
		i = min(i, len(s)-8)
		w := load64(s[i : i+8])
		dash := w ^ '-'*ones
		dash = (dash&^highs + 0x7f*ones) | dash // its high bits are clear where a byte is '-', and no carry crosses bytes
		mask |= ((w - 'a'*ones) | (w + (0x7f-'z')*ones)) & dash
		if i+8 == len(s) {
			return mask&highs == 0 || only(s, &isName)
		}
	}
}

// validValue reports whether s is a field value: no control character but HTAB, and no whitespace at either end
// (RFC 9113 §8.2.1, RFC 9110 §5.5).
func validValue(s string) bool {
	if s == "" {
		return true
	}
	if isSpace(s[0]) || isSpace(s[len(s)-1]) {
		return false
	}
	if len(s) < 8 {
		return only(s, &isValue)
	}
	mask := uint64(0)
	for i := 0; ; i += 8 {
		i = min(i, len(s)-8)
		w := load64(s[i : i+8])
		mask |= (w - 0x20*ones) | (w + ones) // below 0x20 or above 0x7e; HTAB and obs-text are rare
		if i+8 == len(s) {
			return mask&highs == 0 || only(s, &isValue)
		}
	}
}

// validPath reports whether s is a path with its query, or "*" in OPTIONS (RFC 9113 §8.3.1).
func validPath(s, method string) bool {
	if s == "" || s[0] != '/' {
		return s == "*" && method == "OPTIONS"
	}
	if len(s) < 8 {
		return only(s, &isTarget)
	}
	mask := uint64(0)
	for i := 0; ; i += 8 {
		i = min(i, len(s)-8)
		w := load64(s[i : i+8])
		hash := w ^ '#'*ones
		mask |= (w - 0x21*ones) | (w + ones) | (hash-ones)&^hash
		if i+8 == len(s) {
			return mask&highs == 0 || only(s, &isTarget)
		}
	}
}

// load64 reads the first 8 bytes of s; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// splitHost checks uri-host [ ":" port ] and takes it apart; brackets stay with an IPv6 address (RFC 9110 §7.2,
// RFC 3986 §3.2.2). Userinfo, percent-encoding, sub-delims and an empty port are refused. port is "" if there is none.
func splitHost(s string) (host, port string, ok bool) {
	i := 0
	if strings.HasPrefix(s, "[") {
		i = strings.IndexByte(s, ']') + 1
		if i == 0 || !isIPv6(s[1:i-1]) {
			return "", "", false
		}
	} else {
		for i < len(s) && isHost[s[i]] {
			i++
		}
	}
	if i == 0 {
		return "", "", false
	}
	if i == len(s) {
		return s, "", true
	}
	port = s[i+1:]
	n, ok := parseLength(port)
	return s[:i], port, ok && s[i] == ':' && len(port) <= 5 && n <= 65535
}

func isIPv6(s string) bool {
	for i := range len(s) { // netip would allocate an error for most of these
		if c := s[i] | 0x20; c-'0' > 9 && c-'a' > 5 && s[i] != ':' && s[i] != '.' {
			return false
		}
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

// sameHost reports whether two valid authorities name the same host and port, where an absent port is the scheme's.
func sameHost(a, b, scheme string) bool {
	if len(a) == len(b) {
		return strings.EqualFold(a, b)
	}
	hostA, portA, _ := splitHost(a)
	hostB, portB, _ := splitHost(b)
	return strings.EqualFold(hostA, hostB) && portNumber(portA, scheme) == portNumber(portB, scheme)
}

func portNumber(port, scheme string) int64 {
	switch {
	case port != "":
		n, _ := parseLength(port)
		return n
	case scheme == "https":
		return 443
	case scheme == "http":
		return 80
	}
	return 0
}

// parseLength reads 1*DIGIT, the value of Content-Length (RFC 9110 §8.6), up to 2^63-1.
func parseLength(s string) (n int64, ok bool) {
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 || n > (1<<63-1-int64(d))/10 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, s != ""
}
