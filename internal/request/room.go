// Package request turns a protocol's messages into flows: each with one normal form of host, path and headers, and an
// [flow.Exchange] to answer through.
//
// It learns what the client asks, who it is (itself, or whom a trusted proxy names) and whether the request has been here before
// (CDN-Loop, RFC 8586), and writes [flow.Flow.Request]. Heads are bounded by the node's limits, and a connection has one
// flow at a time. It fails by refusing: a message that breaks HTTP's rules becomes a flow with a refusal, which goes down the
// path like any other, gets an id and is recorded; its connection then ends.
package request

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/h2"
	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/reqid"
)

// Path is the corridor that flows go down.
type Path interface {
	// Decide answers a flow that can be answered at once and reports true, or leaves it for Fulfil. It never waits.
	Decide(f *flow.Flow) bool
	// Fulfil answers a flow that Decide left.
	Fulfil(f *flow.Flow)
}

// Room makes flows of what clients send.
type Room struct {
	path    Path
	ids     *reqid.Generator
	limits  h1.Limits
	trusted *prefixes.Set
	loop    string
	pool    sync.Pool // of *exchange

	http2       h2.Settings
	offersHTTP2 bool
	streams     int // of a connection that may be at work
	connections spec.Connections
	h2pool      sync.Pool // of *h2exchange
	frames      sync.Pool // of *frames

	// Locator, unless nil, tells where clients are. It is set before the first Open.
	Locator flow.Locator
}

// New makes a room whose flows go down path with ids from ids.
func New(node *spec.Node, ids *reqid.Generator, path Path) *Room {
	r := &Room{
		path:    path,
		ids:     ids,
		limits:  h1.Limits{Line: node.Heads.Line, Head: node.Heads.Size, Fields: node.Heads.Fields},
		trusted: prefixes.Compile(node.TrustedProxies),
		loop:    spec.CDNLoop(node),
		http2: h2.Settings{
			MaxStreams: node.HTTP2.Streams, MaxHeaderList: node.Heads.Size, MaxFields: node.Heads.Fields, ExtendedConnect: true,
			FeedWork: turnWork,
		},
		offersHTTP2: node.HTTP2.Enabled,
		streams:     node.HTTP2.Streams,
		connections: node.Connections,
	}
	r.pool.New = func() any { return new(exchange) }
	r.h2pool.New = func() any { return new(h2exchange) }
	r.frames.New = func() any { return new(frames) }
	return r
}

// Open begins the session of a connection, of the protocol that its handshake agreed on. In cleartext, HTTP/2 shows by its first bytes.
func (r *Room) Open(info *flow.Conn, c flow.Connection) flow.Session {
	if info.TLS != nil && info.TLS.Protocol == "h2" {
		return r.openHTTP2(info, c)
	}
	return &session{room: r, info: info, conn: c}
}

// identify gives a flow its id, its connection and its client.
func (r *Room) identify(f *flow.Flow, info *flow.Conn, now time.Time) {
	f.Conn = info
	q := &f.Request
	q.ID = r.ids.Next(int(info.Shard), now)
	q.Received = now
	q.Client = info.Remote.Addr()
	q.Source = prefixes.Source(q.Client)
	q.Locator = r.Locator
	q.Scheme = "http"
	if info.TLS != nil {
		q.Scheme = "https"
	}
}

// normalise fills the flow's request from a head that was accepted.
func (r *Room) normalise(f *flow.Flow, head *h1.Request) {
	q := &f.Request
	protocol := hfp.HTTP11
	q.Proto = "HTTP/1.1"
	if head.Minor == 0 {
		q.Proto, protocol = "HTTP/1.0", hfp.HTTP10
	}
	q.Fingerprint = hfp.Of(protocol, head.Fields)
	q.Method, q.Target, q.Fields = head.Method, head.Target, head.Fields
	q.Authority, q.Host = head.Host, flow.NormalHost(head.Host)
	q.Query, q.HasQuery = head.Query, head.HasQuery
	q.Expect, q.Upgrade = head.Expect100, upgrade(head.Upgrade)
	switch head.Framing {
	case h1.Length:
		q.Length = head.Length
	case h1.Chunked:
		q.Length = -1
	}
	r.complete(q, head.Path)
}

// complete does what is the same for every protocol: path is as received.
func (r *Room) complete(q *flow.Request, path string) {
	var ok bool
	if q.Path, ok = flow.NormalPath(path); !ok {
		q.Refusal = &badPath
	}
	if q.Method == "OPTIONS" && (path == "" || path == "*") && !q.HasQuery {
		q.Path = "*" // the server as a whole (RFC 9112 §3.2.4)
	}
	switch {
	case q.Method == "CONNECT" || q.Method == "TRACE":
		q.Refusal = &badMethod
	case r.looped(q.Fields):
		q.Refusal = &looped
	}
	if r.trusted.Contains(q.Client) {
		r.believe(q)
	}
}

// believe takes from a trusted proxy who asks, and that it was asked in private.
func (r *Room) believe(q *flow.Request) {
	if flow.Get(q.Fields, "x-forwarded-proto") == "https" {
		q.Scheme = "https"
	}
	if client := r.client(q.Client, q.Fields); client != q.Client {
		q.Client, q.Source = client, prefixes.Source(client)
	}
}

// upgrade is the protocol that a client asks for, or "". HTTP/2 without TLS is none: RFC 9113 §3.1 has given it up, and behind its
// preface, requests would reach the origin that nobody here has seen.
func upgrade(asked string) string {
	for protocol := range h1.Tokens(asked) {
		if h1.EqualFold(protocol, "h2c") {
			return ""
		}
	}
	return asked
}

// client is who asks behind a trusted proxy: the last address in X-Forwarded-For that is not one. Something else
// than an address ends the search, for whoever stands before it is not known: then it is the last proxy.
func (r *Room) client(peer netip.Addr, fields []flow.Field) netip.Addr {
	client := peer
	for _, field := range slices.Backward(fields) {
		if !flow.Named(field.Name, "x-forwarded-for") {
			continue
		}
		for rest := field.Value; rest != ""; {
			comma := strings.LastIndexByte(rest, ',')
			member := strings.TrimSpace(rest[comma+1:])
			rest = rest[:max(comma, 0)]
			if member == "" {
				continue
			}
			addr, ok := forwardedFor(member)
			if !ok {
				return client
			}
			if client = addr; !r.trusted.Contains(client) {
				return client
			}
		}
	}
	return client
}

// forwardedFor reads a member of X-Forwarded-For: an address, to which some proxies add the port.
func forwardedFor(member string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(member, "[]"))
	if err != nil {
		withPort, perr := netip.ParseAddrPort(member)
		addr, err = withPort.Addr(), perr
	}
	return addr.Unmap().WithZone(""), err == nil
}

// looped tells whether this node has passed the request on before.
func (r *Room) looped(fields []flow.Field) bool {
	for i := range fields {
		if flow.Named(fields[i].Name, "cdn-loop") && strings.Contains(fields[i].Value, r.loop) {
			for member := range h1.Tokens(fields[i].Value) {
				id, _, _ := strings.Cut(member, ";")
				if strings.TrimSpace(id) == r.loop {
					return true
				}
			}
		}
	}
	return false
}
