package xdp

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/packet"
)

var inputs = flag.Int("inputs", 20000, "packets that TestModelAgrees makes up")

var seed = flag.Uint64("seed", 2, "of what TestModelAgrees makes up")

// A rig is a bench and a model that were given the same.
type rig struct {
	*bench
	model  *model
	random *rand.Rand
}

func testPolicy() packet.Policy {
	host := packet.Ceilings{Packets: 60, Openings: 20, Bytes: 40000}
	group := packet.Ceilings{Packets: 150, Openings: 12, Bytes: 120000}
	return packet.Policy{
		Listeners: []packet.Listener{
			{Address: netip.MustParseAddr(server4), Port: 443, CheckState: true, Host: host, Group: group, SYNs: 10},
			{Address: netip.MustParseAddr(server6), Port: 443, CheckState: true, Host: host, Group: group, SYNs: 30},
			{Address: netip.MustParseAddr(server4), Port: 443, UDP: true, Host: host, Initials: 5, Reflected: 40},
			{Port: 8443, Group: group},
			{Address: netip.IPv6Unspecified(), Port: 53, UDP: true, Host: packet.Ceilings{Bytes: 100000}},
		},
		Addresses: packet.AddressLimits{Host: host, Group: packet.Ceilings{Packets: 90}, Pieces: 100, ICMP: 120},
	}
}

