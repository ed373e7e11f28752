package drill

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/site"
)

// drawSources draws the addresses of a botnet's bots and claims them. Those that visitors are to use, too, are drawn from
// visitors' own, several bots behind one if need be; the others are nobody else's, as far as their networks are large
// enough.
func drawSources(rng *rand.Rand, s scenario.Sources, t *truth) ([]netip.Addr, error) {
	pool, err := s.Pool()
	if err != nil {
		return nil, err
	}
	out := make([]netip.Addr, 0, s.Count)
	if among := sharedAddresses(s.Networks, t); len(among) > 0 {
		for range int(float64(s.Count)*s.Shared + 0.5) {
			out = append(out, among[rng.IntN(len(among))])
		}
	}
	taken := map[netip.Addr]bool{}
	for _, a := range t.claimedBy(site.Visitor) {
		taken[a] = true
	}
	for tries := 0; len(out) < s.Count; tries++ {
		a := pool.Draw(rng)
		if !taken[a] || tries > 8*s.Count {
			taken[a] = true
			out = append(out, a)
		}
	}
	for _, a := range out {
		t.claim(a, site.Attacker)
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out, nil
}

// sharedAddresses returns those of visitors that are in networks of these kinds or, if there are none, in those whose
// addresses strangers share anyway.
func sharedAddresses(kinds []string, t *truth) []netip.Addr {
	visitors := t.claimedBy(site.Visitor)
	for _, wanted := range [][]string{kinds, {string(network.Mobile), string(network.Tor)}} {
		var out []netip.Addr
		for _, a := range visitors {
			if n, ok := network.Of(a); ok && slices.Contains(wanted, string(n.Kind)) {
				out = append(out, a)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}
