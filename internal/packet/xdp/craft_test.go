package xdp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/seawall/seawall/internal/packet"
)

// A craft describes a frame; what is zero is usual.
type craft struct {
	tags       []uint16 // VLAN ethertypes
	src, dst   netip.Addr
	protocol   byte
	sport      uint16
	dport      uint16
	flags      byte // TCP's, or ICMP's type
	seq, ack   uint32
	window     uint16
	ttl        byte
	fragment   uint16   // IPv4's flags and offset, or IPv6's offset and more
	extensions [][]byte // IPv6 headers: number, then content whose first byte is replaced by the next's number
	ipOptions  []byte   // IPv4, a multiple of 4
	options    []byte   // TCP, a multiple of 4
	payload    []byte
}

func (c craft) frame() []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for _, tag := range c.tags {
		b = binary.BigEndian.AppendUint16(b, tag)
		b = append(b, 0, 7)
	}
	if c.ttl == 0 {
		c.ttl = 64
	}
	if c.src.Is4() {
		return c.ipv4(binary.BigEndian.AppendUint16(b, 0x0800))
	}
	return c.ipv6(binary.BigEndian.AppendUint16(b, 0x86dd))
}

func (c craft) ipv4(b []byte) []byte {
	rest := c.transport()
	b = append(b, byte(0x45+len(c.ipOptions)/4), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(c.ipOptions)+len(rest)))
	b = binary.BigEndian.AppendUint16(b, 0x1234)
	b = binary.BigEndian.AppendUint16(b, c.fragment)
	b = append(b, c.ttl, c.protocol, 0, 0)
	b = append(b, c.src.AsSlice()...)
	b = append(b, c.dst.AsSlice()...)
	b = append(b, c.ipOptions...)
	return append(b, rest...)
}

func (c craft) ipv6(b []byte) []byte {
	var headers []byte
	next := c.protocol
	for _, content := range slices.Backward(c.extensions) {
		e := append([]byte{next}, content[2:]...)
		next = content[0]
		headers = append(e, headers...)
	}
	rest := append(headers, c.transport()...)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	b = append(b, next, c.ttl)
	b = append(b, c.src.AsSlice()...)
	b = append(b, c.dst.AsSlice()...)
	return append(b, rest...)
}

func (c craft) transport() []byte {
	var b []byte
	switch c.protocol {
	case protocolTCP:
		b = binary.BigEndian.AppendUint16(b, c.sport)
		b = binary.BigEndian.AppendUint16(b, c.dport)
		b = binary.BigEndian.AppendUint32(b, c.seq)
		b = binary.BigEndian.AppendUint32(b, c.ack)
		b = append(b, byte(5+len(c.options)/4)<<4, c.flags)
		b = binary.BigEndian.AppendUint16(b, c.window)
		b = append(b, 0, 0, 0, 0)
		b = append(b, c.options...)
	case protocolUDP:
		b = binary.BigEndian.AppendUint16(b, c.sport)
		b = binary.BigEndian.AppendUint16(b, c.dport)
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(c.payload)))
		b = append(b, 0, 0)
	case 1, 58:
		b = append(b, c.flags, 0, 0, 0, 0, 0, 0, 0)
	}
	return append(b, c.payload...)
}

// extension makes an IPv6 extension header for craft: its number, and content of n*8 bytes.
func extension(number byte, n int) []byte {
	b := make([]byte, 1+n*8)
	b[0] = number
	if number == 51 {
		b[2] = byte(n*2 - 2)
	} else {
		b[2] = byte(n - 1)
	}
	return b
}

// fragmentHeader is IPv6's, with the offset in eights of bytes and whether more follow.
func fragmentHeader(offset uint16, more bool) []byte {
	b := make([]byte, 9)
	b[0] = 44
	word := offset << 3
	if more {
		word |= 1
	}
	binary.BigEndian.PutUint16(b[3:], word)
	return b
}

func term(f packet.Feature, offset uint16, mask, low, high uint32) packet.Term {
	return packet.Term{Feature: f, Offset: offset, Mask: mask, Low: low, High: high}
}
