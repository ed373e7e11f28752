package flood

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func link() Link {
	return Link{Interface: "attack", From: net.HardwareAddr{2, 0, 0, 0, 0, 2}, To: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
}

var both = []netip.AddrPort{netip.MustParseAddrPort("198.18.0.1:443"), netip.MustParseAddrPort("[2001:db8::1]:443")}

// TestPackets reads what every flood sends as a receiver would: with the headers' parsers of x/net and a checksum of its own.
func TestPackets(t *testing.T) {
	for _, kind := range Kinds() {
		for _, target := range both {
			t.Run(kind.Name+" "+target.String(), func(t *testing.T) {
				p, err := New(Plan{Kind: kind.Name, Target: target}, link())
				if err != nil {
					t.Fatal(err)
				}
				frame := make([]byte, MaxFrame)
				for range 500 {
					r := receive(t, frame[:p.Next(frame)])
					if r.target != target.Addr() || r.ttl < 32 {
						t.Fatalf("got a packet to %s with TTL %d, want one to %s with 32 or more", r.target, r.ttl, target.Addr())
					}
					if kind.Name != Mixed {
						r.check(t, kind, target)
					}
				}
			})
		}
	}
}

// check compares a packet with what its kind says.
func (r received) check(t *testing.T, kind Kind, target netip.AddrPort) {
	t.Helper()
	protocol := kind.Protocol
	if protocol == icmp && target.Addr().Is6() {
		protocol = icmpv6
	}
	if r.protocol != protocol || r.part != kind.part {
		t.Fatalf("got protocol %d, part %d; want %d, part %d", r.protocol, r.part, protocol, kind.part)
	}
	if kind.part == later || kind.Protocol == icmp {
		return
	}
	if got := binary.BigEndian.Uint16(r.segment[2:]); got != target.Port() {
		t.Fatalf("got port %d, want %d", got, target.Port())
	}
	if kind.Protocol != udp {
		return
	}
	length := int(binary.BigEndian.Uint16(r.segment[4:]))
	if kind.part == whole && length != len(r.segment) || kind.part == first && length <= len(r.segment) {
		t.Fatalf("the UDP header says %d bytes, the packet has %d", length, len(r.segment))
	}
}

// A received packet is what a receiver makes of a frame.
type received struct {
	source, target netip.Addr
	protocol       byte
	ttl            int
	part           part
	segment        []byte
}

// receive parses a frame without tags, and fails the test if a length or a checksum is wrong.
func receive(t *testing.T, frame []byte) received {
	t.Helper()
	var r received
	var pseudo []byte
	packet := frame[14:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case ethernet4:
		h, err := ipv4.ParseHeader(packet)
		if err != nil || h.TotalLen != len(packet) || !isSummed(packet[:h.Len]) {
			t.Fatalf("header %v of %d bytes: %v", h, len(packet), err)
		}
		r = received{protocol: byte(h.Protocol), ttl: h.TTL, segment: packet[h.Len:]}
		switch {
		case h.FragOff > 0:
			r.part = later
		case h.Flags&ipv4.MoreFragments != 0:
			r.part = first
		}
		pseudo = packet[12:20]
	case ethernet6:
		h, err := ipv6.ParseHeader(packet)
		if err != nil || h.PayloadLen != len(packet)-header6 {
			t.Fatalf("header %v of %d bytes: %v", h, len(packet), err)
		}
		r = received{protocol: byte(h.NextHeader), ttl: h.HopLimit, segment: packet[header6:]}
		if h.NextHeader == ipv6Frag {
			r.protocol, r.part = packet[header6], first
			if binary.BigEndian.Uint16(packet[header6+2:])>>3 > 0 {
				r.part = later
			}
			r.segment = packet[header6+fragment6:]
		}
		pseudo = packet[8:40]
	default:
		t.Fatalf("frame % x: want an IP packet", frame[:14])
	}
	r.source, _ = netip.AddrFromSlice(pseudo[:len(pseudo)/2])
	r.target, _ = netip.AddrFromSlice(pseudo[len(pseudo)/2:])
	if r.protocol == icmp {
		pseudo = nil
	} else {
		pseudo = append(slices.Clone(pseudo), 0, r.protocol, byte(len(r.segment)>>8), byte(len(r.segment)))
	}
	if r.part == whole && !isSummed(slices.Concat(pseudo, r.segment)) {
		t.Fatalf("protocol %d: wrong checksum", r.protocol)
	}
	return r
}

// isSummed adds up as RFC 1071 says it, byte by byte.
func isSummed(b []byte) bool {
	var s uint32
	for i, c := range b {
		s += uint32(c) << (8 * (1 - i%2))
	}
	return s>>16+s&0xffff == 0xffff || s>>16+s&0xffff == 0x1fffe
}

// TestSeed: a seed is a flood, packet for packet.
func TestSeed(t *testing.T) {
	flood := func(seed uint64) []byte {
		p, err := New(Plan{Kind: Mixed, Target: both[0], Seed: seed}, link())
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		frame := make([]byte, MaxFrame)
		for range 200 {
			all = append(all, frame[:p.Next(frame)]...)
		}
		return all
	}
	if !bytes.Equal(flood(1), flood(1)) {
		t.Error("two floods of one seed differ")
	}
	if bytes.Equal(flood(1), flood(2)) {
		t.Error("floods of two seeds are the same")
	}
}

// TestSources: addresses are of the plan's prefixes, all of which have their share.
func TestSources(t *testing.T) {
	tests := []struct {
		name     string
		target   netip.AddrPort
		prefixes []netip.Prefix
	}{
		{"IPv4", both[0], []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("16.0.0.0/5")}},
		{"IPv6", both[1], []netip.Prefix{netip.MustParsePrefix("2001:db8::7/128"), netip.MustParsePrefix("2400:1::/48"), netip.MustParsePrefix("2600:0:0:8::/61"), netip.MustParsePrefix("2a00:0:0:1:8000::/65")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(Plan{Kind: "syn", Target: tt.target, Sources: tt.prefixes}, link())
			if err != nil {
				t.Fatal(err)
			}
			counts, addresses := make([]int, len(tt.prefixes)), map[netip.Addr]bool{}
			frame := make([]byte, MaxFrame)
			const n = 3000
			for range n {
				r := receive(t, frame[:p.Next(frame)])
				i := slices.IndexFunc(tt.prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(r.source) })
				if i < 0 {
					t.Fatalf("got a packet from %s, want one from %v", r.source, tt.prefixes)
				}
				counts[i]++
				addresses[r.source] = true
			}
			for i, count := range counts {
				if share := n / len(counts); count < share*8/10 || count > share*12/10 {
					t.Errorf("%s: got %d packets, want about %d", tt.prefixes[i], count, share)
				}
			}
			if want := n / 3; len(addresses) < want {
				t.Errorf("got %d addresses, want %d or more", len(addresses), want)
			}
		})
	}
}

