package nft

import (
	"fmt"
	"net/netip"

	"github.com/seawall/seawall/internal/packet"
)

// MaxListeners is the most that a policy may have.
const MaxListeners = 16

// A family is IPv4 or IPv6, as rules see it.
type family struct {
	protocol   byte   // NFPROTO_*
	name       string // what names of chains and sets end in
	source     uint32 // where addresses are in the header
	target     uint32
	length     uint32
	group      int // bits of a network that is metered as one
	lengths    []int
	icmp, echo byte
	mss        uint16
	any        netip.Addr
}

func families() []family {
	return []family{
		{protocol: 2, name: "4", source: 12, target: 16, length: 4, group: 24, lengths: []int{32, 24}, icmp: 1, echo: 8, mss: 1460, any: netip.IPv4Unspecified()},
		{protocol: 10, name: "6", source: 8, target: 24, length: 16, group: 48, lengths: []int{128, 64, 48}, icmp: 58, echo: 128, mss: 1440, any: netip.IPv6Unspecified()},
	}
}

// has tells whether an address is of the family.
func (f family) has(a netip.Addr) bool { return a.Is4() == (f.length == 4) }

// serves tells whether a listener has an address of the family.
func serves(l packet.Listener, f family) bool { return !l.Address.IsValid() || f.has(l.Address) }

// everywhere tells whether a listener has all addresses of its families.
func everywhere(l packet.Listener) bool { return !l.Address.IsValid() || l.Address.IsUnspecified() }

func protocolOf(l packet.Listener) byte {
	if l.UDP {
		return protocolUDP
	}
	return protocolTCP
}

// check refuses what the table has no room for, and two listeners at one place.
func check(p packet.Policy) error {
	if len(p.Listeners) > MaxListeners {
		return fmt.Errorf("%d listeners are more than %d", len(p.Listeners), MaxListeners)
	}
	type place struct {
		family, address string
		port            uint16
		udp             bool
	}
	places := make(map[place]int)
	for i, l := range p.Listeners {
		for _, f := range families() {
			if !serves(l, f) {
				continue
			}
			at := place{f.name, "", l.Port, l.UDP}
			if !everywhere(l) {
				at.address = l.Address.String()
			}
			if other, taken := places[at]; taken {
				return fmt.Errorf("listeners %d and %d are both at port %d of %s", other, i, l.Port, l.Address)
			}
			places[at] = i
		}
	}
	return nil
}
