package spec

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/ja4"
)

// Node is one machine's part: where it listens, what it may use, what it keeps.
type Node struct {
	// Name tells this node from others in logs, in Via and in Cache-Status.
	Name string `yaml:"name"`
	// HTTP is where to listen for HTTP: ports, or addresses with ports.
	HTTP []Listener `yaml:"http"`
	// HTTPS is the same for HTTPS.
	HTTPS []Listener `yaml:"https"`
	// Admin is the address of the admin listener (metrics, explain); empty for none.
	Admin string `yaml:"admin"`
	// Data is the folder that holds keys, certificates and the admin token.
	Data string `yaml:"data"`
	// Certificates are chosen by server name, beside those of the zones. The first is the default.
	Certificates []Certificate `yaml:"certificates"`
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// Deny are sources whose connections are reset as soon as they are accepted, for all zones: who floods with connections gets no
	// answer. [Lists] refuse with a page that explains itself.
	Deny []netip.Prefix `yaml:"deny"`
	// ProxyProtocol are the peers whose connections begin with a PROXY protocol header (version 1 or 2), which names the client. Nobody
	// else's is read.
	ProxyProtocol []netip.Prefix `yaml:"proxy_protocol"`
	ACME          ACME           `yaml:"acme"`
	TLS           ServerTLS      `yaml:"tls"`

	Packets     Packets     `yaml:"packets"`
	Connections Connections `yaml:"connections"`
	HTTP2       HTTP2       `yaml:"http2"`
	Heads       Heads       `yaml:"heads"`
	Cache       Memory      `yaml:"cache"`
	Log         Log         `yaml:"log"`

	// Lists are known to all zones by their names.
	Lists    []List   `yaml:"lists"`
	Geo      Geo      `yaml:"geo"`
	Crawlers Crawlers `yaml:"crawlers"`

	// Rules come before all else that zones have a say in, and no zone spares anybody them.
	Rules NodeRules `yaml:"rules"`
}

// Listener is an address to listen on, "host:port" as net.Listen takes it. If the system does not permit it (a port below 1024, without
// the right to it), Otherwise is listened on, unless it is empty.
type Listener struct {
	Address, Otherwise string
}

