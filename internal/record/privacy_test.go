package record

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// TestPrivateByDefault is promise 9: no whole visitor address at rest unless the operator asks.
func TestPrivateByDefault(t *testing.T) {
	tests := []struct {
		name, client  string
		network, full string
	}{
		{"IPv4", "198.51.100.7", "198.51.100.0/24", "198.51.100.7"},
		{"IPv4 in IPv6", "::ffff:198.51.100.7", "198.51.100.0/24", "198.51.100.7"},
		{"IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48", "2001:db8:1:2:3:4:5:6"},
		{"IPv6 with a zone", "fe80::1:2:3:4%eth0", "fe80::/48", "fe80::1:2:3:4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := hit()
			f.Request.Client = netip.MustParseAddr(tt.client)
			private := line(t, f, nil)
			if e, err := Parse(private); err != nil || e.Client != tt.network || e.Visitor == "" {
				t.Errorf("got client %q, visitor %q, error %v; want %s and a hash", e.Client, e.Visitor, err, tt.network)
			}
			if bytes.Contains(private, []byte(tt.full)) {
				t.Errorf("the address is in %s", private)
			}
			whole := line(t, f, func(n *spec.Node) { n.Log.WholeAddresses = true })
			if e, err := Parse(whole); err != nil || e.Client != tt.full || e.Visitor != "" {
				t.Errorf("asked for whole addresses: got client %q, visitor %q, error %v; want %s", e.Client, e.Visitor, err, tt.full)
			}
		})
	}
}

func TestHashRotates(t *testing.T) {
	var p, q privacy
	hash := func(p *privacy, addr string, at time.Time) string {
		return string(p.keyAt(at).append(nil, netip.MustParseAddr(addr)))
	}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	first := hash(&p, "198.51.100.7", day)
	if got := hash(&p, "198.51.100.7", day.Add(24*time.Hour-1)); got != first {
		t.Errorf("the same day: got %s, want %s", got, first)
	}
	if got := hash(&p, "::ffff:198.51.100.7", day); got != first {
		t.Errorf("IPv4 in IPv6: got %s, want %s", got, first)
	}
	if got := hash(&p, "198.51.100.8", day); got == first {
		t.Errorf("another address: got %s, too", got)
	}
	if got := hash(&q, "198.51.100.7", day); got == first {
		t.Errorf("another key: got %s, too", got)
	}
	next := hash(&p, "198.51.100.7", day.Add(24*time.Hour))
	if next == first {
		t.Errorf("the next day: got %s, too", next)
	}
	// What was received yesterday and ends today must not change today's key.
	if got := hash(&p, "198.51.100.7", day.Add(24*time.Hour-1)); got != next {
		t.Errorf("yesterday's request today: got %s, want %s", got, next)
	}
	if got := hash(&p, "198.51.100.7", day.Add(25*time.Hour)); got != next {
		t.Errorf("after yesterday's request: got %s, want %s", got, next)
	}
}
