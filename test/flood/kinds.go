package flood

import "slices"

// A Kind is a flood that is known from the Internet.
type Kind struct {
	Name     string
	About    string
	Protocol byte // of its packets (RFC 790); 0 if they are of several

	write func(*Packets, []byte) int // the segment, less its checksum, into room for the longest; returns its length
	part  part
	hops  hops
}

// hops are what is left of a packet's (TTL, hop limit): drawn from the least on.
type hops struct{ least, spread byte }

// fromAfar is what is left to packets that came a long way.
var fromAfar = hops{40, 24}

// A part of a datagram is what a packet carries of it.
type part byte

const (
	whole part = iota
	first      // a first fragment: more are to come
	later      // a fragment in the middle: it has no header of a protocol
)

// Protocol numbers.
const (
	icmp   = 1
	tcp    = 6
	udp    = 17
	icmpv6 = 58
)

// Mixed is the name of the flood that is made of all others.
const Mixed = "mixed"

// Kinds returns all of them, in an order for tables.
func Kinds() []Kind {
	return []Kind{
		{Name: "syn", About: "SYNs that are all alike: one system's options, window and TTL", Protocol: tcp, write: (*Packets).syn, hops: hops{52, 1}},
		{Name: "syn-varied", About: "SYNs whose options, window and TTL vary", Protocol: tcp, write: (*Packets).variedSYN, hops: hops{32, 224}},
		{Name: "ack", About: "ACKs of no connection", Protocol: tcp, write: segment(flagACK, false)},
		{Name: "rst", About: "resets of no connection", Protocol: tcp, write: segment(flagRST, false)},
		{Name: "fin", About: "FINs of no connection", Protocol: tcp, write: segment(flagFIN|flagACK, false)},
		{Name: "syn-ack", About: "what servers answer to SYNs in our name", Protocol: tcp, write: segment(flagSYN|flagACK, true)},
		{Name: "dns", About: "answers of open resolvers (RFC 1035)", Protocol: udp, write: (*Packets).dns},
		{Name: "ntp", About: "answers to NTP's monlist (mode 7)", Protocol: udp, write: (*Packets).ntp},
		{Name: "ssdp", About: "answers of UPnP devices to M-SEARCH", Protocol: udp, write: (*Packets).ssdp},
		{Name: "cldap", About: "answers of directories to a search of their root (RFC 1798)", Protocol: udp, write: (*Packets).cldap},
		{Name: "memcached", About: "answers of memcached over UDP", Protocol: udp, write: (*Packets).memcached},
		{Name: "isakmp", About: "answers of VPN gateways to a first message (RFC 2408)", Protocol: udp, write: (*Packets).isakmp},
		{Name: "first-fragments", About: "datagrams whose rest never comes", Protocol: udp, write: (*Packets).beginning, part: first},
		{Name: "later-fragments", About: "datagrams whose beginning never comes", Protocol: udp, write: (*Packets).rest, part: later},
		{Name: "quic", About: "QUIC Initial packets (RFC 9000) that decrypt to nothing", Protocol: udp, write: (*Packets).quic},
		{Name: "icmp", About: "echo requests", Protocol: icmp, write: (*Packets).echo},
		{Name: Mixed, About: "all of these, each as often as the others"},
	}
}

// Find returns a kind by its name.
func Find(name string) (Kind, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// single returns the kinds that a flood of this name is made of.
func single(name string) []Kind {
	kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool { return k.Name == Mixed || name != Mixed && k.Name != name })
	for i := range kinds {
		if kinds[i].hops == (hops{}) {
			kinds[i].hops = fromAfar
		}
	}
	return kinds
}
