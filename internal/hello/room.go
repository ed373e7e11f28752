// Package hello is the TLS handshake: it chooses a certificate and names the client.
//
// It learns the server name that the client asks for and writes [flow.Conn.TLS]. Certificates are those that the operator configured,
// which can be replaced while it serves; then those that an authority issued; for other names that a zone serves they are minted by a
// local authority in the data folder, at a bounded rate into a bounded least-recently-used cache, beyond which the default certificate
// serves. It fails by ending the handshake; a certificate that can't be read is reported when it is given, and the others serve.
package hello

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello/localca"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
)

const (
	// mintedKept bounds the minted certificates that are kept, mintRate and mintBurst how many are made a second.
	mintedKept = 1024
	mintRate   = 20
	mintBurst  = 100
	// renewBefore is how long before its end a minted certificate is replaced.
	renewBefore = 7 * 24 * time.Hour
)

// Options are what a room asks of others. Each is called in handshakes, on many goroutines at once, and must not wait.
type Options struct {
	// Issued, unless nil, returns the certificate that an authority issued for hello's server name, or nil. It is asked when no
	// configured certificate that is valid has the name. For a hello that offers nothing but the protocol [ALPNChallenge], it returns
	// the certificate that answers the authority's challenge, or nil.
	Issued func(hello *tls.ClientHelloInfo) *tls.Certificate
	// Serves, unless nil, tells whether a zone serves a host, in lower case. Others' certificates are not minted.
	Serves func(host string) bool
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
	config     *tls.Config
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
	problems = r.Use(node.Certificates)
	if r.ca, err = localca.Open(node.Data, now); err != nil {
		problems = append(problems, err)
	}
	r.config = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		GetConfigForClient: r.challenged,
		GetCertificate:     r.choose,
		// Full records from the first: responses are mostly larger than one packet, and each record costs.
		DynamicRecordSizingDisabled: true,
	}
	return r, problems
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

// Handshake shakes hands on raw and tells info what it learned. Deadlines are raw's. An authority's challenge ends with an error, too:
// its connection carries nothing (RFC 8737 §3).
func (r *Room) Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error) {
	c := tls.Server(raw, r.config)
	if err := apart(c.Handshake); err != nil {
		return nil, err
	}
	s := c.ConnectionState()
	if s.NegotiatedProtocol == ALPNChallenge {
		return nil, errors.Join(errChallenge, c.CloseWrite())
	}
	info.TLS = &flow.TLS{
		Version:    s.Version,
		Cipher:     s.CipherSuite,
		ServerName: strings.ToLower(s.ServerName),
		Protocol:   s.NegotiatedProtocol,
		Resumed:    s.DidResume,
	}
	return c, nil
}

// apart runs f on a stack that is gone when f returns: a handshake's is deep, and would stay with its connection for as long as that
// waits, which is 4 KiB and more. A fault is the caller's, as if it had called f itself.
func apart(f func() error) (err error) {
	var fault any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if fault = recover(); fault != nil {
				fault = fmt.Sprintf("%v, at\n%s", fault, debug.Stack())
			}
		}()
		err = f()
	}()
	if <-done; fault != nil {
		panic(fault)
	}
	return err
}

// challenged is the configuration for an authority that validates a name, if there is a challenge of that name to answer. Nobody else
// is offered its protocol.
func (r *Room) challenged(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if r.Issued == nil || len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != ALPNChallenge {
		return nil, nil
	}
	c := r.Issued(hello)
	if c == nil {
		return nil, nil
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{ALPNChallenge},
		Certificates:           []tls.Certificate{*c},
		SessionTicketsDisabled: true,
	}, nil
}

// choose finds a certificate: a configured one that names the host, else one that was issued, else a minted one, else the default. One
// whose time is over gives way to one that was issued, but not to one that is minted: its visitors should see what is wrong.
func (r *Room) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName) // crypto/tls takes no final dot
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
	return r.standard(now)
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
func (r *Room) standard(now time.Time) (*tls.Certificate, error) {
	if all := r.configured.Load().all; len(all) > 0 {
		return all[0], nil
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
