package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Rule is what a value may be beside its type. At a list it is for each entry, at a map for each value, but OneOf is for the keys.
type Rule struct {
	Least, Most int64          // of numbers, and of times in nanoseconds; a Most of 0 is no bound
	OneOf       []string       // for text
	Pattern     *regexp.Regexp // for text that is not empty
	Want        string         // what would be right in place of what does not match Pattern
	Required    bool
}

// Form is a file that holds the keys of a T and nothing else, read as strictly as the node's. Fields of T have a tag with their key, such
// as `yaml:"length"`, or "-" if they have none.
type Form[T any] struct {
	sections map[reflect.Type]*section
	starts   map[reflect.Type]reflect.Value
}

// NewForm describes the files of a T, by rules for "Type.key". Entries of lists start from that of starts which has their type.
func NewForm[T any](of map[string]Rule, starts ...any) *Form[T] {
	all := make(map[string]rule, len(of))
	for key, r := range of {
		all[key] = rule{least: r.Least, most: r.Most, oneOf: r.OneOf, pattern: r.Pattern, want: r.Want, required: r.Required}
	}
	f := &Form[T]{sections: make(map[reflect.Type]*section), starts: make(map[reflect.Type]reflect.Value)}
	for _, s := range starts {
		f.starts[reflect.TypeOf(s)] = reflect.ValueOf(s)
	}
	describe(f.sections, reflect.TypeFor[T](), all)
	return f
}

// Read decodes the file at path into a T that has the defaults. Its errors are as those of [Form.Decode].
func (f *Form[T]) Read(path string, into *T) error {
	root, p := newReader().parse(path)
	if p != nil {
		return p
	}
	return f.decode(path, root, into)
}

// Decode decodes the text of a file into a T that has the defaults. If T has a method Validate() error, that has the last word: its
// error begins with the key that is wrong. All errors are a [*Problem].
func (f *Form[T]) Decode(file, text string, into *T) error {
	root, p := parse(file, text)
	if p != nil {
		return p
	}
	return f.decode(file, root, into)
}

func (f *Form[T]) decode(file string, root *node, into *T) error {
	d := newDecoder(newReader(), file)
	d.forms, d.starts, d.top = f.sections, f.starts, reflect.TypeFor[T]()
	v := reflect.ValueOf(into).Elem()
	p := d.section(root, v, "")
	if p == nil {
		p = d.whole(root.line, v, "")
	}
	if p != nil {
		return p
	}
	if checked, ok := any(into).(interface{ Validate() error }); ok {
		if err := checked.Validate(); err != nil {
			return d.explain(err, root.line)
		}
	}
	return nil
}

// explain gives an error that begins with a key the place of that key, or of the section that it would belong to; another error stands at
// the first line.
func (d *decoder) explain(err error, line int) *Problem {
	p := &Problem{File: d.file, Line: line, Text: err.Error()}
	m := keyPrefix.FindStringSubmatch(p.Text)
	if m == nil || d.forms[d.top].byKey[m[1]] == nil {
		return p
	}
	p.Key = m[0]
	p.Text = strings.TrimPrefix(p.Text[len(p.Key):], ": ")
	at := place{marks: d.marks}
	for key := p.Key; key != ""; key = parent(key) {
		if line := at.find(key); line > 0 {
			p.Line = line
			break
		}
	}
	return p
}

// table decodes keys with values into a map from text.
func (d *decoder) table(n *node, v reflect.Value, f *field, key string) *Problem {
	if n.kind != mapping {
		return d.problem(n.line, key, "is %v: want keys with values", n.kind)
	}
	t := v.Type()
	into := reflect.MakeMapWithSize(t, min(len(n.entries), maxItems))
	value := field{key: f.key, typ: t.Elem(), rule: f.rule}
	value.rule.oneOf = nil
	for _, e := range n.entries {
		at := d.join(key, clipKey(e.key))
		if len(f.rule.oneOf) > 0 && !slices.Contains(f.rule.oneOf, e.key) {
			return d.problem(e.line, at, "is no key here: want one of %s", strings.Join(f.rule.oneOf, ", "))
		}
		name := reflect.ValueOf(e.key).Convert(t.Key())
		if into.MapIndex(name).IsValid() {
			return d.problem(e.line, at, "stands twice")
		}
		item := reflect.New(t.Elem()).Elem()
		if p := d.value(e.value, item, &value, at); p != nil {
			return p
		}
		d.marks = append(d.marks, mark{at, e.line})
		into.SetMapIndex(name, item)
	}
	v.Set(into)
	return nil
}
