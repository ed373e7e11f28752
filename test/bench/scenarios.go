package main

import "time"

// A scenario is one kind of request, asked of every server in the same way.
type scenario struct {
	name      string
	about     string
	client    client
	size      int  // of the body, in bytes
	cacheable bool // the servers answer it from their cache; else they ask the origin every time
	tls       bool // 1.3, AES-128-GCM, X25519, ECDSA P-256
	refuse    refusal
	resume    bool          // the handshakes are short: with a ticket of an earlier one
	loops     int           // cores that Seawall has, compared with itself on one; 0 to compare it with its peers
	http2     bool          // over TLS; else HTTP/1.1
	conns     int           // that h2load keeps open and busy
	streams   int           // at one time on each of these
	stall     time.Duration // how long the servers let a client stand still; 0 for as long as possible
	cache     int           // most that the servers keep in memory, in MiB; 0 for cacheSize
	disk      int           // the same of what is on the disk; 0 for no disk, except nginx's, which has nothing else
	objects   int           // that are asked for in turn; 0 for always the same one
}

// A client is what asks.
type client int

const (
	keepAlive    client = iota // wrk, on connections that stay
	handshaking                // a full TLS handshake and a request, then the next connection
	reconnecting               // a connection and a request, then the next: it is refused
	idling                     // a request each on many connections, which then wait
	pacing                     // the bench itself, at half of the full load, whatever the answers take
	flooding                   // the same at a low rate, first alone, then beside a flood of handshakes
	churning                   // objects of many sizes, more than the cache holds
	multiplexing               // h2load, on connections that stay
	withholding                // many streams on a few connections, whose answers have to wait
	attacking                  // an attacker, and the bench itself as a neighbour at a low rate
	spreading                  // wrk, one object after the other
	playing                    // the bench itself plays traces
	purging                    // the same purges tags, beside wrk
	collapsing                 // the same asks for one object on very many connections at once
)

// A refusal is what a server denies the address 127.0.0.1. The templates in peers/ read it.
type refusal string

const (
	refuseNothing     refusal = ""
	refuseRequests    refusal = "requests"    // with 403 and a page, on connections that stay
	refuseExcess      refusal = "excess"      // with 429 and a page, on connections that stay, beyond one request a minute
	refuseConnections refusal = "connections" // without a word, as early as the server can
)

