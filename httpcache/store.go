package httpcache

import (
	"slices"
	"strings"
	"time"
)

// Refusal is why a response may not be stored, or why storing it would be of no use.
type Refusal uint8

const (
	Storable           Refusal = iota // it may be stored
	MethodNotGet                      // only a response to GET has the content that later requests want
	NotFinal                          // the status is not final, or none at all
	Partial                           // 206 and 304 need another response to be complete (RFC 9111 §3.3, §3.4)
	AboutRequest                      // the status speaks of this request's own fields or content, not of the resource
	NotUnderstood                     // must-understand with a status this package does not know (§5.2.2.3)
	BrokenDirectives                  // the quoting of Cache-Control is broken, so a directive may be hidden
	NoStore                           // §5.2.2.5
	NoStoreRequest                    // §5.2.1.5, if the policy honours it
	Private                           // §5.2.2.7
	Authorization                     // the request had Authorization and nothing permits storing (§3.5)
	SetCookie                         // see the package comment
	VaryAny                           // Vary has "*", is broken, or names too many fields (§4.1)
	StatusNotCacheable                // the status needs explicit freshness or public, and there is none (§3)
	NothingToReuse                    // neither fresh, nor allowed to be stale, nor validatable
)

// String is a short phrase for logs and explanations.
func (r Refusal) String() string {
	phrases := [...]string{
		Storable:           "storable",
		MethodNotGet:       "method is not GET",
		NotFinal:           "status is not final",
		Partial:            "response is partial",
		AboutRequest:       "status is about the request",
		NotUnderstood:      "status is not understood",
		BrokenDirectives:   "Cache-Control is broken",
		NoStore:            "response says no-store",
		NoStoreRequest:     "request says no-store",
		Private:            "response is private",
		Authorization:      "request has Authorization",
		SetCookie:          "response sets a cookie",
		VaryAny:            "response varies by anything",
		StatusNotCacheable: "status is not cacheable by default",
		NothingToReuse:     "response could never be reused",
	}
	if int(r) >= len(phrases) {
		return "unknown"
	}
	return phrases[r]
}

// Store judges whether the final response to a request may be stored by a shared cache and is worth it (RFC 9111 §3,
// §3.5); if so it returns Storable and what later decisions need. requestTime is when the request was sent to the origin,
// responseTime when the response's head was received. A caller must not keep a response whose content did not arrive
// whole (§3.3).
func Store(req *Request, resp *Response, requestTime, responseTime time.Time, p Policy) (Metadata, Refusal) {
	d := governing(resp.Fields)
	d.strictAge = p.StrictAge
	d.own(p.Own, resp.Fields)
	if r := refuse(req, resp, &d, p); r != Storable {
		return Metadata{}, r
	}
	vary, ok := parseVary(resp.Fields)
	if !ok {
		return Metadata{}, VaryAny
	}
	m := describe(resp, &d, requestTime, responseTime)
	m.Vary = vary
	if p.Own.UnsetCookies {
		m.Vary = slices.DeleteFunc(m.Vary, func(name string) bool { return name == "cookie" })
	}
	if m.useless() {
		return Metadata{}, NothingToReuse
	}
	return m, Storable
}

func refuse(req *Request, resp *Response, d *responseDirectives, p Policy) Refusal {
	switch {
	case req.Method != "GET" && !(p.StorePost && req.Method == "POST" && d.reusable(resp)):
		return MethodNotGet
	case resp.Status < 200 || resp.Status > 599:
		return NotFinal
	case resp.Status == 206 || resp.Status == 304:
		return Partial
	case aboutRequest(resp.Status):
		return AboutRequest
	case d.malformed:
		return BrokenDirectives
	case d.mustUnderstand && !understood(resp.Status):
		return NotUnderstood
	case d.noStore && !d.mustUnderstand: // must-understand outranks the no-store beside it
		return NoStore
	case d.private:
		return Private
	case p.RequestDirectives && parseRequestDirectives(req.Fields).noStore:
		return NoStoreRequest
	case !d.permitsAuthorization() && has(req.Fields, "Authorization"):
		return Authorization
	case !p.StoreSetCookie && has(resp.Fields, "Set-Cookie") && !d.withholds("set-cookie"):
		return SetCookie
	case !heuristicallyCacheable(resp.Status) && !d.explicit(resp.Fields):
		return StatusNotCacheable
	}
	return Storable
}

// permitsAuthorization reports whether the response to a request with Authorization may be shared (RFC 9111 §3.5).
func (d *responseDirectives) permitsAuthorization() bool {
	return d.public || d.mustRevalidate || d.sMaxAge.present && !d.sMaxAge.broken
}

