package drill

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"testing"
)

// fixed is the content of every site.
var fixed = sync.OnceValue(newContent)

// memoryListener is a network of one listener inside a synctest bubble.
type memoryListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{accept: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// dial is a dialer.
func (l *memoryListener) dial(ctx context.Context, source netip.Addr) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accept <- from{server, source}:
		return client, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// from is a connection that knows its source.
type from struct {
	net.Conn
	source netip.Addr
}

func (c from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.source, 1024))
}

// startSite serves a site in memory until the test ends.
func startSite(t *testing.T, config SiteConfig) (*Site, *memoryListener) {
	t.Helper()
	l := newMemoryListener()
	s, err := serveSite(config, fixed(), l)
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

// reverseProxy forwards to the site behind origin, adding X-Forwarded-For.
func reverseProxy(origin *memoryListener) *httputil.ReverseProxy {
	self := netip.MustParseAddr("127.0.0.1")
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "origin.test"})
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return origin.dial(ctx, self) },
			MaxIdleConnsPerHost: 1024,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}
