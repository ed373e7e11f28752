package origin

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/loop"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"

// stream is a client's connection that was taken over.
type stream struct {
	net.Conn
	in       [1024]byte
	buffered []byte
}

func (s *stream) Buffered() []byte { return s.buffered }
func (s *stream) Discard(n int)    { s.buffered = s.buffered[n:] }
func (s *stream) Fill() error {
	n, err := s.Conn.Read(s.in[:])
	s.buffered = s.in[:n]
	return err
}
func (s *stream) Write(head, tail []byte) error {
	_, err := s.Conn.Write(append(append([]byte(nil), head...), tail...))
	return err
}
func (s *stream) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
func (s *stream) Abort() *flow.Abort { return nil }
func (s *stream) Task() *loop.Task   { return nil }
func (s *stream) Tunnel()            {}
func (s *stream) Draining() bool     { return false }

// upgrading makes f ask for a WebSocket, and returns the client's end of its connection and the lease of the tunnel.
func upgrading(t *testing.T, f *flow.Flow) (*net.TCPConn, *lease) {
	t.Helper()
	l := loopback(t)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	f.Request.Upgrade = "websocket"
	f.Exchange.(*client).stream = &stream{Conn: far}
	f.Admission.Lease.(*lease).upgraded = new(lease)
	return near.(*net.TCPConn), f.Admission.Lease.(*lease).upgraded
}

func TestTunnel(t *testing.T) {
	echo := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, switching+"hello ")
		io.Copy(c, r)
		io.WriteString(c, " bye")
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, echo)
			p := compile(t, room, zone)
			f := ordinary()
			user, l := upgrading(t, f)
			p.Fetch(f)
			if f.Origin.Status != 101 {
				t.Fatalf("status %d, refusal %+v, want 101", f.Origin.Status, f.Origin.Refusal)
			}
			if n := f.Admission.Lease.(*lease).count(); n != 1 || l.count() != 0 {
				t.Errorf("the request's share released %d times, the tunnel's %d times, want 1 and 0", n, l.count())
			}
			go func() {
				io.WriteString(user, "world")
				if way.name != "conn" { // which cannot be closed one way only
					user.CloseWrite()
				}
			}()
			if way.name == "conn" {
				go func() {
					b := make([]byte, len("hello world"))
					io.ReadFull(user, b)
					user.Close()
				}()
				p.Tunnel(f)
			} else {
				p.Tunnel(f)
				got, _ := io.ReadAll(user)
				if c := f.Origin.Tunnel; string(got) != "hello world bye" || c.Sent != 5 || c.Received != 15 || c.Err != nil {
					t.Errorf("%q, %+v, want hello world bye with 5 bytes sent and 15 received", got, c)
				}
			}
			if n, idle := l.count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
				t.Errorf("the tunnel's lease released %d times, %d idle connections, want 1 and 0", n, idle)
			}
			if p.Tunnel(f); f.Origin.Tunnel.Err == nil {
				t.Error("a second Tunnel of the flow succeeded")
			}
		})
	}
}

// TestTunnelSilentOrigin has the origin's first bytes come apart from its 101, after the client's.
func TestTunnelSilentOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, switching)
			io.Copy(c, r)
		})
		p := compile(t, room, zone)
		f := ordinary()
		near, far := net.Pipe()
		f.Request.Upgrade = "websocket"
		f.Exchange.(*client).stream = &stream{Conn: far}
		f.Admission.Lease.(*lease).upgraded = new(lease)
		p.Fetch(f)
		go p.Tunnel(f)
		for _, want := range []string{"short", strings.Repeat("longer than the head of the 101 ", 10)} {
			io.WriteString(near, want)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(near, got); err != nil || string(got) != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		near.Close()
	})
}

func TestTunnelCap(t *testing.T) {
	room, zone := ways[0].open(t, silent(switching))
	p := compile(t, room, zone)
	f := ordinary()
	f.Request.Upgrade = "websocket"
	p.Fetch(f)
	if r := f.Origin.Refusal; r == nil || r.Reason != flow.UpgradeCap || r.Status != 503 {
		t.Errorf("refusal %+v, want UpgradeCap", r)
	}
	if n := f.Admission.Lease.(*lease).count(); n != 1 {
		t.Errorf("lease released %d times, want 1", n)
	}
}

// TestTunnelNotTaken closes the message instead, as response does when it cannot write the 101.
func TestTunnelNotTaken(t *testing.T) {
	room, zone := ways[0].open(t, silent(switching))
	p := compile(t, room, zone)
	f := ordinary()
	_, l := upgrading(t, f)
	p.Fetch(f)
	f.Origin.Message.Stream.Close()
	if n, idle := l.count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
		t.Errorf("the tunnel's lease released %d times, %d idle connections, want 1 and 0", n, idle)
	}
}

// TestTunnelIdle ends a tunnel when both sides have been silent, not when one has.
func TestTunnelIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, switching)
			io.Copy(io.Discard, r)
		})
		room.node.Connections.TunnelTimeout = 100 * time.Second
		p := compile(t, room, zone)
		f := ordinary()
		near, far := net.Pipe()
		f.Request.Upgrade = "websocket"
		f.Exchange.(*client).stream = &stream{Conn: far}
		f.Admission.Lease.(*lease).upgraded = new(lease)
		p.Fetch(f)
		start := time.Now()
		go func() {
			for range 10 {
				time.Sleep(60 * time.Second)
				io.WriteString(near, "ping")
			}
			time.Sleep(300 * time.Second)
			near.Close() // what conn's own timeout would do
		}()
		p.Tunnel(f)
		c := f.Origin.Tunnel
		if took := time.Since(start); c.Sent != 40 || !isTimeout(c.Err) || took < 700*time.Second || took > 1000*time.Second || c.Duration != took {
			t.Errorf("%+v after %v, want 40 bytes sent and a timeout", c, took)
		}
	})
}
