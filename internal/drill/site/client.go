package site

import (
	"net/http"
	"net/netip"
	"strings"
)

// client is who sent a request: the address that a proxy added last, or who is connected. It is for accounting only.
func client(r *http.Request) netip.Addr {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		if a, ok := address(last(r.Header[name])); ok {
			return a
		}
	}
	for pair := range strings.SplitSeq(last(r.Header["Forwarded"]), ";") { // RFC 7239 §4
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			if a, ok := address(strings.Trim(value, `"`)); ok {
				return a
			}
		}
	}
	a, _ := address(r.RemoteAddr)
	return a
}

// last is the last element of a field that may come in several lines.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:])
}

// address reads an address with or without a port.
func address(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap(), err == nil
}
