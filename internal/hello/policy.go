package hello

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seawall/seawall/internal/spec"
)

// Policy is how hands are shaken for the hosts of a zone. A nil Policy is the usual one.
type Policy struct {
	id       string // of what it says, "" if that is the usual
	version  uint16
	denied   fingerprints
	clients  *x509.CertPool // authorities of clients; nil if none has to show anything
	required bool
	configs  atomic.Pointer[configs] // made when they are first wanted
}

// Compile makes a policy of what a zone says of HTTPS.
func Compile(z *spec.Zone) (*Policy, error) {
	h := &z.HTTPS
	p := &Policy{version: tls.VersionTLS12, denied: newFingerprints(h.DenyFingerprints), required: h.ClientCertificates.Required}
	switch h.MinVersion {
	case "", "1.2":
	case "1.3":
		p.version = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("https.min_version: %q is unknown: want 1.2 or 1.3", h.MinVersion)
	}
	if ca := h.ClientCertificates.CA; ca != "" {
		if p.clients = x509.NewCertPool(); !p.clients.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("https.client_certificates.ca: holds no certificate in PEM form")
		}
	}
	if p.version != tls.VersionTLS12 || len(p.denied) > 0 || p.clients != nil {
		p.id = identify(p, h)
	}
	return p, nil
}

// identify is a policy's id. It does not change as long as the zone says the same, so sessions outlive a restart.
func identify(p *Policy, h *spec.HTTPS) string {
	var denied []string
	for f := range p.denied {
		denied = append(denied, f.String())
	}
	slices.Sort(denied)
	said := fmt.Sprintf("%d\n%s\n", p.version, strings.Join(denied, ","))
	if p.clients != nil {
		said += fmt.Sprintf("%t\n%s", p.required, h.ClientCertificates.CA)
	}
	id := sha256.Sum256([]byte(said))
	return string(id[:])
}

// plain tells whether a policy is the usual one, as far as a handshake is concerned that was not refused.
func (p *Policy) plain() bool { return p == nil || p.version == tls.VersionTLS12 && p.clients == nil }

// Same tells whether two policies ask the same of clients. A request for a host whose policy is not the same as that of the server name is
// misdirected: its client may not have been admitted to that host (421, RFC 9110 §15.5.20).
func (p *Policy) Same(q *Policy) bool { return p.identity() == q.identity() }

func (p *Policy) identity() string {
	if p == nil {
		return ""
	}
	return p.id
}

// configs are a policy's configurations, beside that of the room which a handshake begins with.
type configs struct {
	beside             *tls.Config
	usually, classical *tls.Config
}

// config is the configuration for a handshake that began with another. It is the same as long as that is.
func (p *Policy) config(r *Room, begun *tls.Config, classical bool) *tls.Config {
	c := p.configs.Load()
	if c == nil || c.beside != begun {
		c = &configs{beside: begun, usually: p.newConfig(r.newConfig(groups), begun), classical: p.newConfig(r.newConfig(classicalGroups), begun)}
		p.configs.Store(c)
	}
	if classical {
		return c.classical
	}
	return c.usually
}

// newConfig makes c the policy's. The keys of tickets are those of begun.
func (p *Policy) newConfig(c, begun *tls.Config) *tls.Config {
	c.MinVersion = p.version
	if p.clients == nil {
		return c
	}
	c.ClientCAs, c.ClientAuth = p.clients, tls.VerifyClientCertIfGiven
	if p.required {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.VerifyConnection = p.verify
	mark := []byte("seawall policy " + p.id)
	c.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		session.Extra = append(session.Extra, mark)
		return begun.EncryptTicket(state, session)
	}
	c.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := begun.DecryptTicket(ticket, state)
		if err != nil || session == nil || !slices.ContainsFunc(session.Extra, func(e []byte) bool { return string(e) == string(mark) }) {
			return nil, err // another policy's: hands are shaken in full
		}
		return session, nil
	}
	return c
}

var errClientCertificate = errors.New("no certificate of the client's that is good for this zone")

// verify looks at a client's certificate again when its session is resumed: its time may be over. On a first handshake crypto/tls has just
// done so.
func (p *Policy) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		if p.required {
			return errClientCertificate
		}
		return nil
	}
	if !state.DidResume {
		return nil
	}
	o := x509.VerifyOptions{Roots: p.clients, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := state.PeerCertificates[0].Verify(o); err != nil {
		return fmt.Errorf("%w: %w", errClientCertificate, err)
	}
	return nil
}
