package hello

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/ja4"
)

// settings are what the operator said, compiled. They are immutable.
type settings struct {
	strict          bool
	denied          fingerprints
	open, perSource int
	public          map[string]bool // names that hide others (ECH)
	// config is what every handshake begins with: it holds the keys of tickets and of ECH. classical takes its place under pressure.
	config, classical *tls.Config
}

// Configure replaces what the node's section says. Keys that can't be read are among the problems, and left out. Handshakes that have begun
// go on as they were; sessions can be resumed as before. The bound on the queue stays.
func (r *Room) Configure(node *spec.ServerTLS) (problems []error) {
	usual := spec.DefaultNode().TLS.Handshakes
	s := &settings{
		strict:    node.StrictNames,
		denied:    newFingerprints(node.DenyFingerprints),
		open:      cmp.Or(node.Handshakes.Open, usual.Open),
		perSource: cmp.Or(node.Handshakes.PerSource, usual.PerSource),
		public:    make(map[string]bool),
		config:    r.newConfig(groups),
		classical: r.newConfig(classicalGroups),
	}
	s.config.GetConfigForClient = r.configFor
	for i, pair := range node.ECH {
		key, name, err := pair.Parse()
		if err != nil {
			problems = append(problems, fmt.Errorf("reading tls.ech[%d]: %w", i, err))
			continue
		}
		key.SendAsRetry = len(s.public) == 0
		s.config.EncryptedClientHelloKeys = append(s.config.EncryptedClientHelloKeys, key)
		s.public[name] = true
	}
	r.tickets.seal(s.config)
	r.settings.Store(s)
	return problems
}

// groups are the key exchanges on offer: the post-quantum one that browsers have, then X25519 and the curves of NIST that are not slow.
// classicalGroups are those that cost least.
var (
	groups          = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
	classicalGroups = groups[1:]
)

// cipherSuites are those of TLS 1.2 with forward secrecy and authenticated encryption (RFC 9325 §4.2); TLS 1.3 has no others.
var cipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// newConfig is a configuration without keys of tickets: crypto/tls takes those of the one that the handshake began with.
func (r *Room) newConfig(groups []tls.CurveID) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		CipherSuites:     cipherSuites,
		CurvePreferences: groups,
		NextProtos:       r.protocols,
		GetCertificate:   r.choose,
		// Full records from the first: responses are mostly larger than one packet, and each record costs.
		DynamicRecordSizingDisabled: true,
	}
}

// configFor is the configuration for a client. If an Encrypted Client Hello was opened, it is the hello within, and the client has to be
// judged again.
func (r *Room) configFor(info *tls.ClientHelloInfo) (*tls.Config, error) {
	s := info.Conn.(*wire).shake
	if s.hello.hides {
		h := &s.hello
		h.name, h.client = normal(info.ServerName), ja4.Of(info, ja4.TCP)
		h.policy = r.policy(h.name)
		if refusal := r.refused(s.settings, h.policy, h.name, h.client); refusal != nil {
			return nil, refusal
		}
	}
	if c := r.challenged(info); c != nil {
		return c, nil
	}
	pressed := r.pressed()
	if pressed && slices.Contains(info.SupportedCurves, tls.X25519MLKEM768) {
		r.counts.classical.Add(1)
	}
	switch p := s.hello.policy; {
	case p.plain() && pressed:
		return s.settings.classical, nil
	case p.plain():
		return nil, nil
	default:
		return p.config(r, s.settings.config, pressed), nil
	}
}

// pressed tells whether so many wait that the post-quantum key exchange is too dear: from a quarter of the queue, until it is a sixteenth.
func (r *Room) pressed() bool {
	waiting, queue := r.Workers.Waiting(), r.Workers.Queue()
	pressed := r.classical.Load()
	switch {
	case !pressed && waiting > queue/4:
		pressed = true
	case pressed && waiting <= queue/16:
		pressed = false
	default:
		return pressed
	}
	r.classical.Store(pressed)
	return pressed
}

// policy is that of a name's zone, nil for the usual one.
func (r *Room) policy(name string) *Policy {
	if r.Policy == nil {
		return nil
	}
	return r.Policy(name)
}
