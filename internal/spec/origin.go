package spec

import "time"

// Origin is the server, or the group of servers, that a zone protects.
type Origin struct {
	// Servers share the work.
	Servers []Server `yaml:"servers"`
	// Balance is how a server is chosen among those that are up.
	Balance Balance `yaml:"balance"`
	// AllDown is what happens to a request when no server is up, not even a backup.
	AllDown AllDown `yaml:"all_down"`
	Health  Health  `yaml:"health"`
	// TLS is how https servers are verified, and what they are shown.
	TLS TLS `yaml:"tls"`
	// Protocol is what the servers are spoken to: "http/1.1", or "h2" for HTTP/2, which gRPC needs. With an https URL they have to offer it
	// (ALPN), without TLS they are believed to know it (prior knowledge). It cannot be had with ProxyProtocol.
	Protocol Protocol `yaml:"protocol"`
	// ProxyProtocol begins every connection to a server with a PROXY protocol header that names the client: "v1" or "v2"; "" sends
	// none. Such a connection carries one request, as the next may be another client's.
	ProxyProtocol string `yaml:"proxy_protocol"`
	// ClientHeader, if set, is a further field that carries the client's address to the origin (for example "X-Real-IP").
	ClientHeader string `yaml:"client_header"`

	// ConnectTimeout bounds dialling and the TLS handshake.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// ResponseTimeout bounds the wait for the response's head.
	ResponseTimeout time.Duration `yaml:"response_timeout"`
	// StallTimeout bounds each wait inside a body.
	StallTimeout time.Duration `yaml:"stall_timeout"`
	// IdleTimeout bounds the keep-alive of an unused connection.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Retries is how often a request is sent again that no server has looked at (there was no connection, or HTTP/2 says so), or that is
	// idempotent and whose connection died before a response began.
	Retries int `yaml:"retries"`
}

// Server is one server of an origin.
type Server struct {
	// URL has scheme http or https, a host with an optional port, and nothing else; or it is "unix:" and the path of a socket that
	// speaks HTTP.
	URL string `yaml:"url"`
	// Weight is the server's share of the work, beside the others' weights: from 1 to 256, or 0 for no work at all.
	Weight int `yaml:"weight"`
	// Backup servers get work only while no other is up.
	Backup bool `yaml:"backup"`
	// TLS takes the place of the origin's.
	TLS *TLS `yaml:"tls,omitempty"`
}

// MaxPools is how many a zone may have.
const MaxPools = 100

// Pool is a further origin of a zone, which rules route requests to (http_request_origin). It has its own servers, health, connections and
// budget: what one is asked for leaves the others alone. What it does not say is as in the defaults, not as in the zone's own origin.
type Pool struct {
	// Name is what rules call it. Logs and metrics of its servers have it behind the zone's: shop/api.
	Name string `yaml:"name"`
	// Origin is its servers.
	Origin Origin `yaml:"origin"`
	// Budget is what they may be given.
	Budget Budget `yaml:"budget"`
}

// Zone is the zone as it would be if the pool were its origin, under a name of its own: no zone's name has a slash.
func (p *Pool) Zone(of *Zone) *Zone {
	z := *of
	z.Name, z.Origin, z.Budget, z.Pools = of.Name+"/"+p.Name, p.Origin, p.Budget, nil
	return &z
}

// OneServer is an origin's only server.
func OneServer(url string) []Server { return []Server{{URL: url, Weight: 1}} }

// TLS is how an https server is verified, and what it is shown.
type TLS struct {
	// CA is authorities to trust instead of the system's.
	CA PEM `yaml:"ca"`
	// ServerName is the name asked for and verified in the server's certificate, if it is not the URL's host.
	ServerName string `yaml:"server_name"`
	// Insecure verifies nothing.
	Insecure bool `yaml:"insecure"`
	// Certificate is shown to a server that asks who is calling (authenticated origin pulls).
	Certificate PEM `yaml:"certificate"`
	// Key is its private key.
	Key PEM `yaml:"key"`
}

// PEM is text in PEM form (RFC 7468): certificates or a private key. In a file of configuration it may be a file's path instead, from
// the folder of that file.
type PEM string

// Protocol is what a server is spoken to. The empty one is HTTP/1.1, as in what was kept before there was another.
type Protocol string

// The protocols, by their names in ALPN.
const (
	ProtocolHTTP1 Protocol = "http/1.1"
	ProtocolHTTP2 Protocol = "h2"
)

// Balance is a way to choose a server.
type Balance string

// The ways to choose a server: each in its turn; the one with the fewest requests for its weight; or the same one for a source as
// long as the servers stay the same.
const (
	BalanceRoundRobin    Balance = "round_robin"
	BalanceLeastRequests Balance = "least_requests"
	BalanceSource        Balance = "source"
)

// AllDown is what to do when no server is up.
type AllDown string

// Refuse answers at once, with a stored page if the cache has one and 503 (Service Unavailable) if not; try asks a server all the same.
const (
	AllDownRefuse AllDown = "refuse"
	AllDownTry    AllDown = "try"
)

// Health says how it is found out which servers are up. Checks count against the zone's budget; one for which there is no room is left
// out, as requests tell as much.
type Health struct {
	// Path is asked with GET every Interval, and has to be answered with one of Status within Timeout; "" for no such checks.
	Path string `yaml:"path"`
	// Host is the Host of a check; "" is the zone's first host.
	Host string `yaml:"host"`
	// Interval is the time from one check to the next.
	Interval time.Duration `yaml:"interval"`
	// Timeout is how long a check may take.
	Timeout time.Duration `yaml:"timeout"`
	// Status are the statuses of a server that is well, such as "200-399" or "200,204".
	Status string `yaml:"status"`
	// Rise is how many checks in a row have to succeed to take a server up.
	Rise int `yaml:"rise"`
	// Fall is how many checks in a row have to fail to take a server down.
	Fall int `yaml:"fall"`
	// MaxFails failures of requests in a row (no connection, no answer, a broken one) take a server of several down for FailTimeout,
	// but never all of them; 0 for no such rule.
	MaxFails int `yaml:"max_fails"`
	// FailTimeout is how long that takes it down.
	FailTimeout time.Duration `yaml:"fail_timeout"`
	// SlowStart is how long the share of a server that has come up grows until it is whole.
	SlowStart time.Duration `yaml:"slow_start"`
}
