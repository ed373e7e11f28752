package zone

import (
	"fmt"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// Set is all zones of a node, by host. It is immutable.
type Set struct {
	exact    map[string]*Zone
	wildcard map[string]*Zone // by what follows "*."
	any      *Zone
	unserved *Zone
}

// NewSet makes a set that serves what no zone's host matches as unserved. Add fills it.
func NewSet(unserved *Zone) *Set {
	return &Set{exact: map[string]*Zone{}, wildcard: map[string]*Zone{}, unserved: unserved}
}

// Add puts a zone under its hosts. It changes nothing if one of them is taken.
func (s *Set) Add(z *Zone, hosts []string) error {
	for _, host := range hosts {
		if other := s.at(host); other != nil {
			return fmt.Errorf("zone %s: host %q already belongs to zone %s", z.name, host, other.name)
		}
	}
	for _, host := range hosts {
		switch parent, ok := strings.CutPrefix(host, "*."); {
		case host == spec.AnyHost:
			s.any = z
		case ok:
			s.wildcard[strings.ToLower(parent)] = z
		default:
			s.exact[strings.ToLower(host)] = z
		}
	}
	return nil
}

// at is the zone that has exactly this pattern.
func (s *Set) at(host string) *Zone {
	if host == spec.AnyHost {
		return s.any
	}
	if parent, ok := strings.CutPrefix(host, "*."); ok {
		return s.wildcard[strings.ToLower(parent)]
	}
	return s.exact[strings.ToLower(host)]
}

// Lookup finds the zone of a host in normal form: an exact one, else the wildcard with the longest parent, else that of any host. It
// returns nil if none serves it.
func (s *Set) Lookup(host string) *Zone {
	if z := s.exact[host]; z != nil {
		return z
	}
	if len(s.wildcard) > 0 {
		for rest := host; ; {
			_, parent, ok := strings.Cut(rest, ".")
			if !ok {
				break
			}
			if z := s.wildcard[parent]; z != nil {
				return z
			}
			rest = parent
		}
	}
	return s.any
}

var misdirected = flow.Refusal{Reason: flow.UnknownHost, Status: 421, Rule: "zone", Detail: "no zone serves this host"}

// Enter finds the flow's zone, or refuses it. A flow that was refused before its host was known has no zone either.
func (s *Set) Enter(f *flow.Flow) *Zone {
	z := s.unserved
	if f.Request.Host != "" || f.Request.Refusal == nil {
		z = s.Lookup(f.Request.Host)
	}
	if z == nil {
		z = s.unserved
		f.Unserved = &misdirected
	}
	f.Zone = z
	return z
}
