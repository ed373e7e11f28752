package xdp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/seawall/seawall/internal/packet"
)

// BenchmarkPipeline has the kernel run the program on one frame of each family, over and over, beside one that only reads it; -benchtime 1x is enough. Random sources
// are from all of IPv4, or 2000::/3, and made up in the program. With a million prefixes denied, about 7 in 100 of IPv4's random sources are hit.
func BenchmarkPipeline(b *testing.B) {
	if testing.Short() {
		b.Skip("builds sets of a million prefixes")
	}
	l := newLab(b)
	l.sysctl("tcp_syncookies", "2")
	l.connect(l.listen(server4+":443"), client4+":40001")
	l.connect(l.listen("["+server6+"]:443"), "["+client6+"]:40001")
	fixed, random := newTrack(b, l, false), newTrack(b, l, true)
	udp := craft{protocol: protocolUDP, sport: 40001, dport: 443, payload: make([]byte, 64)}
	syn := craft{protocol: protocolTCP, sport: 40002, dport: 443, flags: 2, options: []byte{2, 4, 5, 180}}
	ack := craft{protocol: protocolTCP, sport: 40001, dport: 443, flags: 16, payload: make([]byte, 64)}
	other := ack
	other.dport = 22
	client := [2]string{client4, client6}
	random.measure(b, "random-udp-refused", frames(udp, client), tight)
	random.measure(b, "random-udp-passed", frames(udp, client), loose)
	random.measure(b, "random-syn-passed", frames(syn, client), loose)
	random.measure(b, "random-ack-refused", frames(ack, client), loose)
	fixed.measure(b, "denied-source", frames(udp, [2]string{"203.0.113.7", "2001:db8:bad::1"}), loose)
	fixed.measure(b, "metered-source", frames(udp, client), tight)
	fixed.measure(b, "established-passed", frames(ack, client), loose)
	fixed.measure(b, "not-served", frames(other, client), loose)
}

// frames are the same packet from a source of each family.
func frames(c craft, sources [2]string) (of [2][]byte) {
	for i, server := range []string{server4, server6} {
		c.src, c.dst = netip.MustParseAddr(sources[i]), netip.MustParseAddr(server)
		of[i] = c.frame()
	}
	return of
}

const (
	rounds = 60 // of which the fastest counts: other work on the machine only slows them
	runs   = 20000
)

type strictness string

const tight, loose strictness = "tight", "loose"

// A track is a Filter to be measured, and the program that only reads.
type track struct {
	*Filter
	lab   *lab
	parse *ebpf.Program
}

func newTrack(b *testing.B, l *lab, random bool) *track {
	b.Helper()
	spec, err := loadFilter()
	if err != nil {
		b.Fatal(err)
	}
	if random {
		if err := spec.Variables[filterVarSourcesRandom].Set(uint32(1)); err != nil {
			b.Fatal(err)
		}
	}
	var only struct {
		Parse *ebpf.Program `ebpf:"parse_only"`
	}
	if err := spec.Copy().LoadAndAssign(&only, nil); err != nil {
		b.Fatal(err)
	}
	defer l.enter()()
	f, err := open(Options{Meters: 1 << 13, CPUs: 1, CookieOptions: true}, spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { defer l.enter()(); f.Close(); only.Parse.Close() })
	t := &track{f, l, only.Parse}
	t.fill(b)
	return t
}

