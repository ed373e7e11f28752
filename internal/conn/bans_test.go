package conn

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

var (
	bad   = netip.MustParseAddr("198.51.100.7")
	other = netip.MustParseAddr("198.51.100.8")
)

// banFor is a room's limits with a first ban of that length.
func banFor(d time.Duration) options {
	return options{limits: func(c *spec.Connections) { c.Ban = d }}
}

// wantBan checks for how long, and why, an address is banned; not at all if that is 0.
func (w *world) wantBan(addr netip.Addr, left time.Duration, reason string) {
	w.Helper()
	b, ok := w.room.BanOf(addr)
	got := time.Until(b.Until).Round(time.Second)
	if ok != (left > 0) || ok && (got != left || b.Reason != reason) {
		w.Errorf("%v: got banned %t, for %v, for %q, want %v, for %q", addr, ok, got, b.Reason, left, reason)
	}
}

// TestBan turns new connections of a source away while it is banned, and lets those go on that it has.
func TestBan(t *testing.T) {
	tests := []struct{ name, bad, same, other string }{
		{"ipv4", "198.51.100.7", "198.51.100.7", "198.51.100.8"},
		{"ipv6", "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"},
		{"ipv4 in ipv6", "198.51.100.7", "::ffff:198.51.100.7", "::ffff:198.51.100.8"},
		{"the first of ipv6", "::2", "::3", "::1:0:0:0:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, banFor(10*time.Second), func(w *world) {
				greeted := func(from string) {
					t.Helper()
					c, err := w.dial(from)
					if err != nil {
						t.Fatal(err)
					}
					w.send(c, "get 1\n")
					w.wantText(c, "1:0")
				}
				open, err := w.dial(tt.bad)
				if err != nil {
					t.Fatal(err)
				}
				w.send(open, "get 1\n")
				w.wantText(open, "1:0")
				w.room.breach(netip.MustParseAddr(tt.bad), "bad manners")
				w.send(open, "get 2\n")
				w.wantText(open, "2:01")
				w.wantTurnedAway(w.dial(tt.bad))
				w.wantTurnedAway(w.dial(tt.same))
				greeted(tt.other)
				time.Sleep(9 * time.Second) // the clock is the test's
				w.wantTurnedAway(w.dial(tt.bad))
				time.Sleep(time.Second)
				greeted(tt.bad)
				w.wantRefused(Banned, 3)
				w.wantRefused(Breached, 1)
			})
		})
	}
}

// TestBanDoubles wants a source that breaks bounds again soon to be banned for longer, up to a bound, and what it does on other
// connections meanwhile not to count.
func TestBanDoubles(t *testing.T) {
	simulated(t, banFor(10*time.Second), func(w *world) {
		for _, seconds := range []int{10, 20, 40, 80, 160, 320, 600, 600} {
			want := time.Duration(seconds) * time.Second
			w.room.breach(bad, "once")
			w.wantBan(bad, want, "once")
			time.Sleep(want / 2)
			w.room.breach(bad, "by another connection")
			w.wantBan(bad, want/2, "once")
			time.Sleep(want / 2)
			w.wantBan(bad, 0, "")
			time.Sleep(banMemory - time.Second)
		}
		time.Sleep(time.Second)
		w.room.breach(bad, "long after")
		w.wantBan(bad, 10*time.Second, "long after")
	})
}

