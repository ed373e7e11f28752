package network

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"testing"
)

// TestPlan: prefixes are loopback, outside where servers listen, and do not overlap; numbers are no one's.
func TestPlan(t *testing.T) {
	asns, names := make(map[uint32]bool), make(map[string]bool)
	country := regexp.MustCompile(`^[A-Z]{2}$`)
	kinds := make(map[Kind]int)
	var all []netip.Prefix
	for _, n := range Plan() {
		kinds[n.Kind]++
		if n.ASN < 64496 || n.ASN > 65534 {
			t.Errorf("%s: AS%d is neither for documentation nor private", n.Name, n.ASN)
		}
		if asns[n.ASN] || names[n.Name] || !country.MatchString(n.Country) {
			t.Errorf("%s: AS%d in %q is there already, or in no country", n.Name, n.ASN, n.Country)
		}
		asns[n.ASN], names[n.Name] = true, true
		for _, p := range n.Prefixes {
			if a := p.Addr().As4(); a[0] != 127 || a[1] < 16 || p != p.Masked() {
				t.Errorf("%s: %v is not in 127.16.0.0 to 127.255.255.255", n.Name, p)
			}
			for _, other := range all {
				if p.Overlaps(other) {
					t.Errorf("%s: %v overlaps %v", n.Name, p, other)
				}
			}
			all = append(all, p)
		}
	}
	for _, k := range Kinds() {
		if kinds[k] < 4 {
			t.Errorf("%d networks of kind %s, want at least 4", kinds[k], k)
		}
	}
	if len(kinds) != len(Kinds()) {
		t.Errorf("kinds are %v, want those of Kinds", kinds)
	}
}

// TestGateways: a gateway is an address of its network, and no other's.
func TestGateways(t *testing.T) {
	taken := make(map[netip.Addr]string)
	for _, n := range Plan() {
		shares := slices.Contains([]Kind{Mobile, Office, University, Tor}, n.Kind)
		if shares != (len(n.Gateways) > 0) {
			t.Errorf("%s, of kind %s, has %d gateways", n.Name, n.Kind, len(n.Gateways))
		}
		for _, g := range n.Gateways {
			if of, ok := Of(g); !ok || of.ASN != n.ASN || taken[g] != "" || !usable(g) {
				t.Errorf("%s: gateway %v is of %q, and of %q before", n.Name, g, of.Name, taken[g])
			}
			taken[g] = n.Name
		}
	}
}

func usable(a netip.Addr) bool {
	b := a.As4()
	return b[3] != 0 && b[3] != 255
}

// TestDraw: what is drawn belongs to what was asked for, and big networks are drawn more often.
func TestDraw(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, kinds := range append([][]Kind{nil, {Residential, Hosting}}, each()...) {
		counts := make(map[string]int)
		for range 20_000 {
			a := Draw(rng, kinds...)
			n, ok := Of(a)
			if !ok || !usable(a) || len(kinds) > 0 && !slices.Contains(kinds, n.Kind) {
				t.Fatalf("%v: drew %v of %s %q", kinds, a, n.Kind, n.Name)
			}
			if len(n.Gateways) > 0 && !slices.Contains(n.Gateways, a) {
				t.Fatalf("%v: drew %v, which is no gateway of %s", kinds, a, n.Name)
			}
			counts[n.Name]++
		}
		if slices.Contains(kinds, Residential) && counts["Great Lakes Cable"] < 5*counts["Fjordnett"] {
			t.Errorf("%v: drew %v, want 16 times as many of Great Lakes Cable as of Fjordnett", kinds, counts)
		}
	}
}

func each() [][]Kind {
	var all [][]Kind
	for _, k := range Kinds() {
		all = append(all, []Kind{k})
	}
	return all
}

// TestDrawMobile: a carrier has few addresses, and many people.
func TestDrawMobile(t *testing.T) {
	rng, mobile := rand.New(rand.NewPCG(6, 0)), 0
	for range 10_000 {
		if n, _ := Of(Draw(rng, Residential, Mobile)); n.Kind == Mobile {
			mobile++
		}
	}
	if mobile < 2000 || mobile > 5000 {
		t.Errorf("%d of 10000 people are on a carrier's network, want a fifth to a half", mobile)
	}
}

func TestDrawIsRepeatable(t *testing.T) {
	a, b := rand.New(rand.NewPCG(7, 1)), rand.New(rand.NewPCG(7, 1))
	for range 1000 {
		if x, y := Draw(a), Draw(b); x != y {
			t.Fatalf("drew %v and %v by one seed", x, y)
		}
	}
}

func TestOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	found := 0
	for range 50_000 {
		a := netip.AddrFrom4([4]byte{127, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))})
		if rng.IntN(2) == 0 { // small networks are seldom hit
			a = Draw(rng, Office, Tor, Crawler)
		}
		want := ""
		for _, n := range Plan() {
			if slices.ContainsFunc(n.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
				want = n.Name
			}
		}
		got, ok := Of(a)
		if got.Name != want || ok != (want != "") {
			t.Fatalf("%v is of %q, want %q", a, got.Name, want)
		}
		if ok {
			found++
		}
	}
	if found < 30_000 {
		t.Errorf("%d of 50000 addresses are of a network: the test hits too few", found)
	}
	for _, a := range []string{"127.0.0.1", "127.255.255.255", "192.0.2.1", "2001:db8::1"} {
		if n, ok := Of(netip.MustParseAddr(a)); ok {
			t.Errorf("%s is of %s, want none", a, n.Name)
		}
	}
	if n, ok := Of(netip.Addr{}); ok {
		t.Errorf("no address is of %s, want none", n.Name)
	}
}

func TestSelect(t *testing.T) {
	p, err := Select([]Kind{Mobile}, []string{"DE", "KE"})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.Gateways()); got != 32 || p.Size() != 32 {
		t.Errorf("%d gateways of %d addresses, want 24 of Rheinfunk Mobil and 8 of Rift Valley Mobile", got, p.Size())
	}
	if _, err := Select([]Kind{Tor}, []string{"KE"}); err == nil {
		t.Error("there is an exit in Kenya, want an error")
	}
}

func selected(tb testing.TB, kinds ...Kind) *Pool {
	tb.Helper()
	p, err := Select(kinds, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestDistinct(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	homes, exits := selected(t, Residential), selected(t, Tor)
	crawlers, programs := selected(t, Crawler), selected(t, Crawler, Tor)
	tests := []struct {
		name string
		pool *Pool
		n    int
		ok   bool
	}{
		{"none", homes, 0, true},
		{"a big botnet", homes, 50_000, true},
		{"all exits", exits, int(exits.Size()), true},
		{"more than all exits", exits, int(exits.Size()) + 1, false},
		{"all crawlers", crawlers, int(crawlers.Size()), true},
		{"all crawlers and exits", programs, int(programs.Size()), true},
		{"less than none", homes, -1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.pool.Distinct(rng, tt.n)
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v", err)
			}
			if tt.ok && len(got) != tt.n {
				t.Errorf("drew %d, want %d", len(got), tt.n)
			}
			slices.SortFunc(got, netip.Addr.Compare)
			if len(slices.Compact(got)) != len(got) {
				t.Error("one was drawn twice")
			}
		})
	}
}

func BenchmarkOf(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 0))
	addrs := make([]netip.Addr, 1024)
	for i := range addrs {
		addrs[i] = Draw(rng)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := Of(addrs[i%len(addrs)]); !ok {
			b.Fatal("none")
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 0))
	p := selected(b, Residential, Mobile)
	b.ReportAllocs()
	for b.Loop() {
		p.Draw(rng)
	}
}
