package spec

import "net/netip"

// Packets is the packet filter: what is dropped where packets come in, before the kernel makes anything of them (XDP). Sources that node.deny
// has or that are banned, TCP of no connection, SYN floods and what a source sends beyond its ceilings go no further. It judges packets for the
// addresses and ports that the node listens on, and no others.
type Packets struct {
	// Interfaces are where packets come in, such as eth0. Without any there is no packet filter. It wants Linux 6.0 or newer, and
	// rights (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON): see install.md.
	Interfaces []string `yaml:"interfaces"`
	// Mode is what filters: native a program in the interface's driver, generic the same behind it, slower and with any driver, nftables a table of
	// nftables, without BPF; auto is the first of these that can be had.
	Mode PacketMode `yaml:"mode"`
	// Allow are sources whose packets always pass.
	Allow []netip.Prefix `yaml:"allow"`
	// PerSource is what a source (an IPv4 address or an IPv6 /64) may send to a port in a second, and at once.
	PerSource PacketCeilings `yaml:"per_source"`
	// PerNetwork is the same for all of a network (an IPv4 /24 or an IPv6 /48).
	PerNetwork PacketCeilings `yaml:"per_network"`
	// SYNs is how many connections a second may be begun at a port before the filter answers in the kernel's stead, with cookies (RFC 4987), so that
	// who does not exist takes no memory; 0 is never.
	SYNs int `yaml:"syns"`
	// ICMP bounds the ICMP messages a second for the node's addresses; 0 is no bound. Those that IPv6 can't do without (neighbour discovery) always pass.
	ICMP int `yaml:"icmp"`
	// Signatures are what the packets of a flood have in common and ordinary ones have not, such as a window and a TTL: found by themselves, within a
	// tenth of a second, once there are more than Unusual packets a second and twice as many as usual. enforce drops what matches, monitor counts it,
	// off looks for nothing. What is ordinary is learnt first, for some minutes at least. A program only, not nftables, has them.
	Signatures SignatureMode `yaml:"signatures"`
	// Unusual is how many packets a second there are before signatures are looked for.
	Unusual int `yaml:"unusual"`
	// Fragments bounds the fragments a second behind first ones, of which nobody can tell which port they are for; 0 is no bound.
	Fragments int `yaml:"fragments"`
}

// PacketCeilings are what a source may send in a second; 0 is no ceiling.
type PacketCeilings struct {
	// Packets of any sort.
	Packets int `yaml:"packets"`
	// SYNs are beginnings of connections.
	SYNs int `yaml:"syns"`
	// Bytes are those of IP packets.
	Bytes Size `yaml:"bytes"`
}

// SignatureMode is what becomes of packets that look like a flood.
type SignatureMode string

// The modes.
const (
	SignaturesOff     SignatureMode = "off"
	SignaturesMonitor SignatureMode = "monitor"
	SignaturesEnforce SignatureMode = "enforce"
)

// PacketMode is where packets are filtered.
type PacketMode string

// The modes.
const (
	PacketsAuto     PacketMode = "auto"
	PacketsNative   PacketMode = "native"
	PacketsGeneric  PacketMode = "generic"
	PacketsNFTables PacketMode = "nftables"
)

// DefaultPackets are ceilings that people behind one address of a carrier keep, and floods do not.
func DefaultPackets() Packets {
	return Packets{
		Mode:       PacketsAuto,
		PerSource:  PacketCeilings{Packets: 50_000, SYNs: 2000},
		PerNetwork: PacketCeilings{Packets: 400_000, SYNs: 10_000},
		SYNs:       2000,
		Signatures: SignaturesEnforce,
		Unusual:    10_000,
		ICMP:       1000,
		Fragments:  10_000,
	}
}
