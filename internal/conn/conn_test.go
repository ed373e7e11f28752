package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestAnswers sends scripts of lines, each in one piece, and wants the answers in order.
func TestAnswers(t *testing.T) {
	mega := string(content(1 << 20))
	tests := []struct {
		name, send, want string
	}{
		{"one", "get 0\n", "0:"},
		{"pipelined", strings.Repeat("get 0\nget 3\n", 5000), strings.Repeat("0:3:012", 5000)},
		{"waiting", "ask\n", "said."},
		{"waiting among others", "get 1\nask\nget 2\nask\n", "1:0said.2:01said."},
		{"body", "body 5\nhello", "whole."},
		{"body and the next line", "body 5\nhelloget 1\nbody 3\nabcask\n", "whole.1:0whole.said."},
		{"big body and the next line", "body 1048576\n" + mega + "get 1\n", "whole.1:0"},
		{"small tail", "get 5000\n", "5000:" + mega[:5000]},
		{"big tails", "get 1048576\nget 1048576\nget 1\n", "1048576:" + mega + "1048576:" + mega + "1:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, options{fulfil: sayOrBody}, func(w *world) {
				c := w.connect()
				var sending sync.WaitGroup
				sending.Go(func() { io.WriteString(c, tt.send) })
				w.wantText(c, tt.want)
				sending.Wait()
			})
		})
	}
}

func sayOrBody(line string, s flow.Stream, out *flow.Output) flow.Next {
	if strings.HasPrefix(line, "body") {
		return body(line, s, out)
	}
	return say(line, s, out)
}

// TestClose wants what has been said to arrive, and then the end.
func TestClose(t *testing.T) {
	o := options{fulfil: func(line string, s flow.Stream, out *flow.Output) flow.Next {
		out.Head = append(out.Head, "bye."...)
		if line == "upload" {
			return flow.Linger
		}
		return flow.Close
	}}
	tests := []struct{ name, send, want string }{
		{"at once", "get 1\nclose\n", "1:0bye."},
		{"with input left", "close\nget 1\n", "bye."},
		{"while the client sends", "upload\n" + string(content(4<<20)), "bye."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, o, func(w *world) {
				c := w.connect()
				w.send(c, tt.send)
				w.wantEnd(c, tt.want)
			})
		})
	}
}

func TestNodeCap(t *testing.T) {
	everyWay(t, options{limits: func(c *spec.Connections) { c.Max = 2 }}, func(w *world) {
		for range 3 { // what is closed counts no more
			a, b := w.connect(), w.connect()
			for _, c := range []net.Conn{a, b} {
				w.send(c, "get 1\n")
				w.wantText(c, "1:0")
			}
			w.wantTurnedAway(w.dial("198.51.100.8"))
			for _, c := range []net.Conn{a, b} {
				w.send(c, "close\n")
				c.Close()
			}
			w.settle(func() bool { return w.room.Stats().Open == 0 })
		}
		w.wantRefused(NodeFull, 3)
	})
}

// wantTurnedAway wants the end of a connection before any answer.
func (w *world) wantTurnedAway(c net.Conn, err error) {
	w.Helper()
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	n, err := c.Read(make([]byte, 1))
	if e, ok := err.(net.Error); n > 0 || err == nil || ok && e.Timeout() {
		w.Fatalf("read of a connection that was turned away: %d, %v, want an error", n, err)
	}
}

