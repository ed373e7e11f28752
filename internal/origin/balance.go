package origin

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/netip"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// tried are the servers that an exchange has been to, by number.
type tried [maxServers / 64]uint64

func (t *tried) add(n int)      { t[n/64] |= 1 << (n % 64) }
func (t *tried) has(n int) bool { return t[n/64]&(1<<(n%64)) != 0 }

// choose returns the server of s for a flow's next attempt: one that it has not tried, or nil if there is none.
func (p *Policy) choose(s *set, f *flow.Flow, t *tried) *server {
	switch {
	case len(s.shares) == 0:
		return nil
	case len(s.shares) == 1:
		return s.from(0, t)
	case p.origin.Balance == spec.BalanceSource:
		return s.ofSource(p.hash(f.Request.Source), t)
	case p.origin.Balance == spec.BalanceLeastRequests:
		return s.from(s.less(p.next(s), rand.Uint64()), t)
	}
	return s.from(p.next(s), t)
}

// from returns the i-th server, or the first behind it that has not been tried.
func (s *set) from(i int, t *tried) *server {
	for range s.shares {
		if server := s.shares[i].server; !t.has(server.number) {
			return server
		}
		if i++; i == len(s.shares) {
			i = 0
		}
	}
	return nil
}

// next takes a turn.
func (p *Policy) next(s *set) int {
	return int(s.turns[(p.turn.Add(1)-1)%uint64(len(s.turns))])
}

// less returns the better of two, the one whose turn it is and a random other: which has fewer requests for its weight. ("The power of
// two choices", Mitzenmacher 2001: nearly as good as the best of all, and requests that come together do not all choose the same one.)
// Candidates are drawn by weight, so that idle servers get their shares, too.
func (s *set) less(turn int, random uint64) int {
	other := int(s.turns[random%uint64(len(s.turns))])
	if other == turn {
		if other++; other == len(s.shares) {
			other = 0
		}
	}
	a, b := &s.shares[turn], &s.shares[other]
	if b.health.inFlight.Load()*a.weight < a.health.inFlight.Load()*b.weight {
		return other
	}
	return turn
}

// hash is a source's number, which nobody outside can know.
func (p *Policy) hash(source netip.Prefix) uint64 {
	b := source.Addr().As16()
	return maphash.Bytes(p.room.seed, b[:])
}

// ofSource returns the server with the highest score for a source, by weighted rendezvous hashing (Thaler and Ravishankar 1998; the
// weights as in Schindelhauer and Schomaker 2005): each has a score of its own, so when one goes, only its sources move.
func (s *set) ofSource(hash uint64, t *tried) (best *server) {
	highest := 0.0
	for i := range s.shares {
		candidate := &s.shares[i]
		if t.has(candidate.number) {
			continue
		}
		uniform := (float64(mix(hash^candidate.key)>>11) + 0.5) / (1 << 53) // within (0, 1)
		weight := float64(candidate.weight)
		if weight <= highest*(1-uniform) { // nor is it higher with the logarithm, as -ln u >= 1-u
			continue
		}
		if score := weight / -math.Log(uniform); score > highest {
			best, highest = candidate.server, score
		}
	}
	return best
}

// mix makes every bit depend on all of x (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// maxTurns bounds a round: shares of less than one in so many count as one.
const maxTurns = 4096

// turns is one round of smooth weighted round robin, as nginx orders it: in each turn everybody gains its weight, and who has most does
// the work and pays for it with the weight of all.
func turns(shares []share) []uint8 {
	if len(shares) < 2 {
		return nil
	}
	weights, sum := reduced(shares)
	round := make([]uint8, 0, sum)
	gained := make([]int64, len(weights))
	for range sum {
		best := 0
		for i, w := range weights {
			if gained[i] += w; gained[i] > gained[best] {
				best = i
			}
		}
		gained[best] -= sum
		round = append(round, uint8(best))
	}
	return round
}

// reduced returns the shares' weights, and their sum, in small numbers: the smallest that are exact, unless that makes too many turns.
func reduced(shares []share) (weights []int64, sum int64) {
	var whole, divisor int64
	for _, s := range shares {
		whole, divisor = whole+s.weight, gcd(s.weight, divisor)
	}
	for _, s := range shares {
		w := s.weight / divisor
		if whole/divisor > maxTurns {
			w = max(1, (s.weight*maxTurns+whole/2)/whole)
		}
		weights = append(weights, w)
		sum += w
	}
	return weights, sum
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
