package prefixes

import (
	"math/rand/v2"
	"net/netip"
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
	set := compile(t, "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48", "fe80::/10")
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
		for _, addr := range rapid.SliceOfN(addrs, 0, 30).Draw(t, "list") {
			list = append(list, netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked())
		}
		addr := addrs.Draw(t, "addr")
		var want netip.Prefix
		for _, p := range list {
			if p.Contains(addr) && (!want.IsValid() || p.Bits() > want.Bits()) {
				want = p
			}
		}
		set := Compile(list)
		got, ok := set.Match(addr)
		if got != want || ok != want.IsValid() {
			t.Fatalf("%v in %v: got %v, %v, want %v", addr, list, got, ok, want)
		}
		if got, want := set.Contains(addr), want.IsValid(); got != want {
			t.Fatalf("%v in %v: Contains: got %v, want %v", addr, list, got, want)
		}
	})
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

// million returns a million prefixes, a quarter of them IPv6, and addresses within some of them and at random. The IPv4
// ones lie in 4000 /16 networks, as those of a blocklist do, or anywhere.
func million(anywhere bool) (list []netip.Prefix, within, random []netip.Addr) {
	rng := rand.New(rand.NewPCG(1, 2))
	addr4 := func() netip.Addr {
		v := rng.Uint32()
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	nets := make([]netip.Addr, 4000)
	for i := range nets {
		nets[i] = addr4()
	}
	for i := range 1_000_000 {
		addr, bits := addr4(), 24+rng.IntN(9)
		if i%4 == 0 {
			b := [16]byte{0x20, 0x01, byte(rng.Uint32()) & 7}
			for j := 3; j < 8; j++ {
				b[j] = byte(rng.Uint32())
			}
			addr, bits = netip.AddrFrom16(b), 40+rng.IntN(25)
		} else if !anywhere {
			b, net := addr.As4(), nets[rng.IntN(len(nets))].As4()
			addr = netip.AddrFrom4([4]byte{net[0], net[1], b[2], b[3]})
		}
		list = append(list, netip.PrefixFrom(addr, bits).Masked())
		if i < 1<<16 {
			within, random = append(within, addr), append(random, addr4())
		}
	}
	rng.Shuffle(len(within), func(i, j int) { within[i], within[j] = within[j], within[i] })
	return list, within, random
}

func BenchmarkContains(b *testing.B) {
	list, within, random := million(false)
	clustered := Compile(list)
	list, withinScattered, randomScattered := million(true)
	scattered := Compile(list)
	few := Compile(list[:20])
	tests := []struct {
		name  string
		set   *Set
		addrs []netip.Addr // a power of two
	}{
		{"20 prefixes/random", few, random},
		{"1M prefixes/random", clustered, random},
		{"1M prefixes/256 members", clustered, within[:256]},
		{"1M prefixes/65536 members", clustered, within},
		{"1M scattered/random", scattered, randomScattered},
		{"1M scattered/256 members", scattered, withinScattered[:256]},
		{"1M scattered/65536 members", scattered, withinScattered},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tt.set.Contains(tt.addrs[i&(len(tt.addrs)-1)])
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	set, addr := compile(b, "10.0.0.0/8", "10.1.0.0/16"), netip.MustParseAddr("10.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		set.Match(addr)
	}
}

func BenchmarkCompile(b *testing.B) {
	list, _, _ := million(false)
	b.ReportAllocs()
	for b.Loop() {
		Compile(list)
	}
}
