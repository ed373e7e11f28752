// Package snapshot holds the set of zones in force and replaces it whole: who serves a request sees the old set or the new one,
// never a mixture.
package snapshot

import (
	"fmt"
	"maps"
	"reflect"
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

	mu       sync.Mutex // one Apply at a time; guards outdated
	outdated bool
	current  atomic.Pointer[zone.Set]
	forms    atomic.Pointer[map[string]form] // by zone
}

// form is a zone as it was put in force.
type form struct {
	zone *zone.Zone // nil for none
	spec *spec.Zone
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

// Specs are what is in force: of each zone the last good form, in the order of their names. They are not to be changed.
func (s *Snapshot) Specs() []*spec.Zone {
	forms := *s.forms.Load()
	specs := make([]*spec.Zone, 0, len(forms))
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		specs = append(specs, forms[name].spec)
	}
	return specs
}

// Outdate has the next Apply compile every zone, as what they are compiled with has changed.
func (s *Snapshot) Outdate() {
	s.mu.Lock()
	s.outdated = true
	s.mu.Unlock()
}

// Refused is a zone that was not put in force as it was wanted.
type Refused struct {
	Zone string
	Err  error // names the zone
}

// Error implements error.
func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap returns Err.
func (r *Refused) Unwrap() error { return r.Err }

// Apply compiles specs and puts them in force. A zone is refused alone if it does not compile or claims what is not its own: it keeps
// its last good form, hosts included, if it has one, and a [*Refused] is among the errors returned, of which each zone
// has one at most.
// Whoever has a host in force and still wants it keeps it; among those who claim a new one, the first in specs gets it. The zones
// named in keep, which could not even be read, keep their last good forms likewise; all others that are not in specs go.
//
// A zone whose spec is as it was is not compiled again.
func (s *Snapshot) Apply(specs []spec.Zone, keep ...string) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	candidates, problems := s.compile(specs)
	s.outdated = false
	candidates = s.keep(candidates, keep)
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
	before := *s.forms.Swap(&forms)
	for name, f := range before {
		if _, ok := forms[name]; !ok {
			f.zone.End()
		}
	}
	for name, f := range forms {
		if old := before[name].zone; old != f.zone {
			f.zone.Begin(old)
		}
	}
	return problems
}

// keep adds the last good forms of zones that are not among the candidates.
func (s *Snapshot) keep(candidates []candidate, names []string) []candidate {
	known := make(map[string]bool, len(candidates))
	for i := range candidates {
		known[candidates[i].name] = true
	}
	for _, name := range names {
		if f, ok := (*s.forms.Load())[name]; ok && !known[name] {
			known[name] = true
			candidates = append(candidates, candidate{name: name, form: f})
		}
	}
	return candidates
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
			problems = append(problems, &Refused{name, fmt.Errorf("zone %q with hosts %q: want a name of its own, not empty and not %q", name, hosts, Unserved)})
			continue
		}
		known[name] = true
		c := candidate{name: name, form: (*s.forms.Load())[name]}
		if c.spec != nil && !s.outdated && reflect.DeepEqual(*c.spec, specs[i]) {
			candidates = append(candidates, c)
			continue
		}
		z, err := s.rooms.Compile(&specs[i])
		if err != nil {
			problems = append(problems, &Refused{name, err})
		} else {
			own := specs[i]
			own.Hosts = slices.Clone(hosts)
			c.form = form{z, &own}
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
			if err := set.Add(c.zone, c.spec.Hosts); err != nil {
				refused = append(refused, &Refused{c.name, err})
				c.form, c.claims = (*s.forms.Load())[c.name], false
			}
		}
	}
	return set, refused
}
