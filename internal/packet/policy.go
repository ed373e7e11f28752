package packet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/internal/spec"
)

// Of every so many dropped packets one is kept as a sample, and no more of them than this in a second on a CPU.
const (
	sampledDrops = 1. / 64
	mostSamples  = 200
)

// addresses are the machine's own.
func addresses() (list []netip.Addr) {
	all, _ := net.InterfaceAddrs() // none is as good as one that can't be told
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}

// expand names the machine's addresses in place of "all": a machine that forwards packets for others has ports of theirs pass by, which are none of
// the node's affair. If there are more than the filter has room for, "all" stays.
func expand(wanted []netip.AddrPort, own []netip.Addr) []netip.AddrPort {
	var serving []netip.AddrPort
	for _, at := range wanted {
		if !at.Addr().IsUnspecified() {
			serving = append(serving, at)
			continue
		}
		for _, a := range own {
			if one := netip.AddrPortFrom(a, at.Port()); (a.Is4() || at.Addr().Is6()) && !slices.Contains(serving, one) {
				serving = append(serving, one)
			}
		}
	}
	if len(serving) == 0 || len(serving) > xdp.MaxListeners {
		return wanted
	}
	return serving
}

// policy is what the filter is to know of the node.
func policy(s *spec.Packets, serving []netip.AddrPort) (xdp.Policy, error) {
	if len(serving) > xdp.MaxListeners {
		return xdp.Policy{}, errors.New("the node listens on more addresses than the packet filter has room for")
	}
	p := xdp.Policy{
		Addresses: xdp.AddressLimits{
			Host: ceilings(&s.PerSource), Group: ceilings(&s.PerNetwork), Pieces: uint32(s.Fragments), ICMP: uint32(s.ICMP),
		},
		Sampling: xdp.Sampling{Drops: sampledDrops, Most: mostSamples},
	}
	for _, at := range serving {
		p.Listeners = append(p.Listeners, xdp.Listener{
			Address: wildcard(at.Addr()), Port: at.Port(), CheckState: true,
			Host: ceilings(&s.PerSource), Group: ceilings(&s.PerNetwork), SYNs: uint32(s.SYNs),
		})
	}
	return p, nil
}

func ceilings(c *spec.PacketCeilings) xdp.Ceilings {
	return xdp.Ceilings{Packets: uint32(c.Packets), Openings: uint32(c.SYNs), Bytes: uint64(c.Bytes)}
}

// wildcard is the address of a listener: one on :: takes IPv4, too.
func wildcard(a netip.Addr) netip.Addr {
	if a == netip.IPv6Unspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

// left ends what a process before has left behind, if there is anything.
func left(pins string) error {
	if _, err := os.Stat(pins); err == nil {
		return xdp.Detach(pins)
	}
	return nil
}
