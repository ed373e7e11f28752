package exceptions

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
)

var same = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// ofRule and ofAddress last for an hour.
func ofRule(zone, rule string) Exception {
	return Exception{Zone: zone, Rule: rule, Until: time.Now().Add(time.Hour), By: "test"}
}

func ofAddress(zone, address string) Exception {
	return Exception{Zone: zone, Address: prefix(address), Until: time.Now().Add(time.Hour), By: "test"}
}

func add(tb testing.TB, r *Room, list ...Exception) {
	tb.Helper()
	for _, e := range list {
		if _, err := r.Add(e); err != nil {
			tb.Fatal(err)
		}
	}
}

func request(address string) *flow.Flow {
	f := new(flow.Flow)
	f.Request.Client = netip.MustParseAddr(address)
	return f
}

// TestSpares wants an exception to hold where it is for, and nowhere else.
func TestSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			name                string
			exception           Exception
			zone, rule, address string
			want                bool
		}{
			{"the rule", ofRule("a", "p/r"), "a", "p/r", "192.0.2.1", true},
			{"another rule", ofRule("a", "p/r"), "a", "p/s", "192.0.2.1", false},
			{"the rule of another zone", ofRule("a", "p/r"), "b", "p/r", "192.0.2.1", false},
			{"the address", ofAddress("a", "192.0.2.1/32"), "a", "p/r", "192.0.2.1", true},
			{"its neighbour", ofAddress("a", "192.0.2.1/32"), "a", "p/r", "192.0.2.2", false},
			{"the address in another zone", ofAddress("a", "192.0.2.1/32"), "b", "p/r", "192.0.2.1", false},
			{"the address in all zones", ofAddress("", "192.0.2.1/32"), "b", "p/r", "192.0.2.1", true},
			{"a prefix", ofAddress("a", "2001:db8::/32"), "a", "p/r", "2001:db8:1::1", true},
			{"a mapped prefix", ofAddress("a", "::ffff:192.0.2.0/120"), "a", "p/r", "192.0.2.7", true},
			{"a prefix with more bits set", ofAddress("a", "192.0.2.9/24"), "a", "p/r", "192.0.2.7", true},
		}
		for _, tt := range tests {
			r := New()
			add(t, r, tt.exception)
			f := request(tt.address)
			if got := (&Grace{Room: r, Zone: tt.zone}).Spares(f, tt.rule); got != tt.want || f.Verdict.Undone != tt.want || (len(f.Verdict.Dry) == 1) != tt.want {
				t.Errorf("%s: got %t, %+v, want %t", tt.name, got, f.Verdict, tt.want)
			}
			r.Close()
		}
	})
}

// TestDry: in a dry run all is spared, and nothing is said to be undone.
func TestDry(t *testing.T) {
	f := request("192.0.2.1")
	if !(&Grace{Room: New(), Dry: true}).Spares(f, "r") || f.Verdict.Undone || len(f.Verdict.Dry) != 1 {
		t.Errorf("got %+v", f.Verdict)
	}
}

// TestZonesApart: whatever is undone in one zone, requests of another fare as they would without.
func TestZonesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		with, without := New(), New()
		defer with.Close()
		defer without.Close()
		addresses := rapid.SampledFrom([]string{"192.0.2.0/24", "192.0.2.1/32", "2001:db8::/32", "0.0.0.0/0"})
		rules := rapid.SampledFrom([]string{"lists.deny", "limits.requests", "p/a", "p/b"})
		for range rapid.IntRange(0, 8).Draw(t, "exceptions") {
			zone := rapid.SampledFrom([]string{"mine", "other"}).Draw(t, "zone")
			e := Exception{Zone: zone, Until: time.Now().Add(time.Hour)}
			if rapid.Bool().Draw(t, "by rule") {
				e.Rule = rules.Draw(t, "rule")
			} else {
				e.Address = prefix(addresses.Draw(t, "address"))
			}
			for _, r := range []*Room{with, without} {
				if r == with || zone == "mine" {
					if _, err := r.Add(e); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		address := netip.MustParseAddr(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "203.0.113.1", "2001:db8::1"}).Draw(t, "client"))
		rule := rules.Draw(t, "asked")
		if got, want := with.undone("mine", rule, address), without.undone("mine", rule, address); got != want {
			t.Errorf("%s for %v: got undone %t, want %t as without the other zone's", rule, address, got, want)
		}
	})
}

