package play

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pires/go-proxyproto"
)

// site is an origin. What it counts outlives its being stopped and started.
type site struct {
	name    string
	network string
	address string
	proxied bool
	http2   bool // and nothing else
	server  *http.Server
	epoch   atomic.Int64 // even while the site is up; one more at each stop and each start

	mu          sync.Mutex
	asked       map[string]int // requests by path
	now, peak   int            // requests in progress, and the most there were
	gone        int            // clients that left while they were held
	connections int            // that brought a request
	gate        chan struct{}  // closed when those who are held may go on
}

// origin starts and watches a server to protect: the first, the second or the third. It sets $ORIGIN and $PORT, or $ORIGIN2 and so on,
// and keeps its address for ever.
func origin(number int) command {
	return func(p *play, args []string) error {
		s := p.sites[number]
		switch {
		case s == nil && len(args) == 0:
			return p.openSite(number, "")
		case s == nil && len(args) == 1:
			return p.openSite(number, args[0])
		case s == nil:
			return errUsage
		case len(args) == 2 && args[0] == "sees":
			return s.sees(args[1])
		case len(args) != 1:
			return errUsage
		}
		switch args[0] {
		case "start":
			return s.start()
		case "stop":
			s.stop()
		case "release":
			s.release()
		case "counts":
			fmt.Fprint(p.Stdout(), s.counts())
		default:
			return errUsage
		}
		return nil
	}
}

// openSite opens a site of a kind: on a port, on a unix socket, on a port where every connection begins with a PROXY header, or on one where
// it begins with HTTP/2's preface.
func (p *play) openSite(number int, kind string) error {
	s := &site{name: [...]string{"one", "two", "three"}[number], asked: make(map[string]int), gate: make(chan struct{})}
	s.epoch.Store(-1)
	suffix := ""
	if number > 0 {
		suffix = strconv.Itoa(number + 1)
	}
	var url string
	switch kind {
	case "", "proxy", "h2":
		address, err := p.reserve()
		if err != nil {
			return err
		}
		s.network, s.address, s.proxied, s.http2 = "tcp", address, kind == "proxy", kind == "h2"
		_, port, _ := net.SplitHostPort(address)
		p.Setenv("PORT"+suffix, port)
		url = "http://" + address
	case "unix":
		s.network, s.address = "unix", p.MkAbs("origin"+suffix+".sock")
		url = "unix:" + s.address
	default:
		return errUsage
	}
	p.sites[number] = s
	p.Setenv("ORIGIN"+suffix, url)
	return s.start()
}

func (s *site) start() error {
	l, err := net.Listen(s.network, s.address)
	if err != nil {
		return err
	}
	if s.proxied {
		l = &proxyproto.Listener{Listener: l, ReadHeaderTimeout: patience}
	}
	s.server = &http.Server{Handler: s.counted(s.routes()), ConnContext: countFirst, Protocols: new(http.Protocols)}
	s.server.Protocols.SetUnencryptedHTTP2(s.http2)
	s.server.Protocols.SetHTTP1(!s.http2)
	go s.server.Serve(l)
	s.epoch.Add(1)
	return nil
}

// stop is a crash: whoever is being served is cut off.
func (s *site) stop() {
	s.epoch.Add(1)
	if s.server != nil {
		s.server.Close()
	}
}

// up tells whether the site is up, and which time around.
func (s *site) up() (epoch int64, ok bool) {
	epoch = s.epoch.Load()
	return epoch, epoch%2 == 0
}

func (s *site) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
	s.gate = make(chan struct{})
}

// hold waits until the story releases those who are held, and reports false if the client left before.
func (s *site) hold(r *http.Request) bool {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	select {
	case <-gate:
		return true
	case <-r.Context().Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone++
		return false
	}
}

// counted counts requests, apart from WebSockets, which have a cap of their own.
func (s *site) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		if first, ok := r.Context().Value(firstRequest{}).(*sync.Once); ok {
			first.Do(func() { s.connections++ })
		}
		if r.Header.Get("Upgrade") == "" {
			s.now++
			s.peak = max(s.peak, s.now)
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.now--
			}()
		}
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

type firstRequest struct{}

// countFirst lets a connection be counted with its first request, so that one which only looks whether we are there is not.
func countFirst(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, firstRequest{}, new(sync.Once))
}

// counts is what the site has counted, a line each.
func (s *site) counts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(s.asked)) {
		fmt.Fprintf(&b, "%s %d\n", path, s.asked[path])
	}
	fmt.Fprintf(&b, "now %d\npeak %d\ngone %d\nconnections %d\n", s.now, s.peak, s.gone, s.connections)
	return b.String()
}

func (s *site) sees(pattern string) error {
	want, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	if err := until("the origin sees "+pattern, func() bool { return want.MatchString(s.counts()) }); err != nil {
		return fmt.Errorf("%w\n%s", err, s.counts())
	}
	return nil
}