// sources that come up often: some are allowed, denied or banned, as a whole or by their network.
func testSources() []netip.Addr {
	var out []netip.Addr
	for _, s := range []string{
		client4, "203.0.113.7", "203.0.113.8", "203.0.113.129", "192.0.2.1", "192.0.2.254", "198.51.100.77", "198.51.100.78", "10.1.2.3",
		"10.200.0.1", "172.16.9.9", "8.8.8.8", client6, "2001:db8:1::1", "2001:db8:1:2::1", "2001:db8:2::5", "2001:db8:3:4:5:6:7:8",
		"fd00::1", "fd00:1::1", "2a00:1450::1", "2a00:1450:4001::1",
	} {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func parsePrefixes(all ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func newRig(tb testing.TB, seed uint64) *rig {
	tb.Helper()
	l := newLab(tb)
	l.sysctl("tcp_syncookies", "2")
	l.connect(l.listen(server4+":443"), client4+":40001")
	l.connect(l.listen("["+server6+"]:443"), "["+client6+"]:40001")
	b := newBench(tb, l)
	r := &rig{b, newModel(b), rand.New(rand.NewPCG(seed, seed))}
	r.model.policy = testPolicy()
	r.model.allow = parsePrefixes("10.1.0.0/16", "2001:db8:2::/48", "8.8.8.8/32")
	r.model.deny = parsePrefixes(
		"203.0.113.7/32", "203.0.113.128/25", "10.128.0.0/9", "192.0.2.0/24", "fd00::/16", "2001:db8:3:4::/64", "2a00:1450:4001::/127")
	for _, p := range parsePrefixes("198.51.100.77/32", "172.16.9.0/24", "2001:db8:1:2::/64", "2a00:1450::/48") {
		r.model.bans[p] = r.now + uint64(r.random.IntN(100))*1e9
	}
	r.signatures()
	r.install()
	return r
}

// install gives the bench what the model has.
func (r *rig) install() {
	defer r.lab.enter()()
	m := r.model
	for _, err := range []error{
		r.SetPolicy(m.policy), r.SetAllow(m.allow), r.Replace(m.deny), r.SetSignatures(m.signatures),
	} {
		if err != nil {
			r.tb.Fatal(err)
		}
	}
	for p, until := range m.bans {
		ban, err := r.banOf(p)
		if err == nil {
			err = r.bans.enter(ban, until)
		}
		if err != nil {
			r.tb.Fatal(err)
		}
	}
	set, err := r.signaturesInForce()
	if err != nil {
		r.tb.Fatal(err)
	}
	m.until = m.until[:0]
	for i := range m.signatures {
		m.until = append(m.until, set.All[i].Until)
	}
}

func (b *bench) signaturesInForce() (*filterSignatures, error) {
	m, err := b.slots.held(filterMapSignatureSets, 0)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	set := new(filterSignatures)
	return set, m.Lookup(uint32(0), set)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// signatures makes up as many as there can be, or none: what falls under one tests nothing behind.
func (r *rig) signatures() {
	r.model.signatures = nil
	for range pick(r.random, 0, 0, 3, packet.MaxSignatures) {
		s := packet.Signature{Monitor: r.random.IntN(4) == 0, Until: time.Now().Add(time.Duration(r.random.IntN(50)) * time.Second)}
		for range 3 + r.random.IntN(packet.MaxTerms-2) {
			s.Terms = append(s.Terms, r.term())
		}
		r.model.signatures = append(r.model.signatures, s)
	}
}

func (r *rig) term() packet.Term {
	x := r.random
	one := func(f packet.Feature, v uint32) packet.Term { return term(f, 0, ^uint32(0), v, v) }
	switch x.IntN(12) {
	case 0:
		return one(packet.Protocol, pick(x, uint32(protocolTCP), protocolUDP))
	case 1:
		low := x.Uint32N(200)
		return term(packet.TTL, 0, ^uint32(0), low, low+40)
	case 2:
		low := x.Uint32N(200)
		return term(packet.Length, 0, ^uint32(0), low, low+60)
	case 3:
		return term(packet.Flags, 0, 0x12, 2, 2)
	case 4:
		return term(pick(x, packet.Sequence, packet.Acknowledged, packet.ID, packet.FlowLabel, packet.Version), 0, 7, 0, 3)
	case 5:
		return one(packet.Window, pick(x, uint32(0), 1024, 65535))
	case 6:
		return one(packet.TCPOptions, packet.OptionLayout(pick(x, []byte{2}, []byte{2, 4, 8, 1, 3}, []byte{1, 1, 8}, nil)...))
	case 7:
		return term(pick(x, packet.MSS, packet.WindowScale), 0, ^uint32(0), 0, pick(x, uint32(0), 7, 1460))
	case 8:
		return term(packet.Payload, uint16(x.IntN(12)), pick(x, ^uint32(0), 0xff000000, 0xffff), 0, 0x7fffffff)
	case 9:
		return term(pick(x, packet.PayloadLength, packet.SourcePort, packet.TOS), 0, ^uint32(0), 0, pick(x, uint32(0), 100, 2000))
	case 10:
		return term(pick(x, packet.Source0, packet.Source1, packet.Source2, packet.Source3, packet.Destination3), 0, 0x3, 0, 1)
	}
	return one(packet.Port, pick(x, uint32(443), 8443, 53))
}

// frame makes up a packet, most of them for the listeners.
func (r *rig) frame() []byte {
	x := r.random
	c := craft{
		protocol: pick[byte](x, 6, 6, 6, 6, 17, 17, 17, 1, 58, 47), ttl: byte(1 + x.IntN(255)),
		sport: pick[uint16](x, 40001, 53, 123, 11211, uint16(x.Uint32())), dport: pick[uint16](x, 443, 443, 443, 443, 443, 8443, 53, 22),
		flags: pick[byte](x, 2, 2, 16, 24, 17, 4, 1, 18, 0, 8, 128, 135, byte(x.Uint32())), seq: x.Uint32(), ack: x.Uint32(),
		window: pick[uint16](x, 0, 1024, 65535),
	}
	r.address(&c)
	if x.IntN(4) == 0 {
		c.options = pick(x, []byte{2, 4, 5, 180}, []byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7},
			[]byte{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, r.bytes(4*x.IntN(11)))
	}
	if x.IntN(3) == 0 {
		c.payload = r.bytes(x.IntN(1300))
	} else if x.IntN(2) == 0 {
		c.payload = append(pick(x, []byte{0xc0, 0, 0, 0, 1}, []byte{0xd0, 0x6b, 0x33, 0x43, 0xcf}, []byte{0xe3, 0, 0, 0, 1}), r.bytes(x.IntN(40))...)
	}
	for range max(x.IntN(6)-3, 0) {
		c.tags = append(c.tags, pick[uint16](x, 0x8100, 0x88a8))
	}
	frame := c.frame()
	if x.IntN(40) == 0 {
		frame = frame[:14+x.IntN(len(frame)-13)]
	}
	for x.IntN(20) == 0 {
		frame[12+x.IntN(len(frame)-12)] = byte(x.Uint32())
	}
	return frame
}

func (r *rig) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.random.Uint32())
	}
	return b
}

func (r *rig) address(c *craft) {
	x := r.random
	sources := testSources()
	c.src = sources[x.IntN(len(sources))]
	if x.IntN(2) == 0 {
		c.src = netip.MustParseAddr(pick(x, client4, client6))
	}
	if c.src.Is4() {
		if x.IntN(3) == 0 {
			c.src = netip.AddrFrom4([4]byte(r.bytes(4)))
		}
		c.dst = netip.MustParseAddr(pick(x, server4, server4, server4, client4))
		c.ipOptions = r.bytes(4 * max(x.IntN(16)-10, 0))
		c.fragment = pick[uint16](x, 0, 0x4000, 0, 0x4000, 0, 0x4000, 0, 0x4000, 0x2000, 0x2003, 7)
		return
	}
	if x.IntN(3) == 0 {
		c.src = netip.AddrFrom16([16]byte(append([]byte{0x20, 1}, r.bytes(14)...)))
	}
	c.dst = netip.MustParseAddr(pick(x, server6, server6, server6, client6))
	for range max(x.IntN(14)-7, 0) {
		c.extensions = append(c.extensions, pick(x, extension(0, 1), extension(60, 2), extension(43, 3), extension(51, 2),
			fragmentHeader(uint16(x.IntN(3)), true), fragmentHeader(0, false)))
	}
}

// check has both judge a frame.
func (r *rig) check(frame []byte) error {
	r.model.now = r.now
	action, listener, reason, out := r.run(bytes.Clone(frame))
	wantAction, wantListener, wantReason := r.model.judge(frame)
	if action != wantAction || listener != wantListener || reason != wantReason {
		return fmt.Errorf("program: action %d, listener %d, %v; model: %d, %d, %v; frame % x",
			action, listener, packet.Reason(reason), wantAction, wantListener, packet.Reason(wantReason), frame)
	}
	if action != transmit && !bytes.Equal(out, frame) {
		return fmt.Errorf("the program changed % x to % x", frame, out)
	}
	return nil
}

func TestModelAgrees(t *testing.T) {
	r := newRig(t, *seed)
	seen := make(map[uint32]int)
	defer r.lab.enter()()
	for n := range *inputs {
		if n%5000 == 4999 {
			r.signatures()
			r.install()
		}
		if r.random.IntN(400) == 0 {
			r.stopAt(r.now + uint64(r.random.IntN(200))*1e6)
		}
		frame := r.frame()
		if err := r.check(frame); err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
		seen[r.last]++
	}
	report(t, seen)
}

func report(t *testing.T, seen map[uint32]int) {
	var missing []packet.Reason
	for reason := range packet.Reason(filterReasonREASONS) {
		t.Logf("%v: %d", reason, seen[uint32(reason)])
		if seen[uint32(reason)] == 0 && reason != packet.LeftToKernel && reason != packet.NoCookie {
			missing = append(missing, reason)
		}
	}
	t.Logf("not judged: %d", seen[untouched])
	if len(missing) > 0 {
		t.Errorf("no packet met %v", missing)
	}
}
