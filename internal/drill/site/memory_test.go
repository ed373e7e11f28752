package site

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
)

// fixed is the content of every site.
var fixed = sync.OnceValue(NewContent)

// memoryListener is a network of one listener inside a synctest bubble.
type memoryListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
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

// from is a connection that knows its source.
type from struct {
	net.Conn
	source netip.Addr
}

func (c from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.source, 1024))
}

// startInMemory serves a site until the test ends, and returns it with a client that asks it from 127.16.0.1. The client
// follows no redirects.
func startInMemory(t *testing.T, config Config, truth Truth) (*Site, *http.Client) {
	t.Helper()
	l := &memoryListener{accept: make(chan net.Conn), closed: make(chan struct{})}
	s, err := Serve(config, l, "harbour.test", fixed(), truth)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.accept <- from{server, netip.MustParseAddr("127.16.0.1")}
		return client, nil
	}
	c := &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1024},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}
