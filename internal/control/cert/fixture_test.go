package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/control/cert/pebble"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/spec"
)

// site is a node as authorities and visitors see it: it answers over HTTP and TLS with what its manager knows.
type site struct {
	t             *testing.T
	folder        string
	http, tls     net.Listener
	manager       atomic.Pointer[Manager]
	journal       journal
	noHTTP, noTLS bool // what is closed to authorities
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir(), journal: make(journal, 1000)}
	for _, l := range []*net.Listener{&s.http, &s.tls} {
		var err error
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*l).Close() })
	}
	room, problems := hello.New(&spec.Node{Data: t.TempDir()}, hello.Options{Issued: func(hello *tls.ClientHelloInfo) *tls.Certificate {
		return s.manager.Load().Certificate(hello)
	}}, time.Now())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	go func() { _ = http.Serve(s.http, http.HandlerFunc(s.answer)) }()
	go s.shake(room)
	s.start()
	return s
}

// start has another manager take over the folder.
func (s *site) start() *Manager {
	s.t.Helper()
	if old := s.manager.Load(); old != nil {
		old.Close()
	}
	m := New(s.folder, slog.New(s.journal))
	s.manager.Store(m)
	s.t.Cleanup(m.Close)
	return m
}

func (s *site) answer(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	if answer, ok := s.manager.Load().Challenge(host, r.URL.Path); ok && !s.noHTTP {
		_, _ = io.WriteString(w, answer)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

func (s *site) shake(room *hello.Room) {
	for {
		raw, err := s.tls.Accept()
		if err != nil {
			return
		}
		go func() {
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(10 * time.Second))
			if c, err := room.Handshake(raw, &flow.Conn{}); err == nil {
				_, _ = io.Copy(io.Discard, c)
			}
		}()
	}
}

// visit returns the certificate that a visitor sees, which roots vouch for.
func (s *site) visit(host, roots string) *x509.Certificate {
	s.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(roots))
	c, err := tls.Dial("tcp", s.tls.Addr().String(), &tls.Config{ServerName: host, RootCAs: pool})
	if err != nil {
		s.t.Fatalf("%s: %v", host, err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// authority starts one that validates at the site. What is closed at the site, it finds closed.
func (s *site) authority(o pebble.Options) *pebble.Server {
	s.t.Helper()
	o.HTTPPort, o.TLSPort = s.http.Addr().(*net.TCPAddr).Port, s.tls.Addr().(*net.TCPAddr).Port
	if s.noTLS {
		o.TLSPort = o.HTTPPort // where nobody speaks TLS
	}
	p, err := pebble.Start(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Close)
	return p
}

// account is with authorities, in this order.
func account(authorities ...*pebble.Server) spec.ACME {
	a := spec.ACME{Email: "operator@example.test"}
	for _, p := range authorities {
		a.Authorities = append(a.Authorities, spec.Authority{Directory: p.Directory, CA: spec.PEM(p.CA)})
	}
	return a
}

// down is an authority that can't be reached.
func down(t *testing.T) spec.Authority {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return spec.Authority{Directory: "https://" + l.Addr().String() + "/dir"}
}

// manage manages hosts, and fails on problems.
func (s *site) manage(a spec.ACME, hosts ...string) {
	s.t.Helper()
	if problems := s.manager.Load().Manage(a, hosts); problems != nil {
		s.t.Fatal(problems)
	}
}

// again has a host looked at at once, as when its time has come.
func (s *site) again(host string) error {
	s.t.Helper()
	m := s.manager.Load()
	m.mu.Lock()
	h := m.hosts[host]
	m.mu.Unlock()
	c, err := m.attempt(s.t.Context(), host, 0)
	m.settle(h, c, err, time.Hour)
	return err
}

// status is that of one host.
func (s *site) status(host string) Status {
	s.t.Helper()
	for _, status := range s.manager.Load().Status() {
		if status.Host == host {
			return status
		}
	}
	s.t.Fatalf("%s is not managed", host)
	return Status{}
}

// journal gathers what a manager logs.
type journal chan slog.Record

// Enabled implements [slog.Handler].
func (journal) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements [slog.Handler].
func (j journal) Handle(_ context.Context, r slog.Record) error { j <- r; return nil }

// WithAttrs implements [slog.Handler].
func (j journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements [slog.Handler].
func (j journal) WithGroup(string) slog.Handler { return j }

const (
	issued      = "certificate issued"
	notObtained = "no certificate obtained"
)

// wait waits until each host was logged with a message. Others' lines are dropped.
func (s *site) wait(message string, hosts ...string) {
	s.t.Helper()
	left := make(map[string]bool)
	for _, h := range hosts {
		left[h] = true
	}
	end := time.After(30 * time.Second)
	for len(left) > 0 {
		select {
		case r := <-s.journal:
			r.Attrs(func(a slog.Attr) bool {
				if a.Key == "host" && r.Message == message {
					delete(left, a.Value.String())
				}
				if a.Key == "error" && r.Message != message {
					s.t.Logf("%s: %v", r.Message, a.Value)
				}
				return true
			})
		case <-end:
			s.t.Fatalf("%q was not logged for %v; %+v", message, left, s.manager.Load().Status())
		}
	}
}
