package xdp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// Bounds of a policy.
const (
	MaxListeners = 63
	placeBuckets = 256
	placeSlots   = 4
	maxSalts     = 1000 // tries at a salt with which all places fit
)

// A Policy is what is served and what it bears.
type Policy struct {
	Listeners []Listener // at most MaxListeners
	Addresses AddressLimits
	Sampling  Sampling
}

// A Listener is a port of an address. Packets for it are judged.
type Listener struct {
	Address    netip.Addr // unspecified: every address of its family; invalid: of both
	Port       uint16
	UDP        bool
	CheckState bool // TCP: the sockets are in this network namespace, so what belongs to none of them may be dropped
	Host       Ceilings
	Group      Ceilings // of a /24, or an IPv6 /48
	SYNs       uint32   // SYNs a second, from all sources, above which they are answered with cookies; 0: never
	Initials   uint32   // QUIC Initials a second, from all sources; 0: no ceiling
	Reflected  uint32   // UDP packets a second from ports that amplifiers answer from; 0: no ceiling
}

// Ceilings are what a source may send to a listener in a second, and at once; 0 is no ceiling. They are kept to within 2^-16 of a second's
// worth, so no source that has a ceiling for bytes gets more than 65,535 packets through.
type Ceilings struct {
	Packets  uint32
	Openings uint32 // SYNs, QUIC Initials, echo requests
	Bytes    uint64 // of IP packets
}

// AddressLimits bound what has no port: fragments behind the first, packets whose headers can't be read, and ICMP (but not neighbour
// discovery) for the listeners' addresses.
type AddressLimits struct {
	Host   Ceilings
	Group  Ceilings
	Pieces uint32 // a second, from all sources; 0: no ceiling
	ICMP   uint32 // likewise
}

// Sampling says how many packets are handed to Samples.
type Sampling struct {
	Drops  float64 // the share, 0 to 1, of those dropped
	Passes float64 // of those let through or answered
	Most   uint32  // a second and CPU, of both together; 0 is none
}

func (c Ceilings) costs() (costs struct {
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

func (p *Policy) compile(salt salt, windowScale int, cookieOptions bool, cpus int) (*filterPolicy, error) {
	if len(p.Listeners) > MaxListeners {
		return nil, fmt.Errorf("%d listeners are more than %d", len(p.Listeners), MaxListeners)
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
	return out, p.place(out)
}

func share32(f float64) uint32 { return uint32(min(max(f, 0), 1) * (1<<32 - 1)) }

func setCeilings(to *filterListener, host, group Ceilings) {
	h, g := host.costs(), group.costs()
	to.Host.Packets, to.Host.Openings, to.Host.Bytes = h.packets, h.openings, h.bytes
	to.Group.Packets, to.Group.Openings, to.Group.Bytes = g.packets, g.openings, g.bytes
}

// A spot is where a listener is found.
type spot struct {
	addr         address
	portProtocol uint32
}

// spots are where the listeners are found, and the addresses themselves.
func (p *Policy) spots() (map[spot]int, uint32, error) {
	spots := make(map[spot]int)
	var flags uint32
	for i, l := range p.Listeners {
		protocol := uint32(protocolTCP)
		if l.UDP {
			protocol = protocolUDP
		}
		for _, a := range l.addresses() {
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

func (l *Listener) addresses() []netip.Addr {
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
func (p *Policy) place(out *filterPolicy) error {
	spots, flags, err := p.spots()
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
