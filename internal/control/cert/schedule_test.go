package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/seawall/seawall/internal/spec"
)

// instant is an authority that issues without asking anything, in no time.
type instant struct {
	key      *ecdsa.PrivateKey
	lifetime time.Duration

	mu      sync.Mutex
	refuses bool
	issued  []time.Time
	refused []time.Time
}

func newInstant(t *testing.T, lifetime time.Duration) *instant {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &instant{key: key, lifetime: lifetime}
}

// IssuerKey implements [certmagic.Issuer].
func (*instant) IssuerKey() string { return "instant" }

// Issue implements [certmagic.Issuer].
func (i *instant) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuses {
		i.refused = append(i.refused, time.Now())
		return nil, errors.New("not today")
	}
	i.issued = append(i.issued, time.Now())
	c := &x509.Certificate{SerialNumber: big.NewInt(int64(len(i.issued))), DNSNames: csr.DNSNames, NotBefore: time.Now(), NotAfter: time.Now().Add(i.lifetime)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, csr.PublicKey, i.key)
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

func (i *instant) refuse(refuses bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refuses = refuses
}

// times are when it issued, and when it refused to.
func (i *instant) times() (issued, refused []time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.issued), slices.Clone(i.refused)
}

// scheduled is a manager that has one host's certificates from i.
func scheduled(t *testing.T, i *instant) *Manager {
	t.Helper()
	m := New(t.TempDir(), slog.New(slog.DiscardHandler))
	t.Cleanup(m.Close)
	m.account = spec.ACME{Email: "operator@example.test"}
	m.use([]certmagic.Issuer{i})
	if problems := m.Manage(m.account, []string{"a.test"}); problems != nil {
		t.Fatal(problems)
	}
	synctest.Wait()
	return m
}

// TestRenewedInTime: a certificate is renewed in the last third of its life, again and again.
func TestRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lifetime = 24 * time.Hour
		i := newInstant(t, lifetime)
		m := scheduled(t, i)
		hello := &tls.ClientHelloInfo{ServerName: "a.test"}
		for n := 1; n <= 4; n++ {
			synctest.Wait()
			at, _ := i.times()
			if c := m.Certificate(hello); c == nil || c.Leaf.SerialNumber.Int64() != int64(n) || len(at) != n {
				t.Fatalf("got %+v after %d issues, want serial number %d", c, len(at), n)
			}
			begun := at[n-1]
			time.Sleep(time.Until(begun.Add(lifetime * 2 / 3)))
			synctest.Wait()
			if at, _ := i.times(); len(at) != n {
				t.Fatalf("renewed after %v", at[n].Sub(begun))
			}
			time.Sleep(2 * checkInterval)
		}
	})
}

// TestBackoff: failures are waited out, longer each time; the old certificate serves meanwhile, and the next success ends it.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInstant(t, 24*time.Hour)
		m := scheduled(t, i)
		i.refuse(true)
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		status := m.Status()[0]
		if status.Err == nil || status.NotAfter.IsZero() || m.Certificate(&tls.ClientHelloInfo{ServerName: "a.test"}) == nil {
			t.Errorf("got %+v", status)
		}
		if !status.Next.After(time.Now()) {
			t.Errorf("the next attempt is said to be at %v, which is past", status.Next)
		}
		_, refused := i.times()
		want := retryFirst
		for n := 1; n < len(refused); n++ {
			if got := refused[n].Sub(refused[n-1]); got < want*3/4 || got > want*5/4 {
				t.Errorf("wait %d: got %v, want about %v", n, got, want)
			}
			want = min(2*want, retryMax)
		}
		if n := len(refused); n < 9 || n > 12 {
			t.Errorf("got %d attempts in 14 hours", n)
		}
		i.refuse(false)
		time.Sleep(retryMax * 5 / 4)
		synctest.Wait()
		if at, _ := i.times(); len(at) != 2 {
			t.Errorf("got %d issues, want 2", len(at))
		}
		if status := m.Status()[0]; status.Err != nil || status.NotAfter.Before(time.Now()) {
			t.Errorf("got %+v", status)
		}
	})
}

// TestManyHosts: hosts that fail keep no place that others need.
func TestManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInstant(t, 24*time.Hour)
		i.refuse(true)
		m := scheduled(t, i)
		hosts := []string{"last.test"}
		for n := range 3 * busyMax {
			hosts = append(hosts, string(rune('a'+n/26))+string(rune('a'+n%26))+".test")
		}
		m.Manage(m.account, hosts[1:])
		synctest.Wait()
		i.refuse(false)
		m.Manage(m.account, hosts)
		synctest.Wait()
		if m.Certificate(&tls.ClientHelloInfo{ServerName: "last.test"}) == nil {
			t.Error("got no certificate while others wait for their next attempt")
		}
	})
}

func BenchmarkCertificate(b *testing.B) {
	m := New(b.TempDir(), slog.New(slog.DiscardHandler))
	defer m.Close()
	m.issued.Store(&map[string]*tls.Certificate{"www.example.org": {}})
	hello := &tls.ClientHelloInfo{ServerName: "www.example.org", SupportedProtos: []string{"h2", "http/1.1"}}
	b.ReportAllocs()
	for b.Loop() {
		if m.Certificate(hello) == nil {
			b.Fatal("none")
		}
	}
}

func BenchmarkChallenge(b *testing.B) {
	m := New(b.TempDir(), slog.New(slog.DiscardHandler))
	defer m.Close()
	m.challenges.change(func(byHost map[string]challenge) { byHost["www.example.org"] = challenge{path: "/a", answer: "b"} })
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Challenge("www.example.org", "/.well-known/acme-challenge/token"); ok {
			b.Fatal("answered")
		}
	}
}
