package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

// brief is much shorter than anybody's patience.
const brief = 40 * time.Millisecond

// brisk is patience of a kind that tests over the kernel's network can wait for.
func brisk(c *spec.Connections) {
	const ms = time.Millisecond
	c.HeadTimeout, c.IdleTimeout, c.StallTimeout, c.TunnelTimeout, c.MinRate = 150*ms, 200*ms, 250*ms, 300*ms, 1<<10
}

// TestCut wants each kind of slowness to be cut, with the words it deserves.
func TestCut(t *testing.T) {
	none := causes
	tests := []struct {
		name  string
		play  func(w *world, c net.Conn)
		want  string
		cause Cause
	}{
		{"no head", func(*world, net.Conn) {}, "", HeadSlow},
		{"half a head", func(w *world, c net.Conn) { w.send(c, "get") }, "timeout", HeadSlow},
		{"half a second head", func(w *world, c net.Conn) { w.send(c, "get 1\nget") }, "1:0timeout", HeadSlow},
		{"idle", func(w *world, c net.Conn) { w.send(c, "get 1\n") }, "1:0", none},
		{"head in a trickle", func(w *world, c net.Conn) { w.trickle(c, "g", brief) }, "timeout", HeadSlow},
		{"no body", func(w *world, c net.Conn) { w.send(c, "body 10\n") }, "broken.", BodySlow},
		{"half a body", func(w *world, c net.Conn) { w.send(c, "body 10\nhello") }, "broken.", BodySlow},
		{"body in a trickle", func(w *world, c net.Conn) { w.send(c, "body 1000\n"); w.trickle(c, "x", brief) }, "broken.", BodySlow},
		{"silent tunnel", func(w *world, c net.Conn) { w.send(c, "tunnel\n") }, "", none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options{limits: brisk, fulfil: func(line string, s flow.Stream, out *flow.Output) flow.Next {
				if line == "tunnel" {
					s.Tunnel()
					s.Fill()
					return flow.Close
				}
				return body(line, s, out)
			}}
			everyWay(t, o, func(w *world) {
				c := w.connect()
				if s, ok := c.(*tls.Conn); ok {
					s.Handshake()
				}
				tt.play(w, c)
				w.wantEnd(c, tt.want)
				if tt.cause != none {
					w.wantRefused(tt.cause, 1)
				}
				w.wantRefused(HandshakeFailed, 0)
			})
		})
	}
}

// TestCutAsBytesArrive lets bytes of a head arrive after the sweeper has decided to cut its connection, and before that has taken
// effect: the client is told all the same.
func TestCutAsBytesArrive(t *testing.T) {
	everyWay(t, options{}, func(w *world) {
		c := w.connect()
		w.send(c, "get")
		w.settle(func() (cut bool) {
			w.room.table.each(func(c *Conn) {
				p, since := c.since()
				cut = p == head && c.expire(p, since)
			})
			return cut
		})
		w.send(c, " ")
		w.wantEnd(c, "timeout")
	})
}

// trickle sends text again and again until the connection ends.
func (w *world) trickle(c net.Conn, text string, every time.Duration) {
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			time.Sleep(every)
		}
	})
	w.Cleanup(func() {
		c.Close()
		sending.Wait()
	})
}

// TestReaders wants a client that reads its answer too slowly to be cut, and an honest one to get it all.
func TestReaders(t *testing.T) {
	const size = 8 << 20
	tests := []struct {
		name  string
		limit func(*spec.Connections)
		piece int
		every time.Duration
		want  bool
	}{
		{"nothing", brisk, 0, 0, false},
		{"a little", func(c *spec.Connections) { c.StallTimeout, c.MinRate = time.Second, 1<<30 }, 64 << 10, 30 * time.Millisecond, false},
		{"slowly", func(c *spec.Connections) { c.StallTimeout, c.MinRate = time.Second, 64<<10 }, 512 << 10, 75 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, options{limits: tt.limit}, func(w *world) {
				c := w.connect()
				w.send(c, "get 8388608\n")
				got := 0
				for b := make([]byte, max(tt.piece, 1)); tt.piece > 0 && w.room.Stats().Refused[ReaderSlow] == 0; {
					n, err := io.ReadFull(c, b[:min(len(b), size+8-got)])
					if got += n; err != nil || got == size+8 {
						break
					}
					time.Sleep(tt.every)
				}
				if !tt.want {
					w.settle(func() bool { return w.room.Stats().Refused[ReaderSlow] == 1 })
					w.settle(func() bool { return w.room.Stats().Open == 0 })
					if _, simulated := c.(*sim.Conn); simulated {
						return
					}
					// What was not taken is thrown away: the kernel keeps nothing for such a client.
					if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
						w.Errorf("after the cut: %v, want a reset", err)
					}
					return
				}
				if got != size+8 {
					w.Errorf("got %d bytes, want %d", got, size+8)
				}
				w.wantRefused(ReaderSlow, 0)
			})
		})
	}
}

