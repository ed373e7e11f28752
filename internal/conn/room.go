// Package conn owns the clients' connections: it listens, accepts, bounds and times them, and drives a protocol's
// [flow.Session] over each.
//
// It learns who connects, if need be from a listed proxy's PROXY protocol header, and writes [flow.Conn] (with hello, which it lets
// shake hands first). Everything is bounded: the connections of the node and of each source, the time for a header, a handshake and a
// head, the rate of a body and of its reader, the buffers, which are given back while a connection waits. It fails by closing: a
// connection from who is denied or over a cap is reset before anything is built for it; one that breaks a deadline is cut.
//
// Event loops drive the connections, one a core: each accepts from a socket of its own, and answers at once what can be answered at once.
// What has to wait runs as a [loop.Task]; a parked connection holds no buffer and no stack. Where there are no loops a goroutine drives
// each connection through the same turns.
package conn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/prefixes"
)

// Open begins a protocol's session on a connection.
type Open func(info *flow.Conn, s flow.Connection) flow.Session

// Options are what a room needs of its surroundings.
type Options struct {
	// Open begins the session on each connection.
	Open Open
	// Excused, unless nil, tells whom neither the deny list nor a ban is for now.
	Excused func(netip.Addr) bool
	// Banned, unless nil, is told of a source that can't connect until a time. It does not wait.
	Banned func(source netip.Prefix, until time.Time)
	// Log tells of faults.
	Log *slog.Logger
	// Loops drive the connections of each [Listener]; without any, goroutines do.
	Loops []*loop.Loop
}

// Room is all of a node's client connections.
type Room struct {
	limits  spec.Connections
	denied  atomic.Pointer[prefixes.Set]
	proxies *prefixes.Set // whose connections begin with a PROXY protocol header; nil for nobody's
	spared  *prefixes.Set // whom no ban is for: they speak for others
	Options
	epoch time.Time     // of the room's clock
	every time.Duration // sweepEvery

	sources  *sources
	bans     bans
	hopeless hopeless
	lately   lately
	charges  *limit.Table
	table    *table
	buffers  buffers
	draining atomic.Bool
	serving  atomic.Int32 // calls of Serve that have not returned
	shards   atomic.Uint32
	telling  atomic.Int32 // connections in phase told

	chargeRate  limit.Rate
	breachLines *limit.Meter

	refused [causes]atomic.Int64
	faults  atomic.Int64

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sweeping  sync.Once
	stop      chan struct{}
	stopOnce  sync.Once
}

// New makes a room for the node's connections.
func New(node *spec.Node, o Options) *Room {
	var seed [8]byte
	rand.Read(seed[:])
	r := &Room{
		limits:    node.Connections,
		buffers:   newBuffers(node.Heads.Size),
		Options:   o,
		epoch:     time.Now().Add(-time.Second),
		every:     sweepEvery,
		sources:   newSources(),
		bans:      bans{first: node.Connections.Ban, seed: maphash.MakeSeed()},
		hopeless:  newHopeless(),
		lately:    lately{seed: maphash.MakeSeed()},
		charges:   limit.New(chargeSources),
		spared:    prefixes.Compile(node.TrustedProxies),
		table:     newTable(),
		listeners: make(map[net.Listener]struct{}),
		stop:      make(chan struct{}),

		chargeRate:  rate(chargeRate, time.Second, chargeBurst),
		breachLines: limit.NewMeter(rate(breachLines, time.Second, breachLinesBurst)),
	}
	r.Deny(node.Deny)
	if len(node.ProxyProtocol) > 0 {
		r.proxies = prefixes.Compile(node.ProxyProtocol)
	}
	r.shards.Store(uint32(binary.NativeEndian.Uint64(seed[:])))
	return r
}

// Deny resets new connections from these prefixes as soon as they are accepted, and no others any more. Those that are open stay.
func (r *Room) Deny(sources []netip.Prefix) {
	var denied *prefixes.Set
	if len(sources) > 0 {
		denied = prefixes.Compile(sources)
	}
	r.denied.Store(denied)
}

func (r *Room) denies(address netip.Addr) bool {
	return r.denied.Load().Contains(address) && !r.excuses(address)
}

func (r *Room) excuses(address netip.Addr) bool { return r.Excused != nil && r.Excused(address) }