// settle waits for what another goroutine is about to do.
func (w *world) settle(done func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			w.Fatal("it did not come to pass")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSourceCap(t *testing.T) {
	tests := []struct {
		name string
		same []string // of one source
		over string   // of the same, one too many
		next string   // another source
	}{
		{"ipv4", []string{"198.51.100.7", "198.51.100.7"}, "198.51.100.7", "198.51.100.8"},
		{"ipv6", []string{"2001:db8::1", "2001:db8::ffff:2"}, "2001:db8::3", "2001:db8:0:1::1"},
		{"ipv4 in ipv6", []string{"198.51.100.7", "::ffff:198.51.100.7"}, "198.51.100.7", "::ffff:198.51.100.8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, options{limits: func(c *spec.Connections) { c.PerSource = 2 }}, func(w *world) {
				for range 3 {
					var open []net.Conn
					for _, from := range append(tt.same, tt.next) {
						c, err := w.dial(from)
						if err != nil {
							t.Fatal(err)
						}
						w.send(c, "get 1\n")
						w.wantText(c, "1:0")
						open = append(open, c)
					}
					w.wantTurnedAway(w.dial(tt.over))
					for _, c := range open {
						c.Close()
					}
					synctest.Wait()
				}
				w.wantRefused(SourceFull, 3)
			})
		})
	}
}

// TestNetworkCap wants the sources of one network to be bounded together.
func TestNetworkCap(t *testing.T) {
	limits := func(c *spec.Connections) { c.PerSource, c.PerNetwork = 2, 3 }
	simulated(t, options{limits: limits}, func(w *world) {
		for _, from := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"} {
			c, err := w.dial(from)
			if err != nil {
				t.Fatal(err)
			}
			w.send(c, "get 1\n")
			w.wantText(c, "1:0")
		}
		w.wantTurnedAway(w.dial("198.51.100.1"))
		w.wantTurnedAway(w.dial("2001:db8:0:4::1"))
		if _, err := w.dial("198.51.101.1"); err != nil {
			t.Error(err)
		}
		if n := w.room.NetworkOpen(netip.MustParseAddr("198.51.100.9")); n != 3 {
			t.Errorf("got %d connections of the network, want 3", n)
		}
		w.wantRefused(NetworkFull, 2)
		w.wantRefused(SourceFull, 0)
	})
}

// TestDeny wants connections from the list to be turned away, as long as it is on the list.
func TestDeny(t *testing.T) {
	simulated(t, options{}, func(w *world) {
		greeted := func(from string) {
			t.Helper()
			c, err := w.dial(from)
			if err != nil {
				t.Fatal(err)
			}
			w.send(c, "get 1\n")
			w.wantText(c, "1:0")
		}
		w.room.Deny([]netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")})
		w.wantTurnedAway(w.dial("198.51.100.7"))
		w.wantTurnedAway(w.dial("::ffff:198.51.100.7"))
		w.wantTurnedAway(w.dial("2001:db8::1"))
		greeted("198.51.101.7")
		w.room.Deny(nil)
		greeted("198.51.100.7")
		w.wantRefused(Denied, 3)
	})
}

// TestTurnedAwayByReset wants a cap to cost us no closing handshake.
func TestTurnedAwayByReset(t *testing.T) {
	loopback(t, options{limits: func(c *spec.Connections) { c.Max = 0 }}, false, func(w *world) {
		c, err := w.dial("")
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: got %v, want %v", err, syscall.ECONNRESET)
		}
	})
}

// TestClientGone wants a client's leaving to end what its request waits for.
func TestClientGone(t *testing.T) {
	leave := map[string]func(c net.Conn){
		"closes": func(c net.Conn) { c.Close() },
		"closes its side": func(c net.Conn) {
			c.(interface{ CloseWrite() error }).CloseWrite()
			if t, ok := c.(interface{ NetConn() net.Conn }); ok {
				t.NetConn().(*net.TCPConn).CloseWrite()
			}
		},
		"resets": func(c net.Conn) {
			if t, ok := c.(interface{ NetConn() net.Conn }); ok {
				c = t.NetConn()
			}
			forget(c)
			c.Close()
		},
	}
	for _, line := range []string{"ask\n", "upload\n"} { // inside and outside the wait
		for how, leave := range leave {
			t.Run(line[:3]+" "+how, func(t *testing.T) {
				everyWay(t, options{play: untilGone}, func(w *world) {
					c := w.connect()
					w.send(c, line)
					<-w.began
					left := time.Now()
					leave(c)
					if !<-w.proceed {
						w.Error("interrupted, but not gone")
					}
					if took := time.Since(left); took > sweepEvery*3/2 {
						w.Errorf("interrupted after %v, want about a second", took)
					}
				})
			})
		}
	}
}

