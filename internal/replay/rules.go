package replay

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config"
	"github.com/seawall/seawall/internal/verdict"
)

// Rules are a zone's, in force in a room of their own.
type Rules struct {
	name   string // of the file, or the profile
	zone   spec.Zone
	room   *verdict.Room
	policy *verdict.Policy
}

// Load puts the rules of a file in force: of a configuration, those of the zone, which need not be named if it is the only one; else what
// [config.LoadRules] takes.
func Load(path, zone string) (*Rules, error) {
	c, err := config.LoadRules(path)
	if err != nil {
		return nil, err
	}
	return compile(path, c, zone)
}

// Profile puts the rules of a profile in force.
func Profile(name string) (*Rules, error) {
	c, err := config.Profiled(name)
	if err != nil {
		return nil, err
	}
	return compile("profile "+name, c, "")
}

// None has no rules: there is nothing but the lists that expressions may name, of which there are none either.
func None() *Rules { return &Rules{room: verdict.New(nil)} }

func compile(name string, c *config.Config, zone string) (*Rules, error) {
	if c.NodeProblem != nil {
		return nil, c.NodeProblem
	}
	if len(c.Broken) > 0 {
		return nil, c.Broken[0]
	}
	z, err := choose(name, c, zone)
	if err != nil {
		return nil, err
	}
	r := &Rules{name: name, zone: *z, room: verdict.New(&c.Node)}
	r.room.HTTPSPort = 443 // who was redirected then came again, which the log has as well
	if _, problems := r.room.Configure(&c.Node); len(problems) > 0 {
		return nil, c.Explain("", errors.Join(problems...))
	}
	if r.policy, err = r.room.Compile(z); err != nil {
		return nil, c.Explain(z.Name, err)
	}
	if len(r.zone.Cache.Static.Extensions) == 0 {
		r.zone.Cache.Static = spec.DefaultZone().Cache.Static
	}
	return r, nil
}

// choose is the zone of a name, or the only one.
func choose(file string, c *config.Config, zone string) (*spec.Zone, error) {
	var names []string
	for i := range c.Zones {
		if c.Zones[i].Name == zone || zone == "" && len(c.Zones) == 1 {
			return &c.Zones[i], nil
		}
		names = append(names, c.Zones[i].Name)
	}
	for _, refused := range c.Refused {
		if refused.Zone == zone || zone == "" {
			return nil, refused.Problem
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s has no zone", file)
	case zone == "":
		return nil, fmt.Errorf("%s has %d zones: want the name of one: %s", file, len(names), listed(names))
	}
	return nil, fmt.Errorf("%s has no zone %q: want one of %s", file, zone, listed(names))
}

// listed is names on one line, the first of many.
func listed(names []string) string {
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// host is the first of the zone's that is a whole name.
func (r *Rules) host() string {
	for _, h := range r.zone.Hosts {
		if !strings.HasPrefix(h, "*") {
			return h
		}
	}
	return "example.org"
}
