package h1

import (
	"net/netip"
	"strings"
)

// splitHost checks uri-host [ ":" port ] and takes it apart; brackets stay with an IPv6 address (RFC 9110 §7.2,
// RFC 3986 §3.2.2). port is "" if there is none.
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
	return s[:i], port, s[i] == ':' && validPort(port)
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

// validPort reports whether s is 1 to 5 digits and at most 65535.
func validPort(s string) bool {
	n, ok := parseLength(s)
	return ok && len(s) <= 5 && n <= 65535
}

// sameHost reports whether two valid authorities name the same host and port, where an absent port means port.
func sameHost(a, b, port string) bool {
	if len(a) == len(b) && strings.EqualFold(a, b) {
		return true
	}
	hostA, portA, _ := splitHost(a)
	hostB, portB, _ := splitHost(b)
	return strings.EqualFold(hostA, hostB) && portNumber(portA, port) == portNumber(portB, port)
}

func portNumber(port, absent string) int64 {
	if port == "" {
		port = absent
	}
	n, _ := parseLength(port)
	return n
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
