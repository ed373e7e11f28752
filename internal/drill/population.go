package drill

import (
	"math/rand/v2"
	"net/netip"
)

const (
	botPrefixes     = 40 // /24s that bots come from
	visitorPrefixes = 60 // /24s that only visitors come from
	sharedPrefixes  = 6  // of the bots' /24s that visitors come from, too
	sharedShare     = 0.15
)

// population is who comes from where: every address is in 127.0.0.0/8, outside 127.0.0.0/12 where servers listen.
type population struct {
	bots     []netip.Addr
	bot      map[netip.Addr]bool
	prefixes [][3]byte // the bots' first, then the visitors'
}

// newPopulation spreads bots over their prefixes.
func newPopulation(rng *rand.Rand, bots int) *population {
	p := &population{bot: make(map[netip.Addr]bool, bots)}
	taken := map[[3]byte]bool{}
	for len(p.prefixes) < botPrefixes+visitorPrefixes {
		prefix := [3]byte{127, byte(16 + rng.IntN(239)), byte(rng.IntN(256))}
		if !taken[prefix] {
			taken[prefix] = true
			p.prefixes = append(p.prefixes, prefix)
		}
	}
	for len(p.bots) < bots {
		a := hostIn(rng, p.prefixes[rng.IntN(botPrefixes)])
		if !p.bot[a] {
			p.bot[a] = true
			p.bots = append(p.bots, a)
		}
	}
	return p
}

// visitor draws an address for a person who arrives: mostly one of the visitors' prefixes, at times among bots.
func (p *population) visitor(rng *rand.Rand) netip.Addr {
	for {
		prefix := p.prefixes[botPrefixes+rng.IntN(visitorPrefixes)]
		if rng.Float64() < sharedShare {
			prefix = p.prefixes[rng.IntN(sharedPrefixes)]
		}
		if a := hostIn(rng, prefix); !p.bot[a] {
			return a
		}
	}
}

func (p *population) isBot(a netip.Addr) bool { return p.bot[a] }

func hostIn(rng *rand.Rand, prefix [3]byte) netip.Addr {
	return netip.AddrFrom4([4]byte{prefix[0], prefix[1], prefix[2], byte(1 + rng.IntN(254))})
}
