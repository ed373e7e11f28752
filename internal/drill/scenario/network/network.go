// Package network is the drill's address plan: some ninety networks of several countries and kinds, from a cable provider with half a
// million addresses to an office with one, so that visitors and bots come from somewhere as they do on the Internet.
//
// All of it lies in 127.16.0.0 to 127.255.255.255, which is loopback: what is sent there stays on the machine, and servers have
// 127.0.0.0/12 for themselves. The plan is fixed and no two prefixes overlap. What is drawn from it comes from the caller's generator
// of random numbers alone, and never ends in .0 or .255, which some software takes for a network's own or for all hosts of it.
package network

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"sync"
)

// Kind is what sort of network an address belongs to.
type Kind string

// The kinds of networks.
const (
	Residential Kind = "residential" // a provider of lines to homes: an address is a household
	Mobile      Kind = "mobile"      // a carrier whose customers share a few addresses of its NAT
	Office      Kind = "office"      // whose people share one address, or very few
	University  Kind = "university"  // likewise, but more people
	Hosting     Kind = "hosting"     // rented servers
	Cloud       Kind = "cloud"
	Tor         Kind = "tor"     // exits, which people and bots use
	Crawler     Kind = "crawler" // programs known by their address: search engines, webhooks, monitors, previews
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{Residential, Mobile, Office, University, Hosting, Cloud, Tor, Crawler}
}

// Network is an autonomous system, or the customer of one that is known apart.
type Network struct {
	Kind     Kind
	ASN      uint32 // of the ranges for documentation and private use
	Name     string
	Country  string // ISO 3166-1, two letters
	Prefixes []netip.Prefix
	// Gateways are the addresses that all its traffic comes from: those of a carrier's NAT, of an office's router, of Tor's exits. If there
	// are none, it comes from anywhere in Prefixes.
	Gateways []netip.Addr
}

// Draw draws an address that its traffic comes from.
func (n *Network) Draw(rng *rand.Rand) netip.Addr { return n.at(rng.Uint64N(n.size())) }

// at is the address at a place among all of its prefixes, or the gateway whose turn it is there.
func (n *Network) at(at uint64) netip.Addr {
	if len(n.Gateways) > 0 {
		return n.Gateways[at%uint64(len(n.Gateways))]
	}
	for _, p := range n.Prefixes {
		if size := sizeOf(p); at >= size {
			at -= size
			continue
		}
		return host(p, at)
	}
	panic("network: a size that is not the sum of its parts")
}

// size is how many addresses are in its prefixes.
func (n *Network) size() uint64 {
	var sum uint64
	for _, p := range n.Prefixes {
		sum += sizeOf(p)
	}
	return sum
}

// behind is how many people share a gateway of a kind of network.
func behind(k Kind) uint64 {
	switch k {
	case Mobile:
		return 20_000
	case University:
		return 2000
	case Tor:
		return 500
	default:
		return 50
	}
}

// weight is how likely a network is drawn: as likely as it has people or machines.
func (n *Network) weight() uint64 {
	if len(n.Gateways) > 0 {
		return uint64(len(n.Gateways)) * behind(n.Kind)
	}
	return n.size()
}

func sizeOf(p netip.Prefix) uint64 { return 1 << (32 - p.Bits()) }

// host is the address at a place of a prefix, or the one beside it if that ends in .0 or .255.
func host(p netip.Prefix, at uint64) netip.Addr {
	b := p.Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) + uint32(at)
	switch byte(n) {
	case 0:
		n++
	case 255:
		n--
	}
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// plan is made of rows once.
var plan = sync.OnceValue(func() []Network {
	all := make([]Network, 0, len(rows))
	for _, r := range rows {
		n := Network{Kind: r.kind, ASN: r.asn, Name: r.name, Country: r.country}
		for _, p := range r.prefixes {
			n.Prefixes = append(n.Prefixes, netip.MustParsePrefix(p))
		}
		step := sizeOf(n.Prefixes[0]) / uint64(max(r.gateways, 1))
		for i := range r.gateways {
			n.Gateways = append(n.Gateways, host(n.Prefixes[0], uint64(i)*step+step/2))
		}
		all = append(all, n)
	}
	return all
})

// Plan is all networks, in an order that never changes. Who gets it must not change what it shares.
func Plan() []Network { return slices.Clone(plan()) }

