package node

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

func TestExplainAddress(t *testing.T) {
	prefix := netip.MustParsePrefix
	z, _ := testZone(t)
	z.Lists = spec.Lists{Allow: []netip.Prefix{prefix("203.0.113.7/32")}, Deny: []netip.Prefix{prefix("203.0.113.0/24")}}
	s := testNode(t)
	s.Deny = []netip.Prefix{prefix("198.51.100.0/24")}
	s.Connections.PerSource, s.Connections.PerNetwork = 1, 2
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
		{"127.0.0.1", Standing{Source: prefix("127.0.0.1/32"), Connections: 1, Most: 1, NetworkConnections: 1}, "raise node.connections.per_source"},
		{"127.0.0.9", Standing{Source: prefix("127.0.0.9/32"), Most: 1, NetworkConnections: 1}, "network     127.0.0.0/24: 1 open of at most 2\n"},
		{"::ffff:198.51.100.9", Standing{Address: netip.MustParseAddr("198.51.100.9"), Source: prefix("198.51.100.9/32"), Most: 1, Denied: &denied,
			Undo: "seawall undo --address 198.51.100.9 --for 1h"},
			"by node.deny: connections from 198.51.100.0/24"},
		{"203.0.113.8", Standing{Source: prefix("203.0.113.8/32"), Most: 1, Listed: []Listed{{"site", "lists.deny", prefix("203.0.113.0/24")}},
			Undo: "seawall undo --address 203.0.113.8 --for 1h"},
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
			tt.want.Network, tt.want.NetworkMost = prefixes.Network(tt.want.Address), 2
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

// TestStandingCaps: an address is said to be free only if neither cap is reached.
func TestStandingCaps(t *testing.T) {
	const source, network, free = "raise node.connections.per_source", "raise node.connections.per_network", "nothing resets"
	tests := []struct {
		name            string
		source, network int
		want            []string
	}{
		{"neither", 1, 3, []string{free}},
		{"source", 2, 3, []string{source}},
		{"network", 1, 4, []string{network}},
		{"both", 2, 4, []string{source, network}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Standing{
				Source: netip.MustParsePrefix("2001:db8::/64"), Connections: tt.source, Most: 2,
				Network: netip.MustParsePrefix("2001:db8::/48"), NetworkConnections: tt.network, NetworkMost: 4,
			}
			var text strings.Builder
			if err := s.Write(&text); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, says := range []string{source, network, free} {
				if strings.Contains(text.String(), says) {
					got = append(got, says)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, text.String())
			}
		})
	}
}

// TestExplainHandshake: who could not shake hands is told why, of an address.
func TestExplainHandshake(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	s.HTTP, s.HTTPS = nil, []spec.Listener{{Address: "127.0.0.1:0"}}
	n, _ := start(t, s, z)
	c, err := net.Dial("tcp", n.Listening()[0].Address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	var got *Standing
	for end := time.Now().Add(patience); got == nil || got.Refused == nil; runtime.Gosched() {
		if got, err = ExplainAddress(t.Context(), s.Data, "", netip.MustParseAddr("127.0.0.1")); err != nil || time.Now().After(end) {
			t.Fatalf("got %+v, %v, want a refusal", got, err)
		}
	}
	if r := got.Refused; r.Cause != "handshake-failed" || !strings.Contains(r.Detail, "not-tls") || r.Count != 1 {
		t.Errorf("got %+v", r)
	}
	var text strings.Builder
	if err := got.Write(&text); err != nil || !strings.Contains(text.String(), "connections lately: 1, the last at ") || !strings.Contains(text.String(), "deny_fingerprints") {
		t.Errorf("got %q, %v", text.String(), err)
	}
}

// TestSparedStanding: who is excepted is told so, and is not denied meanwhile.
func TestSparedStanding(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	s.Deny = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	n, _ := start(t, s, z)
	address := netip.MustParseAddr("203.0.113.7")
	tests := []struct {
		name string
		do   func(ctx context.Context) error
		want string
		free bool
	}{
		{"before", func(context.Context) error { return nil }, "undo        seawall undo --address 203.0.113.7 --for 1h\n", false},
		{"undone in a zone, which is not where it is refused", func(ctx context.Context) error {
			_, err := UndoRefusals(ctx, s.Data, "", &Undo{Address: "203.0.113.7", Zone: "site"})
			return err
		}, "spared      in zone site, until ", false},
		{"undone", func(ctx context.Context) error {
			_, err := UndoRefusals(ctx, s.Data, "", &Undo{Address: "203.0.113.0/24"})
			return err
		}, "spared      in all zones, until ", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := ExplainAddress(t.Context(), s.Data, "", address)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := got.Write(&text); err != nil || !strings.Contains(text.String(), tt.want) || strings.Contains(text.String(), "by node.deny") == tt.free ||
				strings.Contains(text.String(), "seawall undo") == tt.free {
				t.Errorf("got %q, %v, want it to say %q", text.String(), err, tt.want)
			}
			if n.rooms.Verdict.Exceptions.Everywhere(address) != tt.free {
				t.Error("the exception is not what connections are judged by")
			}
		})
	}
}
