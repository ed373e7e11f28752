package xdp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/packet"
)

// TestReasons is what becomes of one packet of each kind.
func TestReasons(t *testing.T) {
	l := newLab(t)
	l.sysctl("tcp_syncookies", "2")
	l.connect(l.listen(server4+":443"), client4+":40001")
	l.connect(l.listen("["+server6+"]:443"), "["+client6+"]:40001")
	b := newBench(t, l)
	defer l.enter()()
	policy := packet.Policy{Listeners: []packet.Listener{
		{Address: netip.MustParseAddr(server4), Port: 443, CheckState: true},
		{Address: netip.MustParseAddr(server6), Port: 443, CheckState: true},
		{Address: netip.MustParseAddr(server4), Port: 443, UDP: true},
		{Address: netip.MustParseAddr(server4), Port: 8443},
	}}
	signature := packet.Signature{Until: time.Now().Add(time.Hour), Terms: []packet.Term{
		term(packet.TTL, 0, ^uint32(0), 99, 99), term(packet.Payload, 4, 0xffff0000, 0xbeef0000, 0xbeef0000),
	}}
	for _, err := range []error{
		b.SetPolicy(policy), b.SetAllow(parsePrefixes("10.0.0.0/8")), b.SetSignatures([]packet.Signature{signature}),
		b.Replace(parsePrefixes("10.9.9.9/32", "203.0.113.0/24", "2001:db8:bad::/48")),
		b.Ban(netip.MustParsePrefix("192.0.2.7/32"), time.Now().Add(time.Hour)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	from4 := func(src string, c craft) craft {
		c.src, c.dst = netip.MustParseAddr(src), netip.MustParseAddr(server4)
		return c
	}
	from6 := func(src string, c craft) craft {
		c.src, c.dst = netip.MustParseAddr(src), netip.MustParseAddr(server6)
		return c
	}
	tcp := func(sport uint16, flags byte) craft {
		return craft{protocol: protocolTCP, sport: sport, dport: 443, flags: flags}
	}
	const none = packet.Reason(0xff)
	tests := []struct {
		name  string
		craft craft
		want  packet.Reason
	}{
		{"a SYN", from4("8.8.8.8", tcp(5, 2)), packet.Passed},
		{"a SYN, IPv6, two tags", func() craft { c := from6("2001:db8::99", tcp(5, 2)); c.tags = []uint16{0x88a8, 0x8100}; return c }(), packet.Passed},
		{"three tags can't be read", func() craft {
			c := from4("203.0.113.1", tcp(5, 2))
			c.tags = []uint16{0x88a8, 0x8100, 0x8100}
			return c
		}(), none},
		{"a denied source", from4("203.0.113.1", tcp(5, 2)), packet.Denied},
		{"a denied source to a port that is not served", func() craft { c := from4("203.0.113.1", tcp(5, 2)); c.dport = 22; return c }(), none},
		{"a denied source to an address that is not served", func() craft {
			c := from4("203.0.113.1", tcp(5, 2))
			c.dst = netip.MustParseAddr("198.18.0.77")
			return c
		}(), none},
		{"a denied source's ping", from4("203.0.113.1", craft{protocol: 1, flags: 8}), packet.Denied},
		{"a denied source, IPv6", from6("2001:db8:bad::7", tcp(5, 2)), packet.Denied},
		{"a denied source behind extension headers", func() craft {
			c := from6("2001:db8:bad::7", tcp(5, 2))
			c.extensions = [][]byte{extension(0, 1), extension(43, 3), extension(60, 2)}
			return c
		}(), packet.Denied},
		{"neighbour discovery of a denied source", from6("2001:db8:bad::7", craft{protocol: 58, flags: 135}), none},
		{"a banned source", from4("192.0.2.7", tcp(5, 2)), packet.Banned},
		{"an allowed source among the denied", from4("10.9.9.9", tcp(5, 0)), packet.Allowed},
		{"an established connection", from4(client4, tcp(40001, 16)), packet.Passed},
		{"an established connection, IPv6", from6(client6, tcp(40001, 24)), packet.Passed},
		{"an ACK out of nothing", from4(client4, tcp(40002, 16)), packet.BadCookie},
		{"a RST out of nothing", from4(client4, tcp(40002, 4)), packet.NoState},
		{"a SYN-ACK out of nothing", from6(client6, tcp(40002, 18)), packet.NoState},
		{"a FIN with ACK out of nothing", from4(client4, tcp(40002, 17)), packet.BadCookie},
		{"a FIN alone", from4(client4, tcp(40001, 1)), packet.Malformed},
		{"no flags", from4(client4, tcp(40001, 0)), packet.Malformed},
		{"SYN and FIN", from4(client4, tcp(40001, 3)), packet.Malformed},
		{"an ACK where state is not checked", func() craft { c := from4(client4, tcp(40002, 16)); c.dport = 8443; return c }(), packet.Passed},
		{"a first fragment of a RST out of nothing", func() craft { c := from4(client4, tcp(40002, 4)); c.fragment = 0x2000; return c }(), packet.NoState},
		{"a later fragment", func() craft { c := from4(client4, tcp(40002, 4)); c.fragment = 5; return c }(), packet.Passed},
		{"a later fragment of a denied source", func() craft { c := from4("203.0.113.4", tcp(40002, 4)); c.fragment = 5; return c }(), packet.Denied},
		{"a signature", from4(client4, craft{protocol: protocolUDP, dport: 443, ttl: 99, payload: []byte{0, 0, 0, 0, 0xbe, 0xef, 1, 2}}), packet.BySignature},
		{"a signature cut short", from4(client4, craft{protocol: protocolUDP, dport: 443, ttl: 99, payload: []byte{0, 0, 0, 0, 0xbe, 0xef}}), packet.Passed},
		{"a tunnel", from4("203.0.113.1", craft{protocol: 47}), none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer l.enter()()
			action, _, got, _ := b.run(tt.craft.frame())
			want, wantAction := uint32(tt.want), pass
			if tt.want == none {
				want = untouched
			} else if tt.want.Dropped() {
				wantAction = drop
			}
			if got != want || action != wantAction {
				t.Errorf("got %v, action %d; want %v, action %d", packet.Reason(got), action, tt.want, wantAction)
			}
		})
	}
	counts, err := b.SignatureCounts()
	if err != nil || counts[0].Packets != 1 {
		t.Errorf("the signature counted %+v, %v; want 1 packet", counts[0], err)
	}
}

// TestMeters: a source gets its ceiling each second, its neighbours theirs, and all of a /24 the group's.
func TestMeters(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	defer l.enter()()
	policy := packet.Policy{Listeners: []packet.Listener{{Port: 9, UDP: true, Host: packet.Ceilings{Packets: 100}, Group: packet.Ceilings{Bytes: 28 * 500}}}}
	if err := b.SetPolicy(policy); err != nil {
		t.Fatal(err)
	}
	send := func(src string, n int) (passed int) {
		c := craft{src: netip.MustParseAddr(src), dst: netip.MustParseAddr(server4), protocol: protocolUDP, sport: 1000, dport: 9}
		for range n {
			if action, _, _, _ := b.run(c.frame()); action == pass {
				passed++
			}
		}
		return passed
	}
	about := func(what string, got, want int) {
		t.Helper()
		if got < want*97/100 || got > want*103/100 {
			t.Errorf("%s: %d passed, want %d", what, got, want)
		}
	}
	about("a source at once", send("192.0.2.1", 1000), 100)
	about("another of its network", send("198.51.100.1", 1000), 100)
	b.stopAt(b.now + uint64(time.Second)/2)
	about("half a second later", send("192.0.2.1", 1000), 50)
	b.stopAt(b.now + uint64(10*time.Second))
	about("much later", send("192.0.2.1", 1000), 100)
	b.stopAt(b.now + uint64(10*time.Second))
	network := 0
	for i := range 250 {
		network += send(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String(), 20)
	}
	about("a network", network, 500)
	if f, err := b.Find(netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Errorf("Find: %+v, %v", f, err)
	}
}

// TestMetersKeepTime: a CPU that comes with the tick before, because it looked at the clock before another did, empties no bucket.
func TestMetersKeepTime(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	defer l.enter()()
	policy := packet.Policy{Listeners: []packet.Listener{{Port: 9, UDP: true, Host: packet.Ceilings{Packets: 100}, Group: packet.Ceilings{Packets: 150}}}}
	if err := b.SetPolicy(policy); err != nil {
		t.Fatal(err)
	}
	const tick = 1 << tickShift
	send := func() bool {
		c := craft{src: netip.MustParseAddr("192.0.2.1"), dst: netip.MustParseAddr(server4), protocol: protocolUDP, sport: 1000, dport: 9}
		action, _, _, _ := b.run(c.frame())
		return action == pass
	}
	start, passed := b.now, 0
	for i := range uint64(1000) {
		b.stopAt(start + i%2*tick)
		if send() {
			passed++
		}
	}
	if passed > 103 {
		t.Errorf("%d packets passed within two ticks, want 100", passed)
	}
	if f, err := b.Find(netip.MustParseAddr("192.0.2.1")); err != nil || f.Fullness > 1 {
		t.Errorf("Find: %+v, %v", f, err)
	}
}

// TestVariants: the verifier takes the program however it is set.
func TestVariants(t *testing.T) {
	needsBPF(t)
	for _, stopped := range []uint32{0, 1} {
		for _, random := range []uint32{0, 1} {
			for _, meters := range []int{64, 1 << 14, 1 << 20} {
				spec, err := loadFilter()
				if err != nil {
					t.Fatal(err)
				}
				for name, v := range map[string]uint32{filterVarClockStopped: stopped, filterVarSourcesRandom: random} {
					if err := spec.Variables[name].Set(v); err != nil {
						t.Fatal(err)
					}
				}
				f, err := open(Options{Meters: meters, CPUs: 1}, spec)
				if err != nil {
					t.Errorf("clock stopped %d, sources random %d, meters %d: %v", stopped, random, meters, err)
					continue
				}
				f.Close()
			}
		}
	}
}
