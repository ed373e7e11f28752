package limits

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

var source = netip.MustParsePrefix("203.0.113.7/32")

func compile(tb testing.TB, table *Table, zone string, kind uint8, rate spec.Rate, perNetwork int) *Limit {
	tb.Helper()
	l, err := table.Compile(zone, kind, rate, perNetwork)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// taken is how many requests source may have at once.
func taken(l *Limit, source netip.Prefix, now time.Time) int {
	for n := range 1000 {
		if ok, _, _ := l.Take(source, now); !ok {
			return n
		}
	}
	return 1000
}

func TestTake(t *testing.T) {
	table, now := New(), time.Now()
	rate := spec.Rate{Requests: 10, Per: time.Second, Burst: 4}
	l := compile(t, table, "zone", 0, rate, 0)
	if got, want := taken(l, source, now), 5; got != want {
		t.Errorf("got %d at once, want %d", got, want)
	}
	if ok, wait, _ := l.Take(source, now); ok || wait != 100*time.Millisecond {
		t.Errorf("got %v, %v beyond the burst, want a wait of 100ms", ok, wait)
	}
	l.Refund(source, now)
	if got, want := taken(l, source, now), 1; got != want {
		t.Errorf("got %d after a refund, want %d", got, want)
	}
	tests := []struct {
		name   string
		limit  *Limit
		source netip.Prefix
		want   int
	}{
		{"compiled again", compile(t, table, "zone", 0, rate, 0), source, 0},
		{"other source", l, netip.MustParsePrefix("203.0.113.8/32"), 5},
		{"IPv6 source", l, netip.MustParsePrefix("2001:db8:0:1::/64"), 5},
		{"other kind", compile(t, table, "zone", 1, rate, 0), source, 5},
		{"other zone", compile(t, table, "enoz", 0, rate, 0), source, 5},
		{"no limit", compile(t, table, "zone", 0, spec.Rate{}, 0), source, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := taken(tt.limit, tt.source, now); got != tt.want {
				t.Errorf("got %d at once, want %d", got, tt.want)
			}
			if got, want := tt.limit.Set(), tt.want < 1000; got != want {
				t.Errorf("set: got %v, want %v", got, want)
			}
		})
	}
	if got, want := taken(l, source, now.Add(250*time.Millisecond)), 2; got != want {
		t.Errorf("got %d after 250ms, want %d", got, want)
	}
}

// neighbours are n sources of one network.
func neighbours(network string, n int) []netip.Prefix {
	addr := netip.MustParsePrefix(network).Addr()
	all := make([]netip.Prefix, n)
	for i := range all {
		if addr.Is4() {
			b := addr.As4()
			b[3] = byte(i)
			all[i] = prefixes.Source(netip.AddrFrom4(b))
			continue
		}
		b := addr.As16()
		binary.BigEndian.PutUint16(b[6:], uint16(i))
		all[i] = prefixes.Source(netip.AddrFrom16(b))
	}
	return all
}

func TestNetworkTogether(t *testing.T) {
	tests := []struct {
		name       string
		network    string
		sources    int
		perNetwork int
		want       int // at once, of 5 for each source
		detail     string
	}{
		{"a whole IPv6 /48", "2001:db8:1::/48", 1 << 16, 64, 320,
			"2001:db8:1::/48: 640 requests per 1s with burst 319, for all of a network (limits.per_network: 64)"},
		{"a whole IPv4 /24", "198.51.100.0/24", 256, 64, 320,
			"198.51.100.0/24: 640 requests per 1s with burst 319, for all of a network (limits.per_network: 64)"},
		{"as many sources as may", "198.51.100.0/24", 64, 64, 320, ""},
		{"no more than one source", "2001:db8:1::/48", 2, 1, 5,
			"2001:db8:1::/48: 10 requests per 1s with burst 4, for all of a network (limits.per_network: 1)"},
		{"off", "2001:db8:1::/48", 1000, 0, 5000, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := compile(t, New(), "zone", 0, spec.Rate{Requests: 10, Per: time.Second, Burst: 4}, tt.perNetwork)
			now := time.Now()
			all := neighbours(tt.network, tt.sources)
			var got int
			var detail string
			for _, source := range all {
				for range 5 {
					ok, wait, why := l.Take(source, now)
					if !ok {
						if detail = why; wait <= 0 {
							t.Fatalf("got a wait of %v", wait)
						}
						break
					}
					got++
				}
			}
			if got != tt.want || detail != tt.detail {
				t.Errorf("got %d at once, then %q, want %d, then %q", got, detail, tt.want, tt.detail)
			}
			if got, want := taken(l, source, now), 5; got != want {
				t.Errorf("elsewhere: got %d at once, want %d", got, want)
			}
		})
	}
}