func TestUnban(t *testing.T) {
	simulated(t, banFor(10*time.Second), func(w *world) {
		for range 3 { // which forgets how long it was
			w.room.breach(bad, "once")
			w.room.breach(other, "too")
			w.wantBan(bad, 10*time.Second, "once")
			if once, again := w.room.Unban(single(bad)), w.room.Unban(single(bad)); once != 1 || again != 0 {
				t.Errorf("lifted %d bans, and then %d, want 1 and none", once, again)
			}
			w.wantBan(bad, 0, "")
			w.wantBan(other, 10*time.Second, "too")
			w.room.Unban(single(other))
			w.send(w.connect(), "get 1\n")
		}
	})
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// TestUnbanPrefix: all bans of sources that have addresses in common with the prefix are lifted, and no others.
func TestUnbanPrefix(t *testing.T) {
	sources := []string{"192.0.2.1", "192.0.2.255", "192.0.3.0", "255.255.255.255", "2001:db8::1", "2001:db8:0:1::1", "2001:db8:ffff:ffff::", "2001:db9::"}
	tests := []struct {
		prefix string
		want   []string
	}{
		{"192.0.2.1/32", sources[:1]},
		{"192.0.2.0/24", sources[:2]},
		{"0.0.0.0/0", sources[:4]},
		{"2001:db8::7/128", sources[4:5]}, // of the same /64
		{"2001:db8::/63", sources[4:6]},
		{"2001:db8::/32", sources[4:7]},
		{"::/0", sources}, // nobody asks for less than all with it
		{"198.51.100.0/24", nil},
	}
	for _, tt := range tests {
		t.Run(tt.prefix, func(t *testing.T) {
			simulated(t, banFor(10*time.Second), func(w *world) {
				for _, s := range sources {
					w.room.breach(netip.MustParseAddr(s), "once")
				}
				if got := w.room.Unban(netip.MustParsePrefix(tt.prefix)); got != len(tt.want) {
					t.Errorf("lifted %d bans, want %d", got, len(tt.want))
				}
				for _, s := range sources {
					if _, banned := w.room.BanOf(netip.MustParseAddr(s)); banned == slices.Contains(tt.want, s) {
						t.Errorf("%s: banned is %t", s, banned)
					}
				}
			})
		})
	}
}

// TestExcused: who is excused is neither banned nor denied.
func TestExcused(t *testing.T) {
	simulated(t, banFor(10*time.Second), func(w *world) {
		excused := true
		w.room.Excused = func(a netip.Addr) bool { return excused && a == bad }
		w.room.Deny([]netip.Prefix{single(bad)})
		w.room.breach(bad, "once")
		w.wantBan(bad, 0, "")
		if !w.room.admit(bad) {
			t.Error("got a connection refused of who is excused")
		}
		w.room.sources.leave(bad)
		excused = false
		if w.room.admit(bad) {
			t.Error("got a connection accepted of who is denied")
		}
		w.room.breach(bad, "again")
		w.wantBan(bad, 10*time.Second, "again")
	})
}

// TestNoBan wants nobody to be banned whose operator does not want it, and no proxy that is trusted.
func TestNoBan(t *testing.T) {
	simulated(t, banFor(0), func(w *world) {
		w.room.breach(bad, "once")
		w.wantBan(bad, 0, "")
		w.wantRefused(Breached, 1)
	})
	node := spec.DefaultNode()
	node.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/29")}
	w := newWorld(t, options{})
	w.room = New(&node, w.room.Options)
	w.room.breach(bad, "once")
	w.wantBan(bad, 0, "")
	for range 100 {
		if !w.room.charge(bad, chargeBurst) {
			t.Fatal("what a proxy passes on is charged to it")
		}
	}
}

// TestBansAreBounded fills a set of bans: the one that ends first gives way, and nobody else.
func TestBansAreBounded(t *testing.T) {
	simulated(t, banFor(10*time.Second), func(w *world) {
		b := &w.room.bans
		var addrs []netip.Addr
		for a := bad; len(addrs) < banWays+2; a = a.Next() {
			if b.set(keyOf(netip.PrefixFrom(a, 32))) == b.set(keyOf(netip.PrefixFrom(bad, 32))) {
				addrs = append(addrs, a)
			}
		}
		for _, a := range addrs[:banWays] {
			w.room.breach(a, a.String())
			time.Sleep(time.Second)
		}
		w.room.Unban(single(addrs[0]))
		w.room.breach(addrs[0], "last") // so that the second ends first
		w.room.breach(addrs[banWays], "new")
		w.room.breach(addrs[banWays+1], "newer")
		for i, seconds := range []int{10, 0, 0, 9, 10, 10} {
			got, ok := w.room.BanOf(addrs[i])
			want := time.Duration(seconds) * time.Second
			if left := time.Until(got.Until).Round(time.Second); ok != (want > 0) || ok && left != want {
				t.Errorf("ban %d: got %t, for %v, want %v", i, ok, left, want)
			}
		}
	})
}

// TestCharge wants a source to be charged for all its connections together, and what time has earned to be given back.
func TestCharge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		spent := 0
		for w.room.charge(bad, 100) {
			if spent += 100; spent > chargeBurst {
				break
			}
		}
		if spent < chargeBurst-100 || spent > chargeBurst {
			t.Errorf("got %d at once, want %d", spent, chargeBurst)
		}
		if !w.room.charge(other, chargeBurst) {
			t.Error("another source is charged, too")
		}
		time.Sleep(time.Second)
		if !w.room.charge(bad, chargeRate-1) || w.room.charge(bad, chargeRate/2) {
			t.Errorf("got other than %d a second later", chargeRate)
		}
	})
}