func TestAddRefuses(t *testing.T) {
	rule, address := ofRule("a", "r"), ofAddress("a", "192.0.2.1/32")
	tests := []struct {
		name string
		give func() Exception
		want string
	}{
		{"neither", func() Exception { return Exception{Zone: "a", Until: rule.Until} }, "want an address or a rule"},
		{"both", func() Exception { e := rule; e.Address = address.Address; return e }, "want an address or a rule"},
		{"a rule of no zone", func() Exception { e := rule; e.Zone = ""; return e }, "want its zone"},
		{"too long", func() Exception { e := rule; e.Until = time.Now().Add(Longest + time.Minute); return e }, "at most 168h0m0s"},
		{"over", func() Exception { e := rule; e.Until = time.Now(); return e }, "more than nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New()
			if _, err := r.Add(tt.give()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if len(r.List()) > 0 {
				t.Errorf("got %v in force", r.List())
			}
		})
	}
}

// TestEnd wants each exception to end in its time, and one that is given anew to last as the later says.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		defer r.Close()
		var log bytes.Buffer
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		long, short, wide := ofAddress("a", "192.0.2.1/32"), ofRule("a", "r"), ofAddress("a", "192.0.2.0/24")
		short.Until = time.Now().Add(time.Minute)
		wide.Until = time.Now().Add(time.Minute)
		add(t, r, long, short, wide)
		short.Until = time.Now().Add(30 * time.Minute)
		add(t, r, short)
		asked := func(rule, address string) bool { return r.undone("a", rule, netip.MustParseAddr(address)) }
		for _, tt := range []struct {
			after                  time.Duration
			address, network, rule bool
		}{
			{0, true, true, true},
			{time.Minute - 1, true, true, true},
			{time.Minute, true, false, true},
			{30 * time.Minute, true, false, false},
			{time.Hour, false, false, false},
		} {
			time.Sleep(time.Until(long.Until.Add(tt.after - time.Hour)))
			synctest.Wait()
			if address, network, rule := asked("", "192.0.2.1"), asked("", "192.0.2.2"), asked("r", "203.0.113.1"); address != tt.address || network != tt.network || rule != tt.rule {
				t.Errorf("after %v: got %t, %t, %t, want %+v", tt.after, address, network, rule, tt)
			}
		}
		if r.inForce.Load() != nil || len(r.List()) > 0 {
			t.Error("something is left")
		}
		if got := strings.Count(log.String(), "an exception has ended"); got != 3 {
			t.Errorf("got %d ends in the log, want 3:\n%s", got, log.String())
		}
	})
}

func TestCancel(t *testing.T) {
	tests := []struct {
		name string
		is   func(*Exception) bool
		want int
	}{
		{"a rule", IsRule("a", "p/r"), 1},
		{"a rule without its phase", IsRule("a", "r"), 1},
		{"a rule of any zone", IsRule("", "r"), 2},
		{"no such rule", IsRule("a", "s"), 0},
		{"an address in a zone", IsAddress("a", prefix("192.0.2.1/32")), 1},
		{"an address in all", IsAddress("", prefix("192.0.2.1/32")), 1},
		{"a part of a prefix", IsAddress("a", prefix("198.51.100.1/32")), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New()
			defer r.Close()
			add(t, r, ofRule("a", "p/r"), ofRule("b", "p/r"), ofAddress("a", "192.0.2.1/32"), ofAddress("", "192.0.2.1/32"), ofAddress("a", "198.51.100.0/24"))
			if got := r.Cancel(tt.is); len(got) != tt.want || len(r.List()) != 5-tt.want {
				t.Errorf("got %v, and %d left, want %d", got, len(r.List()), tt.want)
			}
		})
	}
}

