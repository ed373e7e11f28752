package lists

import (
	"net/netip"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

func parse(prefixes ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, p := range prefixes {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return parsed
}

func compile(tb testing.TB, s *spec.Lists, shared *Shared) *Lists {
	tb.Helper()
	l, err := Compile(s, shared)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestFind(t *testing.T) {
	lists := compile(t, &spec.Lists{
		Allow: parse("10.1.0.0/16", "10.3.3.3/32", "192.0.2.0/24", "2001:db8:1::/48"),
		Deny:  parse("10.0.0.0/8", "10.1.7.0/24", "192.0.2.0/24", "2001:db8::/32"),
	}, new(Shared))
	tests := []struct {
		addr    string
		listing Listing
		prefix  string
	}{
		{"203.0.113.1", Unlisted, "invalid Prefix"},
		{"10.2.0.1", Denied, "10.0.0.0/8"},
		{"10.1.0.1", Allowed, "10.1.0.0/16"},
		{"10.1.7.1", Denied, "10.1.7.0/24"},
		{"10.3.3.3", Allowed, "10.3.3.3/32"},
		{"10.3.3.4", Denied, "10.0.0.0/8"},
		{"192.0.2.1", Allowed, "192.0.2.0/24"},
		{"::ffff:10.2.0.1", Denied, "10.0.0.0/8"},
		{"2001:db8::1", Denied, "2001:db8::/32"},
		{"2001:db8:1::1", Allowed, "2001:db8:1::/48"},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			listing, prefix, _ := lists.Find(netip.MustParseAddr(tt.addr))
			if listing != tt.listing || prefix.String() != tt.prefix {
				t.Errorf("got %v by %v, want %v by %v", listing, prefix, tt.listing, tt.prefix)
			}
		})
	}
	if listing, _, _ := compile(t, &spec.Lists{}, new(Shared)).Find(netip.MustParseAddr("10.0.0.1")); listing != Unlisted {
		t.Errorf("empty lists: got %v, want %v", listing, Unlisted)
	}
}

func BenchmarkFind(b *testing.B) {
	lists := compile(b, &spec.Lists{Allow: parse("10.1.0.0/16", "192.0.2.0/24"), Deny: parse("10.0.0.0/8", "10.1.7.0/24")}, new(Shared))
	addr := netip.MustParseAddr("203.0.113.1")
	b.ReportAllocs()
	for b.Loop() {
		lists.Find(addr)
	}
}
