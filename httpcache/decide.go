package httpcache

import "time"

// Outcome is what a cache does with a request.
type Outcome uint8

const (
	Miss       Outcome = iota // forward the request: nothing stored can answer it
	Fresh                     // answer with the stored response
	Stale                     // answer with the stored response although it is stale
	Revalidate                // forward the request with [Metadata.Validators] and answer with what comes of it
	Forbid                    // answer 504: the client wants nothing forwarded (only-if-cached)
)

// String is the outcome's name in lower case.
func (o Outcome) String() string {
	names := [...]string{Miss: "miss", Fresh: "fresh", Stale: "stale", Revalidate: "revalidate", Forbid: "forbid"}
	if int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Reason is what decided about an outcome.
type Reason uint8

const (
	NotStored           Reason = iota // nothing is stored for this request
	NotGetOrHead                      // the method cannot be answered from a stored response
	StillFresh                        // the age is below the lifetime
	Expired                           // stale, and nothing allows serving it
	StoredNoCache                     // the stored response says no-cache (RFC 9111 §5.2.2.4)
	MustNotBeStale                    // stale, and must-revalidate, proxy-revalidate or s-maxage forbids serving it (§4.2.4)
	WhileRevalidate                   // within stale-while-revalidate: revalidate in the background (RFC 5861 §3)
	AllowedByMaxStale                 // the client accepts this staleness (RFC 9111 §5.2.1.2)
	RequestNoCache                    // the client wants validation (§5.2.1.4)
	OlderThanMaxAge                   // the client wants a younger response (§5.2.1.1)
	ShorterThanMinFresh               // the client wants a response that stays fresh longer (§5.2.1.3)
	RequestOnlyIfCached               // the client wants nothing forwarded (§5.2.1.7)
)

// String is a short phrase for logs and explanations.
func (r Reason) String() string {
	phrases := [...]string{
		NotStored:           "nothing stored",
		NotGetOrHead:        "method is not GET or HEAD",
		StillFresh:          "still fresh",
		Expired:             "expired",
		StoredNoCache:       "stored with no-cache",
		MustNotBeStale:      "expired and must not be served stale",
		WhileRevalidate:     "within stale-while-revalidate",
		AllowedByMaxStale:   "within the client's max-stale",
		RequestNoCache:      "request says no-cache",
		OlderThanMaxAge:     "older than the client's max-age",
		ShorterThanMinFresh: "not fresh for the client's min-fresh",
		RequestOnlyIfCached: "request says only-if-cached",
	}
	if int(r) >= len(phrases) {
		return "unknown"
	}
	return phrases[r]
}

// Decision is what to do with a request, and why.
type Decision struct {
	Outcome Outcome
	Reason  Reason

	Age time.Duration // current age of the stored response, for the Age field
	TTL time.Duration // freshness left; 0 or less when stale

	// StaleIfError is how much longer the stored response may answer in place of a 500, 502, 503 or 504 or of an origin
	// that cannot be reached (RFC 5861 §4); 0 if it may not.
	StaleIfError time.Duration

	// MayBeStale reports that nothing forbids serving the stored response without validation. A cache that is
	// disconnected, or whose origin's owner agreed to it beforehand, may then do so for any length of time
	// (RFC 9111 §4.2.4).
	MayBeStale bool
}

// Decide judges what answers a request at a time, given the response that was stored under the request's key and Vary
// key; m is nil if there is none. It does not allocate.
func (m *Metadata) Decide(req *Request, now time.Time, p Policy) Decision {
	switch {
	case req.Method != "GET" && req.Method != "HEAD":
		return Decision{Reason: NotGetOrHead}.unlessOnlyIfCached(req)
	case m == nil:
		return Decision{Reason: NotStored}.unlessOnlyIfCached(req)
	}
	age := m.Age(now)
	d := Decision{Age: age, TTL: m.Lifetime - age}
	if d.TTL > 0 && !m.NoCache && !p.RequestDirectives {
		d.Outcome, d.Reason, d.MayBeStale = Fresh, StillFresh, true
		d.StaleIfError = m.StaleIfError + d.TTL
		return d
	}
	if !m.NoCache && (d.TTL > 0 || !m.MustRevalidate) {
		d.MayBeStale = true
		d.StaleIfError = max(m.StaleIfError+d.TTL, 0)
	}
	d.Outcome, d.Reason = m.judge(parseRequestDirectives(req.Fields), &d, p)
	return d.unlessOnlyIfCached(req)
}

// judge weighs what the stored response, the policy and the client say.
func (m *Metadata) judge(want requestDirectives, d *Decision, p Policy) (Outcome, Reason) {
	fresh, staleness := d.TTL > 0, -d.TTL
	switch {
	case m.NoCache:
		return Revalidate, StoredNoCache
	case p.RequestDirectives && want.noCache:
		return Revalidate, RequestNoCache
	case p.RequestDirectives && m.olderThan(want, d):
		return Revalidate, OlderThanMaxAge
	case p.RequestDirectives && want.minFresh.present && d.TTL < want.minFresh.value:
		return Revalidate, ShorterThanMinFresh
	case fresh:
		return Fresh, StillFresh
	case m.MustRevalidate:
		return Revalidate, MustNotBeStale
	case staleness < m.StaleWhileRevalidate:
		return Stale, WhileRevalidate
	case want.maxStale.present && staleness <= want.maxStale.value:
		return Stale, AllowedByMaxStale
	}
	return Revalidate, Expired
}

// olderThan reports whether the client wants a younger response than this one. While an immutable response is fresh the
// origin has no other, so its age is no reason to ask (RFC 8246 §2).
func (m *Metadata) olderThan(want requestDirectives, d *Decision) bool {
	return want.maxAge.present && d.Age > want.maxAge.value && !(m.Immutable && d.TTL > 0)
}

// unlessOnlyIfCached turns a decision to forward into Forbid if the client wants nothing forwarded.
func (d Decision) unlessOnlyIfCached(req *Request) Decision {
	forwards := d.Outcome == Miss || d.Outcome == Revalidate
	if forwards && parseRequestDirectives(req.Fields).onlyIfCached {
		d.Outcome, d.Reason = Forbid, RequestOnlyIfCached
	}
	return d
}
