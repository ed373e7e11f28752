package flow

import (
	"bytes"
	"strings"
)

// NormalTarget is a URL's host and path in the normal form in which requests have them.
func NormalTarget(authority, path string) (host, normal string, ok bool) {
	normal, ok = NormalPath(path)
	return NormalHost(authority), normal, ok
}

// NormalHost is a host in lower case, without its port and without a final dot.
func NormalHost(authority string) string {
	host := authority
	if !strings.HasSuffix(host, "]") {
		if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
			host = host[:colon]
		}
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// NormalPath is a path's normal form (RFC 3986 §6.2.2): escapes of unreserved characters decoded, other escapes in upper case, dot
// segments removed. Empty segments stay: they mean something to some origins. It reports false for a path that is not one: an
// escape that is none, or an escaped NUL.
func NormalPath(path string) (string, bool) {
	if path == "" {
		return "/", true
	}
	if strings.IndexByte(path, '%') >= 0 {
		var ok bool
		if path, ok = unescapeUnreserved(path); !ok {
			return "", false
		}
	}
	if strings.Contains(path, "/.") {
		path = removeDotSegments(path)
	}
	return path, true
}

func unescapeUnreserved(path string) (string, bool) {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out = append(out, path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, low := hexDigit(path[i+1]), hexDigit(path[i+2])
		c := high<<4 | low
		switch {
		case high > 15 || low > 15 || c == 0:
			return "", false
		case unreserved(c):
			out = append(out, c)
		default:
			const upper = "0123456789ABCDEF"
			out = append(out, '%', upper[high], upper[low])
		}
		i += 2
	}
	return string(out), true
}

// hexDigit is the value of a hexadecimal digit, or 255.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// unreserved is RFC 3986 §2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// removeDotSegments is RFC 3986 §5.2.4 for an absolute path; what climbs above the root stays at the root.
func removeDotSegments(path string) string {
	out := make([]byte, 0, len(path))
	for rest := path; rest != ""; {
		segment := rest // with its leading slash
		if next := strings.IndexByte(rest[1:], '/'); next >= 0 {
			segment = rest[:next+1]
		}
		rest = rest[len(segment):]
		switch segment {
		case "/.", "/..":
			if segment == "/.." {
				out = out[:max(bytes.LastIndexByte(out, '/'), 0)]
			}
			if rest == "" {
				out = append(out, '/')
			}
		default:
			out = append(out, segment...)
		}
	}
	return string(out)
}
