package hello

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// certificates are the configured ones, by the names in them, which may begin with "*.". The first is the default.
type certificates struct {
	all      []*tls.Certificate
	byName   map[string][]*tls.Certificate
	standard []*tls.Certificate // the default, and those with its first name: it may come with keys of two kinds
}

// parse reads key pairs. One that can't be read is among the problems, and left out.
func parse(pairs []spec.Certificate) (c *certificates, problems []error) {
	c = &certificates{byName: make(map[string][]*tls.Certificate)}
	for i, p := range pairs {
		pair, err := tls.X509KeyPair([]byte(p.Chain), []byte(p.Key))
		if err != nil {
			problems = append(problems, fmt.Errorf("reading certificate %d of %d: %w", i+1, len(pairs), err))
			continue
		}
		c.all = append(c.all, &pair)
		for _, name := range pair.Leaf.DNSNames {
			name = strings.ToLower(name)
			c.byName[name] = append(c.byName[name], &pair)
		}
	}
	if len(c.all) > 0 {
		c.standard = c.all[:1]
		if names := c.all[0].Leaf.DNSNames; len(names) > 0 {
			c.standard = c.byName[strings.ToLower(names[0])]
		}
	}
	return c, problems
}

// choose finds the certificate for a server name, or for a client that gives none; nil if there is none that the client can use. One
// that is not valid now is the last resort.
func (c *certificates) choose(name string, hello *tls.ClientHelloInfo, now time.Time) *tls.Certificate {
	if name == "" {
		return usable(c.standard, hello, now)
	}
	exact := usable(c.byName[name], hello, now)
	if exact != nil && valid(exact, now) || len(c.byName) == 0 {
		return exact
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if wild := usable(c.byName["*."+parent], hello, now); wild != nil && (exact == nil || valid(wild, now)) {
			return wild
		}
	}
	return exact
}

// usable is the best of those whose key the client can verify: one that is valid now before others, then one that does not take RSA, whose
// signatures cost thirty times as much, then the first.
func usable(certificates []*tls.Certificate, hello *tls.ClientHelloInfo, now time.Time) (found *tls.Certificate) {
	best := 0
	for _, c := range certificates {
		worth := 1
		if valid(c, now) {
			worth += 2
		}
		if c.Leaf.PublicKeyAlgorithm != x509.RSA {
			worth++
		}
		if worth > best && hello.SupportsCertificate(c) == nil {
			found, best = c, worth
		}
	}
	return found
}

// valid tells whether a certificate's time has begun and not ended (RFC 5280 §4.1.2.5).
func valid(c *tls.Certificate, now time.Time) bool {
	return !now.Before(c.Leaf.NotBefore) && !now.After(c.Leaf.NotAfter)
}
