// Package pebble is a certificate authority for tests: Let's Encrypt's pebble in this process, which speaks ACME (RFC 8555) and
// validates names at ports of the caller's choice.
//
// It resolves every name to 127.0.0.1. What it issues is trusted by nobody but those who are given its roots. It keeps all it issued in
// memory until the process ends, and fails only to start. Nothing but tests imports it.
package pebble

import (
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Options are what an authority is to be like.
type Options struct {
	// HTTPPort and TLSPort are where HTTP-01 and TLS-ALPN-01 challenges are validated, at 127.0.0.1; nothing need listen there.
	HTTPPort, TLSPort int
	// Lifetime is that of certificates, in whole seconds; 0 is 90 days.
	Lifetime time.Duration
	// Accounts are the HMAC keys, in base64url, by their ids, of which every account has to prove one (RFC 8555 §7.3.4); none if empty.
	Accounts map[string]string
	// Log gets what pebble says; nil discards it.
	Log io.Writer
}

// Server is an authority.
type Server struct {
	// Directory is the URL at which the protocol begins, and CA the certificate to trust there, in PEM form.
	Directory, CA string

	options Options
	server  *httptest.Server
	dns     *dns.Server
	inside  atomic.Pointer[inside]
	orders  atomic.Int64
	asked   atomic.Int64
}

// inside is what an authority knows.
type inside struct {
	db   *db.MemoryStore
	ca   *ca.CAImpl
	http http.Handler
}

// Start starts an authority. It sets variables of this process' environment, as pebble has no other settings for what makes it fast.
func Start(o Options) (*Server, error) {
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("starting pebble: %w", err)
		}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	s := &Server{options: o}
	if err := s.resolve(); err != nil {
		return nil, fmt.Errorf("starting pebble: %w", err)
	}
	if err := s.Forget(); err != nil {
		_ = s.dns.Shutdown()
		return nil, err
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Config.ErrorLog = log.New(o.Log, "", 0)
	s.server.StartTLS()
	s.Directory = s.server.URL + wfe.DirectoryPath
	s.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}))
	return s, nil
}

// Forget begins anew at the same URL, without accounts and with other roots.
func (s *Server) Forget() error {
	i := &inside{db: db.NewMemoryStore()}
	for id, key := range s.options.Accounts {
		if err := i.db.AddExternalAccountKeyByID(id, key); err != nil {
			return fmt.Errorf("starting pebble: account %s: %w", id, err)
		}
	}
	logger := log.New(s.options.Log, "", 0)
	profiles := map[string]ca.Profile{"default": {ValidityPeriod: uint64(s.options.Lifetime / time.Second)}}
	i.ca = ca.New(logger, i.db, "", "ecdsa", 0, 1, profiles)
	validating := va.New(logger, s.options.HTTPPort, s.options.TLSPort, true, s.dns.Listener.Addr().String(), i.db)
	front := wfe.New(logger, i.db, validating, i.ca, []string{"pebble.test"}, true, len(s.options.Accounts) > 0, 0, 0)
	i.http = front.Handler()
	s.inside.Store(i)
	return nil
}

// resolve answers for every name with 127.0.0.1.
func (s *Server) resolve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	s.dns = &dns.Server{
		Listener:          l,
		NotifyStartedFunc: func() { close(ready) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
			answer := new(dns.Msg).SetReply(query)
			if q := query.Question[0]; q.Qtype == dns.TypeA {
				header := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
				answer.Answer = []dns.RR{&dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)}}
			}
			_ = w.WriteMsg(answer)
		}),
	}
	go func() { _ = s.dns.ActivateAndServe() }()
	<-ready
	return nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if r.URL.Path == "/order-plz" {
		s.orders.Add(1)
	}
	s.inside.Load().http.ServeHTTP(w, r)
}

// Roots are the certificates to trust in what is issued, in PEM form.
func (s *Server) Roots() string { return string(s.inside.Load().ca.GetRootCert(0).PEM()) }

// Requests is how many requests there were.
func (s *Server) Requests() int { return int(s.asked.Load()) }

// Orders is how many certificates were asked for.
func (s *Server) Orders() int { return int(s.orders.Load()) }

// Replaced tells whether a later order named the certificate with this serial number as the one that it replaces (RFC 9773 §5).
func (s *Server) Replaced(serial *big.Int) bool {
	order, err := s.inside.Load().db.GetOrderByIssuedSerial(hex.EncodeToString(serial.Bytes()))
	if err != nil {
		return false
	}
	order.RLock()
	defer order.RUnlock()
	return order.IsReplaced
}

// Suggest sets when the certificate with this serial number should be renewed (RFC 9773 §4.2).
func (s *Server) Suggest(serial *big.Int, start, end time.Time) error {
	window := fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q}}`, start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	return s.inside.Load().db.SetARIResponse(serial, window)
}

// Close stops answering.
func (s *Server) Close() {
	s.server.Close()
	_ = s.dns.Shutdown()
}