// untilGone waits until the client is gone.
func untilGone(w *world, s flow.Stream, _ *flow.Output) flow.Next {
	wait := make(interrupted)
	s.Abort().Watch(wait)
	w.began <- true
	<-wait
	w.proceed <- s.Abort().Gone()
	return flow.Close
}

type interrupted chan struct{}

func (i interrupted) Interrupt() { close(i) }

// TestTunnel carries another protocol, of which the first bytes came with the request.
func TestTunnel(t *testing.T) {
	o := options{fulfil: func(line string, s flow.Stream, out *flow.Output) flow.Next {
		s.Tunnel()
		if s.Write([]byte("open."), nil) != nil {
			return flow.Close
		}
		for {
			b := s.Buffered()
			if len(b) == 0 {
				if s.Fill() != nil {
					s.CloseWrite()
					return flow.Close
				}
				continue
			}
			if s.Write(nil, b) != nil {
				return flow.Close
			}
			s.Discard(len(b))
		}
	}}
	everyWay(t, o, func(w *world) {
		c := w.connect()
		w.send(c, "get 1\ntunnel\nfirst")
		w.wantText(c, "1:0open.first")
		for range 3 {
			w.send(c, "more")
			w.wantText(c, "more")
		}
		big := string(content(300 << 10))
		var sending sync.WaitGroup
		sending.Go(func() { io.WriteString(c, big) })
		w.wantText(c, big)
		sending.Wait()
		c.(interface{ CloseWrite() error }).CloseWrite()
		w.wantEnd(c, "")
	})
}

// TestFault wants a panic to cost its connection and nothing else.
func TestFault(t *testing.T) {
	o := options{fulfil: func(string, flow.Stream, *flow.Output) flow.Next { panic("in Fulfil") }}
	everyWay(t, o, func(w *world) {
		other := w.connect()
		w.send(other, "get 1\n")
		w.wantText(other, "1:0")
		for _, line := range []string{"panic\n", "ask\n", "body 1\n"} {
			c := w.connect()
			w.send(c, line)
			w.wantEnd(c, "")
		}
		w.send(other, "get 2\n")
		w.wantText(other, "2:01")
		if got := w.room.Stats().Faults; got != 3 {
			w.Errorf("faults: got %d, want 3", got)
		}
	})
}

// TestParked wants a connection that waits for its client to hold no buffer.
func TestParked(t *testing.T) {
	simulated(t, options{}, func(w *world) {
		for _, text := range []string{"", "get 1\n", "ask\n", "get 1\nget"} {
			w.send(w.connect(), text)
		}
		synctest.Wait()
		seen := 0
		w.room.table.each(func(c *Conn) {
			if seen++; c.work != nil || cap(c.part) > 64 {
				t.Errorf("a parked connection holds %v and %d bytes", c.work, cap(c.part))
			}
		})
		if seen != 4 {
			t.Errorf("connections: got %d, want 4", seen)
		}
	})
}

