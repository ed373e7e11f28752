package contrast

import (
	"math/rand/v2"
)

// The features of packets that the tests use, much as a packet filter would.
const (
	proto = iota
	length
	ttl
	dontFragment
	fragment
	tos
	ident
	sport
	dport
	flags
	window
	mss
	scale
	options
	seq
	ack
	payload
	byte0
	byte1
	byte2
	byte3
	byte4
	byte5
	byte6
	packetFeatures
)

// packets is their schema. What too many packets share is weak, and so is what one connection has to itself.
func packets() Schema {
	return Schema{
		proto:        {Name: "proto", Widest: 127, List: 4},
		length:       {Name: "length", Widest: 512, List: 8, Weak: true},
		ttl:          {Name: "ttl", Widest: 16, List: 4, Weak: true},
		dontFragment: {Name: "df", Weak: true},
		fragment:     {Name: "fragment", Widest: 8191, List: 1},
		tos:          {Name: "tos", List: 4, Weak: true},
		ident:        {Name: "id", Widest: 256, Weak: true},
		sport:        {Name: "sport", Widest: 65535, List: 8, Weak: true},
		dport:        {Name: "dport", Widest: 65535, List: 8},
		flags:        {Name: "flags", List: 4},
		window:       {Name: "window", Widest: 4096, List: 8},
		mss:          {Name: "mss", Widest: 64, List: 4},
		scale:        {Name: "scale", List: 4},
		options:      {Name: "options", List: 4},
		seq:          {Name: "seq", Widest: 1 << 16, Weak: true},
		ack:          {Name: "ack", Widest: 1 << 16, Weak: true},
		payload:      {Name: "payload", Widest: 512, List: 8},
		byte0:        {Name: "byte0", Widest: 15, List: 8},
		byte1:        {Name: "byte1", Widest: 15, List: 8},
		byte2:        {Name: "byte2", Widest: 15, List: 8},
		byte3:        {Name: "byte3", Widest: 15, List: 8},
		byte4:        {Name: "byte4", Widest: 15, List: 8},
		byte5:        {Name: "byte5", Widest: 15, List: 8},
		byte6:        {Name: "byte6", Widest: 15, List: 8},
	}
}

// Bits and layouts that packets have.
const (
	fin, syn, rst, psh, ackFlag = 1, 2, 4, 8, 16

	// Kinds of options, a hexadecimal digit each.
	optionsNone    = 0
	optionsMSS     = 0x2
	optionsLinux   = 0x24813
	optionsWindows = 0x213114
	optionsApple   = 0x13118400 // the first does not fit
	optionsTimes   = 0x118      // what goes on with timestamps
)

type packet [packetFeatures]uint32

// pick returns one of the values.
func pick(r *rand.Rand, values ...uint32) uint32 { return values[r.IntN(len(values))] }

// between returns a value from lo to hi.
func between(r *rand.Rand, lo, hi uint32) uint32 { return lo + r.Uint32N(hi-lo+1) }

// write fills in the first bytes of the payload.
func (p *packet) write(bytes ...byte) {
	for i := range 7 {
		p[byte0+i] = Absent
		if i < int(p[payload]) && i < len(bytes) {
			p[byte0+i] = uint32(bytes[i])
		}
	}
}

// noise fills the payload with n random bytes.
func (p *packet) noise(r *rand.Rand, n uint32) {
	p[payload] = n
	var b [7]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	p.write(b[:]...)
}

// blank is a packet that has only what every packet has.
func blank(protocol, hops uint32) packet {
	var p packet
	for i := range p {
		p[i] = Absent
	}
	p[proto], p[ttl], p[dontFragment], p[fragment], p[tos], p[ident], p[payload] = protocol, hops, 0, 0, 0, 0, 0
	return p
}

// header is blank with an identification of its own.
func header(r *rand.Rand, protocol, hops uint32) packet {
	p := blank(protocol, hops)
	p[ident] = r.Uint32N(1 << 16)
	return p
}

// hops is how far away visitors are, by the first value their systems choose.
func hops(r *rand.Rand) uint32 {
	return pick(r, 64, 64, 128) - min(uint32(8+r.NormFloat64()*4+4), 25)
}

func (p *packet) udp(from, to uint32) {
	p[sport], p[dport], p[length] = from, to, 28+p[payload]
}