// TestRefusedCostNobody: a source that is over its own limit takes nothing of what its network may have, and one that its network's limit
// refuses takes nothing of its own. What is refunded is refunded to both.
func TestRefusedCostNobody(t *testing.T) {
	l := compile(t, New(), "zone", 0, spec.Rate{Requests: 1, Per: time.Second, Burst: 1}, 2)
	now := time.Now()
	all := neighbours("2001:db8:1::/48", 3)
	for range 100 {
		l.Take(all[0], now)
	}
	if got, want := taken(l, all[1], now), 2; got != want {
		t.Fatalf("the neighbour of a source over its limit: got %d at once, want %d", got, want)
	}
	if got := taken(l, all[2], now); got != 0 {
		t.Fatalf("in a network that used its limit up: got %d at once, want 0", got)
	}
	l.Refund(all[0], now)
	if got, want := taken(l, all[2], now), 1; got != want {
		t.Errorf("after a refund: got %d at once, want %d", got, want)
	}
	if got, want := taken(l, all[2], now.Add(500*time.Millisecond)), 1; got != want {
		t.Errorf("in half a second: got %d at once, want its network's %d", got, want)
	}
}

// TestFastestTogether: where a network's multiple is more than can be counted, it may have as much as can be.
func TestFastestTogether(t *testing.T) {
	for _, rate := range []spec.Rate{
		{Requests: 20_000, Per: time.Second},
		{Requests: math.MaxInt64 / 1000, Per: math.MaxInt64},
	} {
		l := compile(t, New(), "zone", 0, rate, mostPerNetwork)
		if got, want := taken(l, source, time.Now()), 1; got != want {
			t.Errorf("%v: got %d at once, want %d", rate, got, want)
		}
	}
}

// TestZonesShareMemory: a thousand zones, and a million sources of theirs, have the memory of a table's parts and no more.
func TestZonesShareMemory(t *testing.T) {
	table, now := New(), time.Now()
	var limits []*Limit
	measure := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	rate := spec.DefaultZone().Limits.Requests
	got := measure(func() {
		for i := range 1000 {
			limits = append(limits, compile(t, table, fmt.Sprint(i), 0, rate, 64))
		}
	})
	if most := uint64(capacity*128/7 + 1<<21); got > most {
		t.Errorf("a thousand zones: got %d bytes, want at most %d", got, most)
	}
	got = measure(func() {
		for i := range 100_000 {
			addr := netip.AddrFrom4([4]byte{byte(i >> 12), byte(i >> 4), byte(i), 1})
			if ok, _, _ := limits[i%len(limits)].Take(netip.PrefixFrom(addr, 32), now); !ok {
				t.Fatalf("%v was refused", addr)
			}
		}
	})
	if got > 64<<10 {
		t.Errorf("its sources: got %d bytes, want nothing to speak of", got)
	}
}

// TestSlowLimitLeavesOtherZones: a flood of sources that all use up a limit of one zone, which remembers them for a day, gives nobody
// whom another zone limits his burst back. Kept together, a set in three hundred would overflow.
func TestSlowLimitLeavesOtherZones(t *testing.T) {
	table := New()
	slow := compile(t, table, "slow", 0, spec.Rate{Requests: 1, Per: 24 * time.Hour}, 0)
	limit := compile(t, table, "zone", 0, spec.Rate{Requests: 1, Per: time.Second}, 0)
	source := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	const limited = 20_000
	now := time.Now()
	for i := range limited {
		limit.Take(source(i), now)
	}
	now = now.Add(100 * time.Millisecond)
	for i := range capacity / 4 {
		slow.Take(source(limited+i), now)
	}
	var forgotten int
	for i := range limited {
		if ok, _, _ := limit.Take(source(i), now); ok {
			forgotten++
		}
	}
	if forgotten > 0 {
		t.Errorf("got %d of %d limited sources forgotten, want none", forgotten, limited)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name       string
		rate       spec.Rate
		perNetwork int
		want       string
	}{
		{"burst alone", spec.Rate{Burst: 1}, 0, "rate of 0 per 0s"},
		{"negative burst", spec.Rate{Requests: 1, Per: time.Second, Burst: -1}, 0, "burst is -1: it must not be negative"},
		{"no period", spec.Rate{Requests: 1}, 0, "rate of 1 per 0s"},
		{"too fast", spec.Rate{Requests: math.MaxInt, Per: time.Second}, 0, "rate of"},
		{"negative network", spec.Rate{Requests: 1, Per: time.Second}, -1, "per_network is -1: it must be between 0 and 65536"},
		{"network too large", spec.Rate{Requests: 1, Per: time.Second}, 65537, "per_network is 65537"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New().Compile("zone", 0, tt.rate, tt.perNetwork)
			if got := fmt.Sprint(err); err == nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s…", got, tt.want)
			}
		})
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	l, now := compile(t, New(), "zone", 0, spec.Rate{Requests: 50, Per: time.Second, Burst: 200}, 64), time.Now()
	for name, source := range map[string]netip.Prefix{"IPv4": source, "IPv6": netip.MustParsePrefix("2001:db8::/64")} {
		if got := testing.AllocsPerRun(1000, func() { l.Take(source, now); l.Refund(source, now) }); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	rate := spec.DefaultZone().Limits.Requests
	diverse := make([]netip.Prefix, 1<<16)
	for i := range diverse {
		diverse[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 32)
	}
	tests := []struct {
		name    string
		sources []netip.Prefix
	}{
		{"one source", diverse[:1]},
		{"one network", neighbours("2001:db8:1::/48", 1<<16)},
		{"diverse", diverse},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			l, now := compile(b, New(), "zone", 0, rate, 64), time.Now()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				l.Take(tt.sources[i%len(tt.sources)], now)
			}
		})
	}
}
