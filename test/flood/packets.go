package flood

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// MaxFrame is the length of the longest frame, with two VLAN tags.
const MaxFrame = 14 + 2*4 + mtu

const (
	mtu         = 1500
	header4     = 20
	header6     = 40
	fragment6   = 8                 // the Fragment header (RFC 8200, 4.5)
	maxSegment  = 1400              // so that there is room for each of these
	ipv6Frag    = 44                // Next Header of what has a Fragment header
	moreToCome  = 0x2000            // of IPv4's flags and fragment offset
	whole4      = 0x4000            // do not fragment, as every kernel sends it
	ethernet4   = 0x0800            // EtherTypes
	ethernet6   = 0x86dd            //
	customerTag = 0x8100            // IEEE 802.1Q
	serviceTag  = 0x88a8            // IEEE 802.1ad
	stream      = 0x5ea3a11f100d5ca // so that a seed here is no seed elsewhere
)

// Packets are those of a plan, one after the other. It is not safe for concurrent use.
type Packets struct {
	plan    Plan
	kinds   []Kind // one, or those that are mixed
	random  *rand.PCG
	head    []byte   // Ethernet and tags
	answers [][]byte // what reflectors answer, by the constants of answers.go
	bytes   []byte   // that look like nothing
}

// New returns the packets of a plan, from one hardware address to another.
func New(plan Plan, link Link) (*Packets, error) {
	plan, err := plan.check()
	if err != nil {
		return nil, err
	}
	kinds := single(plan.Kind)
	if len(kinds) == 0 {
		return nil, fmt.Errorf("no flood is called %q", plan.Kind)
	}
	if len(link.From) != 6 || len(link.To) != 6 {
		return nil, fmt.Errorf("link from %q to %q: want two hardware addresses of 6 bytes", link.From, link.To)
	}
	p := &Packets{plan: plan, kinds: kinds, random: rand.NewPCG(plan.Seed, stream)}
	p.bytes = make([]byte, 2*maxSegment)
	for i := 0; i < len(p.bytes); i += 8 {
		binary.BigEndian.PutUint64(p.bytes[i:], p.random.Uint64())
	}
	if p.answers, err = answers(p.bytes); err != nil {
		return nil, fmt.Errorf("write answers of reflectors: %w", err)
	}
	p.head = ethernet(link, plan)
	return p, nil
}

// ethernet is the beginning of every frame.
func ethernet(link Link, plan Plan) []byte {
	head := append(append([]byte(nil), link.To...), link.From...)
	for i, id := range plan.VLAN {
		tag := uint16(customerTag)
		if i+1 < len(plan.VLAN) {
			tag = serviceTag
		}
		head = binary.BigEndian.AppendUint16(head, tag)
		head = binary.BigEndian.AppendUint16(head, id)
	}
	if plan.Target.Addr().Is4() {
		return binary.BigEndian.AppendUint16(head, ethernet4)
	}
	return binary.BigEndian.AppendUint16(head, ethernet6)
}

// Next writes the next packet into frame, which has room for [MaxFrame], and returns its length.
func (p *Packets) Next(frame []byte) int {
	kind := &p.kinds[0]
	if len(p.kinds) > 1 {
		kind = &p.kinds[p.below(len(p.kinds))]
	}
	at := copy(frame, p.head)
	if p.plan.Target.Addr().Is4() {
		return at + p.packet4(kind, frame[at:])
	}
	return at + p.packet6(kind, frame[at:])
}

// packet4 writes an IPv4 packet (RFC 791).
func (p *Packets) packet4(kind *Kind, b []byte) int {
	r := p.random.Uint64()
	source, target := p.source().As4(), p.plan.Target.Addr().As4()
	clear(b[:header4])
	copy(b[12:16], source[:])
	copy(b[16:20], target[:])
	b[0], b[8], b[9] = 0x45, kind.hops.draw(r), kind.Protocol
	n := kind.write(p, b[header4:header4+maxSegment])
	switch kind.part {
	case whole:
		binary.BigEndian.PutUint16(b[6:], whole4)
		p.finish(kind.Protocol, b[12:20], b[header4:header4+n])
	case first:
		binary.BigEndian.PutUint16(b[6:], moreToCome)
	case later:
		binary.BigEndian.PutUint16(b[6:], moreToCome|offset(r))
	}
	binary.BigEndian.PutUint16(b[4:], uint16(r)) // identification
	binary.BigEndian.PutUint16(b[2:], uint16(header4+n))
	binary.BigEndian.PutUint16(b[10:], checksum(0, b[:header4]))
	return header4 + n
}

