package nft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
)

// chunk is how many elements one message has: its length is 16 bits.
const chunk = 800

// SetAllow replaces the prefixes whose packets are not judged.
func (f *Filter) SetAllow(prefixes []netip.Prefix) error {
	return f.replace("allow", prefixes, func(s sets) *nftables.Set { return s.allow })
}

// Replace replaces the prefixes whose packets are dropped.
func (f *Filter) Replace(deny []netip.Prefix) error {
	return f.replace("deny", deny, func(s sets) *nftables.Set { return s.deny })
}

// replace fills a set of either family anew, in one transaction.
func (f *Filter) replace(what string, prefixes []netip.Prefix, of func(sets) *nftables.Set) error {
	if len(prefixes) > maxPrefixes {
		return fmt.Errorf("%s %d prefixes: nftables holds %d", what, len(prefixes), maxPrefixes)
	}
	elements := make(map[string][]nftables.SetElement)
	for _, family := range families() {
		elements[family.name] = intervals(family, prefixes)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for family, all := range elements {
		set := of(f.sets[family])
		f.conn.FlushSet(set)
		for elements := range slices.Chunk(all, chunk) {
			if err := f.conn.SetAddElements(set, elements); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// intervals are the prefixes of a family, joined where they overlap or touch, as beginnings and ends (the first address behind).
func intervals(f family, prefixes []netip.Prefix) []nftables.SetElement {
	var own []netip.Prefix
	for _, p := range prefixes {
		if p = unmapped(p); p.IsValid() && f.has(p.Addr()) {
			own = append(own, p.Masked())
		}
	}
	slices.SortFunc(own, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	var elements []nftables.SetElement
	var end netip.Addr // of the last one; invalid: there is none, or nothing is behind it
	for _, p := range own {
		switch n := len(elements); {
		case n > 0 && !end.IsValid(), n > 0 && last(p).Less(end): // it is in the last one
			continue
		case n > 0 && p.Addr() == end:
			elements = elements[:n-1] // it goes on
		default:
			elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		}
		if end = last(p).Next(); end.IsValid() {
			elements = append(elements, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
		}
	}
	return elements
}

// unmapped is an IPv4-mapped prefix as one of IPv4, and others as they are.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
