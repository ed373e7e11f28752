package httpcache

import (
	"strconv"
	"time"
)

// Forward is why a request went towards the origin: the fwd parameter of Cache-Status (RFC 9211 §2.2).
type Forward string

const (
	ForwardBypass   Forward = "bypass"    // the cache was configured not to handle the request
	ForwardMethod   Forward = "method"    // the method requires it
	ForwardURIMiss  Forward = "uri-miss"  // nothing was stored for the URI
	ForwardVaryMiss Forward = "vary-miss" // something was stored, but for other values of the fields in Vary
	ForwardMiss     Forward = "miss"      // nothing was stored; the cache cannot say which of the two
	ForwardRequest  Forward = "request"   // a fresh response was stored, but the client asked for more
	ForwardStale    Forward = "stale"     // a response was stored, but must be validated
)

// CacheStatus is one member of the Cache-Status field (RFC 9211 §2): what this cache did with a request. Zero fields are
// left out.
type CacheStatus struct {
	Cache     string        // the cache's name
	Hit       bool          // answered without going to the origin
	TTL       time.Duration // freshness left, negative when stale; written in whole seconds, rounded down
	HasTTL    bool
	Forward   Forward // why it went to the origin; empty if it did not
	FwdStatus int     // the status the origin answered with
	Stored    bool    // the origin's response was stored
	Collapsed bool    // the request shared another one's way to the origin
	Key       string  // the cache key, if it may be shown
	Detail    string  // anything else
}

// CacheStatus is the member that describes a decision; a caller adds what it learns later. When nothing was stored,
// Forward is [ForwardMiss] until the caller knows better.
func (d Decision) CacheStatus(cache string) CacheStatus {
	s := CacheStatus{Cache: cache}
	switch d.Outcome {
	case Fresh, Stale:
		s.Hit, s.TTL, s.HasTTL = true, d.TTL, true
	case Forbid:
		s.Detail = d.Reason.String()
	case Miss, Revalidate:
		s.Forward = d.Reason.forward()
	}
	return s
}

func (r Reason) forward() Forward {
	switch r {
	case NotStored:
		return ForwardMiss
	case NotGetOrHead:
		return ForwardMethod
	case RequestNoCache, OlderThanMaxAge, ShorterThanMinFresh:
		return ForwardRequest
	}
	return ForwardStale
}

// Append appends the member as text, for instance `seawall; hit; ttl=123` or `seawall; fwd=miss; stored; collapsed`. A
// response's Cache-Status lists the caches it passed, the origin's first: a new member goes to the end.
func (s CacheStatus) Append(dst []byte) []byte {
	dst = appendBareItem(dst, s.Cache)
	if s.Hit {
		dst = append(dst, "; hit"...)
	}
	if s.Forward != "" {
		dst = append(dst, "; fwd="...)
		dst = append(dst, s.Forward...)
	}
	if s.FwdStatus != 0 {
		dst = append(dst, "; fwd-status="...)
		dst = strconv.AppendInt(dst, int64(s.FwdStatus), 10)
	}
	if s.HasTTL {
		dst = append(dst, "; ttl="...)
		dst = strconv.AppendInt(dst, floorSeconds(s.TTL), 10)
	}
	if s.Stored {
		dst = append(dst, "; stored"...)
	}
	if s.Collapsed {
		dst = append(dst, "; collapsed"...)
	}
	if s.Key != "" {
		dst = append(dst, "; key="...)
		dst = appendQuoted(dst, s.Key)
	}
	if s.Detail != "" {
		dst = append(dst, "; detail="...)
		dst = appendBareItem(dst, s.Detail)
	}
	return dst
}

// floorSeconds rounds down, so that a response that is stale by less than a second does not read as ttl=0.
func floorSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second < 0 {
		s--
	}
	return s
}

// appendBareItem writes s as a structured-field Token if it is one, else as a String (RFC 9651 §4.1.6, §4.1.7).
func appendBareItem(dst []byte, s string) []byte {
	if !isSFToken(s) {
		return appendQuoted(dst, s)
	}
	return append(dst, s...)
}

func isSFToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i == 0 && !isAlpha(c) && c != '*' || !isTokenChar(c) && c != ':' && c != '/' {
			return false
		}
	}
	return s != ""
}

// appendQuoted writes s as a structured-field String, which holds printable ASCII only; other bytes become "?".
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c > '~':
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
