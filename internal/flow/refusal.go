package flow

import "time"

// Refusal is why a flow gets an answer that is neither the cache's nor the origin's.
type Refusal struct {
	Reason Reason
	Status int
	// Rule names what refused ("lists.deny", "limits.requests"), Detail says it for the operator, with the evidence.
	Rule, Detail string
	// RetryAfter, if positive, tells the client when to come back.
	RetryAfter time.Duration
	// Reset, unless nil, is why the client's stream is reset in place of an answer: so did the origin with its own.
	Reset error
}

// Reason is a refusal's kind. Its number is sealed into the id that the visitor sees, so numbers are never reused.
type Reason uint8

// The reasons, in the order of the path.
const (
	NoReason          Reason = 0
	Malformed         Reason = 1  // the request breaks HTTP's rules
	TooLarge          Reason = 2  // a head, line or count over its limit
	Unsupported       Reason = 3  // a method, coding or version that we do not speak
	Loop              Reason = 4  // CDN-Loop shows that the request has been here
	UnknownHost       Reason = 5  // no zone has this host
	Denied            Reason = 6  // on a deny list
	RequestLimit      Reason = 7  // over the limit of requests
	OriginLimit       Reason = 8  // over the limit of requests that reach the origin
	OnlyIfCached      Reason = 9  // the client wanted a cached response and there is none
	QueueFull         Reason = 10 // the origin's budget is used up and so is the queue for it
	QueueTimeout      Reason = 11 // waited too long for the origin's budget
	UpgradeCap        Reason = 12 // too many upgraded connections
	OriginUnreachable Reason = 13 // no connection to the origin
	OriginTimeout     Reason = 14 // the origin did not answer in time
	OriginBroken      Reason = 15 // the origin answered with something that is not HTTP, or hung up
	BodyBroken        Reason = 16 // the request's body broke off or broke HTTP's rules
	ClientGone        Reason = 17 // the client left before its answer came
	HeadTimeout       Reason = 18 // the request's head did not come in time
	OriginDown        Reason = 19 // no server of the origin is up
	Misdirected       Reason = 20 // the host's zone asks more of TLS clients than that of the connection's server name
	RuleBlocked       Reason = 21 // by a rule of the zone's
	RuleLimit         Reason = 22 // over the rate limit of a rule of the zone's
)

var reasons = [...]string{
	NoReason: "none", Malformed: "malformed", TooLarge: "too-large", Unsupported: "unsupported", Loop: "loop",
	UnknownHost: "unknown-host", Denied: "denied", RequestLimit: "request-limit", OriginLimit: "origin-limit",
	OnlyIfCached: "only-if-cached", QueueFull: "queue-full", QueueTimeout: "queue-timeout", UpgradeCap: "upgrade-cap",
	OriginUnreachable: "origin-unreachable", OriginTimeout: "origin-timeout", OriginBroken: "origin-broken",
	BodyBroken: "body-broken", ClientGone: "client-gone", HeadTimeout: "head-timeout", OriginDown: "origin-down",
	Misdirected: "misdirected", RuleBlocked: "rule", RuleLimit: "rule-limit",
}

// Reasons is how many reasons there are, for arrays indexed by them.
const Reasons = len(reasons)

// String is the reason's name in logs and metrics.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "unknown"
}
