package httpcache

import "time"

// Field is one field line of a message. Names are compared without regard to case; order is kept.
type Field = struct{ Name, Value string }

// Request is what a client sent, or would send.
type Request struct {
	Method string
	Fields []Field
}

// Response is the head of a final response.
type Response struct {
	Status int
	Fields []Field
}

// Policy is what the owner of a site may choose. Its zero value is the safe choice for a cache that shields an origin.
type Policy struct {
	// RequestDirectives honours a client's no-cache, no-store, max-age and min-fresh (RFC 9111 §5.2.1): any client can
	// then make the cache ask the origin.
	RequestDirectives bool

	// StrictAge takes a repeated or unreadable Age for an unknown one: the response is stale at once. RFC 9111 §5.1 has a cache use the
	// first value and ignore what is no number.
	StrictAge bool

	// StorePost stores a response to POST for later GETs, where its Content-Location is the target URI and it says how long it is
	// fresh (RFC 9110 §9.3.3). See [SelfLocated], which the caller has to ask first.
	StorePost bool

	// StoreSetCookie stores responses with Set-Cookie, which every later client then gets as well.
	StoreSetCookie bool

	// Own is what the owner says of how long this response is fresh.
	Own OwnLifetime
}

// OwnLifetime is how long the owner of a site, not its software, wants a response to be fresh. The zero value says nothing.
type OwnLifetime struct {
	// TTL takes the place of a heuristic: it is for responses that have neither max-age, s-maxage nor Expires.
	TTL time.Duration
	// Override takes the TTL in place of all those, and of no-store, no-cache and must-revalidate; private stays in force.
	Override bool
	// UnsetCookies tells that the request was sent without its Cookie, so that the response is what anybody gets: Vary: Cookie says
	// nothing of it, and Set-Cookie, which began a session of nobody's, is withheld.
	UnsetCookies bool
}

// Metadata is what decisions about a stored response need, computed once by [Store]. It holds no reference to the
// message it was computed from. Durations lie between 0 and 2^31 seconds.
type Metadata struct {
	Status int

	Date         time.Time // the Date field, or ResponseTime if that was missing or broken
	ResponseTime time.Time // when the response was received
	LastModified time.Time // zero if there is none
	ETag         string    // entity-tag with quotes and weakness flag, empty if there is none

	InitialAge           time.Duration // corrected_initial_age (RFC 9111 §4.2.3)
	Lifetime             time.Duration // freshness_lifetime (§4.2.1), explicit or heuristic
	StaleWhileRevalidate time.Duration // RFC 5861 §3
	StaleIfError         time.Duration // RFC 5861 §4

	NoCache        bool // never reused without validation (§5.2.2.4)
	MustRevalidate bool // never reused stale: must-revalidate, proxy-revalidate or s-maxage
	Immutable      bool // will not change while it is fresh (RFC 8246)

	// SharedDate tells that other forms of the response have its LastModified, so that it is a weak validator: see [Metadata.Negotiable].
	SharedDate bool

	Vary []string // names in Vary: lower case, sorted, each once

	// Withheld are the fields that are not stored with the rest: lower case (§5.2.2.4, §5.2.2.7).
	Withheld []string
}

// Age is the current age of the stored response (RFC 9111 §4.2.3), for its Age field. It is never negative.
func (m *Metadata) Age(now time.Time) time.Duration {
	resident := clamp(now.Sub(m.ResponseTime))
	return clamp(m.InitialAge + resident)
}

// validatable reports whether the stored response has anything to ask the origin about.
func (m *Metadata) validatable() bool {
	return m.ETag != "" || !m.LastModified.IsZero()
}

// maxDelta is the most that delta-seconds can mean (RFC 9111 §1.2.2). The sum of three still fits a Duration.
const maxDelta = (1 << 31) * time.Second

func clamp(d time.Duration) time.Duration {
	return min(max(d, 0), maxDelta)
}
