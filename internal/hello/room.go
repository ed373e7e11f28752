// Package hello is the TLS handshake: it chooses a certificate and names the client.
//
// It learns the server name that the client asks for and writes [flow.Conn.TLS]. Certificates come from the files that the operator
// names; for other names they are minted by a local authority in the data folder, at a bounded rate into a bounded
// least-recently-used cache, beyond which the default certificate serves. It fails by ending the handshake; a certificate that can't be
// read is reported at the start and the others serve.
package hello

import (
	"crypto/tls"
	"net"
	"os"
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

// Room answers handshakes.
type Room struct {
	config  *tls.Config
	files   certificates
	ca      *localca.CA // nil if it could not be opened
	minted  *lru
	minting *limit.Meter
	own     atomic.Pointer[tls.Certificate] // minted for this machine's own names: the default where there are no files
}

// New reads the node's certificates and opens its local authority. Certificates that can't be read are among the problems; err tells
// that no handshake can be answered at all.
func New(node *spec.Node, now time.Time) (r *Room, problems []error, err error) {
	rate, err := limit.NewRate(mintRate, time.Second, mintBurst)
	if err != nil {
		return nil, nil, err
	}
	r = &Room{minted: newLRU(mintedKept), minting: limit.NewMeter(rate)}
	r.files, problems = read(node.Certificates)
	r.ca, err = localca.Open(node.Data, now)
	if err != nil {
		if len(r.files.all) == 0 {
			return nil, problems, err
		}
		problems = append(problems, err)
	}
	r.config = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: r.choose,
		// Full records from the first: responses are mostly larger than one packet, and each record costs.
		DynamicRecordSizingDisabled: true,
	}
	return r, problems, nil
}

// ownNames are what a client without a server name may know this machine by.
func ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && host != "localhost" && validName(strings.ToLower(host)) {
		names = append(names, strings.ToLower(host))
	}
	return names
}

// Handshake shakes hands on raw and tells info what it learned. Deadlines are raw's.
func (r *Room) Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error) {
	c := tls.Server(raw, r.config)
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	s := c.ConnectionState()
	info.TLS = &flow.TLS{
		Version:    s.Version,
		Cipher:     s.CipherSuite,
		ServerName: strings.ToLower(s.ServerName),
		Protocol:   s.NegotiatedProtocol,
		Resumed:    s.DidResume,
	}
	return c, nil
}

// choose finds a certificate: from a file that names the host, else a minted one, else the default.
func (r *Room) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName) // crypto/tls takes no final dot
	if c := r.files.choose(name, hello); c != nil {
		return c, nil
	}
	now := time.Now()
	if r.ca != nil && validName(name) {
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

// standard is the default certificate: the first file's, else one minted for this machine.
func (r *Room) standard(now time.Time) (*tls.Certificate, error) {
	if len(r.files.all) > 0 {
		return r.files.all[0], nil
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
