package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	// checkInterval is how often, on average, a certificate is looked at whether it has to be renewed.
	checkInterval = 10 * time.Minute
	// retryFirst is about how long the first failure is waited out, retryMax how long any is. Let's Encrypt allows five failures an
	// hour.
	retryFirst = 2 * time.Minute
	retryMax   = 6 * time.Hour
)

// Eligible tells whether an authority may be asked for a host's certificate: a name of at least two labels that is neither a wildcard nor
// an address, nor for this machine or link alone (RFC 6761 §6.3, RFC 6762 §3).
func Eligible(host string) bool {
	host = strings.ToLower(host)
	if _, err := netip.ParseAddr(host); err == nil || len(host) > 253 || !strings.Contains(host, ".") {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
		last = label
	}
	return last != "localhost" && last != "local"
}

// host is one that wants a certificate. What may change is locked by its manager.
type host struct {
	name   string
	cancel context.CancelFunc
	wake   chan struct{} // the account is another

	certificate *tls.Certificate
	err         error
	next        time.Time
}

// tend keeps a host's certificate in force until ctx ends.
func (m *Manager) tend(ctx context.Context, h *host) {
	for failures := 0; ; {
		c, err := m.attempt(ctx, h.name, failures)
		if ctx.Err() != nil {
			return
		}
		wait := checkInterval/2 + rand.N(checkInterval)
		if err != nil {
			wait = backoff(failures)
			failures++
		} else {
			failures = 0
		}
		m.settle(h, c, err, wait)
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			failures = 0
		case <-time.After(wait):
		}
	}
}

// backoff is how long to wait after so many failures before the last one: twice as long each time, and a little at random.
func backoff(failures int) time.Duration {
	wait := min(retryFirst<<min(failures, 10), retryMax)
	return wait - wait/8 + rand.N(wait/4)
}

// attempt obtains or renews a host's certificate if it has to be. It returns the one to use, with an error perhaps.
func (m *Manager) attempt(ctx context.Context, name string, failures int) (*tls.Certificate, error) {
	select {
	case m.busy <- struct{}{}:
		defer func() { <-m.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	config := m.config
	m.mu.Unlock()
	t := &try{first: failures == 0}
	err := config.ManageSync(context.WithValue(ctx, tryKey{}, t), []string{name})
	if err != nil && t.err != nil {
		err = t.err // certmagic returns the last authority's only
	}
	c, loadErr := m.load(ctx, config, name)
	if err == nil {
		err = loadErr
	}
	return c, err
}

// load reads a host's certificate from disk. A pair that makes no certificate is removed, to be obtained anew.
func (m *Manager) load(ctx context.Context, config *certmagic.Config, name string) (*tls.Certificate, error) {
	// What is in certmagic's memory it takes for tended to, and would look at no more.
	defer m.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
	c, err := config.CacheManagedCertificate(ctx, name)
	if err == nil {
		return &c.Certificate, nil
	}
	var disk *fs.PathError
	if !errors.As(err, &disk) && ctx.Err() == nil {
		for _, i := range config.Issuers {
			err = errors.Join(err, m.storage.Delete(ctx, certmagic.StorageKeys.CertsSitePrefix(i.IssuerKey(), name)))
		}
	}
	return nil, fmt.Errorf("reading the certificate of %s: %w", name, err)
}

// settle notes how an attempt went.
func (m *Manager) settle(h *host, c *tls.Certificate, err error, wait time.Duration) {
	m.mu.Lock()
	if m.hosts[h.name] != h {
		m.mu.Unlock()
		return
	}
	fresh := c != nil && (h.certificate == nil || !c.Leaf.Equal(h.certificate.Leaf))
	if fresh {
		h.certificate = c
		issued := maps.Clone(*m.issued.Load())
		issued[h.name] = c
		m.issued.Store(&issued)
	}
	h.err, h.next = err, time.Now().Add(wait)
	m.mu.Unlock()
	if fresh {
		m.log.Info("certificate issued", "host", h.name, "issuer", issuer(c), "not_after", c.Leaf.NotAfter)
	}
	if err != nil {
		m.log.Warn("no certificate obtained", "host", h.name, "error", err, "again", h.next.Round(time.Second))
	}
}