// Pool is some of the networks, to draw from.
type Pool struct {
	networks []*Network
	upTo     []uint64 // the sum of weights up to each
}

// Select is the networks of these kinds in these countries; no kinds or no countries mean all. It fails if there is none.
func Select(kinds []Kind, countries []string) (*Pool, error) {
	p := new(Pool)
	var sum uint64
	for i := range plan() {
		n := &plan()[i]
		if len(kinds) > 0 && !slices.Contains(kinds, n.Kind) || len(countries) > 0 && !slices.Contains(countries, n.Country) {
			continue
		}
		sum += n.weight()
		p.networks, p.upTo = append(p.networks, n), append(p.upTo, sum)
	}
	if sum == 0 {
		return nil, fmt.Errorf("there is no network of kind %v in %v", kinds, countries)
	}
	return p, nil
}

// Network draws one of the pool's networks, the more likely the more people or machines it has.
func (p *Pool) Network(rng *rand.Rand) Network {
	at := rng.Uint64N(p.upTo[len(p.upTo)-1])
	i := sort.Search(len(p.upTo), func(i int) bool { return p.upTo[i] > at })
	return *p.networks[i]
}

// Draw draws an address.
func (p *Pool) Draw(rng *rand.Rand) netip.Addr {
	n := p.Network(rng)
	return n.Draw(rng)
}

// Gateways are those of all the pool's networks.
func (p *Pool) Gateways() []netip.Addr {
	var all []netip.Addr
	for _, n := range p.networks {
		all = append(all, n.Gateways...)
	}
	return all
}

// Draw draws an address of networks of these kinds, or of any. It panics if a kind is none of [Kinds].
func Draw(rng *rand.Rand, kinds ...Kind) netip.Addr {
	p, err := Select(kinds, nil)
	if err != nil {
		panic("network: " + err.Error())
	}
	return p.Draw(rng)
}

// span is a prefix of a network.
type span struct {
	prefix  netip.Prefix
	network *Network
}

var spans = sync.OnceValue(func() []span {
	var all []span
	for i := range plan() {
		for _, p := range plan()[i].Prefixes {
			all = append(all, span{p, &plan()[i]})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.prefix.Addr().Compare(b.prefix.Addr()) })
	return all
})

// Of is the network that an address belongs to, if there is one.
func Of(a netip.Addr) (Network, bool) {
	all := spans()
	i := sort.Search(len(all), func(i int) bool { return a.Less(all[i].prefix.Addr()) })
	if i == 0 || !all[i-1].prefix.Contains(a) {
		return Network{}, false
	}
	return *all[i-1].network, true
}

// Size is how many addresses can be drawn.
func (p *Pool) Size() uint64 {
	var sum uint64
	for _, n := range p.networks {
		sum += uint64(len(n.Gateways))
		if len(n.Gateways) > 0 {
			continue
		}
		for _, prefix := range n.Prefixes {
			sum += usableIn(prefix)
		}
	}
	return sum
}

// usableIn is how many addresses of a prefix end neither in .0 nor in .255.
func usableIn(p netip.Prefix) uint64 {
	size := sizeOf(p)
	if p.Bits() <= 24 {
		return size - size/256*2
	}
	first := uint64(p.Addr().As4()[3])
	if first == 0 {
		size--
	}
	if first+sizeOf(p) == 256 {
		size--
	}
	return size
}

// Distinct draws n addresses, no two alike. It fails if the pool has fewer.
func (p *Pool) Distinct(rng *rand.Rand, n int) ([]netip.Addr, error) {
	if size := p.Size(); n < 0 || uint64(n) > size {
		return nil, fmt.Errorf("the networks have %d addresses to draw, not %d", size, n)
	}
	taken := make(map[netip.Addr]bool, n)
	drawn := make([]netip.Addr, 0, n)
	add := func(a netip.Addr) {
		if !taken[a] && len(drawn) < n {
			taken[a] = true
			drawn = append(drawn, a)
		}
	}
	for tries := 0; len(drawn) < n && tries < 8*n; tries++ {
		add(p.Draw(rng))
	}
	for _, network := range p.networks { // where nearly all are wanted, drawing the last would take long
		for at := uint64(0); len(drawn) < n && at < network.size(); at++ {
			add(network.at(at))
		}
	}
	return drawn, nil
}
