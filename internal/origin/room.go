package origin

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"weak"

	"github.com/seawall/seawall/internal/spec"
)

// Room holds what the zones' policies share: the connections that outlive a policy, and buffers.
type Room struct {
	// Dial connects to an origin; nil means the system's network. It is set before the first Fetch.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	node      *spec.Node
	pseudonym string
	cdnLoop   string
	exchanges sync.Pool // of *exchange
	buffers   sync.Pool // of *buffer

	mu        sync.Mutex
	endpoints map[settings]weak.Pointer[endpoint]
	closed    bool
}

// New makes the room of a node.
func New(node *spec.Node) *Room {
	r := &Room{
		node:      node,
		pseudonym: spec.Token(node.Name),
		cdnLoop:   spec.CDNLoop(node),
		endpoints: make(map[settings]weak.Pointer[endpoint]),
	}
	r.exchanges.New = func() any { return newExchange() }
	r.buffers.New = func() any { return new(buffer) }
	return r
}

// Policy is how the origin of one zone is asked.
type Policy struct {
	room     *Room
	origin   spec.Origin
	endpoint *endpoint
	// host is the Host of a request whose client named none.
	host string
	// clientHeader is the owner's field, with the colon; clientName its name in lower case.
	clientHeader, clientName string
	// marks are the fields that never change: CDN-Loop, and Via from its protocol's version on.
	cdnLoop, via string
}

// Compile checks a zone's origin. A policy with the same settings as an earlier one shares its connections. Those that no
// policy uses any more are closed after the zone's idle timeout.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	s, err := read(z)
	if err != nil {
		return nil, err
	}
	p := &Policy{
		room:     r,
		origin:   z.Origin,
		endpoint: r.endpoint(s),
		host:     s.authority,
		cdnLoop:  "CDN-Loop: " + r.cdnLoop + "\r\n",
		via:      " " + r.pseudonym + "\r\n",
	}
	if name := z.Origin.ClientHeader; name != "" {
		p.clientHeader, p.clientName = name+": ", fold(name)
	}
	return p, nil
}

// endpoint returns the connections of s, which live as long as a policy or an idle connection refers to them.
func (r *Room) endpoint(s settings) *endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.endpoints[s].Value(); e != nil {
		return e
	}
	e := &endpoint{room: r, settings: s, tls: s.config(), closed: r.closed}
	r.endpoints[s] = weak.Make(e)
	runtime.AddCleanup(e, r.forget, s)
	return e
}

// forget drops the entry of an endpoint that is gone, unless there is a new one.
func (r *Room) forget(s settings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.endpoints[s]; ok && e.Value() == nil {
		delete(r.endpoints, s)
	}
}

// Close closes all idle connections, and others as soon as their exchange is over.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, e := range r.endpoints {
		if e := e.Value(); e != nil {
			e.close()
		}
	}
}

// trusts reports whether the peer may say whom it speaks for.
func (r *Room) trusts(peer netip.Addr) bool {
	peer = peer.Unmap()
	for _, p := range r.node.TrustedProxies {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}