// TestRatesAddUp trickles a body, each byte long before a stall: the waits of a request count together.
func TestRatesAddUp(t *testing.T) {
	limits := func(c *spec.Connections) { c.StallTimeout, c.MinRate = 30*time.Second, 256 }
	tests := []struct {
		name  string
		every time.Duration // a byte
		want  string
		soon  time.Duration
	}{
		{"a byte in 20 s", 20 * time.Second, "broken.", 65 * time.Second},
		{"a byte in 0.9 s", 900 * time.Millisecond, "broken.", 35 * time.Second},
		{"half the rate", time.Second / 128, "broken.", 65 * time.Second},
		{"honest", time.Second / 300, "whole.", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, options{limits: limits, fulfil: body}, func(w *world) {
				c := w.connect()
				began := time.Now()
				w.send(c, "body 20000\n")
				w.trickle(c, "x", tt.every)
				w.wantText(c, tt.want)
				if took := time.Since(began); took > tt.soon {
					t.Errorf("took %v, want %v at most", took, tt.soon)
				}
			})
		})
	}
}

// TestReaderRateAddsUp answers one request in many pieces, each of which the client takes long before a stall.
func TestReaderRateAddsUp(t *testing.T) {
	const piece, pieces = 100, 400
	tests := []struct {
		name  string
		every time.Duration // a piece
		want  bool
	}{
		{"slow", 20 * time.Second, false},
		{"honest", 300 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options{
				link: sim.Link{Buffer: piece},
				play: func(_ *world, s flow.Stream, _ *flow.Output) flow.Next {
					for range pieces {
						if s.Write(content(piece), nil) != nil {
							return flow.Close
						}
					}
					return flow.More
				},
			}
			simulated(t, o, func(w *world) {
				c := w.connect()
				began, got := time.Now(), 0
				w.send(c, "ask\n")
				for b := make([]byte, piece); got < piece*pieces; {
					time.Sleep(tt.every)
					n, err := c.Read(b)
					if got += n; err != nil {
						break
					}
				}
				if whole := got == piece*pieces; whole != tt.want {
					t.Errorf("got %d bytes in %v, want all: %t", got, time.Since(began), tt.want)
				}
				w.wantRefused(ReaderSlow, map[bool]int64{false: 1}[tt.want])
			})
		})
	}
}

// TestBusyIsNotSlow wants the time in which nobody reads from the client not to be held against it.
func TestBusyIsNotSlow(t *testing.T) {
	fulfil := func(_ string, s flow.Stream, out *flow.Output) flow.Next {
		for range 100 {
			time.Sleep(10 * time.Second) // an origin that takes its time
			if _, err := s.Read(make([]byte, 1)); err != nil {
				return flow.Close
			}
		}
		out.Head = append(out.Head, "whole."...)
		return flow.More
	}
	simulated(t, options{fulfil: fulfil}, func(w *world) {
		c := w.connect()
		w.send(c, "upload\n")
		for range 100 {
			time.Sleep(10*time.Second + 200*time.Millisecond)
			w.send(c, "x")
		}
		w.wantText(c, "whole.")
	})
}

// TestHeadsOwnTime wants the first head's time to run from accept, and any other's from its own first byte.
func TestHeadsOwnTime(t *testing.T) {
	limits := func(c *spec.Connections) { c.HeadTimeout, c.IdleTimeout = 10*time.Second, 60*time.Second }
	tests := []struct {
		name  string
		first string // what is asked before, and its answer
		said  string
		quiet time.Duration // until the head begins
		took  time.Duration // until it is cut, from its first byte
	}{
		{"first", "", "", 8 * time.Second, 2 * time.Second},
		{"second", "get 1\n", "1:0", 50 * time.Second, 10 * time.Second},
		{"behind another", "get 1\nge", "1:0", 0, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, options{limits: limits}, func(w *world) {
				c := w.connect()
				w.send(c, tt.first)
				w.wantText(c, tt.said)
				time.Sleep(tt.quiet)
				began := time.Now()
				w.send(c, "g")
				w.trickle(c, "e", brief)
				w.wantText(c, "timeout")
				if took := time.Since(began); took <= tt.took || took > tt.took+2*sweepEvery {
					t.Errorf("cut after %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// TestHandshakeCut wants half a hello to get no more time than a head.
func TestHandshakeCut(t *testing.T) {
	tests := []struct{ name, hello string }{{"none", ""}, {"half", "\x16\x03\x01\x02\x00\x01"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loopback(t, options{limits: brisk}, true, func(w *world) {
				c := w.connect().(*tls.Conn).NetConn()
				w.send(c, tt.hello)
				if tt.hello != "" {
					w.trickle(c, "\x00", brief)
				}
				w.wantGone(c)
				w.wantRefused(HeadSlow, 1)
				w.wantRefused(HandshakeFailed, 0)
			})
		})
	}
}

// TestRecordInATrickle wants bytes of a TLS record that never becomes whole to gain no time.
func TestRecordInATrickle(t *testing.T) {
	loopback(t, options{limits: brisk}, true, func(w *world) {
		c := w.connect().(*tls.Conn)
		w.send(c, "get 1\n")
		w.wantText(c, "1:0")
		raw := c.NetConn()
		w.send(raw, "\x17\x03\x03\x40\x00")
		w.trickle(raw, "x", brief)
		w.wantGone(raw)
	})
}

// wantGone wants a connection to end, whatever is said before.
func (w *world) wantGone(c net.Conn) {
	w.Helper()
	_, err := io.Copy(io.Discard, c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		w.Fatal("the connection was not closed")
	}
}
