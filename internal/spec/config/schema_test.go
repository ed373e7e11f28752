package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

var update = flag.Bool("update", false, "write schema.json and the tables of docs/configuration.md")

// object keeps its members in order.
type object []member

type member struct {
	key   string
	value any
}

func (o *object) add(key string, value any) { *o = append(*o, member{key, value}) }

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m.key + `":`)
		if err := encode(&b, m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode leaves <, > and & as they are.
func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// comments are what package spec says of its types and their fields: by "Type" and "Type.key".
type comments map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	out := make(comments)
	for _, name := range []string{"node.go", "origin.go", "zone.go", "compression.go", "ech.go", "list.go", "packets.go", "rules.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), "../"+name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			s := g.Specs[0].(*ast.TypeSpec)
			typ, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			out.addType(s.Name.Name, g.Doc.Text(), typ)
		}
	}
	return out
}

func (c comments) addType(name, text string, typ *ast.StructType) {
	keys := map[string]string{"AnyHost": `"` + spec.AnyHost + `"`, "Lists": "lists"}
	for _, f := range typ.Fields.List {
		if f.Tag == nil {
			return
		}
		for _, n := range f.Names {
			keys[n.Name] = keyIn(f)
		}
	}
	c[name] = operators(text, keys)
	for _, f := range typ.Fields.List {
		if f.Doc != nil && !strings.Contains(f.Tag.Value, ","+namesOption) {
			c[name+"."+keyIn(f)] = operators(f.Doc.Text(), keys)
		}
	}
}

func keyIn(f *ast.Field) string {
	key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml"), ",")
	return key
}

var word = regexp.MustCompile(`[A-Za-z]+(-[A-Za-z]+)*`)

// operators turns a comment into one for who knows keys and no Go: fields are called by their keys. What is all capitals may be the
// protocol, and what begins a text, unless it is of several words, reads as the word that it is.
func operators(text string, keys map[string]string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, link := range []string{"AnyHost", "Lists"} {
		text = strings.ReplaceAll(text, "["+link+"]", keys[link])
	}
	first := true
	return word.ReplaceAllStringFunc(text, func(w string) string {
		at := first
		first = false
		key, ok := keys[w]
		if !ok || strings.ToUpper(w) == w || at && !strings.Contains(key, "_") {
			return w
		}
		return key
	})
}

// of is what is said of a field, or of the section that it is.
func (c comments) of(s *section, f *field) string {
	if f.index == shorthand {
		return "The URL of the only server, in place of servers."
	}
	if text := c[s.name+"."+f.key]; text != "" {
		return text
	}
	return c[f.typ.Name()]
}

// generator makes the schema.
type generator struct {
	t        *testing.T
	comments comments
	defs     map[string]object
	order    []string
}

func generate(t *testing.T) []byte {
	t.Helper()
	g := &generator{t: t, comments: readComments(t), defs: make(map[string]object)}
	zone := spec.DefaultZone()
	g.section("node", nodeType, reflect.ValueOf(defaultNode()))
	g.section("zone", zoneType, reflect.ValueOf(zone))
	defaults := object{}
	for _, m := range g.defs["zone"] {
		switch m.key {
		case "description":
			m.value = "What every zone starts from."
		case "properties":
			m.value = slices.DeleteFunc(slices.Clone(m.value.(object)), func(m member) bool { return m.key == "name" || m.key == "hosts" })
		case "required":
			continue
		}
		defaults = append(defaults, m)
	}
	defs := object{{"defaults", defaults}}
	for _, name := range g.order {
		defs.add(name, g.defs[name])
	}
	root := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Seawall"},
		{"description", "A node and the zones that it protects."},
		{"type", "object"},
		{"additionalProperties", false},
		{"properties", object{
			{"node", refTo("node")},
			{"defaults", refTo("defaults")},
			{"zones_folder", object{
				{"description", "A folder, from that of this file; every *.yaml in it is one zone, named after the file."}, {"type", "string"}, {"minLength", 1},
			}},
			{"zones", object{
				{"description", "The zones."}, {"type", []string{"array", "null"}}, {"maxItems", maxZones},
				{"items", object{{"$ref", "#/$defs/zone"}, {"required", []string{"name"}}}},
			}},
		}},
		{"$defs", defs},
	}
	var text, out bytes.Buffer
	if err := encode(&text, root); err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&out, text.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func refTo(name string) object { return object{{"$ref", "#/$defs/" + name}} }

