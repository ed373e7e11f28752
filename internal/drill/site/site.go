package site

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const maxRequestBody = 64 << 10

// Truth knows who sent a request. It is asked once a request, when it arrives; target is the request's as it came.
type Truth func(source netip.Addr, method, target string) Who

// Site is a running site.
type Site struct {
	config  Config
	content *Content
	sitemap *Resource
	truth   Truth
	counts  *counts
	staff   *staff
	key     []byte // signs cookies
	visits  atomic.Uint64
	sockets atomic.Int64
	server  *http.Server
	addr    net.Addr

	ctx      context.Context // ends when the site closes
	cancel   context.CancelFunc
	mu       sync.Mutex // guards closed, and handlers' step from zero
	closed   bool
	handlers sync.WaitGroup
}

// Start starts a site on listen ("127.0.0.1:0"). It is called host in what it says of itself, and answers by whatever
// name it is asked. Without a truth everybody is Unknown.
func Start(c Config, listen, host string, content *Content, truth Truth) (*Site, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("site: %w", err)
	}
	s, err := Serve(c, l, host, content, truth)
	if err != nil {
		_ = l.Close()
	}
	return s, err
}

// Serve is Start on a listener, which the site closes with itself.
func Serve(c Config, l net.Listener, host string, content *Content, truth Truth) (*Site, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := newSite(c, host, content, truth)
	s.addr = l.Addr()
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.handlers.Go(func() { _ = s.server.Serve(l) })
	return s, nil
}

// newSite makes a site that does not listen yet.
func newSite(c Config, host string, content *Content, truth Truth) *Site {
	if truth == nil {
		truth = func(netip.Addr, string, string) Who { return Unknown }
	}
	s := &Site{
		config: c, content: content, truth: truth, counts: newCounts(time.Now()), staff: newStaff(c), key: make([]byte, 32),
		sitemap: newResource(SitemapPath, Sitemap, "application/xml", cacheFile, content.Sitemap(host)),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	_, _ = rand.Read(s.key) // never fails (crypto/rand)
	return s
}

// URL returns where the site listens.
func (s *Site) URL() string { return "http://" + s.Addr() }

// Addr returns the address that the site listens on, with its port.
func (s *Site) Addr() string { return s.addr.String() }

// Counts returns what the site got since it started.
func (s *Site) Counts() Counts { return s.counts.snapshot() }

// Moments returns what the site got in each quarter of a second since it started, of the first ten minutes. The last one
// is not over yet.
func (s *Site) Moments() []Moment { return s.counts.timeline(time.Now()) }

// Restart has counts and moments begin at zero. Who is in the site stays in.
func (s *Site) Restart() { s.counts.restart(time.Now()) }

// Close stops the site and returns when its last handler has.
func (s *Site) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.staff.close()
	err := s.server.Close()
	s.handlers.Wait()
	return err
}

// ServeHTTP counts the request, waits for a worker, and answers.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.handlers.Done()
	res := s.resource(r.URL.Path)
	kind := kindOf(r.URL.Path, res)
	d := &departing{ResponseWriter: w, counts: s.counts, remaining: -1}
	s.counts.arrive(kind, s.truth(client(r), r.Method, r.RequestURI), time.Now())
	defer d.leave()

	r.Body = http.MaxBytesReader(d, r.Body, maxRequestBody)
	if err := r.ParseForm(); err != nil {
		http.Error(d, "bad form", http.StatusBadRequest)
		return
	}
	if !s.staff.work(s.config.cost(kind)) {
		s.counts.overload(time.Now())
		http.Error(d, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	if res != nil {
		serveResource(d, r, res)
		return
	}
	s.serveDynamic(d, r, kind)
}

func (s *Site) resource(path string) *Resource {
	if path == SitemapPath {
		return s.sitemap
	}
	return s.content.Resource(path)
}

// enter reports whether the site still takes requests, and counts a handler in if so.
func (s *Site) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.handlers.Add(1)
	}
	return !s.closed
}

// sign authenticates what the site gave out itself.
func (s *Site) sign(what string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(what))
	return hex.EncodeToString(m.Sum(nil)[:12])
}

// departing counts a request out of the site just before the last bytes of its response are written: whoever has read
// the whole response may rely on the site having counted it out.
type departing struct {
	http.ResponseWriter
	counts    *counts
	remaining int64 // bytes of the body still to be written; -1: unknown
	left      bool
}

// Unwrap lets a WebSocket take the connection over.
func (d *departing) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *departing) WriteHeader(status int) {
	if n := d.Header().Get("Content-Length"); n != "" {
		d.remaining, _ = strconv.ParseInt(n, 10, 64) // written by us
	}
	switch {
	case d.remaining == 0, status == http.StatusNotModified, status == http.StatusNoContent, status == http.StatusSwitchingProtocols:
		d.leave() // there will be no body
	}
	d.ResponseWriter.WriteHeader(status)
}

func (d *departing) Write(p []byte) (int, error) {
	if d.remaining >= 0 {
		if d.remaining -= int64(len(p)); d.remaining <= 0 {
			d.leave()
		}
	}
	return d.ResponseWriter.Write(p)
}

// leave is called by the handler's goroutine only.
func (d *departing) leave() {
	if !d.left {
		d.left = true
		d.counts.depart(time.Now())
	}
}
