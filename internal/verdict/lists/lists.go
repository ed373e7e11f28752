// Package lists compiles a zone's allow and deny lists, and the lists that have names. It learns a client's address and tells whether it is
// listed, and where; and for rules, whether a named list has a value.
//
// A lookup takes bounded time and no memory whatever the lists hold, and cannot fail. Named lists change under those who hold on to them,
// each whole. Their sizes are bounded by what reads them (internal/spec).
package lists

import (
	"net/netip"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Lists are what a zone allows and denies, and what it can name.
type Lists struct {
	allow, deny group
	scope       *scope
}

// group is one of a zone's two lists: its own entries, and the lists that it names.
type group struct {
	own   *prefixes.Set
	named []*Named
}

// Listing is what the lists say of an address.
type Listing uint8

// An address is on no list, or is to be allowed or denied.
const (
	Unlisted Listing = iota
	Allowed
	Denied
)

// Compile returns the lists as a lookup. It fails if they name a list that there is not, or that is not of addresses, or if the zone's own
// has the name of a shared one.
func Compile(s *spec.Lists, shared *Shared) (*Lists, error) {
	scope, err := newScope(shared, s.Named)
	if err != nil {
		return nil, err
	}
	l := &Lists{allow: group{own: prefixes.Compile(s.Allow)}, deny: group{own: prefixes.Compile(s.Deny)}, scope: scope}
	if l.allow.named, err = scope.addresses("lists.allow", s.AllowNamed); err != nil {
		return nil, err
	}
	if l.deny.named, err = scope.addresses("lists.deny", s.DenyNamed); err != nil {
		return nil, err
	}
	return l, nil
}

// Named returns a list that the zone can name, nil if there is none.
func (l *Lists) Named(name string) *Named { return l.scope.get(name) }

// has tells whether an address is on the list, which most are not.
func (g *group) has(addr netip.Addr) bool {
	if g.own.Contains(addr) {
		return true
	}
	for _, l := range g.named {
		if l.Has(addr) {
			return true
		}
	}
	return false
}

// match returns the most specific entry that has the address, and the name of the list that it is on.
func (g *group) match(addr netip.Addr) (by netip.Prefix, name string, ok bool) {
	by, ok = g.own.Match(addr)
	for _, l := range g.named {
		if p, found := l.contents.Load().prefixes.Match(addr); found && (!ok || p.Bits() > by.Bits()) {
			by, name, ok = p, l.Name, true
		}
	}
	return by, name, ok
}

// Find returns what the lists say of addr, the most specific prefix that says so and the name of its list, if it has one: of the two lists'
// most specific matches, the longer wins; at equal length, the allow list's.
func (l *Lists) Find(addr netip.Addr) (listing Listing, by netip.Prefix, name string) {
	if !l.allow.has(addr) && !l.deny.has(addr) { // most are on neither, and this is the cheaper question
		return Unlisted, netip.Prefix{}, ""
	}
	allow, allowName, allowed := l.allow.match(addr)
	deny, denyName, denied := l.deny.match(addr)
	switch {
	case allowed && (!denied || allow.Bits() >= deny.Bits()):
		return Allowed, allow, allowName
	case denied:
		return Denied, deny, denyName
	}
	return Unlisted, netip.Prefix{}, ""
}
