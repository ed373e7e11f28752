// Package snapshot holds the set of zones in force and replaces it whole: who serves a request sees the old set or the new one,
// never a mixture.
package snapshot

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/zone"
)

// Unserved is the name under which requests are recorded that no zone serves.
const Unserved = "-"

// Snapshot is the set in force.
type Snapshot struct {
	rooms    *zone.Rooms
	unserved *zone.Zone

	mu      sync.Mutex // one Apply at a time
	current atomic.Pointer[zone.Set]
	forms   atomic.Pointer[map[string]form] // by zone
}

// form is a zone as it was put in force.
type form struct {
	zone  *zone.Zone // nil for none
	hosts []string
}

// New makes a snapshot in which nothing is served yet.
func New(rooms *zone.Rooms) (*Snapshot, error) {
	unserved := spec.DefaultZone()
	unserved.Name = Unserved
	unserved.Origin.Servers = spec.OneServer("http://localhost")
	z, err := rooms.Compile(&unserved)
	if err != nil {
		return nil, fmt.Errorf("compiling for requests without a zone: %w", err)
	}
	s := &Snapshot{rooms: rooms, unserved: z}
	s.current.Store(zone.NewSet(z))
	s.forms.Store(&map[string]form{})
	return s, nil
}

// Zones is the set in force.
func (s *Snapshot) Zones() *zone.Set { return s.current.Load() }

// Each calls visit for every zone in force, and for what no zone serves.
func (s *Snapshot) Each(visit func(*zone.Zone)) {
	for _, f := range *s.forms.Load() {
		visit(f.zone)
	}
	visit(s.unserved)
}

// Apply compiles specs and puts them in force. A zone is refused alone if it does not compile or claims what is not its own: it keeps
// its last good form, hosts included, if it has one, and its error is among those returned, of which each zone has one at most.
// Whoever has a host in force and still wants it keeps it; among those who claim a new one, the first in specs gets it.
func (s *Snapshot) Apply(specs []spec.Zone) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	candidates, problems := s.compile(specs)
	set, refused := s.assemble(candidates)
	for len(refused) > 0 { // a last good form may take back a host that another has claimed
		problems = append(problems, refused...)
		set, refused = s.assemble(candidates)
	}
	forms := make(map[string]form, len(candidates))
	for _, c := range candidates {
		if c.zone != nil {
			forms[c.name] = c.form
		}
	}
	s.current.Store(set)
	s.forms.Store(&forms)
	return problems
}

// candidate is what of a zone may come in force.
type candidate struct {
	name string
	form
	claims bool // a host that it does not have yet
}

// compile makes a candidate of each spec: what it wants or, if that is refused, its last good form.
func (s *Snapshot) compile(specs []spec.Zone) (candidates []candidate, problems []error) {
	known := make(map[string]bool, len(specs))
	for i := range specs {
		name, hosts := specs[i].Name, specs[i].Hosts
		if name == "" || name == Unserved || known[name] {
			problems = append(problems, fmt.Errorf("zone %q with hosts %q: want a name of its own, not empty and not %q", name, hosts, Unserved))
			continue
		}
		known[name] = true
		c := candidate{name: name, form: (*s.forms.Load())[name]}
		z, err := s.rooms.Compile(&specs[i])
		if err != nil {
			problems = append(problems, err)
		} else {
			c.form = form{z, slices.Clone(hosts)}
			c.claims = slices.ContainsFunc(hosts, func(host string) bool {
				owner := s.Zones().Owner(host)
				return owner == nil || owner.Name() != name
			})
		}
		candidates = append(candidates, c)
	}
	return candidates, problems
}

// assemble puts candidates together, those that claim nothing first: they have no quarrel. The others that are refused become their
// last good forms.
func (s *Snapshot) assemble(candidates []candidate) (set *zone.Set, refused []error) {
	set = zone.NewSet(s.unserved)
	for _, claiming := range [...]bool{false, true} {
		for i := range candidates {
			c := &candidates[i]
			if c.zone == nil || c.claims != claiming {
				continue
			}
			if err := set.Add(c.zone, c.hosts); err != nil {
				refused = append(refused, err)
				c.form, c.claims = (*s.forms.Load())[c.name], false
			}
		}
	}
	return set, refused
}