func TestTags(t *testing.T) {
	tests := []struct {
		name string
		vlan []uint16
		want []byte
	}{
		{"none", nil, []byte{0x08, 0x00}},
		{"one", []uint16{7}, []byte{0x81, 0x00, 0, 7, 0x08, 0x00}},
		{"two", []uint16{4094, 7}, []byte{0x88, 0xa8, 0x0f, 0xfe, 0x81, 0x00, 0, 7, 0x08, 0x00}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(Plan{Kind: "syn", Target: both[0], VLAN: tt.vlan}, link())
			if err != nil {
				t.Fatal(err)
			}
			frame := make([]byte, MaxFrame)
			p.Next(frame)
			want := slices.Concat(link().To, link().From, tt.want, []byte{0x45})
			if got := frame[:len(want)]; !bytes.Equal(got, want) {
				t.Errorf("got % x\nwant % x", got, want)
			}
		})
	}
}

// TestSYN: those that are alike differ in nothing that a signature could see; of the others, everything varies.
func TestSYN(t *testing.T) {
	for name, want := range map[string]struct{ least, most int }{"syn": {1, 1}, "syn-varied": {300, 500}} {
		p, err := New(Plan{Kind: name, Target: both[0]}, link())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		frame := make([]byte, MaxFrame)
		for range 500 {
			r := receive(t, frame[:p.Next(frame)])
			if r.segment[13] != flagSYN || int(r.segment[12]>>4)*4 != len(r.segment) {
				t.Fatalf("%s: got % x, want a SYN that is header alone", name, r.segment)
			}
			seen[string(append(r.segment[14:16:16], r.segment[20:]...))+string(rune(r.ttl))] = true
		}
		if len(seen) < want.least || len(seen) > want.most {
			t.Errorf("%s: got %d kinds of window, options and TTL in 500 packets, want %d to %d", name, len(seen), want.least, want.most)
		}
	}
}

