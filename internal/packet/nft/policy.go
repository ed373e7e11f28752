package nft

import (
	"fmt"
	"net/netip"
)

// MaxListeners is the most that a policy may have.
const MaxListeners = 16

// A Policy is what is served and what it bears.
type Policy struct {
	Listeners []Listener // at most MaxListeners
	Addresses AddressLimits
}

// A Listener is a port of an address. Packets for it are judged.
type Listener struct {
	Address    netip.Addr // unspecified: every address of its family; invalid: of both
	Port       uint16
	UDP        bool
	CheckState bool     // TCP: what belongs to no connection may be dropped
	Host       Ceilings // of an address
	Group      Ceilings // of a /24, or an IPv6 /48
	SYNs       uint32   // SYNs a second, from all sources, above which they are answered with cookies, if the state is checked; 0: never
	Initials   uint32   // QUIC Initials a second, from all sources; 0: no ceiling
	Reflected  uint32   // UDP packets a second from ports that amplifiers answer from; 0: no ceiling
}

// Ceilings are what a source may send to a listener in a second, and at once; 0 is no ceiling.
type Ceilings struct {
	Packets  uint32
	Openings uint32 // SYNs, QUIC Initials, echo requests
	Bytes    uint64 // of IP packets
}

// AddressLimits bound what has no port: fragments behind the first, and echo requests, for the listeners' addresses.
type AddressLimits struct {
	Host   Ceilings
	Group  Ceilings
	Pieces uint32 // a second, from all sources; 0: no ceiling
	ICMP   uint32 // likewise
}

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
func (l Listener) serves(f family) bool { return !l.Address.IsValid() || f.has(l.Address) }

// everywhere tells whether a listener has all addresses of its families.
func (l Listener) everywhere() bool { return !l.Address.IsValid() || l.Address.IsUnspecified() }

func (l Listener) protocol() byte {
	if l.UDP {
		return protocolUDP
	}
	return protocolTCP
}

// check refuses what the table has no room for, and two listeners at one place.
func (p Policy) check() error {
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
			if !l.serves(f) {
				continue
			}
			at := place{f.name, "", l.Port, l.UDP}
			if !l.everywhere() {
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
