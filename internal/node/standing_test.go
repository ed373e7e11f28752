package node

import (
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/internal/spec"
)

func TestExplainAddress(t *testing.T) {
	prefix := netip.MustParsePrefix
	z, _ := testZone(t)
	z.Lists = spec.Lists{Allow: []netip.Prefix{prefix("203.0.113.7/32")}, Deny: []netip.Prefix{prefix("203.0.113.0/24")}}
	s := testNode(t)
	s.Deny = []netip.Prefix{prefix("198.51.100.0/24")}
	s.Connections.PerSource = 1
	n, _ := start(t, s, z)
	c, err := net.Dial("tcp", n.Listening()[0].Address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for end := time.Now().Add(patience); n.conns.SourceOpen(netip.MustParseAddr("127.0.0.1")) == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the connection is not accepted")
		}
	}
	denied := prefix("198.51.100.0/24")
	tests := []struct {
		address string
		want    Standing
		says    string
	}{
		{"127.0.0.1", Standing{Source: prefix("127.0.0.1/32"), Connections: 1, Most: 1}, "raise node.connections.per_source"},
		{"::ffff:198.51.100.9", Standing{Address: netip.MustParseAddr("198.51.100.9"), Source: prefix("198.51.100.9/32"), Most: 1, Denied: &denied},
			"by node.deny: connections from 198.51.100.0/24"},
		{"203.0.113.8", Standing{Source: prefix("203.0.113.8/32"), Most: 1, Listed: []Listed{{"site", "lists.deny", prefix("203.0.113.0/24")}}},
			"site: 203.0.113.0/24 is on lists.deny"},
		{"203.0.113.7", Standing{Source: prefix("203.0.113.7/32"), Most: 1, Listed: []Listed{{"site", "lists.allow", prefix("203.0.113.7/32")}}}, "lists.allow"},
		{"2001:db8::1", Standing{Source: prefix("2001:db8::/64"), Most: 1}, "nothing resets"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			address := netip.MustParseAddr(tt.address)
			got, err := ExplainAddress(t.Context(), s.Data, "", address)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.want.Address.IsValid() {
				tt.want.Address = address
			}
			if diff := cmp.Diff(&tt.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var text strings.Builder
			if err := got.Write(&text); err != nil || !strings.Contains(text.String(), tt.says) {
				t.Errorf("got %q, %v, want it to say %q", text.String(), err, tt.says)
			}
		})
	}
}