// fill has a million prefixes of each family denied, all of them /32s of all of IPv4 and what is usual in IPv6, and a few allowed.
func (t *track) fill(b *testing.B) {
	b.Helper()
	began := time.Now()
	if err := t.Replace(append(manyPrefixes(1e6), parsePrefixes("203.0.113.7/32", "2001:db8:bad::/48")...)); err != nil {
		b.Fatal(err)
	}
	b.Logf("replacing 2,000,002 prefixes took %v", time.Since(began).Round(time.Millisecond))
	if err := t.SetAllow(parsePrefixes("198.51.100.0/24", "2001:db8:aaaa::/48")); err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		if err := t.Ban(netip.PrefixFrom(address4(random.Uint32()), 32), time.Now().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	if err := t.SetSignatures(exampleSignatures()); err != nil {
		b.Fatal(err)
	}
}

// manyPrefixes are n of IPv4, of /32 and some /24, and n of IPv6, of /64, /48, /32 and /128.
func manyPrefixes(n int) []netip.Prefix {
	random := rand.New(rand.NewPCG(3, 4))
	out := make([]netip.Prefix, 0, 2*n)
	for i := range n {
		length := 32
		if i%20 == 0 {
			length = 24
		}
		out = append(out, netip.PrefixFrom(address4(random.Uint32()), length).Masked())
	}
	for i := range n {
		length := []int{64, 64, 64, 64, 48, 48, 56, 128}[i%8]
		a := address{1<<61 | random.Uint64()>>3, random.Uint64()}
		out = append(out, netip.PrefixFrom(a.addr(), length).Masked())
	}
	return out
}

func address4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// exampleSignatures are 16 of the kind that a search finds.
func exampleSignatures() []packet.Signature {
	var out []packet.Signature
	for i := range uint32(16) {
		out = append(out, packet.Signature{Until: time.Now().Add(time.Hour), Terms: []packet.Term{
			term(packet.Protocol, 0, ^uint32(0), 17, 17), term(packet.TTL, 0, ^uint32(0), 200+i, 200+i), term(packet.Length, 0, ^uint32(0), 100, 120),
			term(packet.Payload, uint16(i), ^uint32(0), 0xdead0000, 0xdeadffff),
		}})
	}
	return out
}

func policyFor(s strictness) packet.Policy {
	var host, group packet.Ceilings // none: the meters are filled all the same
	if s == tight {
		host, group = packet.Ceilings{Packets: 1}, packet.Ceilings{Packets: 1}
	}
	p := packet.Policy{Addresses: packet.AddressLimits{Host: host, Group: group}}
	for _, a := range []string{server4, server6} {
		p.Listeners = append(p.Listeners,
			packet.Listener{Address: netip.MustParseAddr(a), Port: 443, CheckState: true, Host: host, Group: group},
			packet.Listener{Address: netip.MustParseAddr(a), Port: 443, UDP: true, Host: host, Group: group, Initials: 1e6, Reflected: 1e6})
	}
	return p
}

// measure runs the programs in turns, so that what slows the machine slows all.
func (t *track) measure(b *testing.B, name string, frames [2][]byte, s strictness) {
	b.Run(name, func(b *testing.B) {
		defer t.lab.enter()()
		if err := t.SetPolicy(policyFor(s)); err != nil {
			b.Fatal(err)
		}
		before := t.reasons(b)
		each, parse := [2]time.Duration{time.Hour, time.Hour}, [2]time.Duration{time.Hour, time.Hour}
		for range rounds {
			for i, frame := range frames {
				each[i] = min(each[i], once(b, t.objects.Filter, frame))
				parse[i] = min(parse[i], once(b, t.parse, frame))
			}
		}
		for i, family := range []string{"4", "6"} {
			b.ReportMetric(float64(each[i]), "ns/packet"+family)
			b.ReportMetric(float64(parse[i]), "ns/parse"+family)
		}
		b.ReportMetric(float64(each[1])/float64(each[0]), "6/4")
		b.ReportMetric(0, "ns/op")
		b.Logf("%s", difference(before, t.reasons(b)))
	})
}

func once(b *testing.B, p *ebpf.Program, frame []byte) time.Duration {
	_, each, err := p.Benchmark(frame, runs, nil)
	if err != nil {
		b.Fatal(err)
	}
	return each
}

func (t *track) reasons(b *testing.B) map[packet.Reason]uint64 {
	counters, err := t.Counters()
	if err != nil {
		b.Fatal(err)
	}
	out := make(map[packet.Reason]uint64)
	for _, c := range counters {
		out[c.Reason] += c.Packets
	}
	return out
}

func difference(before, after map[packet.Reason]uint64) (s string) {
	for r := range packet.Reason(filterReasonREASONS) {
		if n := after[r] - before[r]; n > 0 {
			s += fmt.Sprintf(" %v %d", r, n)
		}
	}
	return s
}