func (p *packet) tcp(from, to, bits, size, layout uint32) {
	p[sport], p[dport], p[flags], p[window], p[options] = from, to, bits, size, layout
	room := uint32(20)
	switch layout {
	case optionsNone:
	case optionsMSS:
		room = 24
	case optionsTimes, optionsWindows:
		room = 32
	default:
		room = 40
	}
	p[length] = 20 + room + p[payload]
}

// A client is a visitor's system.
type client struct {
	hops, window, mss, scale, layout uint32
}

func visitor(r *rand.Rand) client {
	c := client{hops: 64 - min(uint32(max(2, 11+r.NormFloat64()*4)), 30), mss: pick(r, 1460, 1460, 1460, 1440, 1400, 1360, 1452)}
	switch n := r.IntN(100); {
	case n < 45:
		c.window, c.scale, c.layout = pick(r, 64240, 65535, 29200, 42340), pick(r, 7, 8, 9), optionsLinux
	case n < 75:
		c.hops += 64
		c.window, c.scale, c.layout = pick(r, 64240, 65535, 8192), 8, optionsWindows
	default:
		c.window, c.scale, c.layout = 65535, pick(r, 5, 6), optionsApple
	}
	return c
}

func port(r *rand.Rand) uint32 { return between(r, 1024, 65535) }

// ordinary returns a packet of a day without attacks: visitors of a site by TCP and QUIC, and what a server asks for itself.
func ordinary(r *rand.Rand) packet {
	c := visitor(r)
	p := header(r, 6, c.hops)
	p[dontFragment] = 1
	p[seq], p[ack] = r.Uint32(), r.Uint32()
	to := pick(r, 443, 443, 443, 443, 443, 443, 80)
	times := uint32(optionsTimes)
	if c.layout == optionsWindows {
		times = optionsNone
	}
	switch n := r.IntN(1000); {
	case n < 60:
		p[ack], p[mss], p[scale] = 0, c.mss, c.scale
		p.tcp(port(r), to, syn, c.window, c.layout)
	case n < 540:
		p.tcp(port(r), to, ackFlag, between(r, 229, 2100), times)
	case n < 700:
		p[payload] = between(r, 30, 1400)
		p.write(pick8(r, 0x17, 0x17, 0x16), 3, pick8(r, 3, 3, 3, 1), byte(r.Uint32N(6)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()))
		p.tcp(port(r), to, ackFlag|psh, between(r, 229, 2100), times)
	case n < 720:
		p.tcp(port(r), to, ackFlag|fin, between(r, 229, 2100), times)
	case n < 735:
		p[ack] = 0
		p.tcp(port(r), to, rst, 0, optionsNone)
	default:
		return ordinaryUDP(r, c, n)
	}
	return p
}

func ordinaryUDP(r *rand.Rand, c client, n int) packet {
	p := header(r, 17, c.hops)
	switch {
	case n < 770: // QUIC, Initial
		p[dontFragment] = 1
		p[payload] = pick(r, 1200, 1250, 1252, 1350, 1357)
		p.write(0xc0|byte(r.Uint32N(16)), 0, 0, 0, 1, 8, byte(r.Uint32()))
		p.udp(port(r), 443)
	case n < 985: // QUIC, short header
		p[dontFragment] = 1
		p[payload] = between(r, 25, 1350)
		p.write(0x40|byte(r.Uint32N(64)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()))
		p.udp(port(r), 443)
	case n < 995: // answers of the resolver
		p[ttl] = pick(r, 57, 58, 118)
		p[payload] = between(r, 60, 480)
		p.write(byte(r.Uint32()), byte(r.Uint32()), 0x81, pick8(r, 0x80, 0x83), 0, 1, 0)
		p.udp(53, port(r))
	case n < 998: // and of the clock
		p[ttl], p[payload] = pick(r, 52, 55), 48
		p.write(0x24, pick8(r, 1, 2, 3), pick8(r, 6, 10), 0xe9, 0, 0, 0)
		p.udp(123, 123)
	default:
		p = header(r, 1, c.hops)
		p[length] = 84
	}
	return p
}

func pick8(r *rand.Rand, values ...byte) byte { return values[r.IntN(len(values))] }
