package contrast

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A flood makes packets that the tests want found.
type flood struct {
	name   string
	packet func(r *rand.Rand) packet
	least  float64 // the share of it that has to be covered
}

// tcpFlood is a packet as tools make them that write the header themselves.
func tcpFlood(r *rand.Rand, hops, bits, size, layout uint32) packet {
	p := header(r, 6, hops)
	p[seq], p[ack] = r.Uint32(), 0
	p.tcp(port(r), 443, bits, size, layout)
	return p
}

// reflection is an answer that nobody asked for.
func reflection(r *rand.Rand, from, lo, hi uint32, bytes ...byte) packet {
	p := header(r, 17, hops(r))
	p[payload] = between(r, lo, hi)
	p.write(bytes...)
	p.udp(from, port(r))
	return p
}

// floods are modelled on what is seen: the headers of hping3, of Mirai and of the booters' scripts, the answers of the
// protocols that amplify, and attackers who take care.
func floods() []flood {
	return []flood{
		{"SYN, fixed window", func(r *rand.Rand) packet { return tcpFlood(r, 54, syn, 512, optionsNone) }, 1},
		{"SYN, random window, no options", func(r *rand.Rand) packet { return tcpFlood(r, hops(r), syn, r.Uint32N(1<<16), optionsNone) }, 0.99},
		{"SYN, random but TTL and options", func(r *rand.Rand) packet {
			p := tcpFlood(r, 241, syn, r.Uint32N(1<<16), optionsLinux)
			p[mss], p[scale], p[tos], p[dontFragment] = between(r, 536, 1460), r.Uint32N(15), r.Uint32N(256), r.Uint32N(2)
			return p
		}, 0.99},
		{"SYN, as Mirai makes them", func(r *rand.Rand) packet {
			p := tcpFlood(r, between(r, 40, 60), syn, r.Uint32N(1<<16), optionsLinux)
			p[mss], p[scale], p[dontFragment] = between(r, 1400, 1415), 6, 1
			return p
		}, 0.75},
		{"SYN, eight windows", func(r *rand.Rand) packet {
			return tcpFlood(r, hops(r), syn, pick(r, 1024, 2048, 3072, 4096, 5840, 8760, 16384, 512), optionsMSS)
		}, 0.99},
		{"SYN, a visitor's copied but for its id", func(r *rand.Rand) packet {
			p := tcpFlood(r, hops(r), syn, 64240, optionsLinux)
			p[mss], p[scale], p[dontFragment], p[ident] = 1460, 7, 1, 54321
			return p
		}, 0.99},
		{"ACK, random", func(r *rand.Rand) packet {
			p := tcpFlood(r, hops(r), ackFlag, r.Uint32N(1<<16), optionsNone)
			p[ack] = r.Uint32()
			return p
		}, 0.9},
		{"ACK, to nothing", func(r *rand.Rand) packet { return tcpFlood(r, between(r, 30, 255), ackFlag, 65535, optionsNone) }, 0.99},
		{"ACK, with a payload", func(r *rand.Rand) packet {
			p := tcpFlood(r, hops(r), ackFlag|psh, 229, optionsNone)
			p[payload], p[ack] = 900, r.Uint32()
			p.write(0, 0, 0, 0, 0, 0, 0)
			p.tcp(port(r), 443, ackFlag|psh, 229, optionsNone)
			return p
		}, 0.99},
		{"RST", func(r *rand.Rand) packet { return tcpFlood(r, hops(r), rst|ackFlag, 0, optionsNone) }, 0.99},
		{"FIN", func(r *rand.Rand) packet { return tcpFlood(r, 60, fin, 4096, optionsNone) }, 0.99},
		{"Christmas tree", func(r *rand.Rand) packet { return tcpFlood(r, hops(r), 0x3f, r.Uint32N(1<<16), optionsNone) }, 0.99},
		{"SYN-ACK reflection", func(r *rand.Rand) packet {
			p := tcpFlood(r, hops(r), syn|ackFlag, pick(r, 65535, 28960, 29200, 14600, 64240, 8192), pick(r, optionsMSS, optionsMSS, optionsLinux))
			p[mss], p[ack], p[sport] = pick(r, 1460, 1440, 1400), 1+r.Uint32N(1<<16), pick(r, 80, 443, 443, 22, 179)
			return p
		}, 0.99},
		{"DNS amplification", func(r *rand.Rand) packet {
			return reflection(r, 53, 900, 1400, byte(r.Uint32()), byte(r.Uint32()), 0x81, 0x80, 0, 1, 0)
		}, 0.99},
		{"DNS fragments", func(r *rand.Rand) packet {
			p := header(r, 17, hops(r))
			p.noise(r, between(r, 300, 1480))
			p[fragment], p[length] = pick(r, 185, 370, 185), 20+p[payload]
			return p
		}, 0.99},
		{"NTP monlist", func(r *rand.Rand) packet {
			return reflection(r, 123, 440, 440, 0xd7, byte(r.Uint32N(100)), 3, 0x2a, 0, 6, 0)
		}, 0.99},
		{"SSDP", func(r *rand.Rand) packet { return reflection(r, 1900, 250, 480, []byte("HTTP/1.")...) }, 0.99},
		{"CLDAP", func(r *rand.Rand) packet {
			return reflection(r, 389, 1200, 1472, 0x30, 0x84, 0, 0, 0x0b, byte(r.Uint32()), 2)
		}, 0.99},
		{"memcached", func(r *rand.Rand) packet {
			return reflection(r, 11211, 1400, 1400, 0, 0, 0, byte(r.Uint32()), 4, byte(r.Uint32()), 0)
		}, 0.99},
		{"ISAKMP", func(r *rand.Rand) packet {
			return reflection(r, 500, 84, 180, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), 1)
		}, 0.99},
		{"character generator", func(r *rand.Rand) packet {
			return reflection(r, 19, 74, 1024, byte(32+r.Uint32N(95)), byte(32+r.Uint32N(95)))
		}, 0.99},
		{"SNMP", func(r *rand.Rand) packet {
			return reflection(r, 161, 300, 1400, 0x30, 0x82, byte(r.Uint32N(6)), byte(r.Uint32()), 2, 1, 1)
		}, 0.99},
		{"fragments of nothing", func(r *rand.Rand) packet {
			p := header(r, 17, hops(r))
			p.noise(r, 1480)
			p[fragment], p[length] = r.Uint32N(8000)+1, 1500
			return p
		}, 0.99},
		{"QUIC Initial", func(r *rand.Rand) packet {
			p := reflection(r, port(r), 1200, 1200, 0xc3, 0, 0, 0, 1, 20, byte(r.Uint32()))
			p[dport], p[ttl] = 443, between(r, 30, 64)
			return p
		}, 0.99},
		{"QUIC, short headers", func(r *rand.Rand) packet {
			p := header(r, 17, hops(r))
			p.noise(r, 600)
			p[byte0] = 0x40
			p.udp(port(r), 443)
			return p
		}, 0.99},
		{"UDP, one length", func(r *rand.Rand) packet {
			p := header(r, 17, hops(r))
			p.noise(r, 512)
			p.udp(port(r), r.Uint32N(65536))
			return p
		}, 0.95},
		{"UDP, all random", func(r *rand.Rand) packet {
			p := header(r, 17, between(r, 20, 255))
			p.noise(r, between(r, 1, 1400))
			p.udp(port(r), port(r))
			return p
		}, 0.5},
		{"ICMP echo", func(r *rand.Rand) packet {
			p := header(r, 1, hops(r))
			p[length] = 1428
			return p
		}, 0.99},
		{"GRE", func(r *rand.Rand) packet {
			p := header(r, 47, hops(r))
			p.noise(r, 512)
			p[length] = 532
			return p
		}, 0.99},
		{"any protocol", func(r *rand.Rand) packet {
			p := header(r, 100+r.Uint32N(100), hops(r))
			p[length] = between(r, 20, 200)
			return p
		}, 0.95},
		{"game query", func(r *rand.Rand) packet {
			return reflection(r, port(r), 25, 25, 0xff, 0xff, 0xff, 0xff, 'T', 'S', 'o')
		}, 0.99},
		{"mixed", func(r *rand.Rand) packet {
			switch r.IntN(4) {
			case 0:
				return reflection(r, 123, 440, 440, 0xd7, 0, 3, 0x2a, 0, 6, 0)
			case 1:
				return tcpFlood(r, 54, syn, 512, optionsNone)
			case 2:
				return reflection(r, 1900, 250, 480, []byte("HTTP/1.")...)
			}
			p := header(r, 1, hops(r))
			p[length] = 1428
			return p
		}, 0.99},
		{"half of it visitors' own", func(r *rand.Rand) packet {
			if r.IntN(2) == 0 {
				return ordinary(r)
			}
			return tcpFlood(r, hops(r), syn, 1024, optionsMSS)
		}, 0.49},
	}
}

