package edge

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/spec"
)

// flood sends more pings than anybody's budget allows.
func (w *wire) flood() {
	for range 1100 {
		if w.WritePing(false, [8]byte{}) != nil {
			return // it has been cut off
		}
	}
}

// banned tells whether a client can't connect.
func (e *entrance) banned(from string) bool {
	e.Helper()
	before := e.room.Stats().Refused[conn.Banned]
	c, err := e.try(from, "h2")
	if err == nil {
		defer c.Close()
		w := e.newWire(c)
		_, preface := c.Write([]byte(http2.ClientPreface))
		if err = errors.Join(preface, w.WriteSettings()); err == nil {
			_, err = w.ReadFrame()
		}
	}
	switch {
	case err == nil:
		return false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return e.room.Stats().Refused[conn.Banned] > before
	}
	e.Fatalf("got %v, want settings or a reset", err)
	return false
}

// TestH2Breach wants who breaks a bound to be cut off, to be turned away for a while, and let in thereafter.
func TestH2Breach(t *testing.T) {
	node := func(n *spec.Node) { n.Connections.Ban = 400 * time.Millisecond }
	everyEntrance(t, visit{origin: plain(page), node: node}, func(e *entrance) {
		from, other := visitor, "203.0.113.78"
		if e.real {
			from, other = "127.0.0.2", "127.0.0.3"
		}
		w := e.wireFrom(from)
		w.flood()
		w.wantEnd("goaway 0 ENHANCE_YOUR_CALM")
		if e.banned(other) {
			e.Error("another source is banned, too")
		}
		b, ok := e.room.BanOf(netip.MustParseAddr(from))
		if left := time.Until(b.Until); !ok || b.Reason != "too many pings" || left <= 0 || left > 400*time.Millisecond {
			e.Errorf("got ban %+v, %t, want one for too many pings, for 400 ms", b, ok)
		}
		if !e.banned(from) {
			e.Error("got a connection, want to be turned away")
		}
		e.settle("the end of the ban", func() bool { return !e.banned(from) })
		s := e.room.Stats()
		if s.Refused[conn.Breached] != 1 || s.Refused[conn.Banned] < 1 {
			e.Errorf("got %v, want one breach, and somebody turned away", s.Refused)
		}
		if got := strings.Count(e.log.String(), "too many pings"); got != 1 {
			e.Errorf("written down %d times, want once:\n%s", got, e.log)
		}
	})
}

// TestH2BreachOfProxy wants a proxy that is trusted, since it speaks for many, to be cut off and not to be banned.
func TestH2BreachOfProxy(t *testing.T) {
	node := func(n *spec.Node) { n.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(visitor + "/32")} }
	simulated(t, visit{origin: plain(page), node: node}, func(e *entrance) {
		w := e.wire()
		w.flood()
		w.wantEnd("goaway 0 ENHANCE_YOUR_CALM")
		if e.banned(visitor) {
			e.Error("the proxy is banned")
		}
	})
}

// TestH2Charge wants what a source does on many connections to be counted together.
func TestH2Charge(t *testing.T) {
	simulated(t, visit{origin: plain(page)}, func(e *entrance) {
		for i := range 20 {
			w := e.wire()
			for range 900 { // of the 1,000 that one connection may
				if w.WritePing(false, [8]byte{}) != nil {
					break
				}
			}
			w.WriteGoAway(0, http2.ErrCodeNo, nil)
			var line string
			for line = w.next(); strings.HasPrefix(line, "ping"); {
				line = w.next()
			}
			w.conn.Close()
			synctest.Wait()
			switch {
			case line == "goaway 0 ENHANCE_YOUR_CALM" && i == 2: // 2,500 and what has been given back since
				if !e.banned(visitor) {
					e.Error("got a connection, want to be turned away")
				}
				return
			case line != "end: closed" || i == 2:
				e.Fatalf("connection %d: got %q", i, line)
			}
		}
	})
}

// TestH2ResetFlood wants work for requests that their client resets to be bounded, and the client to be cut off.
func TestH2ResetFlood(t *testing.T) {
	node := func(n *spec.Node) { n.Connections.Ban = 0 }
	everyEntrance(t, visit{origin: slow, node: node}, func(e *entrance) {
		over := make(chan bool)
		go func() { // the origin never answers
			for {
				select {
				case <-e.began:
				case <-over:
					return
				}
			}
		}()
		w := e.wire()
		for id := uint32(1); id < 2000; id += 2 {
			w.ask(id, true, "GET", fmt.Sprint("/wait/", id))
			if w.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				break
			}
		}
		for line := w.next(); ; line = w.next() {
			if strings.HasPrefix(line, "goaway") && strings.HasSuffix(line, "ENHANCE_YOUR_CALM") {
				break
			}
			if strings.HasPrefix(line, "end") {
				e.Fatalf("got %q, want GOAWAY", line)
			}
		}
		w.conn.Close()
		e.wantNothingLeft()
		close(over)
	})
}
