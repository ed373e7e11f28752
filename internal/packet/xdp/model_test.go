package xdp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/seawall/seawall/internal/packet"
)

// A model decides as the program does, from the policy, the sets and the signatures as they were given: no tables, filters or indexes.
// Only meters are laid out as in the kernel, because which sources share one is part of the answer.
type model struct {
	policy     packet.Policy
	allow      []netip.Prefix
	deny       []netip.Prefix
	bans       map[netip.Prefix]uint64
	signatures []packet.Signature
	until      []uint64 // of the signatures
	state      func(flow) (int, bool)
	salt       salt
	lines      map[uint32]*[8]modelBucket
	rates      map[[2]int]*modelRate
	now        uint64
}

// A view is what the model reads of a frame.
type view struct {
	v6               bool
	src, dst         netip.Addr
	length           uint32
	l3, l4, payload  int
	sport, dport     uint16
	window           uint16
	protocol         byte
	ttl, flags       byte
	piece, malformed bool
	frame            []byte
}

const pass, drop, transmit = 2, 1, 3

// judge returns what the program's action, listener and reason should be.
func (m *model) judge(frame []byte) (action, listener int, reason uint32) {
	v, ok := look(frame)
	if !ok || !v.ours() || v.neighbourDiscovery() {
		return pass, -1, untouched
	}
	listener, ok = m.listenerOf(v)
	if !ok {
		return pass, -1, untouched
	}
	r := m.reason(v, listener)
	switch {
	case r == packet.Cookie:
		action = transmit
	case r.Dropped():
		action = drop
	default:
		action = pass
	}
	return action, listener, uint32(r)
}

func (m *model) reason(v *view, listener int) packet.Reason {
	var l packet.Listener
	host, group := m.policy.Addresses.Host, m.policy.Addresses.Group
	if listener > 0 {
		l = m.policy.Listeners[listener-1]
		host, group = l.Host, l.Group
	}
	tcp := v.protocol == protocolTCP && !v.piece
	syn := tcp && v.flags&0x17 == 2
	switch {
	case contains(m.allow, v.src):
		return packet.Allowed
	case m.banned(v):
		return packet.Banned
	case contains(m.deny, v.src):
		return packet.Denied
	case v.malformed, tcp && badFlags(v.flags):
		return packet.Malformed
	case m.signed(v):
		return packet.BySignature
	}
	if tcp && l.CheckState && !l.UDP && !syn {
		if r := m.stateOf(v); r != packet.Passed {
			return r
		}
	}
	opening := syn
	if !tcp {
		class, rate, over, isOpening := m.class(v, l)
		if class >= 0 && m.over(listener, class, rate) {
			return over
		}
		opening = isOpening
	}
	if r := m.meter(v, host, group, opening); r != packet.Passed {
		return r
	}
	if syn && l.CheckState && !l.UDP && m.over(listener, classSYN, l.SYNs) {
		return m.cookie(v)
	}
	return packet.Passed
}

