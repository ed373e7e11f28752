package hello

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// certificates are those from files, by the names in them, which may begin with "*.". The first is the default.
type certificates struct {
	all    []*tls.Certificate
	byName map[string][]*tls.Certificate
}

// read reads key pairs. One that can't be read is among the problems, and left out.
func read(pairs []spec.Certificate) (c certificates, problems []error) {
	c.byName = make(map[string][]*tls.Certificate)
	for _, p := range pairs {
		pair, err := tls.X509KeyPair([]byte(p.Chain), []byte(p.Key))
		if err != nil {
			problems = append(problems, fmt.Errorf("reading a certificate: %w", err))
			continue
		}
		c.all = append(c.all, &pair)
		for _, name := range pair.Leaf.DNSNames {
			name = strings.ToLower(name)
			c.byName[name] = append(c.byName[name], &pair)
		}
	}
	return c, problems
}

// choose finds the certificate for a server name, or for a client that gives none; nil if there is none that the client can use.
func (c *certificates) choose(name string, hello *tls.ClientHelloInfo) *tls.Certificate {
	if name == "" {
		return usable(c.all, hello)
	}
	if found := usable(c.byName[name], hello); found != nil {
		return found
	}
	if _, parent, ok := strings.Cut(name, "."); ok && len(c.byName) > 0 {
		return usable(c.byName["*."+parent], hello)
	}
	return nil
}

// usable is the first certificate with a key that the client can verify.
func usable(certificates []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, c := range certificates {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return nil
}
