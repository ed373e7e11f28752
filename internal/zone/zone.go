// Package zone is one site, compiled: every room's policy for it; and the set of sites, looked up by host.
package zone

import (
	"fmt"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
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

	Hello     *hello.Policy
	Verdict   *verdict.Policy
	Cache     *cache.Policy
	Admission *admission.Policy
	Origin    *origin.Policy
	Response  *response.Policy
	Record    *record.Policy
}

// Name implements [flow.Zone].
func (z *Zone) Name() string { return z.name }

// Rooms are what compiles a zone.
type Rooms struct {
	Verdict   *verdict.Room
	Cache     *cache.Room
	Admission *admission.Room
	Origin    *origin.Room
	Response  *response.Room
	Record    *record.Room
}

// Compile makes a zone of its spec, in the order of the path. The first room that refuses names the zone.
func (r *Rooms) Compile(s *spec.Zone) (*Zone, error) {
	z := &Zone{name: s.Name}
	err := first(
		compile(&z.Hello, hello.Compile, s),
		compile(&z.Verdict, r.Verdict.Compile, s),
		compile(&z.Cache, r.Cache.Compile, s),
		compile(&z.Admission, r.Admission.Compile, s),
		compile(&z.Origin, r.Origin.Compile, s),
		compile(&z.Response, r.Response.Compile, s),
		compile(&z.Record, r.Record.Compile, s),
	)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", s.Name, err)
	}
	return z, nil
}

// Begin starts what a zone does by itself, once it is in force: its servers' health checks, which take their shares of the budget.
func (z *Zone) Begin() { z.Origin.Checks(z.Admission.Take) }

// End ends that, when no zone of that name is in force any more.
func (z *Zone) End() { z.Origin.End() }

func compile[P any](into *P, room func(*spec.Zone) (P, error), s *spec.Zone) func() error {
	return func() (err error) {
		*into, err = room(s)
		return err
	}
}

func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
