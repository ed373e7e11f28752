package flood

import "encoding/binary"

const (
	udpHeader   = 8
	quicLength  = 1200 // the least that an Initial's datagram may have (RFC 9000, 14.1)
	icmpPayload = 56   // what ping sends
)

// udp writes the header around a payload that is there already, and returns the datagram's length.
func (p *Packets) udp(b []byte, from uint16, payload int) int {
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], p.plan.Target.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(udpHeader+payload))
	binary.BigEndian.PutUint16(b[6:], 0)
	return udpHeader + payload
}

// answer writes what reflectors of this protocol answer.
func (p *Packets) answer(b []byte, protocol int) int {
	return p.udp(b, reflectors[protocol].port, copy(b[udpHeader:], p.answers[protocol]))
}

func (p *Packets) dns(b []byte) int {
	n := p.answer(b, dns)
	binary.BigEndian.PutUint16(b[udpHeader:], uint16(p.random.Uint64())) // the query's ID
	return n
}

func (p *Packets) ntp(b []byte) int {
	n := p.answer(b, ntp)
	b[udpHeader+1] = byte(p.random.Uint64()) & 0x7f // the number of the packet in the list
	return n
}

func (p *Packets) ssdp(b []byte) int { return p.answer(b, ssdp) }

func (p *Packets) cldap(b []byte) int { return p.answer(b, cldap) }

func (p *Packets) memcached(b []byte) int {
	n := p.answer(b, memcached)
	binary.BigEndian.PutUint16(b[udpHeader+2:], uint16(p.below(64))) // the number of the datagram in the answer
	return n
}

func (p *Packets) isakmp(b []byte) int {
	n := p.answer(b, isakmp)
	binary.BigEndian.PutUint64(b[udpHeader+8:], p.random.Uint64()) // the responder's cookie
	return n
}

// beginning is that of a resolver's answer whose rest never comes. Nobody can tell whether its checksum is right.
func (p *Packets) beginning(b []byte) int {
	n := p.dns(b) &^ 7 // so long is every fragment but the last
	binary.BigEndian.PutUint16(b[4:], uint16(2*n))
	binary.BigEndian.PutUint16(b[6:], uint16(p.random.Uint64()))
	return n
}

// rest is the content of a later fragment.
func (p *Packets) rest(b []byte) int {
	return copy(b[:maxSegment&^7], p.bytes[p.below(maxSegment):])
}

// quic is a long header with connection IDs of 8 bytes, no token, and the rest of the datagram as the packet (RFC 9000, 17.2.2).
func (p *Packets) quic(b []byte) int {
	r := p.random.Uint64()
	payload := b[udpHeader : udpHeader+quicLength]
	payload[0] = 0xc0 | byte(r)&0x0f // what header protection leaves of the low bits is anything
	binary.BigEndian.PutUint32(payload[1:], 1)
	payload[5], payload[14], payload[23] = 8, 8, 0
	binary.BigEndian.PutUint64(payload[6:], p.random.Uint64())
	binary.BigEndian.PutUint64(payload[15:], p.random.Uint64())
	binary.BigEndian.PutUint16(payload[24:], 0x4000|(quicLength-26)) // a variable-length integer of two bytes
	copy(payload[26:], p.bytes[p.below(maxSegment):])
	return p.udp(b, clientPort(r>>16), quicLength)
}

// echo is a request of ICMP (RFC 792) or ICMPv6 (RFC 4443).
func (p *Packets) echo(b []byte) int {
	b[0], b[1] = 8, 0
	if p.plan.Target.Addr().Is6() {
		b[0] = 128
	}
	binary.BigEndian.PutUint16(b[2:], 0)
	binary.BigEndian.PutUint32(b[4:], uint32(p.random.Uint64())) // identifier and sequence number
	return 8 + copy(b[8:8+icmpPayload], p.bytes)
}
