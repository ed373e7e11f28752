package conn

import (
	"encoding/binary"
	"errors"
	"io"
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

// TestSocket wants plain TCP sockets, whatever the system would make of others, and connections that are set and know their ends.
func TestSocket(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=1")
	tests := []struct{ name, listen, dial string }{
		{"ipv4", "127.0.0.1:0", "127.0.0.1"},
		{"ipv6", "[::1]:0", "::1"},
		{"unspecified", ":0", "127.0.0.1"},
		{"unspecified ipv6", ":0", "::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Listen(t.Context(), tt.listen)
			if err != nil {
				t.Skip(err)
			}
			for _, o := range []struct {
				name                  string
				level, option, result int
			}{
				{"unsent", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 256 << 10},
				{"no delay", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{"keepalive", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
				{"protocol", unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_TCP},
			} {
				if got := option(t, l.sockets[0], o.level, o.option); got != o.result {
					t.Errorf("%s: got %d, want %d", o.name, got, o.result)
				}
			}
			o := options{loops: 2}
			w := newWorld(t, o)
			w.serve(l, o, nil, func(w *world) {
				_, port, _ := net.SplitHostPort(l.Addr().String())
				c, err := net.Dial("tcp", net.JoinHostPort(tt.dial, port))
				if err != nil && strings.Contains(tt.dial, ":") {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				w.send(c, "who\n")
				w.wantText(c, c.LocalAddr().String()+" to "+c.RemoteAddr().String()+".")
			})
		})
	}
}

// TestTaken wants an error for an address that another listener has, although sockets may share it.
func TestTaken(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if second, err := Listen(t.Context(), l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, %v, want %v", second, err, syscall.EADDRINUSE)
	}
}

// TestInherit hands a listener's sockets on: connections that wait in them, and those that come later, are served by who inherits.
func TestInherit(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.widen(t.Context(), l.Addr().String(), 3); err != nil {
		t.Fatal(err)
	}
	var clients []net.Conn
	connect := func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		clients = append(clients, c)
	}
	for range 20 {
		connect()
	}
	files, err := l.Files()
	if err != nil {
		t.Fatal(err)
	}
	heir, err := Inherit(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		connect()
	}
	o := options{loops: 2} // fewer than there are sockets
	w := newWorld(t, o)
	w.serve(heir, o, nil, func(w *world) {
		for _, c := range clients {
			w.send(c, "get 1\n")
			w.wantText(c, "1:0")
		}
	})
}

func TestInheritNothing(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := Inherit([]*os.File{f}); err == nil {
		t.Errorf("got %v for a file that is no socket", l)
	}
}

// TestCloseAccepts wants those served who wait to be accepted when a listener closes.
func TestCloseAccepts(t *testing.T) {
	loopback(t, options{}, false, func(w *world) {
		l, err := Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		fd, err := duplicate(l.sockets[0])
		if err != nil {
			t.Fatal(err)
		}
		on := w.room.Loops[0]
		a := &acceptor{room: w.room, loop: on, listener: l, fd: fd, local: addrPort(l.Addr())}
		clients := make([]net.Conn, 2*acceptsAtOnce)
		on.Call(func() {
			if err := errors.Join(a.begin(), l.Close()); err != nil {
				t.Error(err)
			}
			for i := range clients {
				if clients[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
					t.Error(err)
				}
			}
			a.end()
		})
		if t.Failed() {
			return
		}
		for _, c := range clients {
			defer c.Close()
			w.send(c, "get 1\n")
			w.wantText(c, "1:0")
		}
	})
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

// TestDescriptors wants none for whom a listener turned away, and none once it is closed. (It is not parallel, so no other test opens any.)
func TestDescriptors(t *testing.T) {
	w := newWorld(t, options{loops: 2, limits: func(c *spec.Connections) { c.PerSource = 0 }})
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
	w.served.Go(func() {
		if err := w.room.Serve(l, nil); err != nil {
			t.Error(err)
		}
	})
	for range 10 {
		w.wantTurnedAway(net.Dial("tcp", l.Addr().String()))
	}
	w.settle(func() bool { return descriptors(t) == before+4 }) // of each of two sockets, one is package net's and one the loop's
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

// TestNoDescriptors wants the connection that waited to be served once there are descriptors again. (It is not parallel, since the limit
// is the process's.)
func TestNoDescriptors(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := options{loops: 1}
	w := newWorld(t, o)
	w.serve(l, o, nil, func(w *world) {
		first, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		first.SetDeadline(time.Now().Add(patience))
		w.send(first, "get 1\n")
		w.wantText(first, "1:0") // all is set up
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		second := os.NewFile(uintptr(fd), "client")
		defer second.Close()
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		address := l.Addr().(*net.TCPAddr)
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())})
		time.AfterFunc(3*time.Duration(backoffLeast), func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(second, "get 1\n"); err != nil {
			t.Fatal(err)
		}
		var b [3]byte
		if _, err := io.ReadFull(second, b[:]); err != nil || string(b[:]) != "1:0" {
			t.Errorf("got %q, %v", b, err)
		}
		w.settle(func() bool {
			var now syscall.Rlimit
			return syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now) == nil && now == limit
		})
	})
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

// BenchmarkRefuse refuses a burst of connections that wait already, so that the server's part is timed alone.
func BenchmarkRefuse(b *testing.B) {
	const burst = 128
	node := spec.DefaultNode()
	node.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	l, err := Listen(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	fd, err := duplicate(l.sockets[0])
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	a := &acceptor{room: New(&node, Options{}), listener: l, fd: fd}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var clients [burst]net.Conn
		for i := range clients {
			if clients[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for range burst / acceptsAtOnce {
			a.accept(acceptsAtOnce)
		}
		b.StopTimer()
		for _, c := range clients {
			forget(c)
			c.Close()
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/refusal")
}
