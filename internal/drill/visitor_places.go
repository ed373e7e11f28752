package drill

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/seawall/seawall/internal/drill/scenario/network"
)

// places is where the visitors of a role, or the newcomers of an event, come from.
type places struct {
	pool  *network.Pool
	homes []network.Network // of a program that is known by its own; none: anywhere in the pool
	fixed []netip.Addr      // that they share; none: everybody has their own
	turns bool              // the fixed ones are taken in turn, else at random
}

// newPlaces draws what a role's people share. Networks and countries are an event's own; none: the role's, and all. If
// addresses is not 0, everybody shares that many.
func newPlaces(rng *rand.Rand, r *role, networks, countries []string, addresses int) *places {
	kinds := r.networks
	if len(networks) > 0 {
		kinds = nil
		for _, n := range networks {
			kinds = append(kinds, network.Kind(n))
		}
	}
	p := &places{turns: r.turns}
	var err error
	if p.pool, err = network.Select(kinds, countries); err != nil {
		p.pool, _ = network.Select(kinds, nil) // no such network in these countries: it is abroad, then
	}
	for _, n := range network.Plan() {
		if slices.Contains(r.homes, n.Name) && slices.Contains(kinds, n.Kind) {
			p.homes = append(p.homes, n)
		}
	}
	if addresses == 0 {
		addresses = r.addresses
	}
	p.share(rng, addresses)
	return p
}

// share draws addresses of one network, or of each of the homes in turn.
func (p *places) share(rng *rand.Rand, addresses int) {
	homes := p.homes
	if len(homes) == 0 {
		homes = []network.Network{p.pool.Network(rng)}
	}
	for range 64 * addresses { // a network of few gateways has no more addresses than these
		a := homes[len(p.fixed)%len(homes)].Draw(rng)
		if len(p.fixed) < addresses && !slices.Contains(p.fixed, a) {
			p.fixed = append(p.fixed, a)
		}
	}
}

// draw returns the address of a newcomer, the nth.
func (p *places) draw(rng *rand.Rand, nth int) netip.Addr {
	switch n := len(p.fixed); {
	case n > 0 && p.turns:
		return p.fixed[nth%n]
	case n > 0:
		return p.fixed[rng.IntN(n)]
	case len(p.homes) > 0:
		return p.homes[rng.IntN(len(p.homes))].Draw(rng)
	}
	return p.pool.Draw(rng)
}
