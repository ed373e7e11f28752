package main

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is asked beside a flood is answered, and so are its hellos.
func TestWithstand(t *testing.T) {
	site, address := serve(t, true)
	l, err := site.withstand(t.Context(), address, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if l.requests != 2*20 || l.quiet.p99 <= 0 || l.latency.p99 <= 0 || l.hellos <= 0 {
		t.Errorf("got %+v, want 20 requests quiet and 20 beside hellos", l)
	}
}

// The hellos are real, and come from many addresses.
func TestFloodHellos(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := startFlood(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	sources := map[string]bool{}
	for range 3 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		sources[host] = true
		var versions []uint16
		tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			versions = hello.SupportedVersions
			return nil, net.ErrClosed
		}}).Handshake()
		c.Close()
		if !slices.Contains(versions, tls.VersionTLS13) {
			t.Errorf("got a hello for versions %x", versions)
		}
	}
	if len(sources) != 3 {
		t.Errorf("got hellos from %v, want three addresses", sources)
	}
}

// Nobody answers: the flood fails when it is stopped.
func TestFloodSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := startFlood(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.stop(); err == nil || !strings.Contains(err.Error(), "hellos was answered") {
		t.Errorf("got error %v, want one about hellos", err)
	}
	if f, err := startFlood(t.Context(), "192.0.2.1:443"); err == nil {
		f.stop()
		t.Error("flooded another address than the loopback's")
	}
}