func TestShutdown(t *testing.T) {
	late := func(w *world, s flow.Stream, out *flow.Output) flow.Next {
		w.began <- true
		<-w.proceed
		out.Head = append(out.Head, "late."...)
		if s.Draining() {
			return flow.Close
		}
		return flow.More
	}
	everyWay(t, options{play: late}, func(w *world) {
		silent, rest, busy := w.connect(), w.connect(), w.connect()
		if s := w.room.Stats(); s.Draining || w.room.Draining() {
			w.Errorf("draining before shutdown: got %t and %t", s.Draining, w.room.Draining())
		}
		w.send(rest, "get 1\n")
		w.wantText(rest, "1:0")
		w.send(busy, "ask\n")
		<-w.began
		down := make(chan error)
		go func() { down <- w.room.Shutdown(context.Background()) }()
		w.wantEnd(rest, "")
		w.wantEnd(silent, "")
		if s := w.room.Stats(); !s.Draining || !w.room.Draining() {
			w.Errorf("draining: got %t and %t, want true", s.Draining, w.room.Draining())
		}
		select {
		case err := <-down:
			w.Fatalf("shutdown did not wait for a request: %v", err)
		default:
		}
		close(w.proceed)
		w.wantEnd(busy, "late.")
		if err := <-down; err != nil {
			w.Errorf("shutdown: %v", err)
		}
		if c, err := w.dial("198.51.100.7"); err == nil {
			w.wantTurnedAway(c, nil)
		}
	})
}

// TestDrain wants a room that drains to answer who asks within the grace, also on a connection that is new, and then to close.
func TestDrain(t *testing.T) {
	t.Run("shutdown", func(t *testing.T) { drains(t, (*Room).Shutdown, shutdownGrace) })
	t.Run("retire", func(t *testing.T) { drains(t, (*Room).Retire, retireGrace) })
}

func drains(t *testing.T, drain func(*Room, context.Context) error, grace time.Duration) {
	t.Helper()
	last := func(_ string, s flow.Stream, out *flow.Output) flow.Next {
		out.Head = append(out.Head, "last."...)
		if s.Draining() {
			return flow.Close
		}
		return flow.More
	}
	simulated(t, options{fulfil: last}, func(w *world) {
		silent, rest, asking, fresh := w.connect(), w.connect(), w.connect(), w.connect()
		for _, c := range []net.Conn{rest, asking} {
			w.send(c, "ask\n")
			w.wantText(c, "last.")
		}
		time.Sleep(3 * time.Second) // the clock is the test's
		began := time.Now()
		down := make(chan error)
		go func() { down <- drain(w.room, context.Background()) }()
		time.Sleep(grace / 2)
		for _, c := range []net.Conn{asking, fresh} {
			w.send(c, "ask\n")
			w.wantEnd(c, "last.")
		}
		w.wantEnd(rest, "")
		w.wantEnd(silent, "")
		if err := <-down; err != nil {
			w.Errorf("drain: %v", err)
		}
		if took := time.Since(began); took < grace || took > grace+time.Second {
			w.Errorf("drained after %v, want %v", took, grace)
		}
	})
}

func TestShutdownCuts(t *testing.T) {
	everyWay(t, options{play: untilGone}, func(w *world) {
		c := w.connect()
		w.send(c, "ask\n")
		<-w.began
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		go func() { <-w.proceed }()
		if err := w.room.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			w.Errorf("shutdown: got %v, want %v", err, context.Canceled)
		}
		w.wantEnd(c, "")
	})
}

// flaky is a listener that fails for some time.
type flaky struct {
	net.Listener
	fail int
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.fail--; l.fail >= 0 {
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	tests := []struct {
		name  string
		fail  int
		least time.Duration
		said  int
	}{
		{"short", 3, 35 * time.Millisecond, 0},
		{"long", 10, 3 * time.Second, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrap := func(l net.Listener) net.Listener { return &flaky{l, tt.fail} }
			simulated(t, options{wrap: wrap}, func(w *world) {
				began := time.Now()
				c := w.connect()
				w.send(c, "get 1\n")
				w.wantText(c, "1:0")
				if took := time.Since(began); took < tt.least || took > 2*tt.least {
					t.Errorf("accepted after %v, want after %v", took, tt.least)
				}
				if got := strings.Count(w.log.String(), "accepting fails"); got != tt.said {
					t.Errorf("said %d times, want %d", got, tt.said)
				}
			})
		})
	}
}
