package packet

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"

	"github.com/seawall/seawall/internal/spec"
)

// Of so many packets one is a sample, and no more of them than this in a second on a CPU, which takes it some milliseconds, and on all
// together, since one goroutine looks at them.
const (
	sampled     = 1. / 4
	mostOfCPU   = 20_000
	mostSamples = 80_000
)

func detectorOptions(s *spec.Packets) DetectorOptions {
	return DetectorOptions{Off: s.Signatures == spec.SignaturesOff, Monitor: s.Signatures == spec.SignaturesMonitor, Floor: float64(s.Unusual)}
}

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
	if len(serving) == 0 || len(serving) > MaxListeners {
		return wanted
	}
	return serving
}

// policy is what the filter is to know of the node.
func policy(s *spec.Packets, serving []netip.AddrPort) (Policy, error) {
	if len(serving) > MaxListeners {
		return Policy{}, errors.New("the node listens on more addresses than the packet filter has room for")
	}
	p := Policy{
		Addresses: AddressLimits{
			Host: ceilings(&s.PerSource), Group: ceilings(&s.PerNetwork), Pieces: uint32(s.Fragments), ICMP: uint32(s.ICMP),
		},
		Sampling: Sampling{Drops: sampled, Passes: sampled, Most: uint32(min(mostOfCPU, mostSamples/runtime.NumCPU()))},
	}
	for _, at := range serving {
		p.Listeners = append(p.Listeners, Listener{
			Address: wildcard(at.Addr()), Port: at.Port(), CheckState: true,
			Host: ceilings(&s.PerSource), Group: ceilings(&s.PerNetwork), SYNs: uint32(s.SYNs),
		})
	}
	return p, nil
}

func ceilings(c *spec.PacketCeilings) Ceilings {
	return Ceilings{Packets: uint32(c.Packets), Openings: uint32(c.SYNs), Bytes: uint64(c.Bytes)}
}

// wildcard is the address of a listener: one on :: takes IPv4, too.
func wildcard(a netip.Addr) netip.Addr {
	if a == netip.IPv6Unspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}
