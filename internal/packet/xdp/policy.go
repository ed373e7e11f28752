package xdp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/seawall/seawall/internal/packet"
)

// Bounds of a policy.
const (
	placeBuckets = 256
	placeSlots   = 4
	maxSalts     = 1000 // tries at a salt with which all places fit
)

// costsOf is what one packet, opening and byte take of a bucket of 2^16, 2^16 and 2^32.
func costsOf(c packet.Ceilings) (costs struct {
	packets, openings, bytes uint32
}) {
	costs.packets = share16(c.Packets)
	costs.openings = share16(c.Openings)
	if c.Bytes > 0 {
		costs.bytes = uint32(min(max(1<<32/c.Bytes, 1), 1<<31))
	}
	return costs
}

// share16 is what one of n takes of a bucket of 2^16.
func share16(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return min((1<<16+n-1)/n, 1<<16-1)
}

// share28 is what one of n takes of a CPU's bucket of 2^28, when cpus share n.
func share28(n uint32, cpus int) uint32 {
	if n == 0 {
		return 0
	}
	return max(1<<28/max(n/uint32(cpus), 1), 1)
}

// compile makes a policy what the program reads.
func compile(p *packet.Policy, salt salt, windowScale int, cookieOptions bool, cpus int) (*filterPolicy, error) {
	if len(p.Listeners) > packet.MaxListeners {
		return nil, fmt.Errorf("%d listeners are more than %d", len(p.Listeners), packet.MaxListeners)
	}
	out := &filterPolicy{WindowScale: uint32(windowScale)}
	out.Salt.A, out.Salt.B = salt.a, salt.b
	if cookieOptions {
		out.Flags |= flagCookieOptions
	}
	out.SampleDrops, out.SamplePasses = share32(p.Sampling.Drops), share32(p.Sampling.Passes)
	out.SampleBudget = (p.Sampling.Most + ticksASecond - 1) / ticksASecond
	setCeilings(&out.Listeners[0], p.Addresses.Host, p.Addresses.Group)
	out.Listeners[0].Classes[classPiece] = share28(p.Addresses.Pieces, cpus)
	out.Listeners[0].Classes[classICMP] = share28(p.Addresses.ICMP, cpus)
	for i := range p.Listeners {
		l, to := &p.Listeners[i], &out.Listeners[i+1]
		if l.CheckState && !l.UDP {
			to.Flags |= flagCheckState
		}
		setCeilings(to, l.Host, l.Group)
		to.Classes[classSYN] = share28(l.SYNs, cpus)
		to.Classes[classInitial] = share28(l.Initials, cpus)
		to.Classes[classReflected] = share28(l.Reflected, cpus)
	}
	return out, place(p, out)
}

func share32(f float64) uint32 { return uint32(min(max(f, 0), 1) * (1<<32 - 1)) }

func setCeilings(to *filterListener, host, group packet.Ceilings) {
	h, g := costsOf(host), costsOf(group)
	to.Host.Packets, to.Host.Openings, to.Host.Bytes = h.packets, h.openings, h.bytes
	to.Group.Packets, to.Group.Openings, to.Group.Bytes = g.packets, g.openings, g.bytes
}

// A spot is where a listener is found.
type spot struct {
	addr         address
	portProtocol uint32
}

// spotsOf is where the listeners are found, and the addresses themselves.
func spotsOf(p *packet.Policy) (map[spot]int, uint32, error) {
	spots := make(map[spot]int)
	var flags uint32
	for i, l := range p.Listeners {
		protocol := uint32(protocolTCP)
		if l.UDP {
			protocol = protocolUDP
		}
		for _, a := range addressesOf(&l) {
			s := spot{halves(a), uint32(l.Port)<<8 | protocol}
			if other, taken := spots[s]; taken {
				return nil, 0, fmt.Errorf("listeners %d and %d are both at %v port %d", other-1, i, a, l.Port)
			}
			spots[s] = i + 1
			spots[spot{addr: s.addr}] = 0
			if a.IsUnspecified() {
				flags |= anyOf(a)
			}
		}
	}
	return spots, flags, nil
}

func addressesOf(l *packet.Listener) []netip.Addr {
	if !l.Address.IsValid() {
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	return []netip.Addr{l.Address.Unmap()}
}

func anyOf(a netip.Addr) uint32 {
	if a.Is4() {
		return flagAny4
	}
	return flagAny6
}

// place finds a salt with which no bucket has too many.
func place(p *packet.Policy, out *filterPolicy) error {
	spots, flags, err := spotsOf(p)
	if err != nil {
		return err
	}
	out.Flags |= flags
	if len(spots) > placeBuckets {
		return fmt.Errorf("the listeners are at %d places, more than %d", len(spots), placeBuckets)
	}
	for range maxSalts {
		out.PlacesSalt = rand.Uint64()
		out.Places = [placeBuckets * placeSlots]filterPlace{}
		if fill(out, spots) {
			return nil
		}
	}
	return errors.New("no salt spreads the listeners evenly")
}

func fill(out *filterPolicy, spots map[spot]int) bool {
	for s, listener := range spots {
		first := placeBucket(out.PlacesSalt, s) * placeSlots
		slot := first
		for slot < first+placeSlots && out.Places[slot].Listener != 0 {
			slot++
		}
		if slot == first+placeSlots {
			return false
		}
		out.Places[slot] = filterPlace{Hi: s.addr.hi, Lo: s.addr.lo, PortProtocol: s.portProtocol, Listener: uint32(listener + 1)}
	}
	return true
}

func placeBucket(salt uint64, s spot) int {
	h := (s.addr.hi ^ salt) * mix1
	h = (h ^ s.addr.lo) * mix2
	h = (h ^ h>>32 ^ uint64(s.portProtocol)) * mix1
	return int(h >> 56)
}