func contains(set []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(set, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (m *model) banned(v *view) bool {
	lengths := []int{32, 24}
	if v.v6 {
		lengths = []int{128, 64, 48}
	}
	for _, n := range lengths {
		p, err := v.src.Prefix(n)
		if err == nil && m.bans[p] > m.now {
			return true
		}
	}
	return false
}

func badFlags(flags byte) bool {
	return flags&(2|4|16) == 0 || flags&2 != 0 && flags&(1|4) != 0
}

// stateOf: no packet of a test carries a cookie, but those that a test of cookies sends.
func (m *model) stateOf(v *view) packet.Reason {
	state, ok := m.state(flow{netip.AddrPortFrom(v.src, v.sport), netip.AddrPortFrom(v.dst, v.dport)})
	switch {
	case !ok:
		return packet.NoState
	case state != stateListen:
		return packet.Passed
	case v.flags&(2|4|16) == 16:
		return packet.BadCookie
	}
	return packet.NoState
}

func (m *model) cookie(v *view) packet.Reason {
	if v.payload > len(v.frame) {
		return packet.NoCookie
	}
	state, ok := m.state(flow{netip.AddrPortFrom(v.src, v.sport), netip.AddrPortFrom(v.dst, v.dport)})
	switch {
	case !ok:
		return packet.NoState
	case state != stateListen:
		return packet.Passed
	}
	return packet.Cookie
}

func (m *model) class(v *view, l packet.Listener) (class int, rate uint32, over packet.Reason, opening bool) {
	switch {
	case v.piece:
		return classPiece, m.policy.Addresses.Pieces, packet.OverPieces, false
	case v.protocol != protocolUDP:
		return classICMP, m.policy.Addresses.ICMP, packet.OverICMP, v.flags == 8 || v.flags == 128
	case slices.Contains(amplifiers(), v.sport):
		return classReflected, l.Reflected, packet.OverReflects, false
	case initial(v.at(v.payload)):
		return classInitial, l.Initials, packet.OverInitials, true
	}
	return -1, 0, packet.Passed, false
}

func amplifiers() []uint16 {
	return []uint16{
		17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 500, 520, 751, 1194, 1434, 1701, 1900, 3283, 3478, 3702, 5093, 5351, 5353, 5683,
		11211, 27015, 30718, 33848, 37020, 37810,
	}
}

func initial(b []byte) bool {
	if len(b) < 5 || b[0]&0x80 == 0 {
		return false
	}
	kind := b[0] >> 4 & 3
	if binary.BigEndian.Uint32(b[1:]) == 0x6b3343cf {
		return kind == 1
	}
	return kind == 0
}

func (m *model) listenerOf(v *view) (int, bool) {
	port := !v.piece && (v.protocol == protocolTCP || v.protocol == protocolUDP)
	for _, exact := range []bool{true, false} {
		for i, l := range m.policy.Listeners {
			if port && (l.Port != v.dport || l.UDP != (v.protocol == protocolUDP)) {
				continue
			}
			any4 := !l.Address.IsValid() || l.Address == netip.IPv4Unspecified()
			any6 := !l.Address.IsValid() || l.Address == netip.IPv6Unspecified()
			if exact && l.Address == v.dst || !exact && (v.v6 && any6 || !v.v6 && any4) {
				if port {
					return i + 1, true
				}
				return 0, true
			}
		}
	}
	return 0, false
}

// --- Reading frames

func (v *view) at(i int) []byte {
	if i < 0 || i > len(v.frame) {
		return nil
	}
	return v.frame[i:]
}

func (v *view) ours() bool {
	icmp := byte(1)
	if v.v6 {
		icmp = 58
	}
	return v.piece || v.protocol == protocolTCP || v.protocol == protocolUDP || v.protocol == icmp
}

func (v *view) neighbourDiscovery() bool {
	return v.protocol == 58 && !v.piece && v.flags >= 133 && v.flags <= 137
}

func look(frame []byte) (*view, bool) {
	v := &view{frame: frame}
	at := 12
	for range 3 {
		if len(frame) < at+2 {
			return nil, false
		}
		kind := binary.BigEndian.Uint16(frame[at:])
		at += 2
		switch kind {
		case 0x8100, 0x88a8:
			at += 2
			continue
		case 0x0800:
			return v, v.look4(at) && v.lookBehind()
		case 0x86dd:
			return v, v.look6(at) && v.lookBehind()
		}
		break
	}
	return nil, false
}

func (v *view) look4(at int) bool {
	b := v.at(at)
	if len(b) < 20 || b[0]>>4 != 4 || b[0]&15 < 5 {
		return false
	}
	v.l3, v.l4 = at, at+int(b[0]&15)*4
	v.length = uint32(binary.BigEndian.Uint16(b[2:]))
	v.piece = binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	v.ttl, v.protocol = b[8], b[9]
	v.src, v.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return true
}

func (v *view) look6(at int) bool {
	b := v.at(at)
	if len(b) < 40 || b[0]>>4 != 6 {
		return false
	}
	v.v6, v.l3 = true, at
	v.length = uint32(binary.BigEndian.Uint16(b[4:])) + 40
	v.protocol, v.ttl = b[6], b[7]
	v.src, v.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	at += 40
	for range 6 {
		b := v.at(at)
		if !isExtension(v.protocol) || len(b) < 8 {
			break
		}
		switch v.protocol {
		case 44:
			at += 8
			v.piece = binary.BigEndian.Uint16(b[2:])>>3 != 0
		case 51:
			at += int(b[1])*4 + 8
		default:
			at += int(b[1])*8 + 8
		}
		v.protocol = b[0]
		if v.piece {
			break
		}
	}
	v.piece = v.piece || isExtension(v.protocol)
	v.l4 = at
	return true
}

func isExtension(protocol byte) bool {
	return slices.Contains([]byte{0, 43, 44, 51, 60}, protocol)
}

// lookBehind reads the header behind IP's. It always says true.
func (v *view) lookBehind() bool {
	if v.piece {
		return true
	}
	b := v.at(v.l4)
	icmp := byte(1)
	if v.v6 {
		icmp = 58
	}
	switch v.protocol {
	case protocolTCP:
		if v.piece = len(b) < 20; v.piece {
			return true
		}
		v.sport, v.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		v.flags, v.window = b[13], binary.BigEndian.Uint16(b[14:])
		v.payload = v.l4 + int(b[12]>>4)*4
		v.malformed = b[12]>>4 < 5
	case protocolUDP:
		if v.piece = len(b) < 8; v.piece {
			return true
		}
		v.sport, v.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		v.payload = v.l4 + 8
	case icmp:
		if v.piece = len(b) < 1; v.piece {
			return true
		}
		v.flags, v.payload = b[0], v.l4
	}
	return true
}

// --- Meters

type modelBucket struct {
	tick                     uint32 // its lower 16 bits count
	packets, bytes, openings uint32
}

type modelRate struct{ tick, level uint32 }

func levelAfter(level, ticks uint32) uint32 {
	if ticks >= ticksASecond || ticks*drainATick >= level {
		return 0
	}
	return level - ticks*drainATick
}

// charge returns the bucket with a load more, and whether that is too much.
func (b modelBucket) charge(c packet.Ceilings, length uint32, opening bool, tick uint32) (modelBucket, bool) {
	ticks := ticksSince(b.tick, tick)
	if (tick-b.tick)&0xffff > late {
		tick = b.tick
	}
	costs := costsOf(c)
	load := modelBucket{packets: costs.packets}
	if opening {
		load.openings = costs.openings
	}
	if costs.bytes > 0 {
		load.bytes = uint32(min(uint64(costs.bytes)*uint64(length)>>16+1, full))
	}
	over := false
	add := func(level, load uint32) uint32 {
		sum := levelAfter(level, ticks) + load
		over = over || load > 0 && sum > full
		return min(sum, full)
	}
	return modelBucket{tick, add(b.packets, load.packets), add(b.bytes, load.bytes), add(b.openings, load.openings)}, over
}

func (m *model) meter(v *view, host, group packet.Ceilings, opening bool) packet.Reason {
	tick := uint32(m.now >> tickShift)
	at, hosts := m.salt.metersOf(v.src, 1<<14)
	var after [4]modelBucket
	var over [4]bool
	for row := range 2 {
		line := m.lines[at[row]]
		if line == nil {
			line = new([8]modelBucket)
			m.lines[at[row]] = line
		}
		after[row], over[row] = line[1+hosts[row]].charge(host, v.length, opening, tick)
		after[2+row], over[2+row] = line[0].charge(group, v.length, opening, tick)
	}
	switch {
	case over[0] && over[1]:
		return packet.OverHost
	case over[2] && over[3]:
		return packet.OverGroup
	}
	for row := range 2 {
		line := m.lines[at[row]]
		line[1+hosts[row]], line[0] = after[row], after[2+row]
	}
	return packet.Passed
}

func (m *model) over(listener, class int, rate uint32) bool {
	if rate == 0 {
		return false
	}
	key := [2]int{listener, class}
	r := m.rates[key]
	if r == nil {
		r = &modelRate{}
		m.rates[key] = r
	}
	tick := uint32(m.now >> tickShift)
	out := uint64(min(tick-r.tick, 4*ticksASecond)) * ((1 << 28) / 238)
	level := uint64(r.level)
	level -= min(out, level)
	level += uint64(share28(rate, 1))
	r.tick, r.level = tick, uint32(min(level, 4<<28-1))
	return level > 1<<28
}

// --- Signatures

func (m *model) signed(v *view) bool {
	for i, s := range m.signatures {
		if m.until[i] <= m.now {
			continue
		}
		matches := true
		for _, t := range s.Terms {
			word, ok := v.feature(t)
			word &= t.Mask
			matches = matches && ok && word >= t.Low && word <= t.High
		}
		if matches && !s.Monitor {
			return true
		}
	}
	return false
}

func (v *view) feature(t packet.Term) (uint32, bool) {
	src, ip := v.src.As16(), v.at(v.l3)
	dst := v.dst.As16()
	switch t.Feature {
	case packet.Source0, packet.Source1, packet.Source2, packet.Source3:
		return binary.BigEndian.Uint32(src[4*(t.Feature-packet.Source0):]), true
	case packet.Destination3:
		return binary.BigEndian.Uint32(dst[12:]), true
	case packet.Protocol:
		return uint32(v.protocol), true
	case packet.TTL:
		return uint32(v.ttl), true
	case packet.Length:
		return v.length, true
	case packet.SourcePort:
		return uint32(v.sport), true
	case packet.Port:
		return uint32(v.dport), true
	case packet.Flags:
		return uint32(v.flags), true
	case packet.Window:
		return uint32(v.window), true
	case packet.PayloadLength:
		headers := uint32(v.payload - v.l3)
		if v.payload == 0 || v.length <= headers {
			return 0, true
		}
		return v.length - headers, true
	case packet.FlowLabel:
		if !v.v6 {
			return 0, true
		}
		return binary.BigEndian.Uint32(ip) & 0xfffff, true
	case packet.Version:
		if v.v6 {
			return 6, true
		}
		return 4, true
	case packet.ID:
		if v.v6 {
			return 0, true
		}
		return binary.BigEndian.Uint32(ip[4:]), true
	case packet.TOS:
		if v.v6 {
			return binary.BigEndian.Uint32(ip) >> 20 & 0xff, true
		}
		return uint32(ip[1]), true
	case packet.Payload:
		b := v.at(v.payload + int(t.Offset))
		if v.payload == 0 || len(b) < 4 || v.payload+int(t.Offset)+4 > v.l3+int(v.length) {
			return 0, false
		}
		return binary.BigEndian.Uint32(b), true
	}
	return v.tcpFeature(t.Feature), true
}

func (v *view) tcpFeature(f packet.Feature) uint32 {
	if v.protocol != protocolTCP || v.piece {
		return 0
	}
	b := v.at(v.l4)
	switch f {
	case packet.Sequence:
		return binary.BigEndian.Uint32(b[4:])
	case packet.Acknowledged:
		return binary.BigEndian.Uint32(b[8:])
	}
	if v.payload <= v.l4+20 || v.payload > len(v.frame) {
		return 0
	}
	kinds, mss, scale := options(v.frame[v.l4+20 : v.payload])
	switch f {
	case packet.TCPOptions:
		return packet.OptionLayout(kinds...)
	case packet.MSS:
		return mss
	}
	return scale
}

func options(b []byte) (kinds []byte, mss, scale uint32) {
	for len(b) > 0 {
		kinds = append(kinds, b[0])
		if b[0] == 0 {
			break
		}
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			break
		}
		switch {
		case b[0] == 2 && b[1] == 4:
			mss = uint32(b[2])<<8 | uint32(b[3])
		case b[0] == 3 && b[1] == 3:
			scale = uint32(b[2])
		}
		b = b[b[1]:]
	}
	return kinds, mss, scale
}

// newModel is a model of what the bench holds nothing of yet.
func newModel(b *bench) *model {
	return &model{
		salt: b.salt, state: b.lab.state, now: b.now, bans: make(map[netip.Prefix]uint64),
		lines: make(map[uint32]*[8]modelBucket), rates: make(map[[2]int]*modelRate),
	}
}
