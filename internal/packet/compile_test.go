package packet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

func TestExpand(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	many := make([]netip.Addr, 100)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	}
	tests := []struct {
		name   string
		wanted string
		own    []netip.Addr
		want   string
	}{
		{"an address", "192.0.2.9:80", own, "192.0.2.9:80"},
		{"all", "[::]:443", own, "192.0.2.1:443 [2001:db8::1]:443"},
		{"all of IPv4", "0.0.0.0:80", own, "192.0.2.1:80"},
		{"both, of which one has it", "192.0.2.1:80 0.0.0.0:80 [::]:443", own, "192.0.2.1:80 192.0.2.1:443 [2001:db8::1]:443"},
		{"unknown addresses", "[::]:443", nil, "[::]:443"},
		{"too many", "[::]:443", many, "[::]:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wanted []netip.AddrPort
			for text := range strings.FieldsSeq(tt.wanted) {
				wanted = append(wanted, netip.MustParseAddrPort(text))
			}
			got := strings.Trim(fmt.Sprint(expand(wanted, tt.own)), "[]")
			if want := strings.Trim(tt.want, "[]"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	s := spec.DefaultPackets()
	at := netip.MustParseAddrPort
	p, err := policy(&s, []netip.AddrPort{at("[::]:443"), at("0.0.0.0:80"), at("[::ffff:192.0.2.1]:8080"), at("[2001:db8::1]:443")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range p.Listeners {
		got = append(got, netip.AddrPortFrom(l.Address, l.Port).String())
	}
	want := []string{"invalid AddrPort", "0.0.0.0:80", "192.0.2.1:8080", "[2001:db8::1]:443"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := policy(&s, make([]netip.AddrPort, 100)); err == nil {
		t.Error("got no error for a hundred listeners")
	}
}