// TestAnswers reads reflectors' answers as their clients would.
func TestAnswers(t *testing.T) {
	all, err := answers(make([]byte, 2*maxSegment))
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(all[dns]); err != nil || len(m.Answers) != 5 || !m.Response {
		t.Errorf("DNS: got %v, %d answers; want a response with 5", err, len(m.Answers))
	}
	if b := all[ntp]; b[0]&0x87 != 0x87 || b[3] != 42 || len(b) != 8+int(b[5])*int(b[7]) {
		t.Errorf("NTP: % x… of %d bytes is no answer to monlist", b[:8], len(b))
	}
	if got := bytes.Count(all[ssdp], []byte("\r\n")); got != 8 || !bytes.HasSuffix(all[ssdp], []byte("\r\n\r\n")) {
		t.Errorf("SSDP: got %d lines, want 8 with an empty one at the end", got)
	}
	var operations []int
	for rest := all[cldap]; len(rest) > 0; {
		var message struct {
			ID        int
			Operation asn1.RawValue
		}
		if rest, err = asn1.Unmarshal(rest, &message); err != nil {
			t.Fatalf("CLDAP: %v", err)
		}
		operations = append(operations, message.Operation.Tag)
	}
	if want := []int{4, 5}; !slices.Equal(operations, want) { // SearchResultEntry, SearchResultDone
		t.Errorf("CLDAP: got operations %v, want %v", operations, want)
	}
	if b := all[memcached]; !bytes.HasPrefix(b[8:], []byte("VALUE ")) {
		t.Errorf("memcached: got %q, want a value", b[:20])
	}
	if b := all[isakmp]; int(binary.BigEndian.Uint32(b[24:])) != len(b) || int(binary.BigEndian.Uint16(b[30:]))+20 != len(b)-28 {
		t.Errorf("ISAKMP: its header says %d bytes, the association %d, of %d", b[24:28], b[30:32], len(b))
	}
}

// TestRefusal: no plan that aims at anybody else, or asks for too much, makes a packet.
func TestRefusal(t *testing.T) {
	tests := []struct {
		name   string
		target string
		change func(*Plan)
		want   string
	}{
		{"loopback", "127.0.0.1:80", nil, "target 127.0.0.1:80: want an address in [198.18.0.0/15 2001:db8::/32]"},
		{"a neighbour of the networks", "198.20.0.1:80", nil, "target 198.20.0.1:80: want an address in [198.18.0.0/15 2001:db8::/32]"},
		{"anybody", "8.8.8.8:53", nil, "target 8.8.8.8:53: want an address in [198.18.0.0/15 2001:db8::/32]"},
		{"anybody by IPv6", "[2001:db7::1]:53", nil, "target [2001:db7::1]:53: want an address in [198.18.0.0/15 2001:db8::/32]"},
		{"in the other's clothes", "[::ffff:198.18.0.1]:80", nil, "target [::ffff:198.18.0.1]:80: want an address in [198.18.0.0/15 2001:db8::/32]"},
		{"no port", "198.18.0.1:0", nil, "target 198.18.0.1:0: want a port"},
		{"too fast", "198.18.0.1:80", func(p *Plan) { p.Rate = MaxRate + 1 }, "rate 5000001: want 0 to 5000000 packets a second"},
		{"too many", "198.18.0.1:80", func(p *Plan) { p.Packets = MaxPackets + 1 }, "100000001 packets: want 0 to 100000000"},
		{"too long", "198.18.0.1:80", func(p *Plan) { p.Lasting = MaxLasting + 1 }, "lasting 1m0.000000001s: want 0 to 1m0s"},
		{"the other family", "198.18.0.1:80", func(p *Plan) { p.Sources = []netip.Prefix{netip.MustParsePrefix("::/0")} }, "source ::/0: want a prefix of the target's family"},
		{"three tags", "198.18.0.1:80", func(p *Plan) { p.VLAN = []uint16{1, 2, 3} }, "3 VLAN tags: want two at the most"},
		{"no such tag", "198.18.0.1:80", func(p *Plan) { p.VLAN = []uint16{4095} }, "VLAN 4095: want 1 to 4094"},
		{"no such flood", "198.18.0.1:80", func(p *Plan) { p.Kind = "smurf" }, `no flood is called "smurf"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := Plan{Kind: "syn", Target: netip.MustParseAddrPort(tt.target), Lasting: time.Second}
			if tt.change != nil {
				tt.change(&plan)
			}
			if _, err := New(plan, link()); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	for _, kind := range Kinds() {
		b.Run(kind.Name, func(b *testing.B) {
			p, err := New(Plan{Kind: kind.Name, Target: both[0]}, link())
			if err != nil {
				b.Fatal(err)
			}
			frame := make([]byte, MaxFrame)
			b.ReportAllocs()
			for b.Loop() {
				p.Next(frame)
			}
		})
	}
}