// TestBreachLines wants breaches to be written down, without whole addresses, as far as anybody can read them.
func TestBreachLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		for range 10_000 {
			w.room.breach(bad, "too many things")
		}
		if got := strings.Count(w.log.String(), "too many things"); got != breachLinesBurst {
			t.Errorf("written down %d times, want %d", got, breachLinesBurst)
		}
		if text := w.log.String(); strings.Contains(text, bad.String()) || !strings.Contains(text, "198.51.100.0/24") {
			t.Errorf("got %.200s, want the network", text)
		}
		w.wantRefused(Breached, 10_000)
	})
}

// TestBanBehindProxy wants who is banned to be turned away also where a proxy names it, and the proxy not.
func TestBanBehindProxy(t *testing.T) {
	o := banFor(10 * time.Second)
	o.proxy = "198.51.100.0/30"
	simulated(t, o, func(w *world) {
		ask := func(client string) (string, error) {
			c, err := w.dial("198.51.100.1")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprintf(c, "PROXY TCP4 %s 192.0.2.1 4711 80\r\nget 1\n", client)
			b := make([]byte, 3)
			n, err := c.Read(b)
			return string(b[:n]), err
		}
		w.room.breach(bad, "once")
		if got, err := ask(bad.String()); err == nil {
			t.Errorf("got %q, want to be turned away", got)
		}
		if got, err := ask(other.String()); got == "" {
			t.Errorf("another client of the proxy: got %v", err)
		}
		w.wantRefused(Banned, 1)
	})
}

// TestBreachLinger wants a client who broke a bound to be told, and not to be heard out for long.
func TestBreachLinger(t *testing.T) {
	o := banFor(0)
	o.fulfil = func(line string, s flow.Stream, out *flow.Output) flow.Next {
		if line == "breach" {
			s.(flow.Connection).Breach("once")
		}
		out.Head = append(out.Head, "bye."...)
		return flow.Linger
	}
	for _, tt := range []struct {
		line string
		want time.Duration
	}{{"breach", breachLingerFor}, {"upload", lingerFor}} {
		t.Run(tt.line, func(t *testing.T) {
			simulated(t, o, func(w *world) {
				c, began := w.connect(), time.Now()
				w.send(c, tt.line+"\n")
				w.wantText(c, "bye.")
				for err := error(nil); err == nil; _, err = c.Write([]byte("x")) {
					time.Sleep(50 * time.Millisecond)
				}
				if took := time.Since(began); took < tt.want || took > tt.want+200*time.Millisecond {
					t.Errorf("heard out for %v, want %v", took, tt.want)
				}
				c.Close()
			})
		})
	}
}
