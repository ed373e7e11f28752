// Package zone is one site, compiled: every room's policy for it; and the set of sites, looked up by host.
package zone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
)

// Zone is one site as every room sees it. It is immutable; its policies hold what must outlive a change of configuration.
type Zone struct {
	name string

	Hello   *hello.Policy
	Verdict *verdict.Policy
	Cache   *cache.Policy
	Pool    // the zone's own origin
	// Pools are the others, by their names.
	Pools    map[string]*Pool
	Response *response.Policy
	Record   *record.Policy
}

// Pool is an origin, and how its budget is shared.
type Pool struct {
	Admission *admission.Policy
	Origin    *origin.Policy
}

// Name implements [flow.Zone].
func (z *Zone) Name() string { return z.name }

// Asked is the origin that a flow's request goes to.
func (z *Zone) Asked(f *flow.Flow) *Pool {
	if name := f.Effective().Pool; name != "" {
		return z.Pools[name] // Compile has seen to it that there is one
	}
	return &z.Pool
}

// Rooms are what compiles a zone.
type Rooms struct {
	Verdict   *verdict.Room
	Cache     *cache.Room
	Admission *admission.Room
	Origin    *origin.Room
	Response  *response.Room
	Record    *record.Room
}

// Compile makes a zone of its spec. It fails with all that the rooms refuse, in the order of the path: errors, joined, each of which names
// the zone.
func (r *Rooms) Compile(s *spec.Zone) (*Zone, error) {
	z := &Zone{name: s.Name}
	problems := all(
		compile(&z.Hello, hello.Compile, s),
		compile(&z.Verdict, r.Verdict.Compile, s),
		compile(&z.Cache, r.Cache.Compile, s),
		func() error { return r.pool(&z.Pool, s) },
		func() error { return r.pools(z, s) },
		compile(&z.Response, r.Response.Compile, s),
		compile(&z.Record, r.Record.Compile, s),
	)
	if len(problems) == 0 {
		return z, nil
	}
	for i, err := range problems {
		problems[i] = fmt.Errorf("zone %s: %w", s.Name, err)
	}
	return nil, errors.Join(problems...)
}

func (r *Rooms) pool(p *Pool, s *spec.Zone) error {
	return first(compile(&p.Admission, r.Admission.Compile, s), compile(&p.Origin, r.Origin.Compile, s))
}

// pools compiles those beside the zone's own origin, and sees to it that rules route to no others.
func (r *Rooms) pools(z *Zone, s *spec.Zone) error {
	if len(s.Pools) > spec.MaxPools {
		return fmt.Errorf("pools: %d are too many: want %d at most", len(s.Pools), spec.MaxPools)
	}
	z.Pools = make(map[string]*Pool, len(s.Pools))
	for i := range s.Pools {
		p := &s.Pools[i]
		if p.Name == "" || z.Pools[p.Name] != nil {
			return fmt.Errorf("pools[%d].name: %q: want a name that no other pool of the zone has", i, p.Name)
		}
		z.Pools[p.Name] = new(Pool)
		if err := r.pool(z.Pools[p.Name], p.Zone(s)); err != nil {
			return fmt.Errorf("pools[%d].%w", i, err)
		}
	}
	for i := range s.Rules.Origin {
		rule := &s.Rules.Origin[i]
		if name := rule.Route.Pool; name != "" && z.Pools[name] == nil && !rule.Disabled {
			return fmt.Errorf("rules.http_request_origin[%d].route.pool: the zone has no pool %q: %s", i, name, known(s.Pools))
		}
	}
	return nil
}

// known says which pools there are.
func known(pools []spec.Pool) string {
	if len(pools) == 0 {
		return "want one of pools, where there is none yet"
	}
	names := make([]string, 0, len(pools))
	for i := range pools {
		names = append(names, pools[i].Name)
	}
	return "want " + strings.Join(names, ", ")
}

// Begin starts what a zone does by itself, once it is in force in place of another form of it, or of nil: its servers' health checks, which take
// their shares of the budget. Those of pools that are gone end.
func (z *Zone) Begin(before *Zone) {
	z.begin()
	for _, p := range z.Pools {
		p.begin()
	}
	if before == nil {
		return
	}
	for name, p := range before.Pools {
		if z.Pools[name] == nil {
			p.Origin.End()
		}
	}
}

func (p *Pool) begin() { p.Origin.Checks(p.Admission.Take) }

// End ends that, when no zone of that name is in force any more.
func (z *Zone) End() {
	z.Origin.End()
	for _, p := range z.Pools {
		p.Origin.End()
	}
}

func compile[P any](into *P, room func(*spec.Zone) (P, error), s *spec.Zone) func() error {
	return func() (err error) {
		*into, err = room(s)
		return err
	}
}

func all(steps ...func() error) (problems []error) {
	for _, step := range steps {
		problems = append(problems, spec.Problems(step())...)
	}
	return problems
}

func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
