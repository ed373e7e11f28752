// Package conn owns the clients' connections: it listens, accepts, bounds and times them, and drives a protocol's
// [flow.Session] over each.
//
// It learns who connects, if need be from a listed proxy's PROXY protocol header, and writes [flow.Conn] (with hello, which it lets
// shake hands first). Everything is bounded: the connections of the node and of each source, the time for a header, a handshake and a
// head, the rate of a body and of its reader, the buffers, which are given back while a connection waits. It fails by closing: a
// connection from who is denied or over a cap is reset before anything is built for it; one that breaks a deadline is cut.
//
// A goroutine drives each connection. On TCP it stays inside one [syscall.RawConn] Read call for the whole keep-alive loop, so
// that readiness is armed once and a parked connection holds no buffer.
package conn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Handshake secures a connection and writes what it learned to info.
type Handshake func(raw net.Conn, info *flow.Conn) (net.Conn, error)

// Open begins a protocol's session on a connection.
type Open func(info *flow.Conn, s flow.Stream) flow.Session

// Options are what a room needs of its surroundings.
type Options struct {
	// Open begins the session on each connection.
	Open Open
	// Log tells of faults.
	Log *slog.Logger
}

// Room is all of a node's client connections.
type Room struct {
	limits  spec.Connections
	denied  atomic.Pointer[prefixes.Set]
	proxies *prefixes.Set // whose connections begin with a PROXY protocol header; nil for nobody's
	Options
	epoch time.Time     // of the room's clock
	every time.Duration // sweepEvery

	sources  *sources
	table    *table
	buffers  buffers
	draining atomic.Bool
	shards   atomic.Uint32

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
		table:     newTable(),
		listeners: make(map[net.Listener]struct{}),
		stop:      make(chan struct{}),
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

// DeniedBy is the prefix that keeps an address from connecting, if there is one.
func (r *Room) DeniedBy(address netip.Addr) (netip.Prefix, bool) {
	return r.denied.Load().Match(address)
}

// SourceOpen is how many connections an address's source has.
func (r *Room) SourceOpen(address netip.Addr) int { return r.sources.open(address) }

// Cause is why a connection was refused or cut.
type Cause uint8

// The causes, as metrics name them.
const (
	Denied Cause = iota
	NodeFull
	SourceFull
	ProxyHeader
	HandshakeFailed
	HeadSlow
	BodySlow
	ReaderSlow
	causes
)

// String is the cause's name in metrics.
func (c Cause) String() string {
	return [...]string{"denied", "node-full", "source-full", "proxy-header", "handshake-failed", "head-slow", "body-slow", "reader-slow"}[c]
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

// Draining tells whether Shutdown has begun.
func (r *Room) Draining() bool { return r.draining.Load() }

// Shutdown stops listening, lets requests in progress finish for as long as ctx allows, closes what is idle at once and the rest
// at the end. It returns ctx's error if connections had to be cut.
func (r *Room) Shutdown(ctx context.Context) error {
	r.draining.Store(true)
	r.mu.Lock()
	for l := range r.listeners {
		l.Close()
	}
	r.mu.Unlock()
	defer r.stopOnce.Do(func() { close(r.stop) })

	look := time.NewTicker(drainLook)
	defer look.Stop()
	for r.table.open.Load() > 0 {
		r.table.each(func(c *Conn) {
			if p, since := c.since(); (p == idle || p == fresh) && c.expire(p, since) {
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

// fault writes down a panic; after the first few only their count goes on, since a client may know how to cause them.
func (r *Room) fault(value any) {
	if n := r.faults.Add(1); n <= 10 {
		r.Log.Error("fault in a connection", "fault", value, "count", n, "stack", string(debug.Stack()))
	}
}
