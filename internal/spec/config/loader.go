package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// maxZones bounds the zones of a node, and the entries of its folder.
const maxZones = 100_000

var (
	nodeType = reflect.TypeFor[spec.Node]()
	zoneType = reflect.TypeFor[spec.Zone]()
)

// Loader reads the same files again and again. It decodes a file of the folder only if something in it, in a file that it names or in
// the defaults has changed. The zero Loader has read nothing. It is not for concurrent use.
type Loader struct {
	defaults spec.Zone
	files    map[string]*zoneFile
	good     map[listKey]string
}

// Load reads the file at path, and the folder that it names. It fails with a [*Problem] only if it can't be known which zones there
// are, or what they start from; anything else is in the Config.
func Load(path string) (*Config, error) { return new(Loader).Load(path) }

// Load is as the function [Load].
func (l *Loader) Load(path string) (*Config, error) {
	r := newReader()
	r.good = l.good
	m := &mainFile{
		reader: r,
		d:      newDecoder(r, path),
		config: &Config{Node: defaultNode(), Files: []string{path}, zones: make(map[string]place)},
		taken:  make(map[string]place),
	}
	p := m.read(path, l)
	if p == nil && m.folder != "" {
		p = l.folder(m)
	}
	if p != nil {
		return nil, p
	}
	m.watch(m.d.refs)
	m.config.Broken = append(m.config.Broken, m.d.broken...)
	l.learn(m.config)
	slices.Sort(m.config.Files)
	m.config.Files = slices.Compact(m.config.Files)
	return m.config, nil
}

// defaultNode is what a node starts from.
func defaultNode() spec.Node {
	n := spec.DefaultNode()
	n.HTTP, n.HTTPS = []spec.Listener{{Address: ":80"}}, []spec.Listener{{Address: ":443"}}
	n.Admin = "127.0.0.1:9901"
	n.Data = "/var/lib/seawall"
	return n
}

// defaultLog is where the access log is unless the file says so.
func defaultLog(n *spec.Node) string { return filepath.Join(n.Data, "access.log") }

// parse reads a file of YAML.
func (r *reader) parse(path string) (*node, *Problem) {
	yamlText, err := r.text(path, maxYAML)
	if err != nil {
		return nil, &Problem{File: path, Text: strings.TrimPrefix(err.Error(), path+" ")}
	}
	return parse(path, yamlText)
}

// mainFile is one reading of the main file.
type mainFile struct {
	reader   *reader
	d        *decoder
	config   *Config
	defaults spec.Zone
	taken    map[string]place // zones by name, be they good or bad

	folder     string // that it names
	folderLine int
}

func (m *mainFile) watch(refs []ref) {
	for _, r := range refs {
		m.config.Files = append(m.config.Files, r.name)
	}
}

var topKeys = []string{"node", "defaults", "zones_folder", "zones"}

// read reads all of the main file but the folder that it names.
func (m *mainFile) read(path string, l *Loader) *Problem {
	root, p := m.reader.parse(path)
	if p != nil {
		return p
	}
	if root.kind != mapping {
		return m.d.problem(root.line, "", "is %v: want the keys %s", root.kind, strings.Join(topKeys, ", "))
	}
	top := make(map[string]entry)
	for _, key := range topKeys {
		top[key] = entry{value: &node{}}
	}
	for _, e := range root.entries {
		before, known := top[e.key]
		if !known {
			return m.d.problem(e.line, clipKey(e.key), "is no key here: want one of %s", strings.Join(topKeys, ", "))
		}
		if before.line > 0 {
			return m.d.problem(e.line, e.key, "stands in line %d already", before.line)
		}
		top[e.key] = e
	}
	m.node(top["node"])
	if p := m.defaultZone(top["defaults"], l); p != nil {
		return p
	}
	if p := m.zones(top["zones"]); p != nil {
		return p
	}
	if e := top["zones_folder"]; e.line > 0 {
		if e.value.kind != text || e.value.text == "" {
			return m.d.problem(e.line, e.key, "is %v: want a folder's path", e.value.kind)
		}
		m.folder, m.folderLine = m.d.beside(e.value.text), e.line
	}
	return nil
}

// node decodes the section of the node.
func (m *mainFile) node(e entry) {
	d, n := m.d, &m.config.Node
	d.top = nodeType
	v := reflect.ValueOf(n).Elem()
	p := d.section(e.value, v, "")
	if p == nil {
		p = d.whole(e.line, v, "")
	}
	if p != nil {
		p.Key = d.join("node", p.Key)
	}
	m.config.NodeProblem = p
	m.config.node = place{file: d.file, line: e.line, marks: d.marks}
	if m.config.node.find("log.path") == 0 {
		n.Log.Path = defaultLog(n)
	}
}