var scenarios = []scenario{
	{name: "hit-1k", about: "1 KiB from the cache", size: 1 << 10, cacheable: true},
	{name: "hit-64k", about: "64 KiB from the cache", size: 64 << 10, cacheable: true},
	{name: "pass-1k", about: "1 KiB that may not be stored, from the origin", size: 1 << 10},
	{name: "tls-hit-1k", about: "1 KiB from the cache over TLS 1.3", size: 1 << 10, cacheable: true, tls: true},
	{name: "tls-hit-64k", about: "64 KiB from the cache over TLS 1.3", size: 64 << 10, cacheable: true, tls: true},
	{
		name: "handshake", about: "a full TLS 1.3 handshake, and 1 KiB from the cache",
		client: handshaking, size: 1 << 10, cacheable: true, tls: true,
	},
	{
		name: "refuse-keepalive", about: "403 for a denied address, on connections that stay",
		size: 1 << 10, cacheable: true, refuse: refuseRequests,
	},
	{
		name: "refuse-ratelimit", about: "429 for an address over the limit of a rule, on connections that stay",
		size: 1 << 10, cacheable: true, refuse: refuseExcess,
	},
	{
		name: "refuse-new", about: "a new connection from a refused address",
		client: reconnecting, size: 1 << 10, cacheable: true, refuse: refuseConnections,
	},
	{
		name: "idle-plain", about: "memory of a connection that waits after a request",
		client: idling, size: 1 << 10, cacheable: true,
	},
	{
		name: "idle-tls", about: "memory of a connection over TLS 1.3 that waits after a request",
		client: idling, size: 1 << 10, cacheable: true, tls: true,
	},
	{
		name: "handshake-resumed", about: "a TLS 1.3 handshake with a ticket, and 1 KiB from the cache",
		client: handshaking, size: 1 << 10, cacheable: true, tls: true, resume: true,
	},
	{
		name: "latency-hit-1k", about: "latency of 1 KiB from the cache, at half of HAProxy's full load",
		client: pacing, size: 1 << 10, cacheable: true,
	},
	{
		name: "latency-tls-hit-1k", about: "latency of 1 KiB from the cache over TLS 1.3, at half of HAProxy's full load",
		client: pacing, size: 1 << 10, cacheable: true, tls: true,
	},
	{
		name: "hit-under-handshakes", about: "latency of 1 KiB from the cache over TLS 1.3, quiet and beside a flood of handshakes",
		client: flooding, size: 1 << 10, cacheable: true, tls: true,
	},
	{
		name: "two-loops", about: "1 KiB from the cache, on two cores (the client has its part of one) and on one",
		size: 1 << 10, cacheable: true, loops: 2,
	},
	{
		name: "memory", about: "memory with a full cache of 256 MiB, objects of 1 KiB to 1 MiB, while others are stored",
		client: churning, size: 1 << 10, cacheable: true,
	},
	{
		name: "h2-16x8", about: "1 KiB from the cache over HTTP/2, 16 connections with 8 streams each",
		client: multiplexing, size: 1 << 10, cacheable: true, tls: true, http2: true, conns: 16, streams: 8,
	},
	{
		name: "h2-64x1", about: "1 KiB from the cache over HTTP/2, 64 connections with one stream each",
		client: multiplexing, size: 1 << 10, cacheable: true, tls: true, http2: true, conns: 64, streams: 1,
	},
	{
		name: "h2-pass", about: "1 KiB that may not be stored, over HTTP/2 from the origin, 16 connections with 8 streams each",
		client: multiplexing, size: 1 << 10, tls: true, http2: true, conns: 16, streams: 8,
	},
	{
		name: "idle-h2", about: "memory of a connection over HTTP/2 that waits after a request",
		client: idling, size: 1 << 10, cacheable: true, tls: true, http2: true,
	},
	{
		name: "idle-h2-stream", about: "memory of a stream whose answer, 64 KiB from the cache, waits for a window",
		client: withholding, size: 64 << 10, cacheable: true, tls: true, http2: true,
	},
	{
		name: "h2-attacks", about: "attacks on HTTP/2, and a neighbour's latency of 1 KiB from the cache beside them",
		client: attacking, size: 1 << 10, cacheable: true, tls: true, http2: true, stall: attackStall,
	},
	{name: "hit-1k-disk", about: "1 KiB from the memory of a cache that is on disk, too", size: 1 << 10, cacheable: true, disk: diskSize},
	{name: "hit-64k-disk", about: "64 KiB from the memory of a cache that is on disk, too", size: 64 << 10, cacheable: true, disk: diskSize},
	{
		name: "disk-64k", about: "64 KiB from the cache on disk, of which the page cache has all",
		client: spreading, size: 64 << 10, cacheable: true, cache: 8, disk: diskSize, objects: 4000,
	},
	{
		name: "hit-ratio", about: "hits of a cache that is a small part of what is asked for, by traces",
		client: playing, size: traceSize, cacheable: true, cache: traceCache,
	},
	{
		name: "purge-tag", about: "a purge of a tag that 1,000,000 objects carry, beside 64 connections with hits",
		client: purging, size: purgeSize, cacheable: true, cache: 3072,
	},
	{
		name: "collapse", about: "10,000 requests at once for an object that is not there yet, of an origin that takes a second",
		client: collapsing, size: 1 << 10, cacheable: true, http2: true,
	},
}

// kinds are the servers that have a part, Seawall first.
func (s scenario) kinds() []kind {
	if s.loops == 0 {
		return kinds
	}
	alone := kinds[0]
	alone.name = "on one core"
	return []kind{kinds[0], alone}
}

// restarts tells that the server is started anew for each turn.
func (s scenario) restarts() bool {
	return s.client == idling || s.client == withholding || s.client == churning
}

// few tells that fewRounds have to do: memory does not depend on the neighbours, a flood's turn takes twice as long, and resumed
// handshakes tell little that full ones don't.
func (s scenario) few() bool { return s.restarts() || s.client == flooding || s.resume }

func scenarioNames() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}
