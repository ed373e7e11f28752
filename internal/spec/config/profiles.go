package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// ready are the rules of all profiles, by their names.
var ready = sync.OnceValue(func() map[string]spec.Rules {
	all := make(map[string]spec.Rules)
	for _, name := range profiles.Names() {
		rules, err := profile(name)
		if err != nil {
			panic(err) // a test reads each
		}
		all[name] = rules
	}
	return all
})

// profile reads a profile. Its rules get the names that they have in a zone: with the profile's before them.
func profile(name string) (spec.Rules, error) {
	text, err := profiles.Text(name)
	if err != nil {
		return spec.Rules{}, err
	}
	z, p := fragment("profile "+name, text)
	if p != nil {
		return spec.Rules{}, p
	}
	prefix(&z.Rules, name+".")
	return z.Rules, nil
}

// prefix puts a text before the names of rules, also where others spare requests them.
func prefix(rules *spec.Rules, text string) {
	own := make(map[string]bool)
	for _, phase := range rules.Phases() {
		for i := range *phase.Rules {
			r := &(*phase.Rules)[i]
			own[r.Name] = true
			r.Name = text + r.Name
		}
	}
	for _, phase := range rules.Phases() {
		for i := range *phase.Rules {
			for j, spared := range (*phase.Rules)[i].Skip.Rules {
				if own[spared] {
					(*phase.Rules)[i].Skip.Rules[j] = text + spared
				}
			}
		}
	}
}

// fragment reads some keys of a zone, without the defaults of one.
func fragment(file, text string) (*spec.Zone, *Problem) {
	root, p := parse(file, text)
	if p != nil {
		return nil, p
	}
	z := new(spec.Zone)
	return z, newDecoder(newReader(), file).section(root, reflect.ValueOf(z).Elem(), "")
}

// profiled puts the rules of a zone's profiles before its own, but for those whose names the zone's own rules have: these take their places.
func (d *decoder) profiled(z *spec.Zone) {
	if len(z.Profiles) == 0 {
		return
	}
	line := d.lineOf("profiles", 0)
	places := make(map[string]string) // of the zone's rules: the key that one had, and that it has
	var marks []mark
	for p, own := range z.Rules.Phases() {
		var all []spec.Rule
		for _, name := range z.Profiles {
			of := ready()[name]
			all = append(all, *of.Phases()[p].Rules...)
		}
		for i := range all {
			marks = append(marks, mark{ruleKey(own.Phase, i), line})
		}
		var moved []int
		*own.Rules, moved = behind(all, *own.Rules)
		for from, to := range moved {
			places[ruleKey(own.Phase, from)] = ruleKey(own.Phase, to)
		}
	}
	for i := range d.marks {
		rule, rest, _ := strings.Cut(d.marks[i].key, "]")
		if to, ok := places[rule+"]"]; ok {
			d.marks[i].key = to + rest
		}
	}
	d.marks = append(d.marks, marks...) // the first of a key counts
}

func ruleKey(phase string, i int) string { return fmt.Sprintf("rules.%s[%d]", phase, i) }

// behind puts rules behind others, or in the place of the one whose name they have. It says where each has come to.
func behind(others, own []spec.Rule) (all []spec.Rule, moved []int) {
	all = slices.Clip(others)
	for i := range own {
		place := slices.IndexFunc(others, func(r spec.Rule) bool { return r.Name == own[i].Name })
		if place < 0 {
			place, all = len(all), append(all, own[i])
		} else {
			all[place] = own[i]
		}
		moved = append(moved, place)
	}
	return all, moved
}
