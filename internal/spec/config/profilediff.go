package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// DiffProfile says on a line each what is different in the rules of a file, of which [LoadRules] knows the forms and which has one zone,
// from those of a profile: rules are the same by phase and name, which may have the profile's before it.
func DiffProfile(name, path string) ([]string, error) {
	if _, err := profiles.Text(name); err != nil {
		return nil, err
	}
	c, err := LoadRules(path)
	if err != nil {
		return nil, err
	}
	if len(c.Zones) != 1 {
		return nil, fmt.Errorf("%s has %d zones: want one, or a part of one", path, len(c.Zones))
	}
	of := ready()[name]
	var lines []string
	ours := of.Phases()
	for p, theirs := range c.Zones[0].Rules.Phases() {
		lines = append(lines, diffPhase(theirs.Phase, name+".", *ours[p].Rules, *theirs.Rules)...)
	}
	return lines, nil
}

// diffPhase says what is different in b, in its order, and then what only a has.
func diffPhase(phase, prefix string, a, b []spec.Rule) (lines []string) {
	before := make(map[string]*spec.Rule, len(a))
	for i := range a {
		before[strings.TrimPrefix(a[i].Name, prefix)] = &a[i]
	}
	for i := range b {
		name := strings.TrimPrefix(b[i].Name, prefix)
		was := before[name]
		delete(before, name)
		where := phase + "/" + name + ": "
		if was == nil {
			lines = append(lines, where+string(Added))
			continue
		}
		for _, c := range changes(nil, "", settings(was), settings(&b[i])) {
			lines = append(lines, where+strings.TrimPrefix(c.String(), "node: "))
		}
	}
	for i := range a {
		if name := strings.TrimPrefix(a[i].Name, prefix); before[name] != nil {
			lines = append(lines, phase+"/"+name+": "+string(Removed))
		}
	}
	return lines
}

// settings are a rule's but for its name.
func settings(r *spec.Rule) []Setting {
	rest := *r
	rest.Name = ""
	rest.Expression = strings.Join(strings.Fields(r.Expression), " ")
	skip := make([]string, len(r.Skip.Rules))
	for i, name := range r.Skip.Rules {
		skip[i] = name[strings.LastIndexByte(name, '.')+1:]
	}
	rest.Skip.Rules = skip
	var all []Setting
	flatten(reflect.ValueOf(rest), "", func(s Setting) { all = append(all, s) })
	return all
}
