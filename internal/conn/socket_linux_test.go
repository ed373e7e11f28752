package conn

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/spec"
)

// option reads one of a socket's options.
func option(t *testing.T, s syscall.Conn, level, name int) (value int) {
	t.Helper()
	rc, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := rc.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) })
	if cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return value
}

// TestSocket wants plain TCP sockets, whatever the system would make of others, and connections that are set and know their ends as those
// of package net do.
func TestSocket(t *testing.T) {
	tests := []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"},
		{":0", "127.0.0.1"},
		{":0", "::1"},
		{"0.0.0.0:0", "127.0.0.2"},
		{"[::1]:0", "::1"},
	}
	for _, tt := range tests {
		t.Run(tt.listen+" "+tt.dial, func(t *testing.T) {
			l, err := Listen(t.Context(), tt.listen)
			if err != nil && strings.Contains(tt.dial, ":") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if got := option(t, l.(*listener).file, unix.SOL_SOCKET, unix.SO_PROTOCOL); got != unix.IPPROTO_TCP {
				t.Errorf("protocol: got %d, want %d", got, unix.IPPROTO_TCP)
			}
			port := l.Addr().(*net.TCPAddr).AddrPort().Port()
			c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(tt.dial), port).String())
			if err != nil && strings.Contains(tt.dial, ":") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got, want := s.LocalAddr().String(), c.RemoteAddr().String(); got != want {
				t.Errorf("local: got %v, want %v", got, want)
			}
			if got, want := s.RemoteAddr().String(), c.LocalAddr().String(); got != want {
				t.Errorf("remote: got %v, want %v", got, want)
			}
			for _, o := range []struct {
				name                  string
				level, option, result int
			}{
				{"unsent", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 256 << 10},
				{"no delay", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{"keepalive", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
			} {
				if got := option(t, s.(*socket), o.level, o.option); got != o.result {
					t.Errorf("%s: got %d, want %d", o.name, got, o.result)
				}
			}
		})
	}
}

// TestSocketDeadline wants a deadline that crypto/tls takes for a passing one, and that a later one takes back.
func TestSocketDeadline(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetDeadline(past())
	_, err = s.Read(make([]byte, 1))
	if e, ok := err.(interface {
		net.Error
		Temporary() bool
	}); !ok || !e.Timeout() || !e.Temporary() {
		t.Errorf("read: got %v, want a timeout", err)
	}
	s.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(s, "x"); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	c.Close()
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: got %v, want %v", err, io.EOF)
	}
}

// descriptors counts those that the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// TestDescriptors wants one for a listener, none for whom it turned away, and none once it is closed. (It is not parallel, so no other
// test opens any.)
func TestDescriptors(t *testing.T) {
	w := newWorld(t, options{limits: func(c *spec.Connections) { c.PerSource = 0 }})
	warm, err := Listen(t.Context(), "127.0.0.1:0") // the poller's own
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	before := descriptors(t)
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if got := descriptors(t); got != before+1 {
		t.Errorf("listening: got %d descriptors, want %d", got, before+1)
	}
	w.served.Go(func() {
		if err := w.room.Serve(l, nil); err != nil {
			t.Error(err)
		}
	})
	for range 10 {
		w.wantTurnedAway(net.Dial("tcp", l.Addr().String()))
	}
	w.settle(func() bool { return descriptors(t) == before+1 })
	if err := w.room.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	w.served.Wait()
	if got := descriptors(t); got != before {
		t.Errorf("closed: got %d descriptors, want %d", got, before)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the closed listener still takes connections")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: got %v, want %v", err, net.ErrClosed)
	}
	w.wantRefused(SourceFull, 10)
}

// TestNoDescriptors wants to hear that there are none left, and the connection that waited once there is one again. (It is not parallel,
// since the limit is the process's.)
func TestNoDescriptors(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	_, err = l.Accept()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("accept: got %v, want %v", err, syscall.EMFILE)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestSockaddr(t *testing.T) {
	tests := []struct {
		name   string
		family uint16
		raw    sockaddr // the rest
		scope  uint32
		want   string
	}{
		{"ipv4", unix.AF_INET, sockaddr{2: 0x1f, 0x90, 198, 51, 100, 7}, 0, "198.51.100.7:8080"},
		{"ipv6", unix.AF_INET6, sockaddr{3: 80, 8: 0x20, 0x01, 0x0d, 0xb8, 23: 1}, 0, "[2001:db8::1]:80"},
		{"ipv4 in ipv6", unix.AF_INET6, sockaddr{3: 80, 18: 0xff, 0xff, 198, 51, 100, 7}, 0, "198.51.100.7:80"},
		{"link-local", unix.AF_INET6, sockaddr{3: 80, 8: 0xfe, 0x80, 23: 1}, 2, "[fe80::1%2]:80"},
		{"unix", unix.AF_UNIX, sockaddr{}, 0, "invalid AddrPort"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			binary.NativeEndian.PutUint16(tt.raw[:], tt.family)
			if tt.scope != 0 {
				binary.NativeEndian.PutUint32(tt.raw[24:], tt.scope)
			}
			if got := tt.raw.addrPort().String(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// BenchmarkRefuse refuses a burst of connections that wait already, so that the server's part is timed alone: by bare system calls, and as
// a listener of package net has it.
func BenchmarkRefuse(b *testing.B) {
	const burst = 128
	friend := netip.MustParseAddr("127.0.0.2") // who ends a burst
	for _, way := range []struct {
		name   string
		listen func() (net.Listener, error)
	}{
		{"raw", func() (net.Listener, error) { return Listen(b.Context(), "127.0.0.1:0") }},
		{"net", func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }},
	} {
		b.Run(way.name, func(b *testing.B) {
			node := spec.DefaultNode()
			node.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			room := New(&node, Options{Log: slog.New(slog.DiscardHandler)})
			l, err := way.listen()
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			accept := room.screen(l)
			dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(friend, 0))}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				var clients [burst + 1]net.Conn
				for i := range burst {
					clients[i], err = net.Dial("tcp", l.Addr().String())
					if err != nil {
						b.Fatal(err)
					}
				}
				if clients[burst], err = dialer.Dial("tcp", l.Addr().String()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				c, err := accept()
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				room.sources.leave(friend)
				for _, c := range append(clients[:], c) {
					forget(c)
					c.Close()
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/refusal")
		})
	}
}
