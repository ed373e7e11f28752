// Package hello is the TLS handshake: it chooses a certificate, names the client, and refuses before it costs.
//
// It learns the server name that the client asks for, its fingerprint (JA4) and, where a zone wants one, its certificate, and writes
// [flow.Conn.TLS]. Certificates are those that the operator configured, which can be replaced while it serves; then those that an authority
// issued; for other names that a zone serves they are minted by a local authority in the data folder, at a bounded rate into a bounded
// least-recently-used cache, beyond which the default certificate serves.
//
// A handshake ([Shake]) goes on in steps, on [workers]: it holds no thread while it waits for its client, and until its ClientHello is whole
// only those bytes, [ja4.MaxHello] and a record at most. Then lists and budgets are asked, and a place in a queue that is fair by source. Handshakes that were
// answered and are not complete are bounded for the node, where the one that has waited longest gives way, and for each source, where the
// newest is refused. Under pressure, the post-quantum key exchange is not offered. It fails by ending the handshake; a certificate that
// can't be read is reported when it is given, and the others serve.
package hello

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/hello/localca"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/ja4"
	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/workers"
)

const (
	// mintedKept bounds the minted certificates that are kept, mintRate and mintBurst how many are made a second.
	mintedKept = 1024
	mintRate   = 20
	mintBurst  = 100
	// renewBefore is how long before its end a minted certificate is replaced.
	renewBefore = 7 * 24 * time.Hour
	// niceness is that of the room's own workers.
	niceness = 10
)

// Options are what a room asks of others. Each is called in handshakes, on many goroutines at once, and must not wait.
type Options struct {
	// Issued, unless nil, returns the certificate that an authority issued for hello's server name, or nil. It is asked when no
	// configured certificate that is valid has the name. For a hello that offers nothing but the protocol [ALPNChallenge], it returns
	// the certificate that answers the authority's challenge, or nil.
	Issued func(hello *tls.ClientHelloInfo) *tls.Certificate
	// Serves, unless nil, tells whether a zone serves a host, in lower case. Others' certificates are not minted, and where names are
	// strict, their handshakes are refused. The host "" is that of clients that ask for none.
	Serves func(host string) bool
	// Policy, unless nil, returns the policy of the zone that serves a host, or nil for the usual one.
	Policy func(host string) *Policy
	// Workers run the handshakes. If nil, the room has its own, with the node's bound on the queue.
	Workers *workers.Pool
}

// ALPNChallenge is the protocol of an authority that validates a name over TLS (RFC 8737 §4).
const ALPNChallenge = "acme-tls/1"

var (
	errChallenge     = errors.New("an authority's challenge, which ends with its handshake")
	errNoCertificate = errors.New("no certificate at all")
)

// Room answers handshakes.
type Room struct {
	Options
	ownWorkers bool
	protocols  []string // that are offered (ALPN, RFC 7301), in the order of preference
	settings   atomic.Pointer[settings]
	tickets    tickets
	underway   underway
	classical  atomic.Bool // too many wait for the post-quantum key exchange
	counts     counters
	hellos     sync.Pool // of *ja4.Hello
	buffers    sync.Pool // of *[4096]byte, for Handshake

	configured atomic.Pointer[certificates]
	ca         *localca.CA // nil if it could not be opened
	minted     *lru
	minting    *limit.Meter
	own        atomic.Pointer[tls.Certificate] // minted for this machine's own names: the default where none is configured
}

// New reads the node's certificates and opens its local authority. What can't be read is among the problems, and done without.
func New(node *spec.Node, o Options, now time.Time) (r *Room, problems []error) {
	rate, err := limit.NewRate(mintRate, time.Second, mintBurst)
	if err != nil {
		panic(err) // the constants are right
	}
	r = &Room{Options: o, minted: newLRU(mintedKept), minting: limit.NewMeter(rate)}
	if r.protocols = []string{"http/1.1"}; node.HTTP2.Enabled {
		r.protocols = []string{"h2", "http/1.1"}
	}
	r.hellos.New = func() any { return new(ja4.Hello) }
	r.buffers.New = func() any { return new([4096]byte) }
	r.underway.sources = make(map[netip.Prefix]int)
	problems = r.Use(node.Certificates)
	if r.ca, err = localca.Open(node.Data, now); err != nil {
		problems = append(problems, err)
	}
	r.tickets.begin(now)
	problems = append(problems, r.Configure(&node.TLS)...)
	if r.Workers == nil {
		r.Workers, r.ownWorkers = workers.New(workers.Options{Queue: node.TLS.Handshakes.Queue, Nice: niceness}), true
	}
	return r, problems
}

