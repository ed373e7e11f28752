package packet

import "net/netip"

// MaxListeners is the most that a policy has.
const MaxListeners = 63

// A Policy is what is served and what it bears.
type Policy struct {
	Listeners []Listener // at most MaxListeners; a filter may have room for fewer
	Addresses AddressLimits
	Sampling  Sampling // of an Inspector
}

// A Listener is a port of an address. Packets for it are judged.
type Listener struct {
	Address    netip.Addr // unspecified: every address of its family; invalid: of both
	Port       uint16
	UDP        bool
	CheckState bool     // TCP: the sockets are in this network namespace, so what belongs to none of them may be dropped
	Host       Ceilings // of an address
	Group      Ceilings // of a /24, or an IPv6 /48
	SYNs       uint32   // SYNs a second, from all sources, above which they are answered with cookies; 0: never
	Initials   uint32   // QUIC Initials a second, from all sources; 0: no ceiling
	Reflected  uint32   // UDP packets a second from ports that amplifiers answer from; 0: no ceiling
}

// Ceilings are what a source may send to a listener in a second, and at once; 0 is no ceiling. They are kept to within 2^-16 of a second's
// worth, so no source that has a ceiling for bytes gets more than 65,535 packets through.
type Ceilings struct {
	Packets  uint32
	Openings uint32 // SYNs, QUIC Initials, echo requests
	Bytes    uint64 // of IP packets
}

// AddressLimits bound what has no port: fragments behind the first, packets whose headers can't be read, and ICMP (but not neighbour
// discovery) for the listeners' addresses.
type AddressLimits struct {
	Host   Ceilings
	Group  Ceilings
	Pieces uint32 // a second, from all sources; 0: no ceiling
	ICMP   uint32 // likewise
}

// Sampling says how many packets are shown as samples.
type Sampling struct {
	Drops  float64 // the share, 0 to 1, of those dropped
	Passes float64 // of those let through or answered
	Most   uint32  // a second and CPU, of both together; 0 is none
}
