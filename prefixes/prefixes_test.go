package prefixes

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func compile(tb testing.TB, list ...string) *Set {
	tb.Helper()
	var ps []netip.Prefix
	for _, s := range list {
		p, err := Parse(s)
		if err != nil {
			tb.Fatal(err)
		}
		ps = append(ps, p)
	}
	return Compile(ps)
}

func TestMatch(t *testing.T) {
	set := compile(t, "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::5",
		"fe80::/10")
	tests := []struct {
		addr string
		want string
	}{
		{"10.200.0.1", "10.0.0.0/8"},
		{"10.1.200.1", "10.1.0.0/16"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.4", "10.1.0.0/16"},
		{"::ffff:10.1.2.3", "10.1.2.3/32"},
		{"::ffff:192.0.2.255", "192.0.2.0/24"},
		{"192.0.3.0", ""},
		{"2001:db8::1", "2001:db8::/32"},
		{"2001:db8:1:ffff::1", "2001:db8:1::/48"},
		{"2001:db8:2::5", "2001:db8:2::5/128"},
		{"2001:db8:2::6", "2001:db8::/32"},
		{"2001:db9::", ""},
		{"fe80::1%eth0", "fe80::/10"},
		{"::", ""},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			addr := netip.MustParseAddr(tt.addr)
			p, ok := set.Match(addr)
			got := ""
			if ok {
				got = p.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, want := set.Contains(addr), tt.want != ""; got != want {
				t.Errorf("Contains: got %v, want %v", got, want)
			}
		})
	}
}

func TestNothing(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	tests := []struct {
		name string
		set  *Set
		addr netip.Addr
	}{
		{"nil set", nil, addr},
		{"zero set", new(Set), addr},
		{"empty set", Compile(nil), addr},
		{"zero prefix", Compile([]netip.Prefix{{}}), addr},
		{"other family", compile(t, "::/0"), addr},
		{"zero address", compile(t, "0.0.0.0/0", "::/0"), netip.Addr{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.set.Contains(tt.addr) {
				t.Error("Contains: got true, want false")
			}
			if p, ok := tt.set.Match(tt.addr); ok || p.IsValid() {
				t.Errorf("Match: got %v, %v, want nothing", p, ok)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	set := Compile([]netip.Prefix{
		netip.MustParsePrefix("10.1.2.3/8"), // host bits are cleared
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("::ffff:10.0.0.0/104"), // the same, mapped
		{},
	})
	if got, want := set.Len(), 1; got != want {
		t.Errorf("got %d prefixes, want %d", got, want)
	}
	if !set.Contains(netip.MustParseAddr("10.255.0.1")) {
		t.Error("10.255.0.1: got not contained")
	}
	if got, want := (*Set)(nil).Len(), 0; got != want {
		t.Errorf("nil: got %d prefixes, want %d", got, want)
	}
}

// TestAgreesWithScan holds Match against a scan of the list.
func TestAgreesWithScan(t *testing.T) {
	addrs := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 128, 255}), 4, 4).Draw(t, "bytes") // alike, to nest often
		if rapid.Bool().Draw(t, "IPv6") {
			return netip.AddrFrom16([16]byte{0x20, b[0], b[1], 7: b[2], 15: b[3]})
		}
		return netip.AddrFrom4([4]byte(b))
	})
	rapid.Check(t, func(t *rapid.T) {
		var list []netip.Prefix
		var entries []Entry[int] // each with its place
		for _, addr := range rapid.SliceOfN(addrs, 0, 60).Draw(t, "list") {
			list = append(list, netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked())
			entries = append(entries, Entry[int]{list[len(list)-1], len(list) - 1})
		}
		addr := addrs.Draw(t, "addr")
		want := scan(list, addr)
		set := Compile(list)
		got, ok := set.Match(addr)
		if got != want || ok != want.IsValid() {
			t.Fatalf("%v in %v: got %v, %v, want %v", addr, list, got, ok, want)
		}
		if got, want := set.Contains(addr), want.IsValid(); got != want {
			t.Fatalf("%v in %v: Contains: got %v, want %v", addr, list, got, want)
		}
		value, ok := CompileMap(entries).Lookup(addr)
		if i := slices.Index(list, want); ok != want.IsValid() || ok && list[value] != list[i] || ok && !isLast(list, value) {
			t.Fatalf("%v in %v: Lookup: got %v, %v, want the last of %v", addr, list, value, ok, want)
		}
	})
}

