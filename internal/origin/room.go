package origin

import (
	"context"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/origin/h2client"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
)

// Room holds what the zones' policies share: what is known of servers and the connections to them, which outlive a policy, and buffers.
type Room struct {
	// Dial connects to a server ("tcp" to host:port, "unix" to a path); nil means the system's network. It is set before the first Compile.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Changed is told when a zone's server goes down or comes up, and why; nil for nobody. It is set before the first Compile, and must
	// return soon and not use the room, as it is called in the order of the changes while no other can happen to that server.
	Changed func(zone, server string, up bool, why string)

	// Loops are where connections to servers are, so that flows can wait for them there; without any, flows wait as goroutines. It is set
	// before the first Compile.
	Loops []*loop.Loop

	node      *spec.Node
	pseudonym string
	cdnLoop   string
	seed      maphash.Seed
	exchanges sync.Pool // of *exchange
	buffers   sync.Pool // of *buffer

	endpoints shared[settings, endpoint]
	groups    shared[string, group] // by zone
	closed    atomic.Bool
	dialled   atomic.Uint32
}

// loop is where a new connection should be: on the loop of its flow, if that has one.
func (r *Room) loop(flows *loop.Loop) *loop.Loop {
	if flows != nil || len(r.Loops) == 0 {
		return flows
	}
	return r.Loops[int(r.dialled.Add(1))%len(r.Loops)]
}

// New makes the room of a node.
func New(node *spec.Node) *Room {
	r := &Room{
		node:      node,
		pseudonym: spec.Token(node.Name),
		cdnLoop:   spec.CDNLoop(node),
		seed:      maphash.MakeSeed(),
	}
	r.exchanges.New = func() any { return newExchange() }
	r.buffers.New = func() any { return new(buffer) }
	return r
}

// Policy is how the origin of one zone is asked.
type Policy struct {
	room    *Room
	origin  spec.Origin
	group   *group
	servers []server
	// lone tells that no server shares the work of the only one.
	lone bool
	// check is how servers are asked whether they are well, or nil.
	check *check
	// maxIdle bounds the connections to one server that wait for work.
	maxIdle int
	// host is the Host of a request whose client named none.
	host string
	// clientHeader is the owner's field, with the colon; clientName its name in lower case.
	clientHeader, clientName string
	// marks are the fields that never change: CDN-Loop, and Via from its protocol's version on.
	cdnLoop, via string

	turn  atomic.Uint64       // of round robin
	set   atomic.Pointer[set] // those who have work
	fresh sync.Mutex          // held by who makes a new one
}

// server is one of a policy's.
type server struct {
	*endpoint
	number int // among the policy's
	weight int
	backup bool
	key    uint64 // for choosing by source
	want   h2client.Want
}

// defaultIdle bounds the waiting connections of a zone that has no bound of concurrent requests.
const defaultIdle = 256

// Compile checks a zone's origin. A server with the same settings as one of an earlier policy shares its connections, and stays up or
// down as it was. Connections that no policy uses any more are closed after the zone's idle timeout.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	members, err := readServers(z)
	if err != nil {
		return nil, err
	}
	if err := validate(&z.Origin); err != nil {
		return nil, err
	}
	p := &Policy{
		room:    r,
		origin:  z.Origin,
		group:   r.groups.get(z.Name, func() *group { return &group{zone: z.Name} }),
		maxIdle: z.Budget.Concurrent,
		host:    members[0].authority,
		cdnLoop: "CDN-Loop: " + r.cdnLoop + "\r\n",
		via:     " " + r.pseudonym + "\r\n",
	}
	if p.maxIdle <= 0 {
		p.maxIdle = defaultIdle
	}
	if p.check, err = newCheck(z, p.host); err != nil {
		return nil, err
	}
	if name := z.Origin.ClientHeader; name != "" {
		p.clientHeader, p.clientName = name+": ", fold(name)
	}
	p.join(members, z.Budget.Upgrades)
	p.set.Store(p.divide(time.Now()))
	return p, nil
}

// join makes the policy's servers.
func (p *Policy) join(members []member, upgrades int) {
	working := 0
	for i, m := range members {
		e := p.room.endpoints.get(m.settings, func() *endpoint {
			return &endpoint{room: p.room, group: p.group, settings: m.settings, tls: m.tls, closed: p.room.closed.Load()}
		})
		s := &p.origin.Servers[i]
		p.servers = append(p.servers, server{
			endpoint: e, number: i, weight: s.Weight, backup: s.Backup, key: maphash.String(p.room.seed, s.URL),
			want: h2client.Want{
				Dial: e.dialHTTP2, Most: p.maxIdle + upgrades, IdleTimeout: p.origin.IdleTimeout, WriteTimeout: p.origin.StallTimeout,
			},
		})
		if s.Weight > 0 {
			working++
		}
	}
	p.lone = working == 1
}

// Close closes all idle connections, and others as soon as their exchange is over, and ends all health checks.
func (r *Room) Close() {
	r.closed.Store(true)
	r.groups.each((*group).end)
	r.endpoints.each((*endpoint).close)
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