// explicit reports whether the origin said that the response may be stored, whatever its status (RFC 9111 §3).
func (d *responseDirectives) explicit(fields []Field) bool {
	return d.public || d.timed(fields)
}

// timed reports whether the origin said how long the response is fresh.
func (d *responseDirectives) timed(fields []Field) bool {
	return d.sMaxAge.present || d.maxAge.present || !d.targeted && has(fields, "Expires")
}

// aboutRequest names the statuses that answer something in this request's fields or content that is no part of the
// cache key, so that an attacker could have one stored for everybody.
func aboutRequest(status int) bool {
	switch status {
	case 412, 413, 416, 417, 431:
		return true
	}
	return false
}

// understood reports whether status is defined by RFC 9110 and complete in itself (RFC 9111 §5.2.2.3).
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 205, status >= 300 && status <= 303, status == 307, status == 308,
		status >= 400 && status <= 417, status == 421, status == 422, status == 426,
		status >= 500 && status <= 505:
		return true
	}
	return false
}

// CacheableByDefault reports whether a response with this status may be stored without explicit freshness (RFC 9110 §15.1).
func CacheableByDefault(status int) bool { return heuristicallyCacheable(status) }

// heuristicallyCacheable statuses may be stored without explicit freshness (RFC 9110 §15.1).
func heuristicallyCacheable(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

func describe(resp *Response, d *responseDirectives, requestTime, responseTime time.Time) Metadata {
	m := Metadata{
		Status:               resp.Status,
		ResponseTime:         responseTime,
		ETag:                 strings.Clone(etagField(resp.Fields)),
		StaleWhileRevalidate: d.staleWhileRevalidate.value,
		StaleIfError:         d.staleIfError.value,
		NoCache:              d.noCache,
		MustRevalidate:       d.mustRevalidate || d.proxyRevalidate || d.sMaxAge.present,
		Immutable:            d.immutable,
		Withheld:             d.withheld,
	}
	m.LastModified, _ = dateField(resp.Fields, "Last-Modified", responseTime)
	date, ok := dateField(resp.Fields, "Date", responseTime)
	if !ok {
		date = responseTime.Truncate(time.Second) // as the Date field will say
	}
	m.Date = date
	m.InitialAge = initialAge(ageField(resp.Fields, d.strictAge), date, requestTime, responseTime)
	m.Lifetime = lifetime(resp, d, m.Date, m.LastModified, responseTime)
	return m
}

// initialAge is corrected_initial_age (RFC 9111 §4.2.3). Date knows whole seconds only, so the apparent age does too:
// otherwise a max-age of 1 would mean half a second.
func initialAge(age time.Duration, date, requestTime, responseTime time.Time) time.Duration {
	apparent := clamp(responseTime.Truncate(time.Second).Sub(date))
	delay := clamp(responseTime.Sub(requestTime))
	return max(apparent, clamp(age+delay))
}

// ageField is the value of Age; 0 if there is none. Of several values the first counts, and one that is not delta-seconds is ignored
// (RFC 9111 §5.1), unless either is taken for a sign that the age is unknown.
func ageField(fields []Field, strict bool) time.Duration {
	for line := range lines(fields, "Age") {
		first, _, more := cutElement(line)
		age, ok := parseDelta(first)
		_, n := singleton(fields, "Age")
		switch {
		case strict && (!ok || more || n > 1):
			return maxDelta
		case !ok:
			return 0
		}
		return age
	}
	return 0
}

const (
	heuristicFraction = 10 // one tenth of the time since the last modification, as RFC 9111 §4.2.2 suggests
	heuristicMax      = 24 * time.Hour
)

// lifetime is freshness_lifetime for a shared cache (RFC 9111 §4.2.1): the first of s-maxage, max-age, Expires and, if
// none of them is there, a heuristic.
func lifetime(resp *Response, d *responseDirectives, date, lastModified, now time.Time) time.Duration {
	switch {
	case d.sMaxAge.present:
		return d.sMaxAge.value
	case d.maxAge.present:
		return d.maxAge.value
	case !d.targeted && has(resp.Fields, "Expires"):
		expires, ok := dateField(resp.Fields, "Expires", now)
		if !ok {
			return 0
		}
		return clamp(expires.Sub(date))
	case lastModified.IsZero() || !heuristicallyCacheable(resp.Status) && !d.public:
		return 0
	}
	return min(clamp(date.Sub(lastModified))/heuristicFraction, heuristicMax)
}

// useless reports whether no request could ever be answered from the response, not even after validation.
func (m *Metadata) useless() bool {
	fresh := !m.NoCache && m.Lifetime > m.InitialAge
	stale := !m.NoCache && !m.MustRevalidate && (m.StaleWhileRevalidate > 0 || m.StaleIfError > 0)
	return !fresh && !stale && !m.validatable()
}
