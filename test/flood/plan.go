package flood

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A Plan is one flood.
type Plan struct {
	Kind    string         // its name, of [Kinds]
	Target  netip.AddrPort // served by whoever is attacked
	Sources []netip.Prefix // where it pretends to come from, each as often as the others; nil for 800 million addresses in five networks
	VLAN    []uint16       // tags, the outer one first, two at the most
	Seed    uint64

	Rate    int           // packets a second; 0 for as fast as it goes
	Packets int           // how many at the most; 0 for as many as the time allows
	Lasting time.Duration // how long at the most; 0 for the longest that is allowed
}

// A Link is what a flood is sent on.
type Link struct {
	Interface string           // of the namespace that the calling thread is in
	From, To  net.HardwareAddr // its own address, and that of whoever is attacked or routes there
}

// The most that a plan may ask for.
const (
	MaxRate    = 5_000_000
	MaxPackets = 100_000_000
	MaxLasting = 60 * time.Second
	MaxSources = 10_000 // prefixes
)

// targets are the networks that may be attacked: benchmarks' (RFC 2544) and documentation's (RFC 3849), which no one else has.
var targets = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8::/32")}

// Sources of a plan that names none. No address in them is one that kernels refuse for itself (martians).
var (
	anywhere4 = []netip.Prefix{
		netip.MustParsePrefix("16.0.0.0/5"), netip.MustParsePrefix("32.0.0.0/4"), netip.MustParsePrefix("64.0.0.0/5"),
		netip.MustParsePrefix("80.0.0.0/5"), netip.MustParsePrefix("128.0.0.0/5"),
	}
	anywhere6 = []netip.Prefix{netip.MustParsePrefix("2400::/12"), netip.MustParsePrefix("2600::/12"), netip.MustParsePrefix("2a00::/12")}
)

// check refuses a plan that aims at somebody or exceeds its bounds, and fills in what it leaves open.
func (p Plan) check() (Plan, error) {
	inside := func(network netip.Prefix) bool { return network.Contains(p.Target.Addr()) }
	switch {
	case !slices.ContainsFunc(targets, inside):
		return p, fmt.Errorf("target %s: want an address in %v", p.Target, targets)
	case p.Target.Port() == 0:
		return p, fmt.Errorf("target %s: want a port", p.Target)
	case p.Rate < 0 || p.Rate > MaxRate:
		return p, fmt.Errorf("rate %d: want 0 to %d packets a second", p.Rate, MaxRate)
	case p.Packets < 0 || p.Packets > MaxPackets:
		return p, fmt.Errorf("%d packets: want 0 to %d", p.Packets, MaxPackets)
	case p.Lasting < 0 || p.Lasting > MaxLasting:
		return p, fmt.Errorf("lasting %v: want 0 to %v", p.Lasting, MaxLasting)
	}
	if p.Packets == 0 {
		p.Packets = MaxPackets
	}
	if p.Lasting == 0 {
		p.Lasting = MaxLasting
	}
	if len(p.Sources) == 0 {
		p.Sources = anywhere4
		if p.Target.Addr().Is6() {
			p.Sources = anywhere6
		}
	}
	return p, errors.Join(p.checkSources(), p.checkVLAN())
}

func (p Plan) checkSources() error {
	if len(p.Sources) > MaxSources {
		return fmt.Errorf("%d sources: want %d prefixes at the most", len(p.Sources), MaxSources)
	}
	for _, source := range p.Sources {
		if !source.IsValid() || source.Addr().Is4() != p.Target.Addr().Is4() || source.Addr().Is4In6() {
			return fmt.Errorf("source %s: want a prefix of the target's family", source)
		}
	}
	return nil
}

func (p Plan) checkVLAN() error {
	if len(p.VLAN) > 2 {
		return fmt.Errorf("%d VLAN tags: want two at the most", len(p.VLAN))
	}
	for _, id := range p.VLAN {
		if id == 0 || id > 4094 {
			return fmt.Errorf("VLAN %d: want 1 to 4094", id)
		}
	}
	return nil
}
