package sim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/seawall/seawall/internal/sim"
)

const server = "192.0.2.1:80"

// visitor dials from a port of the network's choice.
func visitor() netip.AddrPort { return netip.MustParseAddrPort("198.51.100.7:0") }

// connect lays the link and returns both ends of a connection over it.
func connect(t *testing.T, link sim.Link) (n *sim.Network, client, origin *sim.Conn) {
	t.Helper()
	n = new(sim.Network)
	if err := n.SetLink(server, link); err != nil {
		t.Fatal(err)
	}
	l := listen(t, n)
	c, err := n.Dial(t.Context(), visitor(), server)
	if err != nil {
		t.Fatal(err)
	}
	o, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return n, c.(*sim.Conn), o.(*sim.Conn)
}

func listen(t *testing.T, n *sim.Network) net.Listener {
	t.Helper()
	l, err := n.Listen(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// write fails the test unless all of s is written.
func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		t.Fatalf("write of %d bytes: %d, %v", len(s), n, err)
	}
}

// wantRead reads once, and wants these bytes.
func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if got := string(buf[:n]); got != want || err != nil {
		t.Fatalf("read: got %q, %v, want %q", got, err, want)
	}
}

// wantReadError reads once, and wants this error.
func wantReadError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Fatalf("read: got %d, %v, want 0, %v", n, err, want)
	}
}

func wantWriteError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if _, err := c.Write([]byte("x")); !errors.Is(err, want) {
		t.Fatalf("write: got %v, want %v", err, want)
	}
}

func wantPeerGone(t *testing.T, c *sim.Conn, want bool) {
	t.Helper()
	if got := c.PeerGone(); got != want {
		t.Fatalf("PeerGone: got %v, want %v", got, want)
	}
}

func wantElapsed(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Fatalf("elapsed: got %v, want %v", got, want)
	}
}

// bubble runs each test in a synctest bubble of its own.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		n := new(sim.Network)
		l, err := n.Listen("192.0.2.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		if c1, err = n.Dial(t.Context(), netip.AddrPort{}, l.Addr().String()); err != nil {
			return nil, nil, nil, err
		}
		if c2, err = l.Accept(); err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close(); l.Close() }, nil
	})
}

func TestLink(t *testing.T) {
	bubble(t, "latency", func(t *testing.T) {
		start := time.Now()
		_, client, origin := connect(t, sim.Link{Latency: 30 * time.Millisecond})
		wantElapsed(t, start, 60*time.Millisecond)
		write(t, client, "ping")
		wantElapsed(t, start, 60*time.Millisecond)
		wantRead(t, origin, "ping")
		wantElapsed(t, start, 90*time.Millisecond)
		origin.Close()
		wantPeerGone(t, client, false)
		wantReadError(t, client, io.EOF)
		wantElapsed(t, start, 120*time.Millisecond)
	})
	bubble(t, "bandwidth", func(t *testing.T) {
		start := time.Now()
		_, client, origin := connect(t, sim.Link{Bandwidth: 1000})
		write(t, client, strings.Repeat("a", 1500))
		write(t, client, strings.Repeat("b", 500))
		wantRead(t, origin, strings.Repeat("a", 1500))
		wantElapsed(t, start, 1500*time.Millisecond)
		wantRead(t, origin, strings.Repeat("b", 500))
		wantElapsed(t, start, 2*time.Second)
	})
	bubble(t, "backpressure", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{Buffer: 10})
		client.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := client.Write(make([]byte, 25))
		if n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write to a peer that doesn't read: got %d, %v, want 10 and a timeout", n, err)
		}
		client.SetWriteDeadline(time.Time{})
		go client.Write(make([]byte, 15))
		if _, err := io.ReadFull(origin, make([]byte, 25)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEnd(t *testing.T) {
	bubble(t, "half-close", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{})
		write(t, client, "request")
		wantPeerGone(t, origin, false)
		client.CloseWrite()
		wantPeerGone(t, origin, true)
		wantRead(t, origin, "request")
		wantReadError(t, origin, io.EOF)
		wantWriteError(t, client, syscall.EPIPE)
		write(t, origin, "response")
		wantRead(t, client, "response")
	})
	bubble(t, "reset", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{Latency: time.Second})
		write(t, client, "request")
		wantRead(t, origin, "request")
		write(t, client, "lost")
		client.Reset()
		start := time.Now()
		wantPeerGone(t, origin, false)
		wantReadError(t, origin, syscall.ECONNRESET)
		wantElapsed(t, start, time.Second)
		wantPeerGone(t, origin, true)
		wantWriteError(t, origin, syscall.ECONNRESET)
		wantReadError(t, client, net.ErrClosed)
	})
	bubble(t, "close with something unread resets", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{})
		write(t, client, "request")
		write(t, origin, "413")
		origin.Close()
		wantReadError(t, client, syscall.ECONNRESET)
	})
	bubble(t, "write to a closed end comes back as a reset", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{Latency: time.Second})
		write(t, origin, "response")
		origin.Close()
		write(t, client, "lost")
		wantRead(t, client, "response")
		wantReadError(t, client, io.EOF)
		time.Sleep(2 * time.Second)
		wantWriteError(t, client, syscall.ECONNRESET)
	})
	bubble(t, "close wakes reader and writer", func(t *testing.T) {
		_, client, _ := connect(t, sim.Link{Buffer: 1})
		failed := make(chan error, 2)
		go func() { _, err := client.Read(make([]byte, 1)); failed <- err }()
		go func() { _, err := client.Write(make([]byte, 2)); failed <- err }()
		synctest.Wait()
		client.Close()
		for range cap(failed) {
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v, want %v", err, net.ErrClosed)
			}
		}
	})
}

