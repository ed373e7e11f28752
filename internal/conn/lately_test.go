package conn

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/prefixes"
)

// TestRefusedLately wants each way to be refused below HTTP to be remembered with its source, and with no other.
func TestRefusedLately(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(r *Room)
		cause  Cause
		detail string
		count  int64
	}{
		{"denied", func(r *Room) { r.Deny([]netip.Prefix{single(bad)}); r.admit(bad); r.admit(bad) }, Denied, "", 2},
		{"a bound broken, and the ban for it", func(r *Room) { r.breach(bad, "too fast"); r.admit(bad) }, Banned, "too fast", 2},
		{"a bound broken", func(r *Room) { r.breach(bad, "too fast") }, Breached, "too fast", 1},
		{"its source is full", func(r *Room) {
			for r.enter(bad) {
				defer r.sources.leave(bad)
			}
		}, SourceFull, "", 1},
		{"a long detail", func(r *Room) { r.refuse(bad, HandshakeFailed, strings.Repeat("x", 1000)) }, HandshakeFailed, strings.Repeat("x", maxLately), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, banFor(10*time.Second), func(w *world) {
				tt.refuse(w.room)
				got, ok := w.room.RefusedLately(bad)
				if want := (Refusal{got.Time, tt.cause, tt.detail, tt.count}); !ok || got != want || time.Since(got.Time) > time.Second {
					t.Errorf("got %+v, %t, want %+v", got, ok, want)
				}
				if got, ok := w.room.RefusedLately(other); ok {
					t.Errorf("another: got %+v", got)
				}
			})
		})
	}
}

// TestHandshakeRemembered: why a handshake failed is told of its source.
func TestHandshakeRemembered(t *testing.T) {
	simulated(t, banFor(0), func(w *world) {
		c := &Conn{room: w.room, info: flow.Conn{Remote: netip.AddrPortFrom(bad, 1)}}
		if c.secured(nil, errors.New("handshake refused: denied-fingerprint")) {
			t.Fatal("it went on")
		}
		if got, ok := w.room.RefusedLately(bad); !ok || got.Cause != HandshakeFailed || got.Detail != "handshake refused: denied-fingerprint" {
			t.Errorf("got %+v, %t", got, ok)
		}
	})
}

// TestLatelyBounded: in a full set the source whose refusal is the oldest gives way.
func TestLatelyBounded(t *testing.T) {
	simulated(t, banFor(0), func(w *world) {
		l := &w.room.lately
		place := func(a netip.Addr) uint64 { return l.place(keyOf(prefixes.Source(a))) }
		var addrs []netip.Addr
		for a := bad; len(addrs) < latelyWays+1; a = a.Next() {
			if place(a) == place(bad) {
				addrs = append(addrs, a)
			}
		}
		for i, a := range addrs {
			if i == latelyWays { // the first has been refused again since
				l.note(addrs[0], Denied, "", int64(i+1))
			}
			l.note(a, Denied, "", int64(i+2))
		}
		for i, want := range []bool{true, false, true, true, true} {
			if _, ok := l.find(addrs[i]); ok != want {
				t.Errorf("source %d: remembered is %t, want %t", i, ok, want)
			}
		}
	})
}