// share is what part of packets one of the conjunctions matches.
func share(found []Found, packets []packet) float64 {
	hits := 0
	for i := range packets {
		if slices.ContainsFunc(found, func(f Found) bool { return f.Conjunction.Match(packets[i][:]) }) {
			hits++
		}
	}
	return float64(hits) / float64(len(packets))
}

// TestFloods finds each flood where it is nine tenths of a window, three, and one.
func TestFloods(t *testing.T) {
	for _, tt := range floods() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFinder(t, packets(), Options{})
			r := rand.New(rand.NewPCG(1, 2))
			later := make([]packet, 10000)
			for i := range later {
				later[i] = tt.packet(r)
			}
			for _, part := range []float64{0.9, 0.3, 0.1} {
				testFlood(t, f, part, tt.packet, later, tt.least)
			}
		})
	}
}

// testFlood finds a flood in a window of which it is a part, and counts what that matches later, and of ordinary traffic.
func testFlood(t *testing.T, f *Finder, part float64, flood func(r *rand.Rand) packet, later []packet, least float64) {
	t.Helper()
	w := fill(1, 20000, part, flood)
	start := time.Now()
	result := f.Find(ordinaryProfile(), w, time.Duration((1-part)*float64(time.Minute)))
	took := time.Since(start)
	covered, wrong := share(result.Found, later), share(result.Found, unseen())
	t.Logf("%2.0f %% of the window: %d found in %v cover %.4f, and %.6f of ordinary traffic", 100*part, len(result.Found), took.Round(100*time.Microsecond), covered, wrong)
	for _, found := range slices.Concat(result.Found, result.Refused) {
		t.Logf("    %v: %.3f of it, bound %.5f: %s", found.Why, found.Covered, found.FalseBound, packets().Format(found.Conjunction))
	}
	if covered < least || wrong > 0.0001 {
		t.Errorf("covers %.4f and wrongly %.6f: want %.2f at least and 0.0001 at most", covered, wrong, least)
	}
}