// defaultZone decodes what zones start from. If it is as it was, it is the same memory as it was.
func (m *mainFile) defaultZone(e entry, l *Loader) *Problem {
	d := m.d
	d.top, d.marks, d.of = zoneType, nil, ofDefaults
	m.defaults = spec.DefaultZone()
	if p := d.section(e.value, reflect.ValueOf(&m.defaults).Elem(), "", "name", "hosts", "pools"); p != nil {
		p.Key = d.join("defaults", p.Key)
		return p
	}
	m.config.defaults = place{file: d.file, line: e.line, marks: d.marks}
	if !reflect.DeepEqual(m.defaults, l.defaults) {
		l.defaults, l.files = m.defaults, nil
	}
	m.defaults = l.defaults
	return nil
}

// zones decodes the zones of the main file.
func (m *mainFile) zones(e entry) *Problem {
	d := m.d
	if e.value.kind != list && e.value.kind != null {
		return d.problem(e.line, "zones", "is %v: want a list of zones, each beginning with - name:", e.value.kind)
	}
	if len(e.value.items) > maxZones {
		return d.problem(e.line, "zones", "has %d entries: want at most %d", len(e.value.items), maxZones)
	}
	for _, item := range e.value.items {
		name := ""
		for _, e := range item.entries {
			if e.key == "name" && (e.value.kind == text || e.value.kind == number) && name == "" {
				name = e.value.text
			}
		}
		if name == "" {
			return d.problem(item.line, "zones", "has a zone without a name: want name and hosts of each")
		}
		if m.claim(name, place{file: d.file, line: item.line}) {
			m.add(name, d.zone(item, name, m.defaults))
		}
	}
	return nil
}

// claim takes a name for the zone at this place. If it is taken, that zone is refused.
func (m *mainFile) claim(name string, at place) bool {
	first, taken := m.taken[name]
	if !taken {
		m.taken[name] = at
		return true
	}
	already := &Problem{File: first.file, Line: first.line, Text: "has a zone " + clip(name) + " already"}
	m.refuse(name, &Problem{File: at.file, Line: at.line, Key: "name", Text: already.Error()})
	return false
}

func (m *mainFile) refuse(name string, p *Problem) {
	m.config.Refused = append(m.config.Refused, Refused{Zone: name, Problem: p})
}

// add puts a zone among the others, or among those refused.
func (m *mainFile) add(name string, z zone) {
	if z.problem != nil {
		m.refuse(name, z.problem)
		return
	}
	m.config.zones[name] = z.place
	m.config.Zones = append(m.config.Zones, z.Zone)
}

// zone is one that was read.
type zone struct {
	spec.Zone
	place   place
	problem *Problem
}

// zone decodes a zone of which only the name is known to be there, or given.
func (d *decoder) zone(n *node, name string, defaults spec.Zone) zone {
	d.marks, d.of, d.defaults = nil, name, defaults
	z := zone{Zone: defaults}
	z.Name = name
	v := reflect.ValueOf(&z.Zone).Elem()
	z.problem = d.section(n, v, "")
	if z.problem == nil {
		z.problem = d.whole(n.line, v, "")
	}
	if z.problem == nil {
		z.problem = d.siteOf(n, &z.Zone)
	}
	if z.problem == nil {
		d.profiled(&z.Zone)
	}
	z.place = place{file: d.file, line: n.line, marks: d.marks}
	return z
}

// siteOf checks that a zone has what only it can have, or its defaults.
func (d *decoder) siteOf(n *node, z *spec.Zone) *Problem {
	if f := sectionOf(zoneType).byKey["name"]; !f.rule.pattern.MatchString(z.Name) { // which the file's name may be
		return d.problem(d.lineOf("name", n.line), "name", "%s does not fit%s", clip(z.Name), wanted(f))
	}
	if len(z.Hosts) == 0 {
		return d.problem(d.lineOf("hosts", n.line), "hosts", `has none: want at least one, such as [www.example.org], or ["*"] for all`)
	}
	if len(z.Origin.Servers) == 0 {
		return d.problem(d.lineOf("origin", n.line), "origin.url", "is missing: want the server to protect, such as http://10.0.0.5:3000")
	}
	return nil
}
