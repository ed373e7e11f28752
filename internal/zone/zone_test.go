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
