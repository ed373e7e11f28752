// Package prefixes holds immutable sets of IP prefixes, from a few to millions, for lookups by address on a hot path:
// allow and deny lists, trusted proxies. It also says by which prefix an address is counted.
//
// IPv4-mapped IPv6 addresses are looked up, and prefixes of them stored, as the IPv4 they stand for; scope zones are
// ignored. IPv4 and IPv6 are apart: ::/0 contains no IPv4 address.
//
// A Set is a balanced routing table (github.com/gaissmai/bart): a lookup visits at most 4 nodes for IPv4, 16 for IPv6,
// whatever the set holds, so no list can make it slow; each node that is in no cache costs a wait for memory. Nothing
// allocates in a lookup. Memory is 50 to 140 bytes a prefix at a million of them, whose number ParseList bounds. What
// cannot be parsed gets an error that says where it is and what would be right.
package prefixes

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// A Set is an immutable set of prefixes, safe for concurrent use. A nil Set contains nothing.
type Set struct {
	table bart.Fast[struct{}]
}

// Compile returns the set of the given prefixes. Host bits are cleared, duplicates count once, and prefixes that are not
// valid (the zero netip.Prefix) are left out.
func Compile(prefixes []netip.Prefix) *Set {
	s := new(Set)
	for _, p := range prefixes {
		if p.IsValid() {
			s.table.Insert(unmap(p), struct{}{})
		}
	}
	return s
}

// Contains reports whether a prefix of the set contains addr.
func (s *Set) Contains(addr netip.Addr) bool {
	return s != nil && s.table.Contains(addr.Unmap())
}

// Match returns the most specific prefix of the set that contains addr, and whether there is one.
func (s *Set) Match(addr netip.Addr) (netip.Prefix, bool) {
	if s == nil || !addr.IsValid() {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	p, _, ok := s.table.LookupPrefixLPM(netip.PrefixFrom(addr, addr.BitLen()))
	return p, ok
}

// Len returns the number of prefixes in the set.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.table.Size()
}

// Source returns the prefix by which one source is counted: an IPv4 address, or the /64 of an IPv6 address, all of which
// one host may use (RFC 7421). It is the zero Prefix if addr is not valid.
func Source(addr netip.Addr) netip.Prefix {
	return cut(addr, 32, 64)
}

// Network returns the neighbourhood of an address, in which sources share their fate: the /24 of an IPv4 address, or the
// /48 of an IPv6 address, the most that an ordinary site is given (RFC 6177). It is the zero Prefix if addr is not valid.
func Network(addr netip.Addr) netip.Prefix {
	return cut(addr, 24, 48)
}

func cut(addr netip.Addr, bits4, bits6 int) netip.Prefix {
	addr = addr.Unmap()
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	p, _ := addr.WithZone("").Prefix(bits) // fails only if addr is not valid
	return p
}

// mappedBits is the length of ::ffff:0:0/96, which every IPv4-mapped IPv6 address begins with (RFC 4291 §2.5.5.2).
const mappedBits = 96

// unmap returns the IPv4 prefix of a prefix of IPv4-mapped addresses, and any other as it is.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}
