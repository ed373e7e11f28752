// Package prefixes holds immutable sets and maps of IP prefixes, from a few to millions, for lookups by address on a hot path:
// allow and deny lists, trusted proxies, the networks of known crawlers. It also says by which prefix an address is counted.
//
// IPv4-mapped IPv6 addresses are looked up, and prefixes of them stored, as the IPv4 they stand for; scope zones are
// ignored. IPv4 and IPv6 are apart: ::/0 contains no IPv4 address.
//
// A Set is sorted ranges of addresses with a directory (docs/decisions/0017): a lookup reads a few places of the directory and one line of
// ranges. It reads at most 4 nodes and searches in at most 40 steps, however a million prefixes lie, so no list can make it slow. Nothing
// allocates in a lookup. Memory is at most 25 bytes a prefix in a Set and 31 in a Map, 16 more if one is longer than a /64; the number of
// prefixes is bounded by ParseList. What cannot be parsed gets an error that says where it is and what would be right.
package prefixes

import "net/netip"

// A Set is an immutable set of prefixes, safe for concurrent use. A nil Set contains nothing.
type Set struct {
	v4, v6 ranges[uint8] // one more than the length of the most specific prefix, 0 for none
	len    int
}

// Compile returns the set of the given prefixes. Host bits are cleared, duplicates count once, and prefixes that are not
// valid (the zero netip.Prefix) are left out.
func Compile(prefixes []netip.Prefix) *Set {
	v4, v6 := split(prefixes)
	length := func(i *item) uint8 { return i.bits + 1 }
	s := new(Set)
	var n4, n6 int
	s.v4, n4 = build(v4, 0, length)
	s.v6, n6 = build(v6, 0, length)
	s.len = n4 + n6
	return s
}

// split makes items of the prefixes that are valid, by family.
func split(prefixes []netip.Prefix) (v4, v6 []item) {
	for i, p := range prefixes {
		if !p.IsValid() {
			continue
		}
		p = unmap(p).Masked()
		upper, lower := halves(p.Addr())
		it := item{upper, lower, uint32(i), uint8(p.Bits())}
		if p.Addr().Is4() {
			v4 = append(v4, it)
		} else {
			v6 = append(v6, it)
		}
	}
	return v4, v6
}

// length returns the length of the most specific prefix that contains addr, plus one, and 0 if there is none.
func (s *Set) length(addr netip.Addr) uint8 {
	if addr.Is4() {
		return s.v4.find(addr, 0)
	}
	return s.v6.find(addr, 0)
}

// Contains reports whether a prefix of the set contains addr.
func (s *Set) Contains(addr netip.Addr) bool {
	return s != nil && addr.IsValid() && s.length(addr.Unmap()) > 0
}

// Match returns the most specific prefix of the set that contains addr, and whether there is one.
func (s *Set) Match(addr netip.Addr) (netip.Prefix, bool) {
	if s == nil || !addr.IsValid() {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap().WithZone("")
	n := s.length(addr)
	if n == 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, int(n)-1).Masked(), true
}

// Len returns the number of prefixes in the set.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.len
}

// A Map is an immutable map of prefixes to values, safe for concurrent use. A nil Map has none.
type Map[V any] struct {
	v4, v6 ranges[int32] // which of values, -1 for none
	values []V
}

// Entry is a prefix and its value.
type Entry[V any] struct {
	Prefix netip.Prefix
	Value  V
}

// CompileMap returns the map of the given entries, whose prefixes are taken as Compile takes them. Of those with the same prefix the last
// counts.
func CompileMap[V comparable](entries []Entry[V]) *Map[V] {
	m := new(Map[V])
	places := make(map[V]int32)
	prefixes := make([]netip.Prefix, len(entries))
	for i, e := range entries {
		prefixes[i] = e.Prefix
		if _, ok := places[e.Value]; !ok {
			places[e.Value] = int32(len(m.values))
			m.values = append(m.values, e.Value)
		}
	}
	v4, v6 := split(prefixes)
	value := func(i *item) int32 { return places[entries[i.place].Value] }
	m.v4, _ = build(v4, -1, value)
	m.v6, _ = build(v6, -1, value)
	return m
}

// Lookup returns the value of the most specific prefix that contains addr, and whether there is one.
func (m *Map[V]) Lookup(addr netip.Addr) (value V, ok bool) {
	if m == nil || !addr.IsValid() {
		return value, false
	}
	var at int32
	if addr = addr.Unmap(); addr.Is4() {
		at = m.v4.find(addr, -1)
	} else {
		at = m.v6.find(addr, -1)
	}
	if at < 0 {
		return value, false
	}
	return m.values[at], true
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
