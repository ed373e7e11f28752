package drill

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// SiteConfig is the size of a site.
type SiteConfig struct {
	Workers int           // requests worked on at once
	Backlog int           // requests that wait for a worker; more get 503 at once
	Page    time.Duration // a worker's time for what a program makes: pages, searches, API, logins
	Asset   time.Duration // a worker's time for a file
}

// Capacity returns how many dynamic requests a second the site can answer.
func (c SiteConfig) Capacity() float64 { return float64(c.Workers) / c.Page.Seconds() }

func (c SiteConfig) validate() error {
	switch {
	case c.Workers < 1 || c.Workers > 1024:
		return fmt.Errorf("site: %d workers, want 1 to 1024", c.Workers)
	case c.Backlog < 0 || c.Backlog > 8192:
		return fmt.Errorf("site: backlog of %d, want 0 to 8192", c.Backlog)
	case c.Page <= 0 || c.Asset <= 0:
		return errors.New("site: service times must be more than 0")
	}
	return nil
}

// Site is a small newspaper's web site with a real limit: a request waits for one of its workers, occupies it for its
// service time (waiting, not computing), and beyond the backlog gets 503. Like most origins it does not notice that a
// client hung up before it writes the answer: abandoned requests are worked off all the same.
type Site struct {
	config  SiteConfig
	content *content
	counts  *counts
	key     []byte // signs sessions
	server  *http.Server
	addr    net.Addr

	workers chan struct{}
	waiting atomic.Int64
	closing chan struct{}

	mu       sync.Mutex // guards closed, and handlers' step from zero
	closed   bool
	handlers sync.WaitGroup
}

// StartSite starts a site on a free port of 127.0.0.1.
func StartSite(config SiteConfig) (*Site, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("site: %w", err)
	}
	s, err := serveSite(config, newContent(), l)
	if err != nil {
		l.Close()
	}
	return s, err
}

func serveSite(config SiteConfig, content *content, l net.Listener) (*Site, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Site{
		config: config, content: content, counts: newCounts(), key: sessionKey(), addr: l.Addr(),
		workers: make(chan struct{}, config.Workers), closing: make(chan struct{}),
	}
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

// URL returns where the site listens.
func (s *Site) URL() string { return "http://" + s.addr.String() }

// Counts returns what the site got so far.
func (s *Site) Counts() OriginCounts { return s.counts.snapshot(time.Now()) }

// Close stops the site and returns when its last handler has.
func (s *Site) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
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
	res := s.content.byPath[r.URL.Path]
	kind := pathKind(r, res)
	d := &departing{ResponseWriter: w, counts: s.counts, remaining: -1}
	s.counts.arrive(kind, r.RemoteAddr, r.Header.Values("X-Forwarded-For"), time.Now())
	defer d.leave()

	r.Body = http.MaxBytesReader(d, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(d, "bad form", http.StatusBadRequest)
		return
	}
	cost := s.config.Page
	if kind == "asset" || kind == "download" {
		cost = s.config.Asset
	}
	if !s.work(cost) {
		s.counts.overload()
		http.Error(d, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	if res != nil {
		serveResource(d, r, res)
		return
	}
	s.serveDynamic(d, r, kind)
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

// work occupies a worker for cost. It reports false if the backlog is full or the site closes.
func (s *Site) work(cost time.Duration) bool {
	select {
	case s.workers <- struct{}{}:
	default:
		if !s.await() {
			return false
		}
	}
	time.Sleep(cost)
	<-s.workers
	return true
}

// await waits in the backlog for a worker, first come, first served.
func (s *Site) await() bool {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > int64(s.config.Backlog) {
		return false
	}
	select {
	case s.workers <- struct{}{}:
		return true
	case <-s.closing:
		return false
	}
}

// departing counts a request out of the site just before the last bytes of its response are written: whoever has read
// the whole response may rely on the site having counted it out.
type departing struct {
	http.ResponseWriter
	counts    *counts
	remaining int64 // bytes of the body still to be written; -1: unknown
	left      bool
}

func (d *departing) WriteHeader(status int) {
	if n := d.Header().Get("Content-Length"); n != "" {
		d.remaining, _ = strconv.ParseInt(n, 10, 64) // written by us
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
		d.counts.depart()
	}
}
