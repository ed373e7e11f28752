package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// LoadRules reads a file that rules stand in, to try them: a whole configuration, a file of a zone, or a part of one, which may be no more
// than its section of rules, or that section's content. Of a part, what it does not say is turned off. The only zone of a part is called
// after the file. It fails as [Load] does, and if a part is wrong.
func LoadRules(path string) (*Config, error) {
	r := newReader()
	text, err := r.text(path, maxYAML)
	if err != nil {
		return nil, &Problem{File: path, Text: strings.TrimPrefix(err.Error(), path+" ")}
	}
	root, p := parse(path, text)
	if p != nil {
		return nil, p
	}
	has := func(keys ...string) bool {
		return slices.ContainsFunc(root.entries, func(e entry) bool { return slices.Contains(keys, e.key) })
	}
	if has(topKeys...) {
		return Load(path)
	}
	return part(path, r, root, has("hosts", "origin"))
}

// Profiled is a configuration of one zone that has a profile's rules and nothing else.
func Profiled(name string) (*Config, error) {
	if _, err := profiles.Text(name); err != nil {
		return nil, err
	}
	file := "profile " + name
	root, p := parse(file, "profiles: ["+name+"]")
	if p != nil {
		return nil, p
	}
	return part(file, newReader(), root, false)
}

// part makes a configuration of a part of a zone, or a whole one.
func part(file string, r *reader, root *node, whole bool) (*Config, error) {
	d := newDecoder(r, file)
	z := zone{Zone: spec.Zone{Action: spec.ActionBlock}}
	name := stem(file)
	d.of = name
	into := reflect.ValueOf(&z.Zone).Elem()
	rulesOnly := root.kind == mapping && len(root.entries) > 0 && sectionOf(reflect.TypeFor[spec.Rules]()).byKey[root.entries[0].key] != nil
	switch {
	case whole:
		z = d.zone(root, name, spec.DefaultZone())
	case rulesOnly:
		z.problem = d.section(root, into.FieldByName("Rules"), "rules")
	default:
		z.problem = d.section(root, into, "")
	}
	if z.problem != nil {
		return nil, z.problem
	}
	if len(d.broken) > 0 {
		return nil, d.broken[0]
	}
	if !whole {
		z.Name = name
		d.profiled(&z.Zone)
		z.place = place{file: file, line: root.line, marks: d.marks}
	}
	return &Config{Node: defaultNode(), Zones: []spec.Zone{z.Zone}, zones: map[string]place{z.Name: z.place}}, nil
}
