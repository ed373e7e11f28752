package spec

import (
	"net/netip"
	"time"
)

// AnyHost as a zone's host takes every request that no other zone takes.
const AnyHost = "*"

// Zone is one site: its hosts, its origin and how both are protected.
type Zone struct {
	// Name identifies the zone in logs, metrics and explanations.
	Name string
	// Hosts are exact names ("www.example.org"), wildcards for one or more labels ("*.example.org"), or [AnyHost].
	Hosts []string

	Origin Origin
	Lists  Lists
	Limits Limits
	// Action is what a matching deny list or limit does.
	Action Action
	Budget Budget
	Cache  Cache
}

// Origin is the server that a zone protects.
type Origin struct {
	// URL has scheme http or https, a host with an optional port, and nothing else.
	URL string
	// ClientHeader, if set, is a further field that carries the client's address to the origin (for example "X-Real-IP").
	ClientHeader string
	// CA is a PEM file of authorities to trust for an https origin instead of the system's; Insecure verifies nothing.
	CA       string
	Insecure bool
	// ServerName overrides the name asked for and verified in an https origin's certificate.
	ServerName string

	// ConnectTimeout bounds dialling and the TLS handshake, ResponseTimeout the wait for the response's head, StallTimeout
	// each wait inside a body, IdleTimeout the keep-alive of an unused connection.
	ConnectTimeout, ResponseTimeout, StallTimeout, IdleTimeout time.Duration
	// Retries is how often an idempotent request is sent again when its connection died before a response began.
	Retries int
}

// Lists are the sources that a zone always or never serves. The more specific prefix wins; at equal length, allow.
type Lists struct {
	Allow, Deny []netip.Prefix
}

// Action is what a matching rule does.
type Action string

// ActionBlock refuses; ActionLog only records that it would have refused (a dry run).
const (
	ActionBlock Action = "block"
	ActionLog   Action = "log"
)

// Rate is Requests per Per, with Burst more at once.
type Rate struct {
	Requests int
	Per      time.Duration
	Burst    int
}

// Limits are per source: an IPv4 address or an IPv6 /64. Requests counts everything, OriginRequests only what would reach the
// origin, so that many people behind one address who browse cached pages are not refused. A zero Rate is no limit.
type Limits struct {
	Requests, OriginRequests Rate
}

// Budget is what an origin may be given, whatever arrives outside.
type Budget struct {
	// Concurrent bounds requests at the origin at one time, Rate requests a second, with Burst more at once. 0 is no bound.
	Concurrent  int
	Rate, Burst int
	// Queue bounds the requests that wait for the budget, QueueTimeout how long each may wait. With a Queue of 0 none waits.
	Queue        int
	QueueTimeout time.Duration
	// Upgrades bounds WebSockets and other upgraded connections, which do not count as concurrent requests once the origin has
	// agreed to them. 0 allows none.
	Upgrades int
}

// Cache says whether responses are kept.
type Cache struct {
	Enabled bool
	// Waiters bounds the requests that may wait for one fetch of the same object.
	Waiters int
}

// DefaultZone protects a typical site on one server; name, hosts and origin are left to the caller.
func DefaultZone() Zone {
	return Zone{
		Origin: Origin{
			ConnectTimeout:  5 * time.Second,
			ResponseTimeout: 60 * time.Second,
			StallTimeout:    60 * time.Second,
			IdleTimeout:     60 * time.Second,
			Retries:         1,
		},
		Limits: Limits{
			Requests:       Rate{Requests: 50, Per: time.Second, Burst: 200},
			OriginRequests: Rate{Requests: 10, Per: time.Second, Burst: 50},
		},
		Action: ActionBlock,
		Budget: Budget{
			Concurrent:   64,
			Queue:        2048,
			QueueTimeout: 10 * time.Second,
			Upgrades:     1024,
		},
		Cache: Cache{Enabled: true, Waiters: 10_000},
	}
}