// TestBounded: of too many, the one that ends first gives way, and the log says so.
func TestBounded(t *testing.T) {
	r := New()
	defer r.Close()
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	first := ofRule("a", "first")
	first.Until = time.Now().Add(time.Minute)
	r.all = append(r.all, first)
	for i := range Most - 1 {
		r.all = append(r.all, ofRule("a", fmt.Sprint(i)))
	}
	add(t, r, ofRule("a", "last"))
	if len(r.List()) != Most || r.undone("a", "first", netip.Addr{}) || !r.undone("a", "last", netip.Addr{}) || !r.undone("a", "0", netip.Addr{}) {
		t.Errorf("got %d, want %d without the first", len(r.List()), Most)
	}
	if !strings.Contains(log.String(), `was="rule first in zone a"`) {
		t.Errorf("the log does not tell of it: %s", log.String())
	}
}

// TestKept wants exceptions to outlast the process, and those that end meanwhile not to come back.
func TestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exceptions.json")
	r := New()
	if err := r.Open(path); err != nil {
		t.Fatal(err)
	}
	rule, address, brief := ofRule("a", "p/r"), ofAddress("", "2001:db8::/32"), ofRule("a", "brief")
	rule.Until, address.Until = rule.Until.UTC().Truncate(time.Second), address.Until.UTC().Truncate(time.Second)
	add(t, r, rule, address, brief)
	r.Cancel(IsRule("a", "brief"))
	want := r.List()
	r.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	past := `[{"zone":"a","rule":"past","until":"2001-01-01T00:00:00Z","by":""},`
	if err := os.WriteFile(path, append([]byte(past), text[1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	again := New()
	defer again.Close()
	if err := again.Open(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again.List(), same); diff != "" || !again.Everywhere(netip.MustParseAddr("2001:db8::1")) {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestKeptBadly: a file that can't be read is told of, and written anew; one that can't be written lets what is undone be undone.
func TestKeptBadly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exceptions.json")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := New()
	defer r.Close()
	if err := r.Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	add(t, r, ofRule("a", "r"))
	if kept, err := read(path); err != nil || len(kept) != 1 {
		t.Errorf("got %v, %v, want the one", kept, err)
	}
	var log bytes.Buffer
	r.Log, r.path = slog.New(slog.NewTextHandler(&log, nil)), filepath.Join(path, "below")
	add(t, r, ofRule("a", "s"))
	if !r.undone("a", "s", netip.Addr{}) || !strings.Contains(log.String(), "will not outlive a restart") {
		t.Errorf("got %v, %s", r.List(), log.String())
	}
}

// BenchmarkSpares is what a request that is refused pays for exceptions.
func BenchmarkSpares(b *testing.B) {
	for _, count := range []int{0, 1, Most} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			r := New()
			defer r.Close()
			for i := range count {
				r.all = append(r.all, Exception{Zone: "a", Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 32), Until: time.Now().Add(time.Hour)})
			}
			r.enforce()
			g, f := &Grace{Room: r, Zone: "a"}, request("192.0.2.1")
			b.ReportAllocs()
			for b.Loop() {
				if g.Spares(f, "http_request_firewall_custom/rule") {
					b.Fatal("spared")
				}
			}
		})
	}
}

// TestTogether asks while others undo, cancel and list; the race detector looks on.
func TestTogether(t *testing.T) {
	r := New()
	defer r.Close()
	if err := r.Open(filepath.Join(t.TempDir(), "exceptions.json")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			zone := fmt.Sprint(i)
			g := &Grace{Room: r, Zone: zone}
			for range 50 {
				add(t, r, ofRule(zone, "r"))
				if !g.Spares(request("192.0.2.1"), "r") {
					t.Error("what was undone is refused")
				}
				r.Of(netip.MustParseAddr("192.0.2.1"))
				if got := r.Cancel(IsRule(zone, "r")); len(got) != 1 || g.Spares(request("192.0.2.1"), "r") {
					t.Errorf("cancelled %v, and it is spared", got)
				}
			}
		})
	}
	all.Wait()
	if left := r.List(); len(left) > 0 {
		t.Errorf("got %v left", left)
	}
}