// section adds a type to the definitions; usual are its defaults.
func (g *generator) section(name string, t reflect.Type, usual reflect.Value) {
	if _, ok := g.defs[name]; ok {
		return
	}
	g.defs[name] = nil
	g.order = append(g.order, name)
	s := sectionOf(t)
	properties, required := object{}, []string{}
	for i := range s.fields {
		f := &s.fields[i]
		p := object{{"description", g.comments.of(s, f)}}
		if p[0].value == "" {
			g.t.Errorf("%s.%s has no comment", s.name, f.key)
		}
		var value reflect.Value
		if f.index != shorthand {
			value = usual.Field(f.index)
		}
		if t != zoneType && f.index != shorthand && f.rule.required && value.IsZero() {
			required = append(required, f.key)
		}
		properties.add(f.key, append(p, g.value(f, f.typ, value)...))
	}
	def := object{{"description", g.comments[s.name]}, {"type", []string{"object", "null"}}, {"additionalProperties", false}}
	if len(required) > 0 {
		def.add("required", required)
	}
	if name == "origin" {
		def.add("not", object{{"required", []string{"url", "servers"}}})
	}
	g.defs[name] = append(def, member{"properties", properties})
}

// value describes a value: its type, bounds and default.
func (g *generator) value(f *field, t reflect.Type, usual reflect.Value) object {
	switch {
	case isSection(t):
		name := strings.ToLower(t.Name())
		g.section(name, t, usual)
		return refTo(name)
	case t.Kind() == reflect.Pointer:
		name := strings.ToLower(t.Elem().Name())
		g.section(name, t.Elem(), reflect.Zero(t.Elem()))
		return refTo(name)
	case t.Kind() == reflect.Slice:
		o := object{{"type", "array"}, {"items", g.value(f, t.Elem(), newItem(t.Elem()))}}
		if !isSection(t.Elem()) && usual.Len() > 0 {
			var list []string
			for i := range usual.Len() {
				list = append(list, plain(usual.Index(i)))
			}
			o.add("default", list)
		}
		return o
	}
	o := scalarSchema(f, t)
	if f.typ.Kind() == reflect.Slice || !usual.IsValid() || f.rule.required && usual.IsZero() {
		return o
	}
	switch t.Kind() {
	case reflect.Bool:
		o.add("default", usual.Bool())
	case reflect.Int:
		o.add("default", usual.Int())
	default:
		if d := plain(usual); d != "" {
			o.add("default", d)
		}
	}
	return o
}

const (
	timePattern = `^([0-9]+d|0|([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h))+)$`
	ratePattern = `^(off|[1-9][0-9]*/[0-9.]*(ms|s|m|h)[0-9.msh]*( burst [0-9]+)?)$`
	sizePattern = `^[0-9]+ ?(KiB|MiB|GiB)?$`
)

// scalarSchema is what a scalar may be.
func scalarSchema(f *field, t reflect.Type) (o object) {
	least, most := f.rule.bounds()
	switch {
	case t.Kind() == reflect.Bool:
		o.add("type", "boolean")
	case t.Kind() == reflect.Int:
		o.add("type", "integer")
		o.add("minimum", least)
		if most < math.MaxInt64 {
			o.add("maximum", most)
		}
	case t == sizeType:
		o = object{{"type", []string{"string", "integer"}}, {"pattern", sizePattern}, {"minimum", least}}
	case t == durationType:
		o = object{{"type", []string{"string", "integer"}}, {"pattern", timePattern}, {"maximum", 0}}
		if least > 0 {
			o = object{{"type", "string"}, {"pattern", timePattern}}
		}
	case t == rateType:
		o = object{{"type", "string"}, {"pattern", ratePattern}}
	case t == reflect.TypeFor[spec.Listener]():
		o.add("type", []string{"string", "integer"})
	case len(f.rule.oneOf) > 0:
		o.add("enum", f.rule.oneOf)
	default:
		o.add("type", "string")
		if p := f.rule.pattern; p != nil {
			pattern := p.String()
			if f.rule.off {
				pattern = "^off$|" + pattern
			}
			if !f.rule.required && f.typ.Kind() == reflect.String {
				pattern = "^$|" + pattern
			}
			o.add("pattern", pattern)
		}
	}
	return o
}

// TestSchema: schema.json is what package spec says.
func TestSchema(t *testing.T) {
	want := generate(t)
	if *update {
		put(t, "schema.json", string(want))
		return
	}
	if d := cmp.Diff(string(want), string(Schema())); d != "" {
		t.Errorf("schema.json is not up to date; run go test ./internal/spec/config -update (-want +got):\n%s", d)
	}
}

// TestRules: every rule is one of a key.
func TestRules(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range sections() {
		for _, f := range s.fields {
			known[s.name+"."+f.key] = true
			if f.key == "" {
				t.Errorf("%s has a field without a key", s.name)
			}
		}
	}
	for key := range rules {
		if !known[key] {
			t.Errorf("there is a rule for %s, which does not exist", key)
		}
	}
}