// UnmarshalText implements [encoding.TextUnmarshaler]: a port alone is one of every address.
func (l *Listener) UnmarshalText(text []byte) error {
	*l = Listener{Address: string(text)}
	if !strings.Contains(l.Address, ":") {
		l.Address = ":" + l.Address
	}
	_, port, err := net.SplitHostPort(l.Address)
	if _, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil {
		return fmt.Errorf("%q is no address to listen on: want a port, or an address and a port, such as 443, 192.0.2.1:443 or [2001:db8::1]:443", text)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (l Listener) MarshalText() ([]byte, error) { return []byte(l.Address), nil }

// Certificate is a certificate chain and its private key.
type Certificate struct {
	// Chain is the certificate, and those that lead from it to an authority.
	Chain PEM `yaml:"chain"`
	// Key is its private key.
	Key PEM `yaml:"key"`
}

// LoadCertificate reads a chain and its key from files, and makes sure that they belong together.
func LoadCertificate(chain, key string) (Certificate, error) {
	var c Certificate
	for _, f := range []struct {
		path string
		into *PEM
	}{{chain, &c.Chain}, {key, &c.Key}} {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return c, fmt.Errorf("reading certificate %s with key %s: %w", chain, key, err)
		}
		*f.into = PEM(text)
	}
	if _, err := tls.X509KeyPair([]byte(c.Chain), []byte(c.Key)); err != nil {
		return c, fmt.Errorf("reading certificate %s with key %s: %w", chain, key, err)
	}
	return c, nil
}

// ACME is the account under which certificates are obtained (RFC 8555). Who gives Email agrees to the authorities' terms of service;
// without it, none is obtained.
type ACME struct {
	// Email is where the authorities write to.
	Email string `yaml:"email"`
	// Authorities are asked in this order, until one issues.
	Authorities []Authority `yaml:"authorities"`
}

// Authority is a certificate authority that speaks ACME.
type Authority struct {
	// Directory is the URL at which the protocol begins.
	Directory string `yaml:"directory"`
	// CA is authorities to trust for that URL instead of the system's.
	CA PEM `yaml:"ca"`
	// KeyID names an account that the authority knows already, to which this one is bound (RFC 8555 §7.3.4).
	KeyID string `yaml:"key_id"`
	// HMAC is the key that proves the right to it, in base64url.
	HMAC string `yaml:"hmac"`
}

// LetsEncrypt is the directory of Let's Encrypt.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// ServerTLS is how hands are shaken with clients, whichever zone they ask for.
type ServerTLS struct {
	// StrictNames refuses handshakes that ask for a name that no zone serves, or for none, before they cost anything. A zone of any host
	// ("*") serves all names, and none.
	StrictNames bool `yaml:"strict_names"`
	// DenyFingerprints are the JA4 fingerprints of clients whose handshakes are refused, for all zones.
	DenyFingerprints []ja4.Fingerprint `yaml:"deny_fingerprints"`
	Handshakes       Handshakes        `yaml:"handshakes"`
	// ECH are keys with which clients may hide the name that they ask for (Encrypted Client Hello, RFC 9849); all are tried. Clients
	// that come with another key are told of the first.
	ECH []ECH `yaml:"ech"`
}

// Handshakes bounds the TLS handshakes that are under way.
type Handshakes struct {
	// Open bounds those that were answered and are not complete. Beyond it, the one that has waited longest for its client gives way.
	Open int `yaml:"open"`
	// PerSource bounds those of one source (an IPv4 address or an IPv6 /64) that wait for their answer or are open. Further ones are
	// refused.
	PerSource int `yaml:"per_source"`
	// Queue bounds those that wait for their answer. Beyond it, the source that has most waiting loses its newest.
	Queue int `yaml:"queue"`
}

// Connections bounds what clients' connections may use.
type Connections struct {
	// Max bounds all connections together.
	Max int `yaml:"max"`
	// PerSource bounds those of one source (an IPv4 address or an IPv6 /64).
	PerSource int `yaml:"per_source"`
	// PerNetwork bounds those of one network (an IPv4 /24 or an IPv6 /48), in which one attacker may have many sources.
	PerNetwork int `yaml:"per_network"`
	// Ban is for how long a source can't connect once it has broken a bound that no honest client breaks, such as those of HTTP/2's frames;
	// each time soon after it is twice as long, up to 10 minutes. 0 for no bans.
	Ban time.Duration `yaml:"ban"`
	// HeadTimeout bounds the time from a request head's first byte (on a new connection: from accept) to its last, and a TLS handshake.
	HeadTimeout time.Duration `yaml:"head_timeout"`
	// IdleTimeout is how long a connection may wait between two requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// StallTimeout is how long a body or a response may stand still in the middle.
	StallTimeout time.Duration `yaml:"stall_timeout"`
	// MinRate is how many bytes a second a body or a response has to make on average once StallTimeout has passed; 0 for no such rule.
	MinRate int `yaml:"min_rate"`
	// TunnelTimeout is how long an upgraded connection (a WebSocket) may be silent both ways.
	TunnelTimeout time.Duration `yaml:"tunnel_timeout"`
	// DrainTimeout is how long a stopping node lets requests finish.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// UpgradeDrain is how long the old process of an upgrade lets upgraded connections (WebSockets) live; 0 for as long as they do.
	UpgradeDrain time.Duration `yaml:"upgrade_drain"`
}

// HTTP2 is how HTTP/2 is spoken with clients.
type HTTP2 struct {
	// Enabled offers it: over TLS beside HTTP/1.1 (ALPN), and without TLS to who begins with it (prior knowledge).
	Enabled bool `yaml:"enabled"`
	// Streams bounds the requests of one connection that are under way.
	Streams int `yaml:"streams"`
}

// Heads bounds request and response heads.
type Heads struct {
	// Line bounds the first line, in bytes.
	Line int `yaml:"line"`
	// Size bounds the whole head, in bytes.
	Size int `yaml:"size"`
	// Fields bounds the number of fields.
	Fields int `yaml:"fields"`
}

// Memory bounds the cache: in memory, and below that on the disk.
type Memory struct {
	// Size bounds all objects together; 0 is no cache, in no zone.
	Size Size `yaml:"size"`
	// Object bounds one object's body: at most a quarter of Size, and 2GiB.
	Object Size `yaml:"object"`
	Disk   Disk `yaml:"disk"`
}

// Disk is a part of the cache that outlives restarts. What is stored in memory is written there, too, and read back when memory has let
// it go.
type Disk struct {
	// Path is its folder, which nothing else may use; empty for no such part.
	Path string `yaml:"path"`
	// Size bounds the bytes of its files: at least 4MiB. Once a zone survives, a quarter of them, or 4MiB, are for survival copies; below
	// 8MiB these are in memory only.
	Size Size `yaml:"size"`
	// Object bounds one object's body there, and so does an eighth of Size. A body above cache.object goes to the disk alone, if its
	// response says how long it is.
	Object Size `yaml:"object"`
	// Objects bounds their number. Each takes 64 bytes of memory, beside cache.size.
	Objects int `yaml:"objects"`
}

// Log says what is kept of each request.
type Log struct {
	// Path is the access log's file; "-" is standard output, "" keeps no log.
	Path string `yaml:"path"`
	// MaxSize bounds the file: past it, the file is renamed to Path.1, over the one before, and begun anew. 0 is no bound.
	MaxSize Size `yaml:"max_size"`
	// Sample writes one in Sample of the requests that were served as they should be; all others are always written. 1 writes all.
	Sample int `yaml:"sample"`
	// Fields are the members of a line; empty for all.
	Fields []string `yaml:"fields"`
	// WholeAddresses writes client addresses whole instead of a truncated prefix and a keyed hash.
	WholeAddresses bool `yaml:"whole_addresses"`
	// Ring is how many bytes of recent records are kept in memory for explain.
	Ring Size `yaml:"ring"`
}

// LogFields are the members that a line of the access log may have.
func LogFields() []string {
	return []string{
		"time", "id", "zone", "client", "visitor", "method", "host", "target", "proto", "hfp", "tls", "ja4", "client_subject", "country", "asn", "bot", "status", "bytes", "ms",
		"verdict", "rule", "dry", "undone", "cache", "cache_reason", "age", "ttl", "stored", "collapsed",
		"pool", "queue_ms", "origin", "origin_attempts", "origin_reused", "origin_status", "origin_ms",
		"tunnel_ms", "tunnel_sent", "tunnel_received",
		"refusal", "refusal_rule", "refusal_detail", "retry_after_ms", "referer", "agent", "error", "sample",
	}
}

// DefaultNode is a node that is safe on day one; listeners and the data folder are left to the caller.
func DefaultNode() Node {
	return Node{
		Name:    "seawall",
		Packets: DefaultPackets(),
		Connections: Connections{
			Max:           100_000,
			PerSource:     256,
			PerNetwork:    4096,
			Ban:           10 * time.Second,
			HeadTimeout:   10 * time.Second,
			IdleTimeout:   60 * time.Second,
			StallTimeout:  30 * time.Second,
			MinRate:       256,
			TunnelTimeout: time.Hour,
			DrainTimeout:  30 * time.Second,
			UpgradeDrain:  12 * time.Hour,
		},
		HTTP2: HTTP2{Enabled: true, Streams: 100},
		Heads: Heads{Line: 8 << 10, Size: 32 << 10, Fields: 100},
		Cache: Memory{Size: 256 << 20, Object: 16 << 20, Disk: Disk{Size: 8 << 30, Object: 1 << 30, Objects: 1_000_000}},
		Log:   Log{MaxSize: 256 << 20, Sample: 1, Ring: 16 << 20},
		TLS:   ServerTLS{Handshakes: Handshakes{Open: 4096, PerSource: 64, Queue: 1024}},
		ACME:  ACME{Authorities: []Authority{{Directory: LetsEncrypt}}},
	}
}
