package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/packet"
)

// text is elements as ranges, the end excluded.
func text(t *testing.T, f family, prefixes []netip.Prefix) string {
	t.Helper()
	var b strings.Builder
	for _, e := range intervals(f, prefixes) {
		a, ok := netip.AddrFromSlice(e.Key)
		if !ok {
			t.Fatalf("% x is no address", e.Key)
		}
		if e.IntervalEnd {
			fmt.Fprintf(&b, "-%s ", a)
		} else {
			b.WriteString(a.String())
		}
	}
	return strings.TrimSpace(b.String())
}

func TestIntervals(t *testing.T) {
	tests := []struct {
		name     string
		prefixes []netip.Prefix
		want4    string
		want6    string
	}{
		{"none", nil, "", ""},
		{"one of each", prefixes("192.0.2.0/24", "2001:db8::/32"), "192.0.2.0-192.0.3.0", "2001:db8::-2001:db9::"},
		{"nested", prefixes("10.1.2.3/32", "10.0.0.0/8", "10.255.255.255/32"), "10.0.0.0-11.0.0.0", ""},
		{"touching", prefixes("10.0.1.0/24", "10.0.0.0/24", "10.0.3.0/24"), "10.0.0.0-10.0.2.0 10.0.3.0-10.0.4.0", ""},
		{"the same", prefixes("10.0.0.0/24", "10.0.0.0/24", "10.0.0.0/25"), "10.0.0.0-10.0.1.0", ""},
		{"with host bits", prefixes("10.0.0.77/24"), "10.0.0.0-10.0.1.0", ""},
		{"to the end", prefixes("255.255.255.255/32", "255.0.0.0/8", "ffff::/16"), "255.0.0.0", "ffff::"},
		{"all", prefixes("0.0.0.0/0", "10.0.0.0/8", "::/0"), "0.0.0.0", "::"},
		{"touching the end", prefixes("254.0.0.0/8", "255.0.0.0/8"), "254.0.0.0", ""},
		{"mapped", prefixes("::ffff:192.0.2.0/120"), "192.0.2.0-192.0.3.0", ""},
		{"no prefix", []netip.Prefix{{}}, "", ""},
	}
	for _, tt := range tests {
		all := families()
		if got := text(t, all[0], tt.prefixes); got != tt.want4 {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want4)
		}
		if got := text(t, all[1], tt.prefixes); got != tt.want6 {
			t.Errorf("%s: got %q by IPv6, want %q", tt.name, got, tt.want6)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		prefix      string
		first, last string
		n           int
	}{
		{"192.0.2.7/32", "192.0.2.7/32", "192.0.2.7/32", 1},
		{"192.0.2.7/30", "192.0.2.4/32", "192.0.2.7/32", 4},
		{"192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24", 1},
		{"192.0.0.0/16", "192.0.0.0/24", "192.0.255.0/24", 256},
		{"255.255.255.0/25", "255.255.255.0/32", "255.255.255.127/32", 128},
		{"255.255.0.0/16", "255.255.0.0/24", "255.255.255.0/24", 256},
		{"2001:db8::/56", "2001:db8::/64", "2001:db8:0:ff::/64", 256},
		{"2001:db8::/40", "2001:db8::/48", "2001:db8:ff::/48", 256},
		{"2001:db8::1/128", "2001:db8::1/128", "2001:db8::1/128", 1},
		{"2001:db8::/120", "2001:db8::/128", "2001:db8::ff/128", 256},
		{"192.0.0.0/15", "", "", 0},
		{"2001:db8::/55", "", "", 0},
		{"2001:db8::/100", "", "", 0},
	}
	for _, tt := range tests {
		_, got, err := split(netip.MustParsePrefix(tt.prefix))
		if tt.n == 0 {
			if err == nil {
				t.Errorf("%s: got %d bans, want an error", tt.prefix, len(got))
			}
			continue
		}
		if err != nil || len(got) != tt.n || got[0].String() != tt.first || got[len(got)-1].String() != tt.last {
			t.Errorf("%s: got %v, %v; want %d from %s to %s", tt.prefix, got, err, tt.n, tt.first, tt.last)
		}
	}
}

func TestPolicyRefused(t *testing.T) {
	listener := func(address string, udp bool) packet.Listener {
		l := packet.Listener{Port: 443, UDP: udp}
		if address != "" {
			l.Address = netip.MustParseAddr(address)
		}
		return l
	}
	tests := []struct {
		name      string
		listeners []packet.Listener
		ok        bool
	}{
		{"one of each", []packet.Listener{listener("", false), listener("", true), listener("192.0.2.1", false), listener("2001:db8::1", false)}, true},
		{"both families", []packet.Listener{listener("0.0.0.0", false), listener("::", false)}, true},
		{"twice", []packet.Listener{listener("192.0.2.1", false), listener("192.0.2.1", false)}, false},
		{"any and all of IPv4", []packet.Listener{listener("", false), listener("0.0.0.0", false)}, false},
		{"too many", slices.Repeat([]packet.Listener{listener("", false)}, MaxListeners+1), false},
	}
	for _, tt := range tests {
		if err := check(packet.Policy{Listeners: tt.listeners}); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want it accepted: %v", tt.name, err, tt.ok)
		}
	}
}
