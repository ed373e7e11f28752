package cert

import (
	"context"
	"crypto/tls"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// alpnProtocol is what an authority that validates a name over TLS speaks (RFC 8737 §4).
const alpnProtocol = acmez.ACMETLS1Protocol

// challenges are those that authorities have set and not yet seen answered, at most one for each busy host. It is acmez' solver.
type challenges struct {
	mu     sync.Mutex
	byHost atomic.Pointer[map[string]challenge] // never changed; nil is empty
}

// challenge is one that is answered over HTTP, at a path (RFC 8555 §8.3), or else over TLS.
type challenge struct {
	path, answer string
	certificate  *tls.Certificate
}

func (c *challenges) get(host string) challenge {
	if byHost := c.byHost.Load(); byHost != nil {
		return (*byHost)[host]
	}
	return challenge{}
}

func (c *challenges) change(how func(byHost map[string]challenge)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[string]challenge)
	if byHost := c.byHost.Load(); byHost != nil {
		maps.Copy(next, *byHost)
	}
	how(next)
	c.byHost.Store(&next)
}

// Present implements [acmez.Solver].
func (c *challenges) Present(_ context.Context, set acme.Challenge) error {
	answer := challenge{path: set.HTTP01ResourcePath(), answer: set.KeyAuthorization}
	if set.Type == acme.ChallengeTypeTLSALPN01 {
		certificate, err := acmez.TLSALPN01ChallengeCert(set)
		if err != nil {
			return err
		}
		answer = challenge{certificate: certificate}
	}
	c.change(func(byHost map[string]challenge) { byHost[set.Identifier.Value] = answer })
	return nil
}

// CleanUp implements [acmez.Solver].
func (c *challenges) CleanUp(_ context.Context, set acme.Challenge) error {
	c.change(func(byHost map[string]challenge) { delete(byHost, set.Identifier.Value) })
	return nil
}
