package record

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// manyClients has clients of each kind, and many more than slots.
func manyClients() []netip.Addr {
	all := []netip.Addr{{}}
	for _, text := range []string{"0.0.0.0", "::", "255.255.255.255", "::ffff:255.255.255.255", "198.51.100.7", "::ffff:198.51.100.7",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1:2:3:4", "fe80::1:2:3:4%eth0", "fe80::1:2:3:4%a-long-name-of-an-interface"} {
		all = append(all, netip.MustParseAddr(text))
	}
	for i := range 10 * len(clients{}.slots) {
		var b [16]byte
		binary.BigEndian.PutUint32(b[:], 0x20010db8)
		binary.BigEndian.PutUint32(b[4:], uint32(i))
		all = append(all, netip.AddrFrom16(b), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	return all
}

// TestClientsAreNotConfused: whoever shares a slot, a line says of a client what it would without slots.
func TestClientsAreNotConfused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		whole bool
	}{{"networks and hashes", false}, {"whole addresses", true}} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t, func(n *spec.Node) { n.Log.WholeAddresses = tt.whole })
			var key *dayKey
			if !tt.whole {
				key = r.privacy.keyAt(t0)
			}
			var c clients
			for _, client := range manyClients() {
				want := string(appendClientText(nil, client, key))
				for range 2 {
					if got := string(r.appendClient(nil, &flow.Request{Client: client, Received: t0}, &c)); got != want {
						t.Fatalf("%v: got %s, want %s", client, got, want)
					}
				}
			}
		})
	}
}

// TestClientsAreForgotten: with a new day's key no address is left beside the hash that it had before.
func TestClientsAreForgotten(t *testing.T) {
	r := newRoom(t, nil)
	var c clients
	for _, client := range manyClients() {
		r.appendClient(nil, &flow.Request{Client: client, Received: t0}, &c)
	}
	q := &flow.Request{Client: netip.MustParseAddr("198.51.100.7"), Received: t0}
	before := string(r.appendClient(nil, q, &c))
	q.Received = t0.Add(24 * time.Hour)
	if after := string(r.appendClient(nil, q, &c)); after == before {
		t.Errorf("got %s, too, on the next day", after)
	}
	left := 0
	for i := range c.slots {
		if c.slots[i] != (clientText{}) {
			left++
		}
	}
	if left != 1 {
		t.Errorf("got %d clients, want only the one that was seen since", left)
	}
}

// TestClientsSpread: neighbours in a network have slots of their own.
func TestClientsSpread(t *testing.T) {
	for _, network := range []string{"198.51.100.0", "2001:db8::"} {
		taken := make(map[uint64]bool)
		addr := netip.MustParseAddr(network)
		for range 256 {
			taken[slot(addr)] = true
			addr = addr.Next()
		}
		if want := len(clients{}.slots); len(taken) != want {
			t.Errorf("%s: got %d slots taken, want %d", network, len(taken), want)
		}
	}
}
