// Package snapshot holds the set of zones in force and replaces it whole: who serves a request sees the old set or the new one,
// never a mixture.
package snapshot

import (
	"fmt"
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
	zones   atomic.Pointer[map[string]*zone.Zone]
}

// New makes a snapshot in which nothing is served yet.
func New(rooms *zone.Rooms) (*Snapshot, error) {
	unserved := spec.DefaultZone()
	unserved.Name = Unserved
	unserved.Origin.URL = "http://localhost"
	z, err := rooms.Compile(&unserved)
	if err != nil {
		return nil, fmt.Errorf("compiling for requests without a zone: %w", err)
	}
	s := &Snapshot{rooms: rooms, unserved: z}
	s.current.Store(zone.NewSet(z))
	s.zones.Store(&map[string]*zone.Zone{})
	return s, nil
}

// Zones is the set in force.
func (s *Snapshot) Zones() *zone.Set { return s.current.Load() }

// Each calls visit for every zone in force, and for what no zone serves.
func (s *Snapshot) Each(visit func(*zone.Zone)) {
	for _, z := range *s.zones.Load() {
		visit(z)
	}
	visit(s.unserved)
}

// Apply compiles specs and puts them in force. A zone that does not compile is refused alone: it keeps its last good form if it has
// one, and its error is among those returned.
func (s *Snapshot) Apply(specs []spec.Zone) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var problems []error
	set := zone.NewSet(s.unserved)
	zones := make(map[string]*zone.Zone, len(specs))
	for i := range specs {
		name := specs[i].Name
		z, err := s.rooms.Compile(&specs[i])
		if err != nil {
			problems = append(problems, err)
			if z = (*s.zones.Load())[name]; z == nil {
				continue
			}
		}
		if err := set.Add(z, specs[i].Hosts); err != nil {
			problems = append(problems, err)
			continue
		}
		zones[name] = z
	}
	s.current.Store(set)
	s.zones.Store(&zones)
	return problems
}
