package httpcache

import (
	"strings"
	"time"
)

// responseDirectives is what the Cache-Control of a response says to a shared cache (RFC 9111 §5.2.2, RFC 5861,
// RFC 8246).
type responseDirectives struct {
	targeted        bool // from a targeted field: Cache-Control and Expires do not count (RFC 9213 §2.2)
	strictAge       bool // as [Policy] has it
	malformed       bool // quoting is broken: some directive may be hidden
	noStore         bool
	noCache         bool
	private         bool
	public          bool
	mustRevalidate  bool
	proxyRevalidate bool // the same for a shared cache, but it permits nothing (§5.2.2.8)
	mustUnderstand  bool
	immutable       bool

	maxAge, sMaxAge, staleWhileRevalidate, staleIfError seconds

	withheld []string // fields that qualified no-cache and private keep from other clients, in lower case
}

func parseResponseDirectives(fields []Field) (d responseDirectives) {
	for line := range lines(fields, "Cache-Control") {
		for line != "" {
			var dir directive
			dir, line = cutDirective(line)
			d.malformed = d.malformed || dir.malformed
			d.set(dir)
		}
	}
	return d
}

func (d *responseDirectives) set(dir directive) {
	switch name, arg := dir.name, dir.arg; {
	case sameName(name, "max-age"):
		d.maxAge.lower(arg)
	case sameName(name, "s-maxage"):
		d.sMaxAge.lower(arg)
	case sameName(name, "stale-while-revalidate"):
		d.staleWhileRevalidate.lower(arg)
	case sameName(name, "stale-if-error"):
		d.staleIfError.lower(arg)
	case sameName(name, "no-store"):
		d.noStore = true
	case sameName(name, "no-cache"):
		d.noCache = d.noCache || !dir.hasArg || !d.withhold(arg)
	case sameName(name, "private"):
		d.private = d.private || !dir.hasArg || !d.withhold(arg)
	case sameName(name, "public"):
		d.public = true
	case sameName(name, "must-revalidate"):
		d.mustRevalidate = true
	case sameName(name, "proxy-revalidate"):
		d.proxyRevalidate = true
	case sameName(name, "must-understand"):
		d.mustUnderstand = true
	case sameName(name, "immutable"):
		d.immutable = true
	}
}

// own puts the owner's wish in force.
func (d *responseDirectives) own(o OwnLifetime, fields []Field) {
	switch silent := !d.maxAge.present && !d.sMaxAge.present && !has(fields, "Expires"); {
	case o.TTL == 0:
	case o.Override:
		d.noStore, d.noCache, d.mustRevalidate, d.proxyRevalidate, d.mustUnderstand, d.sMaxAge = false, false, false, false, false, seconds{}
		d.maxAge = seconds{present: true, value: clamp(o.TTL)}
	case silent:
		d.maxAge = seconds{present: true, value: clamp(o.TTL)}
	}
	if o.UnsetCookies {
		d.withheld = append(d.withheld, "set-cookie")
	}
}

// requestDirectives is what the Cache-Control of a request asks for (RFC 9111 §5.2.1).
type requestDirectives struct {
	noCache, noStore, onlyIfCached bool

	maxAge, minFresh, maxStale seconds
}

func parseRequestDirectives(fields []Field) (d requestDirectives) {
	for line := range lines(fields, "Cache-Control") {
		for line != "" {
			var dir directive
			dir, line = cutDirective(line)
			d.set(dir)
		}
	}
	return d
}

func (d *requestDirectives) set(dir directive) {
	switch name := dir.name; {
	case sameName(name, "no-cache"):
		d.noCache = true
	case sameName(name, "no-store"):
		d.noStore = true
	case sameName(name, "only-if-cached"):
		d.onlyIfCached = true
	case sameName(name, "max-age"):
		d.maxAge.lower(dir.arg)
	case sameName(name, "min-fresh"):
		d.minFresh.raise(dir.arg)
	case sameName(name, "max-stale") && !dir.hasArg: // any staleness will do (§5.2.1.2)
		d.maxStale.lowerTo(maxDelta)
	case sameName(name, "max-stale"):
		d.maxStale.lower(dir.arg)
	}
}

// seconds is the argument of a directive that may be missing.
type seconds struct {
	present bool
	broken  bool // at least one argument was not delta-seconds
	value   time.Duration
}

// lower keeps the lowest of repeated arguments; one that is broken counts as 0.
func (s *seconds) lower(arg string) {
	v, ok := parseDelta(arg)
	s.lowerTo(v)
	s.broken = s.broken || !ok
}

func (s *seconds) lowerTo(v time.Duration) {
	if !s.present || v < s.value {
		s.present, s.value = true, v
	}
}

// raise keeps the highest of repeated arguments; one that is broken is ignored.
func (s *seconds) raise(arg string) {
	if v, ok := parseDelta(arg); ok && (!s.present || v > s.value) {
		s.present, s.value = true, v
	}
}

// directive is one member of Cache-Control: "name", "name=token" or `name="text"`, for which arg is the text with its
// escapes left in. The name is empty for an empty element.
type directive struct {
	name, arg string
	hasArg    bool
	malformed bool // quotes stand where none belong, or do not end
}

// cutDirective cuts the first directive off a Cache-Control value. Whitespace around "=" is not allowed and makes the
// argument useless as a number.
func cutDirective(value string) (d directive, rest string) {
	element, rest, _ := cutElement(value)
	d.name, d.arg, d.hasArg = strings.Cut(element, "=")
	d.malformed = strings.IndexByte(d.name, '"') >= 0
	if strings.IndexByte(d.arg, '"') >= 0 {
		text, ok := unquote(d.arg)
		d.arg, d.malformed = text, d.malformed || !ok
	}
	if name := trimOWS(d.name); name != d.name {
		d.name, d.arg = name, ""
	}
	return d, rest
}

// unquote returns the text of a quoted string, its escapes left in; ok is false if s is not one and nothing else.
func unquote(s string) (text string, ok bool) {
	if s[0] != '"' {
		return s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], i == len(s)-1
		}
	}
	return s, false
}

// parseDelta reads delta-seconds (RFC 9111 §1.2.2), at most 2^31 seconds.
func parseDelta(s string) (time.Duration, bool) {
	var seconds int64
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		seconds = min(seconds*10+int64(s[i]-'0'), int64(maxDelta/time.Second))
	}
	return time.Duration(seconds) * time.Second, s != ""
}