// scan looks through a list for the most specific prefix that contains addr.
func scan(list []netip.Prefix, addr netip.Addr) (found netip.Prefix) {
	for _, p := range list {
		if p.Contains(addr) && (!found.IsValid() || p.Bits() > found.Bits()) {
			found = p
		}
	}
	return found
}

// FuzzMatch holds Match against a scan, at the first and last addresses of prefixes and beside them, in lists that may have heaps in heaps.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("\x80\x01\x02\x03\x04\x40\x01\x02\x03\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []netip.Prefix
		for ; len(data) >= 5 && len(list) < 1000; data = data[5:] {
			addr := netip.AddrFrom16([16]byte{0: data[1], 3: data[2], 7: data[3], 15: data[4]})
			list = append(list, netip.PrefixFrom(addr, min(int(data[0]), 128)).Masked())
		}
		set := Compile(list)
		for _, p := range list {
			last := p.Addr().As16()
			for bit := p.Bits(); bit < 128; bit++ {
				last[bit/8] |= 0x80 >> (bit % 8)
			}
			end := netip.AddrFrom16(last)
			for _, addr := range []netip.Addr{p.Addr(), p.Addr().Prev(), end, end.Next()} {
				if !addr.IsValid() || addr.Is4In6() {
					continue
				}
				if got, _ := set.Match(addr); got != scan(list, addr) {
					t.Fatalf("%v in %v: got %v, want %v", addr, list, got, scan(list, addr))
				}
			}
		}
	})
}

// isLast tells whether the prefix at a place does not come again.
func isLast(list []netip.Prefix, place int) bool {
	return !slices.Contains(list[place+1:], list[place])
}

// TestMany holds a large set, of which the index is a part, against a table for each length.
func TestMany(t *testing.T) {
	for _, family := range []string{"IPv4", "IPv6", "IPv6 of few", "IPv6 of routes", "IPv6 of hosts", "mixed"} {
		t.Run(family, func(t *testing.T) {
			list, within, random := million(family)
			list = list[:50_000]
			has := make(map[netip.Prefix]bool, len(list))
			for _, p := range list {
				has[p] = true
			}
			set := Compile(list)
			if got, want := set.Len(), len(has); got != want {
				t.Errorf("got %d prefixes, want %d", got, want)
			}
			for _, addr := range slices.Concat(within[:10_000], random[:10_000]) {
				var want netip.Prefix
				for bits := range addr.BitLen() + 1 {
					if p := netip.PrefixFrom(addr, bits).Masked(); has[p] {
						want = p
					}
				}
				if got, _ := set.Match(addr); got != want {
					t.Fatalf("%v: got %v, want %v", addr, got, want)
				}
			}
		})
	}
}

func TestMapOfNothing(t *testing.T) {
	m := CompileMap([]Entry[string]{{netip.MustParsePrefix("::ffff:192.0.2.0/120"), "a"}, {netip.Prefix{}, "b"}})
	if got, ok := m.Lookup(netip.MustParseAddr("192.0.2.9")); !ok || got != "a" {
		t.Errorf("got %q, %v, want a", got, ok)
	}
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("192.0.3.0"), netip.MustParseAddr("::")} {
		if got, ok := m.Lookup(addr); ok {
			t.Errorf("%v: got %q, want nothing", addr, got)
		}
	}
	if got, ok := (*Map[string])(nil).Lookup(netip.MustParseAddr("192.0.2.9")); ok {
		t.Errorf("nil map: got %q, want nothing", got)
	}
}

