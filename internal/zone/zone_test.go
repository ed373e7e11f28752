package zone

import (
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

func TestCompile(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.Zone)
		err    string // "" for none
	}{
		{"default", func(*spec.Zone) {}, ""},
		{"origin", func(z *spec.Zone) { z.Origin.Servers = spec.OneServer("ftp://a") }, "ftp"},
		{"limits", func(z *spec.Zone) { z.Action = "perhaps" }, "action: "},
		{"budget", func(z *spec.Zone) { z.Budget.Concurrent = -1 }, "budget.concurrent"},
		{"pool's origin", func(z *spec.Zone) { z.Pools = pools("a"); z.Pools[0].Origin.Retries = -1 }, "pools[0].origin.retries: "},
		{"pool's budget", func(z *spec.Zone) { z.Pools = pools("a", "b"); z.Pools[1].Budget.Queue = -1 }, "pools[1].budget.queue: "},
		{"pools of one name", func(z *spec.Zone) { z.Pools = pools("a", "a") }, `pools[1].name: "a": want a name that no other pool of the zone has`},
		{"too many pools", func(z *spec.Zone) { z.Pools = make([]spec.Pool, spec.MaxPools+1) }, "pools: 101 are too many: want 100 at most"},
		{"no such pool", func(z *spec.Zone) { z.Pools, z.Rules = pools("a", "b"), routing("c") },
			`rules.http_request_origin[0].route.pool: the zone has no pool "c": want a, b`},
		{"no pool at all", func(z *spec.Zone) { z.Rules = routing("c") },
			`rules.http_request_origin[0].route.pool: the zone has no pool "c": want one of pools, where there is none yet`},
		{"a route", func(z *spec.Zone) { z.Pools, z.Rules = pools("a", "b"), routing("b") }, ""},
		{"cache", func(z *spec.Zone) { z.Cache.Waiters = -1 }, "waiters"},
	}
	rooms := newRooms(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec.DefaultZone()
			s.Name, s.Origin.Servers = "site", spec.OneServer("http://localhost")
			tt.change(&s)
			z, err := rooms.Compile(&s)
			if tt.err == "" {
				if err != nil || z.Name() != "site" {
					t.Errorf("got %+v, %v, want a zone named site", z, err)
				}
				return
			}
			if z != nil || err == nil || !strings.Contains(err.Error(), "site") || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want no zone and an error that names site and %q", err, tt.err)
			}
		})
	}
}

// pools are some of these names.
func pools(names ...string) (list []spec.Pool) {
	usual := spec.DefaultZone()
	for _, name := range names {
		p := spec.Pool{Name: name, Origin: usual.Origin, Budget: usual.Budget}
		p.Origin.Servers = spec.OneServer("http://localhost")
		list = append(list, p)
	}
	return list
}

// routing are rules that route all requests to a pool.
func routing(pool string) spec.Rules {
	return spec.Rules{Origin: []spec.Rule{{Name: "r", Expression: "ssl", Action: spec.RuleRoutes, Route: spec.RuleRoute{Pool: pool}}}}
}
