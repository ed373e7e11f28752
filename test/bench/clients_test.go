package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve answers the test's site, and says what a site is that has the same file.
func serve(t *testing.T, secure bool) (*site, string) {
	t.Helper()
	body := strings.Repeat("seawall\n", 128)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cacheable/1024" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, body)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s := scenario{client: handshaking, size: len(body), cacheable: true, tls: secure}
	return &site{scenario: s, path: "/cacheable/1024", body: []byte(body)}, server.Listener.Addr().String()
}

func TestShakeHands(t *testing.T) {
	site, address := serve(t, true)
	l, err := site.load(t.Context(), address, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if l.requests < handshakers || l.elapsed < 50*time.Millisecond || l.refused > 0 {
		t.Errorf("got %+v, want one request of each client at least, in 50 ms", l)
	}
	site.scenario.resume = true
	if l, err = site.load(t.Context(), address, 50*time.Millisecond); err != nil || l.requests < handshakers {
		t.Errorf("resuming: got %+v and error %v, want one request of each client at least", l, err)
	}
	site.path = "/missing"
	if _, err := site.load(t.Context(), address, time.Second); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("got error %v of a wrong answer, want status 404", err)
	}
}

func TestHold(t *testing.T) {
	for _, how := range []string{"plain", "over TLS", "over HTTP/2"} {
		site, address := serve(t, how != "plain")
		if how == "over HTTP/2" {
			site, address = serveHTTP2(t, 1<<10, true)
		}
		h, err := site.hold(t.Context(), address, 70, 7)
		if err != nil {
			t.Fatal(err)
		}
		defer h.close()
		sources := map[string]int{}
		for _, c := range h {
			host, _, err := net.SplitHostPort(c.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			sources[host]++
		}
		if len(h) != 70 || len(sources) != 7 {
			t.Errorf("%s: got %d connections from %v, want 70 from 7 addresses", how, len(h), sources)
		}
		if err := h.open(); err != nil {
			t.Error(err)
		}
	}
}

// A server that closes what waits is found out, whatever it says first.
func TestHoldClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr)
	var h held
	for range 3 {
		c, err := net.DialTCP("tcp", nil, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		other, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := io.WriteString(other, strings.Repeat(".", len(h))); err != nil {
			t.Fatal(err)
		}
		if len(h) > 0 {
			other.Close()
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		h = append(h, c)
	}
	if _, err := h[1].Read(make([]byte, 1)); err != io.EOF { // the end has arrived
		t.Fatal(err)
	}
	if err := h.open(); err == nil || !strings.Contains(err.Error(), "closed 2 of 3") {
		t.Errorf("got error %v, want 2 of 3 closed", err)
	}
}

func TestReconnect(t *testing.T) {
	tests := []struct {
		name    string
		each    func(*net.TCPConn)
		refused bool
	}{
		{"reset", func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, true},
		{"close unread", func(c *net.TCPConn) { c.Close() }, true},
		{"read and close", func(c *net.TCPConn) { c.Read(make([]byte, 64)); c.Close() }, true},
		{"answer", func(c *net.TCPConn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			c.CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					tt.each(c.(*net.TCPConn))
				}
			}()
			got, err := reconnect(t.Context(), l.Addr().String(), []byte("GET / HTTP/1.1\r\n\r\n"), 50*time.Millisecond)
			l.Close()
			<-done
			if err != nil {
				t.Fatal(err)
			}
			if got.requests == 0 || got.elapsed < 50*time.Millisecond {
				t.Errorf("got %+v, want some requests in 50 ms", got)
			}
			if all := got.refused == got.requests; all != tt.refused || !tt.refused && got.refused > 0 {
				t.Errorf("got %d of %d refused, want all: %t", got.refused, got.requests, tt.refused)
			}
		})
	}
}

// The client that opens connections as fast as it can does so to the loopback alone.
func TestReconnectElsewhere(t *testing.T) {
	for _, address := range []string{"192.0.2.1:80", "[::1]:80", "localhost:80", "127.0.0.1", ""} {
		if l, err := reconnect(t.Context(), address, nil, time.Second); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%q: got %+v and error %v, want an error about the loopback", address, l, err)
		}
	}
}