func TestSourceNetwork(t *testing.T) {
	tests := []struct {
		addr, source, network string
	}{
		{"192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"},
		{"::ffff:192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/48"},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			addr := netip.MustParseAddr(tt.addr)
			if got, want := Source(addr).String(), tt.source; got != want {
				t.Errorf("Source: got %s, want %s", got, want)
			}
			if got, want := Network(addr).String(), tt.network; got != want {
				t.Errorf("Network: got %s, want %s", got, want)
			}
		})
	}
	if got, want := Source(netip.Addr{}), (netip.Prefix{}); got != want {
		t.Errorf("Source of the zero address: got %v, want %v", got, want)
	}
}

// million returns a million prefixes, and addresses within some of them and at random. IPv4 ones are /24 to /32, IPv6 ones /48 to /64, those of
// routes /29 to /48 as in BGP, and those of hosts a few /128s in each of many /64s.
func million(family string) (list []netip.Prefix, within, random []netip.Addr) {
	rng := rand.New(rand.NewPCG(1, 2))
	registries := []byte{0x20, 0x24, 0x26, 0x28, 0x2a, 0x2c}
	draw := func() (netip.Addr, int) {
		if family == "IPv4" || family == "mixed" && rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, rng.Uint32()))), 24 + rng.IntN(9)
		}
		b := [16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, rng.Uint64()), rng.Uint64()))
		b[0] = 0x20 | b[0]&0x1f
		if family == "IPv6 of few" { // allocated as registries do: a few /12s, in which some /32s are full
			b[0], b[1], b[2], b[3] = 0x2a, b[1]&0x0f, b[2]&0x07, b[3]&0x03
		}
		switch family {
		case "IPv6 of routes": // half are /48s, and most of the rest /32s to /44s, in the registries' /12s
			b[0], b[1] = registries[rng.IntN(len(registries))], b[1]&0x0f
			return netip.AddrFrom16(b), [...]int{29, 32, 32, 36, 40, 44, 48, 48, 48, 48}[rng.IntN(10)]
		case "IPv6 of hosts":
			b[0], b[1], b[2], b[5], b[6], b[7] = 0x2a, b[1]&0x0f, b[2]&0x07, b[5]&0x01, 0, 0
			return netip.AddrFrom16(b), 128
		}
		return netip.AddrFrom16(b), 48 + rng.IntN(17)
	}
	for i := range 1_000_000 {
		addr, bits := draw()
		list = append(list, netip.PrefixFrom(addr, bits).Masked())
		if i < 1<<16 {
			other, _ := draw()
			within, random = append(within, addr), append(random, other)
		}
	}
	rng.Shuffle(len(within), func(i, j int) { within[i], within[j] = within[j], within[i] })
	return list, within, random
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkContains(b *testing.B) {
	for _, family := range []string{"IPv4", "IPv6", "IPv6 of few", "IPv6 of routes", "IPv6 of hosts", "mixed"} {
		list, within, random := million(family)
		few, before := Compile(list[:20]), heap()
		many := Compile(list)
		size := heap() - before
		runtime.KeepAlive(list)
		tests := []struct {
			name  string
			set   *Set
			addrs []netip.Addr // a power of two
		}{
			{"20 prefixes/random", few, random},
			{"1M prefixes/random", many, random},
			{"1M prefixes/members", many, within},
		}
		for _, tt := range tests {
			b.Run(family+"/"+tt.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					tt.set.Contains(tt.addrs[i&(len(tt.addrs)-1)])
				}
				if tt.set == many {
					b.ReportMetric(float64(size)/1e6, "MB")
				}
			})
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	list, within, _ := million("mixed")
	entries := make([]Entry[int], len(list))
	for i, p := range list {
		entries[i] = Entry[int]{p, i & 31}
	}
	before := heap()
	m := CompileMap(entries)
	size := heap() - before
	runtime.KeepAlive(entries)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Lookup(within[i&(len(within)-1)])
	}
	b.ReportMetric(float64(size)/1e6, "MB")
}

func BenchmarkMatch(b *testing.B) {
	set, addr := compile(b, "10.0.0.0/8", "10.1.0.0/16"), netip.MustParseAddr("10.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		set.Match(addr)
	}
}

func BenchmarkCompile(b *testing.B) {
	list, _, _ := million("mixed")
	b.ReportAllocs()
	for b.Loop() {
		Compile(list)
	}
}