// DeniedBy is the prefix of the deny list that has an address, if there is one.
func (r *Room) DeniedBy(address netip.Addr) (netip.Prefix, bool) {
	return r.denied.Load().Match(address)
}

// SourceOpen is how many connections an address's source has.
func (r *Room) SourceOpen(address netip.Addr) int { return r.sources.open(address) }

// NetworkOpen is how many connections an address's network has.
func (r *Room) NetworkOpen(address netip.Addr) int { return r.sources.openNetwork(address) }

// Cause is why a connection was refused or cut.
type Cause uint8

// The causes, as metrics name them.
const (
	Denied Cause = iota
	NodeFull
	SourceFull
	NetworkFull
	ProxyHeader
	HandshakeFailed
	HeadSlow
	BodySlow
	ReaderSlow
	Banned
	Breached
	causes
)

// String is the cause's name in metrics.
func (c Cause) String() string {
	return [...]string{"denied", "node-full", "source-full", "network-full", "proxy-header", "handshake-failed", "head-slow", "body-slow", "reader-slow", "banned",
		"breached"}[c]
}

// Stats is a picture of the room. Faults are panics that cost one connection each.
type Stats struct {
	Open     int
	Draining bool
	Faults   int64
	Refused  map[Cause]int64
}

// Stats counts the connections that are open, and those that were refused or cut since the start.
func (r *Room) Stats() Stats {
	s := Stats{
		Open:     int(r.table.open.Load()),
		Draining: r.Draining(),
		Faults:   r.faults.Load(),
		Refused:  make(map[Cause]int64, causes),
	}
	for c := range r.refused {
		s.Refused[Cause(c)] = r.refused[c].Load()
	}
	return s
}

// Draining tells whether Shutdown or Retire has begun.
func (r *Room) Draining() bool { return r.draining.Load() }

// Shutdown stops listening and lets requests in progress finish for as long as ctx allows. Each connection ends with its next answer, and
// one that does not ask is closed after [shutdownGrace]. It returns ctx's error if connections had to be cut.
func (r *Room) Shutdown(ctx context.Context) error { return r.drain(ctx, shutdownGrace) }

// Retire is Shutdown for a room whose listeners' sockets somebody else serves from now on, who may wait longer: for [retireGrace].
func (r *Room) Retire(ctx context.Context) error { return r.drain(ctx, retireGrace) }

// A grace is for how long a draining room waits for the next request of a connection that is new or idle: one that is closed while its
// client asks leaves that client without an answer.
const (
	shutdownGrace = 500 * time.Millisecond
	retireGrace   = 5 * time.Second
)

func (r *Room) drain(ctx context.Context, grace time.Duration) error {
	r.draining.Store(true)
	r.mu.Lock()
	for l := range r.listeners {
		lastCall(l)
	}
	r.mu.Unlock()
	defer r.stopOnce.Do(func() { close(r.stop) })

	from := r.clock(time.Now())
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for r.serving.Load() > 0 || r.table.open.Load() > 0 {
		rested := r.clock(time.Now()) - grace.Milliseconds()
		r.table.each(func(c *Conn) {
			p, since := c.since()
			if (p == idle || p == fresh || p == told) && max(since, from) <= rested && c.expire(p, since) {
				c.wire.interrupt()
			}
		})
		select {
		case <-look.C:
		case <-ctx.Done():
			r.cut(look)
			return ctx.Err()
		}
	}
	return nil
}

// cut ends all connections, and gives their goroutines a moment to notice.
func (r *Room) cut(look *time.Ticker) {
	r.table.each(func(c *Conn) {
		c.abort.Fire()
		c.wire.interrupt()
	})
	for end := time.After(lastWords); r.table.open.Load() > 0; {
		select {
		case <-look.C:
		case <-end:
			return
		}
	}
}

// drainLook is how often a draining room looks for connections that have become idle.
const drainLook = 20 * time.Millisecond

// Fault writes down a panic in what goes on for a request that has been answered.
func (r *Room) Fault(value any) { r.fault(value) }

// fault writes down a panic; after the first few only their count goes on, since a client may know how to cause them.
func (r *Room) fault(value any) {
	if n := r.faults.Add(1); n <= 10 {
		r.Log.Error("fault in a connection", "fault", value, "count", n, "stack", string(debug.Stack()))
	}
}