// packet6 writes an IPv6 packet (RFC 8200).
func (p *Packets) packet6(kind *Kind, b []byte) int {
	r := p.random.Uint64()
	source, target := p.source().As16(), p.plan.Target.Addr().As16()
	clear(b[:header6+fragment6])
	copy(b[8:24], source[:])
	copy(b[24:40], target[:])
	protocol := kind.Protocol
	if protocol == icmp {
		protocol = icmpv6
	}
	b[0], b[6], b[7] = 0x60, protocol, kind.hops.draw(r)
	at := header6
	if kind.part != whole {
		at += fragment6
		b[6], b[header6] = ipv6Frag, protocol
		binary.BigEndian.PutUint32(b[header6+4:], uint32(r))
		flags := uint16(1) // more to come
		if kind.part == later {
			flags |= offset(r) << 3
		}
		binary.BigEndian.PutUint16(b[header6+2:], flags)
	}
	n := kind.write(p, b[at:at+maxSegment])
	if kind.part == whole {
		p.finish(protocol, b[8:40], b[at:at+n])
	}
	binary.BigEndian.PutUint16(b[4:], uint16(at-header6+n))
	return at + n
}

// finish puts the checksum into a segment.
func (p *Packets) finish(protocol byte, addresses, segment []byte) {
	pseudo := uint64(protocol) + uint64(len(segment))
	switch protocol {
	case tcp:
		binary.BigEndian.PutUint16(segment[16:], checksum(pseudo+sum(addresses), segment))
	case udp:
		binary.BigEndian.PutUint16(segment[6:], checksum(pseudo+sum(addresses), segment))
	case icmpv6:
		binary.BigEndian.PutUint16(segment[2:], checksum(pseudo+sum(addresses), segment))
	case icmp:
		binary.BigEndian.PutUint16(segment[2:], checksum(0, segment))
	}
}

// source draws an address.
func (p *Packets) source() netip.Addr {
	prefix := p.plan.Sources[p.below(len(p.plan.Sources))].Masked()
	if prefix.Addr().Is4() {
		b := prefix.Addr().As4()
		host := p.random.Uint64() & (1<<(32-prefix.Bits()) - 1)
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|uint32(host))
		return netip.AddrFrom4(b)
	}
	b := prefix.Addr().As16()
	high, low := hostBits(prefix.Bits())
	binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])|p.random.Uint64()&high)
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])|p.random.Uint64()&low)
	return netip.AddrFrom16(b)
}

// hostBits are the bits of an IPv6 address behind a prefix of that length.
func hostBits(bits int) (high, low uint64) {
	if bits >= 64 {
		return 0, uint64(1)<<(128-bits) - 1
	}
	return uint64(1)<<(64-bits) - 1, ^uint64(0)
}

// below draws a number in [0, n).
func (p *Packets) below(n int) int { return int((p.random.Uint64() >> 32) * uint64(n) >> 32) }

func (h hops) draw(r uint64) byte { return h.least + byte(r>>16)%h.spread }

// offset is where in its datagram a later fragment is, in units of 8 bytes: behind the first, and within 65,535.
func offset(r uint64) uint16 { return uint16(maxSegment/8 + (r>>24)%7000) }

// sum adds 16-bit words up (RFC 1071), eight bytes at one time. It is not folded, and of less than 2^45 bytes it does not overflow.
func sum(b []byte) uint64 {
	var s uint64
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		s += v>>32 + v&0xffffffff
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// checksum is the Internet checksum of b on top of what was added up before.
func checksum(before uint64, b []byte) uint16 {
	s := before + sum(b)
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	if s == 0xffff { // zero says that there is none (RFC 768), and all ones is as good
		return 0xffff
	}
	return ^uint16(s)
}