func TestFault(t *testing.T) {
	bubble(t, "refuse", func(t *testing.T) {
		n := new(sim.Network)
		listen(t, n)
		n.SetLink(server, sim.Link{Refuse: true})
		wantDialError(t, t.Context(), n, server, syscall.ECONNREFUSED)
		wantDialError(t, t.Context(), n, "192.0.2.9:80", syscall.ECONNREFUSED)
		n.SetLink(server, sim.Link{})
		if _, err := n.Dial(t.Context(), visitor(), server); err != nil {
			t.Errorf("dial of a healed link: %v", err)
		}
	})
	bubble(t, "blackhole swallows a dial", func(t *testing.T) {
		n := new(sim.Network)
		listen(t, n)
		n.SetLink(server, sim.Link{Blackhole: true})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		wantDialError(t, ctx, n, server, os.ErrDeadlineExceeded)
		wantElapsed(t, start, 5*time.Second)
	})
	bubble(t, "blackhole silences a connection", func(t *testing.T) {
		n, client, origin := connect(t, sim.Link{Buffer: 10})
		write(t, client, "before")
		n.SetLink(server, sim.Link{Buffer: 10, Blackhole: true})
		write(t, client, "lost")
		client.SetWriteDeadline(time.Now().Add(time.Second))
		wantWriteError(t, client, os.ErrDeadlineExceeded) // nobody makes room
		client.Reset()
		wantRead(t, origin, "before")
		origin.SetReadDeadline(time.Now().Add(time.Hour))
		wantReadError(t, origin, os.ErrDeadlineExceeded)
		wantPeerGone(t, origin, false)
	})
	bubble(t, "cut down", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{CutDown: 7})
		write(t, client, "a request longer than the cut")
		wantRead(t, origin, "a request longer than the cut")
		write(t, origin, "HTTP/1.1 200 OK")
		wantRead(t, client, "HTTP/1.")
		wantReadError(t, client, syscall.ECONNRESET)
		wantReadError(t, origin, syscall.ECONNRESET)
	})
	bubble(t, "cut up", func(t *testing.T) {
		_, client, origin := connect(t, sim.Link{CutUp: 3})
		write(t, client, "GET /")
		wantRead(t, origin, "GET")
		wantReadError(t, origin, syscall.ECONNRESET)
		wantWriteError(t, client, syscall.ECONNRESET)
	})
}

func wantDialError(t *testing.T, ctx context.Context, n *sim.Network, to string, want error) {
	t.Helper()
	c, err := n.Dial(ctx, visitor(), to)
	if c != nil || !errors.Is(err, want) {
		t.Errorf("dial of %s: got %v, %v, want %v", to, c, err, want)
	}
}

func TestListener(t *testing.T) {
	bubble(t, "address in use", func(t *testing.T) {
		n := new(sim.Network)
		l := listen(t, n)
		if _, err := n.Listen(server); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second listener: got %v, want %v", err, syscall.EADDRINUSE)
		}
		l.Close()
		listen(t, n)
	})
	bubble(t, "close wakes accept and resets the backlog", func(t *testing.T) {
		n := new(sim.Network)
		l := listen(t, n)
		waiting, err := n.Dial(t.Context(), visitor(), server)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: got %v, want %v", err, net.ErrClosed)
		}
		wantReadError(t, waiting, syscall.ECONNRESET)
		wantDialError(t, t.Context(), n, server, syscall.ECONNREFUSED)
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: got %v, want %v", err, net.ErrClosed)
		}
	})
	bubble(t, "full backlog holds a dial", func(t *testing.T) {
		n := new(sim.Network)
		l := listen(t, n)
		for range 128 {
			if _, err := n.Dial(t.Context(), visitor(), server); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantDialError(t, ctx, n, server, os.ErrDeadlineExceeded)
		l.Accept()
		if _, err := n.Dial(t.Context(), visitor(), server); err != nil {
			t.Errorf("dial after an accept: %v", err)
		}
	})
	bubble(t, "addresses", func(t *testing.T) {
		n := new(sim.Network)
		l := listen(t, n)
		c, err := n.Dial(t.Context(), netip.MustParseAddrPort("[2001:db8::1]:1234"), server)
		if err != nil {
			t.Fatal(err)
		}
		o, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name      string
			got, want string
		}{
			{"dialer, local", c.LocalAddr().String(), "[2001:db8::1]:1234"},
			{"dialer, remote", c.RemoteAddr().String(), server},
			{"accepted, local", o.LocalAddr().String(), server},
			{"accepted, remote", o.RemoteAddr().String(), "[2001:db8::1]:1234"},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
			}
		}
	})
}

// The standard library's client and server are two more witnesses that this is a network.
func TestHTTP(t *testing.T) {
	bubble(t, "net/http", func(t *testing.T) {
		n := new(sim.Network)
		n.SetLink(server, sim.Link{Latency: 10 * time.Millisecond, Bandwidth: 1 << 20})
		body := bytes.Repeat([]byte("seawall "), 1<<17)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })}
		go s.Serve(listen(t, n))
		defer s.Close()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return n.Dial(ctx, visitor(), addr)
		}}
		defer transport.CloseIdleConnections()
		start := time.Now()
		resp, err := (&http.Client{Transport: transport}).Get("http://" + server + "/")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if !bytes.Equal(got, body) || err != nil {
			t.Errorf("body: got %d bytes, %v, want %d", len(got), err, len(body))
		}
		if took := time.Since(start); took < time.Second || took > 2*time.Second {
			t.Errorf("1 MiB at 1 MiB/s: took %v", took)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	n := new(sim.Network)
	l, err := n.Listen(server)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(struct{ io.Writer }{c}, c)
		}
	}()
	c, err := n.Dial(b.Context(), visitor(), server)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 1024)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		c.Write(buf)
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}