// Close ends the workers, if they are the room's own, and with them the handshakes that are under way.
func (r *Room) Close() {
	r.tickets.end()
	if r.ownWorkers {
		r.Workers.Close()
	}
}

// Use replaces the configured certificates, of which the first is the default. Those that can't be read are among the problems, and left
// out. Handshakes see the old ones or the new; sessions can be resumed as before.
func (r *Room) Use(certificates []spec.Certificate) (problems []error) {
	set, problems := parse(certificates)
	r.configured.Store(set)
	return problems
}

// ownNames are what a client without a server name may know this machine by.
func ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && host != "localhost" && validName(strings.ToLower(host)) {
		names = append(names, strings.ToLower(host))
	}
	return names
}

// challenged is the configuration for an authority that validates a name, if there is a challenge of that name to answer. Nobody else
// is offered its protocol.
func (r *Room) challenged(hello *tls.ClientHelloInfo) *tls.Config {
	if r.Issued == nil || len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != ALPNChallenge {
		return nil
	}
	c := r.Issued(hello)
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		CipherSuites:           cipherSuites,
		CurvePreferences:       classicalGroups,
		NextProtos:             []string{ALPNChallenge},
		Certificates:           []tls.Certificate{*c},
		SessionTicketsDisabled: true,
	}
}

// choose finds a certificate: a configured one that names the host, else one that was issued, else a minted one, else the default. One
// whose time is over gives way to one that was issued, but not to one that is minted: its visitors should see what is wrong.
func (r *Room) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := normal(hello.ServerName)
	now := time.Now()
	configured := r.configured.Load().choose(name, hello, now)
	if configured != nil && valid(configured, now) {
		return configured, nil
	}
	if r.Issued != nil && name != "" {
		if c := r.Issued(hello); c != nil && valid(c, now) && hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	if configured != nil {
		return configured, nil
	}
	if r.ca != nil && validName(name) && (r.Serves == nil || r.Serves(name)) {
		if c, err := r.mint(name, now); c != nil || err != nil {
			return c, err
		}
	}
	return r.standard(hello, now)
}

// mint returns the certificate of name, making it if there is none and the rate allows it; else nil.
func (r *Room) mint(name string, now time.Time) (*tls.Certificate, error) {
	if c := r.minted.get(name); c != nil && lasting(c, now) {
		return c, nil
	}
	if ok, _ := r.minting.Take(1, now); !ok {
		return nil, nil
	}
	c, err := r.ca.Mint(now, name)
	if err == nil {
		r.minted.put(name, c)
	}
	return c, err
}

// standard is the default certificate: the first that is configured, else one minted for this machine.
func (r *Room) standard(hello *tls.ClientHelloInfo, now time.Time) (*tls.Certificate, error) {
	if set := r.configured.Load(); len(set.all) > 0 {
		return cmp.Or(set.choose("", hello, now), set.all[0]), nil
	}
	if r.ca == nil {
		return nil, errNoCertificate
	}
	if c := r.own.Load(); c != nil && lasting(c, now) {
		return c, nil
	}
	c, err := r.ca.Mint(now, ownNames()...)
	if err == nil {
		r.own.Store(c)
	}
	return c, err
}

func lasting(c *tls.Certificate, now time.Time) bool {
	return now.Add(renewBefore).Before(c.Leaf.NotAfter)
}

// validName tells whether a server name is a host name that a certificate can hold (RFC 6066 §3, RFC 1123 §2.1).
func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}
