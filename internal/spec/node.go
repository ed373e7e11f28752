package spec

import (
	"net/netip"
	"time"
)

// Node is one machine's part: where it listens, what it may use, what it keeps.
type Node struct {
	// Name tells this node from others in logs, in Via and in Cache-Status.
	Name string
	// HTTP and HTTPS are where to listen.
	HTTP, HTTPS []Listener
	// Admin is the address of the admin listener (metrics, explain); empty for none.
	Admin string
	// Data is the folder that holds keys, certificates and the admin token.
	Data string
	// Certificates are the key pairs on disk that hello chooses from by server name.
	Certificates []Certificate
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	Connections Connections
	Heads       Heads
	Cache       Memory
	Log         Log
}

// Listener is an address to listen on, "host:port" as net.Listen takes it. If the system does not permit it (a port below 1024, without
// the right to it), Otherwise is listened on, unless it is empty.
type Listener struct {
	Address, Otherwise string
}

// Certificate is a certificate chain and its private key, both PEM files.
type Certificate struct {
	Chain, Key string
}

// Connections bounds what clients' connections may use.
type Connections struct {
	// Max bounds all connections together, PerSource those of one source (an IPv4 address or an IPv6 /64).
	Max, PerSource int
	// HeadTimeout bounds the time from a request head's first byte (on a new connection: from accept) to its last, and a TLS handshake.
	HeadTimeout time.Duration
	// IdleTimeout is how long a connection may wait between two requests.
	IdleTimeout time.Duration
	// StallTimeout is how long a body or a response may stand still in the middle.
	StallTimeout time.Duration
	// MinRate is how many bytes a second a body or a response has to make on average once StallTimeout has passed; 0 for no such rule.
	MinRate int
	// TunnelTimeout is how long an upgraded connection (a WebSocket) may be silent both ways.
	TunnelTimeout time.Duration
	// DrainTimeout is how long a stopping node lets requests finish.
	DrainTimeout time.Duration
}

// Heads bounds request and response heads: bytes of the first line, bytes of the whole head, number of fields.
type Heads struct {
	Line, Size, Fields int
}

// Memory bounds the cache in memory, in bytes: all objects together, and one object's body.
type Memory struct {
	Size, Object int64
}

// Log says what is kept of each request.
type Log struct {
	// Path is the access log's file; "-" is standard output, "" keeps no log.
	Path string
	// MaxSize bounds the file in bytes: past it, the file is renamed to Path.1, over the one before, and begun anew. 0 is no bound.
	MaxSize int64
	// WholeAddresses writes client addresses whole instead of a truncated prefix and a keyed hash.
	WholeAddresses bool
	// Ring is how many bytes of recent records are kept in memory for explain.
	Ring int
}

// DefaultNode is a node that is safe on day one; listeners and the data folder are left to the caller.
func DefaultNode() Node {
	return Node{
		Name: "seawall",
		Connections: Connections{
			Max:           100_000,
			PerSource:     256,
			HeadTimeout:   10 * time.Second,
			IdleTimeout:   60 * time.Second,
			StallTimeout:  30 * time.Second,
			MinRate:       256,
			TunnelTimeout: time.Hour,
			DrainTimeout:  30 * time.Second,
		},
		Heads: Heads{Line: 8 << 10, Size: 32 << 10, Fields: 100},
		Cache: Memory{Size: 256 << 20, Object: 16 << 20},
		Log:   Log{MaxSize: 256 << 20, Ring: 16 << 20},
	}
}
