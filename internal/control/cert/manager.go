package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/seawall/seawall/internal/spec"
)

// busyMax bounds the hosts that are busy with an authority or the disk at one time.
const busyMax = 16

// Manager has certificates for the hosts that it manages.
type Manager struct {
	log        *slog.Logger
	storage    storage
	cache      *certmagic.Cache
	challenges challenges
	busy       chan struct{}

	ctx     context.Context // of every host's goroutine
	cancel  context.CancelFunc
	tending sync.WaitGroup

	issued atomic.Pointer[map[string]*tls.Certificate] // by host; a map is never changed

	mu          sync.Mutex
	account     spec.ACME
	problems    []error // with the account
	authorities []*authority
	config      *certmagic.Config
	hosts       map[string]*host
}

// New returns a manager that keeps accounts, keys and certificates in a folder of its own, with mode 0700. The folder is made when it is
// needed. The manager has to be closed.
func New(folder string, log *slog.Logger) *Manager {
	m := &Manager{
		log:     log,
		storage: storage{&certmagic.FileStorage{Path: folder}},
		busy:    make(chan struct{}, busyMax),
		hosts:   make(map[string]*host),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.issued.Store(&map[string]*tls.Certificate{})
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		RenewCheckInterval: checkInterval,
		Logger:             zap.NewNop(),
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) {
			return nil, errors.New("renewed by the host's own goroutine") // which keeps certmagic from doing it, too
		},
	})
	m.use(nil)
	return m
}

// Manage takes hosts for those that want a certificate from now on, and account for that under which they are obtained; without its
// Email, none is. It may be called again at any time: who is no longer a host loses the certificate, who still is keeps it, and a new
// account is tried at once where the old one failed. When it returns, certificates obtained earlier are ready; it waits for the disk, not
// for the network. It returns what is wrong with authorities; the others are asked.
func (m *Manager) Manage(account spec.ACME, hosts []string) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return nil
	}
	if !reflect.DeepEqual(account, m.account) {
		m.change(account)
	}
	wanted := make(map[string]bool)
	for _, name := range hosts {
		wanted[strings.ToLower(name)] = account.Email != ""
	}
	issued := maps.Clone(*m.issued.Load())
	for name, h := range m.hosts {
		if !wanted[name] {
			h.cancel()
			delete(m.hosts, name)
			delete(issued, name)
		}
	}
	var begun []*host
	for name, want := range wanted {
		if want && m.hosts[name] == nil {
			h := &host{name: name, wake: make(chan struct{}, 1)}
			if c, err := m.load(m.ctx, m.config, name); err == nil {
				h.certificate, issued[name] = c, c
			}
			m.hosts[name] = h
			begun = append(begun, h)
		}
	}
	m.issued.Store(&issued)
	for _, h := range begun {
		var ctx context.Context
		ctx, h.cancel = context.WithCancel(m.ctx)
		m.tending.Go(func() { m.tend(ctx, h) })
	}
	return m.problems
}

// change asks other authorities, or under another account. m is locked.
func (m *Manager) change(account spec.ACME) {
	m.release()
	m.account, m.problems, m.authorities = account, nil, nil
	var issuers []certmagic.Issuer
	for _, s := range account.Authorities {
		a, err := m.newAuthority(s, account.Email)
		if err != nil {
			m.problems = append(m.problems, err)
			continue
		}
		m.authorities = append(m.authorities, a)
		issuers = append(issuers, a)
	}
	m.use(issuers)
	for _, h := range m.hosts {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// use has certificates obtained from issuers, in this order. m is locked, or new.
func (m *Manager) use(issuers []certmagic.Issuer) {
	m.config = certmagic.New(m.cache, certmagic.Config{
		Issuers:   append([]certmagic.Issuer{}, issuers...), // nil would be certmagic's own
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		Storage:   m.storage,
		OCSP:      certmagic.OCSPConfig{DisableStapling: true},
		Logger:    zap.NewNop(), // errors are returned, too
	})
}

// release gives back the connections of all authorities.
func (m *Manager) release() {
	for _, a := range m.authorities {
		a.client.HTTPClient.CloseIdleConnections()
	}
}

// Close ends all work, and waits for its end. Certificates stay.
func (m *Manager) Close() {
	m.mu.Lock()
	m.cancel()
	m.mu.Unlock()
	m.tending.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cache != nil {
		m.cache.Stop()
		m.cache = nil
	}
	m.release()
}

// Certificate returns the certificate that was issued for hello's server name, or nil. An authority that validates a name over TLS
// (RFC 8737) gets the certificate that answers its challenge, or nil. It never waits.
func (m *Manager) Certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := strings.ToLower(hello.ServerName)
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == alpnProtocol {
		return m.challenges.get(name).certificate
	}
	return (*m.issued.Load())[name]
}

// Challenge returns what an authority that asks for path, of a host in lower case without port, wants to hear (RFC 8555 §8.3), if it has
// a challenge pending. It never waits, and remembers nothing.
func (m *Manager) Challenge(host, path string) (answer string, ok bool) {
	c := m.challenges.get(host)
	return c.answer, c.path != "" && c.path == path
}

// Status is how it stands with a host's certificate.
type Status struct {
	Host string
	// Issuer is who issued it, and NotAfter when it ends; both are zero while there is none.
	Issuer   string
	NotAfter time.Time
	// Err is why the last attempt to obtain or renew it failed, nil if it did not.
	Err error
	// Next is when the next attempt is due, or the next look whether one is; zero while the first is under way.
	Next time.Time
}

// Status lists all hosts by name.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Status, 0, len(m.hosts))
	for _, h := range m.hosts {
		s := Status{Host: h.name, Err: h.err, Next: h.next}
		if h.certificate != nil {
			s.Issuer, s.NotAfter = issuer(h.certificate), h.certificate.Leaf.NotAfter
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Host, b.Host) })
	return list
}

func issuer(c *tls.Certificate) string {
	name := c.Leaf.Issuer
	return strings.Join(append(slices.Clone(name.Organization), name.CommonName), " ")
}
