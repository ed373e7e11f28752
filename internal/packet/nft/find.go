package nft

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"

	"github.com/seawall/seawall/internal/packet"
)

// Find reads the sets that the table asks, whole: it is for people who ask, not for each packet.
func (f *Filter) Find(addr netip.Addr) (found packet.Finding, err error) {
	addr = addr.Unmap().WithZone("")
	for _, family := range families() {
		if !addr.IsValid() || !family.has(addr) {
			continue
		}
		s := f.sets[family.name]
		if found.Allowed, err = f.contains(s.allow, addr); err == nil {
			found.Denied, err = f.contains(s.deny, addr)
		}
		if err != nil {
			return found, fmt.Errorf("look for %s: %w", addr, err)
		}
	}
	for prefix, until := range f.Bans() { // a family's longest first
		if prefix.Contains(addr) {
			found.Banned, found.Until = prefix, until
			break
		}
	}
	return found, nil
}

// contains tells whether an address is in a set of intervals: whether the last boundary up to it begins one.
func (f *Filter) contains(set *nftables.Set, addr netip.Addr) (bool, error) {
	elements, err := f.elements(set)
	if err != nil {
		return false, err
	}
	var boundary netip.Addr
	inside := false
	for _, e := range elements {
		a, _ := netip.AddrFromSlice(e.Key)
		if a.IsValid() && !addr.Less(a) && (!boundary.IsValid() || boundary.Less(a)) {
			boundary, inside = a, !e.IntervalEnd
		}
	}
	return inside, nil
}
