// Package lists compiles a zone's allow and deny lists. It learns a client's address and tells whether it is listed, and where.
//
// A lookup takes bounded time and no memory whatever the lists hold, and cannot fail.
package lists

import (
	"net/netip"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Lists are a zone's two lists.
type Lists struct {
	allow, deny *prefixes.Set
}

// Listing is what the lists say of an address.
type Listing uint8

// An address is on no list, or is to be allowed or denied.
const (
	Unlisted Listing = iota
	Allowed
	Denied
)

// Compile returns the lists as a lookup.
func Compile(s *spec.Lists) *Lists {
	return &Lists{
		allow: prefixes.Compile(s.Allow),
		deny:  prefixes.Compile(s.Deny),
	}
}

// Find returns what the lists say of addr, and the most specific prefix that says so: of the two lists' most specific matches,
// the longer wins; at equal length, the allow list's.
func (l *Lists) Find(addr netip.Addr) (Listing, netip.Prefix) {
	if !l.allow.Contains(addr) && !l.deny.Contains(addr) { // most are on neither, and this is the cheaper question
		return Unlisted, netip.Prefix{}
	}
	allow, allowed := l.allow.Match(addr)
	deny, denied := l.deny.Match(addr)
	switch {
	case allowed && (!denied || allow.Bits() >= deny.Bits()):
		return Allowed, allow
	case denied:
		return Denied, deny
	}
	return Unlisted, netip.Prefix{}
}
