package config

import (
	"crypto/tls"
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

const (
	// maxValues bounds what one file's values are decoded to: aliases count each time.
	maxValues = 2_000_000
	// maxItems bounds a list of texts or sections.
	maxItems = 10_000
	// maxPrefixes bounds a list of prefixes, with those from files.
	maxPrefixes = 1_000_000
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[spec.Size]()
	pemType      = reflect.TypeFor[spec.PEM]()
	rateType     = reflect.TypeFor[spec.Rate]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	listType     = reflect.TypeFor[spec.ListText]()
	poolType     = reflect.TypeFor[spec.Pool]()
	fileTextType = reflect.TypeFor[spec.FileText]()
)

// isText tells whether a type is written as one text, though it may be a struct.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// mark is where a key stands.
type mark struct {
	key  string
	line int
}

// decoder reads values from one file.
type decoder struct {
	reader *reader
	file   string
	forms  map[reflect.Type]*section
	starts map[reflect.Type]reflect.Value // what entries of lists start from, where that is not nothing
	top    reflect.Type                   // of which everything is a part
	refs   []ref                          // files that values were read from
	marks  []mark
	keys   map[[2]string]string // joined before, so that the marks of many zones share them
	left   int                  // values that may still be decoded

	defaults spec.Zone // what zones start from

	of      string              // the zone that is being decoded, "" for the node
	pending map[string]listFile // by key, of the list or crawler that is being decoded
	broken  []*Problem          // files that can't be used, without which the rest is good
}

func newDecoder(r *reader, file string) *decoder {
	return &decoder{reader: r, file: file, forms: sections(), top: zoneType, keys: make(map[[2]string]string), left: maxValues, pending: make(map[string]listFile)}
}

func (d *decoder) problem(line int, key, format string, args ...any) *Problem {
	return &Problem{File: d.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)}
}

// join is the path of a key in a section.
func (d *decoder) join(path, key string) string {
	switch {
	case path == "":
		return key
	case key == "":
		return path
	}
	k := [2]string{path, key}
	joined, ok := d.keys[k]
	if !ok {
		joined = path + "." + key
		if key[0] == '[' {
			joined = path + key
		}
		d.keys[k] = joined
	}
	return joined
}

// section decodes keys into a struct. Those that are absent stay as they are.
func (d *decoder) section(n *node, v reflect.Value, path string, except ...string) *Problem {
	s := d.forms[v.Type()]
	switch n.kind {
	case mapping, null: // all in it may have been commented out
	case broken:
		return d.problem(n.line, path, "%s", n.text)
	default:
		return d.problem(n.line, path, "is %v: want keys with values: %s", n.kind, s.known())
	}
	seen := make(map[string]int, len(n.entries))
	for _, e := range n.entries {
		key := d.join(path, clipKey(e.key))
		f := s.byKey[e.key]
		if f == nil && e.value.kind == broken {
			return d.problem(e.line, key, "%s", e.value.text)
		}
		if f == nil || slices.Contains(except, e.key) {
			return d.problem(e.line, key, "is no key here%s", s.suggest(e.key, d.forms, d.top))
		}
		if line, ok := seen[e.key]; ok {
			return d.problem(e.line, key, "stands in line %d already", line)
		}
		seen[e.key] = e.line
		d.marks = append(d.marks, mark{key, e.line})
		if p := d.field(e, f, v, key); p != nil {
			return p
		}
	}
	if line := seen["url"]; line > 0 && seen["servers"] > 0 {
		return d.problem(line, d.join(path, "url"), "stands beside servers: want one of them")
	}
	if path == "" { // of which the caller may know more
		return nil
	}
	return d.whole(n.line, v, path)
}

// field decodes one key's value.
func (d *decoder) field(e entry, f *field, v reflect.Value, key string) *Problem {
	if f.names > 0 && e.value.kind == list {
		return d.mixed(e.value, v.Field(f.index), v.Field(f.names), f, key)
	}
	if f.index != shorthand {
		return d.value(e.value, v.Field(f.index), f, key)
	}
	var server string
	if p := d.value(e.value, reflect.ValueOf(&server).Elem(), f, key); p != nil {
		return p
	}
	parent := strings.TrimSuffix(key, "url")
	v.Addr().Interface().(*spec.Origin).Servers = spec.OneServer(server)
	d.marks = append(d.marks, mark{parent + "servers", e.line}, mark{parent + "servers[0].url", e.line})
	return nil
}

// whole checks a section as a whole, which begins in this line.
func (d *decoder) whole(line int, v reflect.Value, path string) *Problem {
	s := d.forms[v.Type()]
	for i := range s.fields {
		if f := &s.fields[i]; f.rule.required && f.index != shorthand && v.Field(f.index).IsZero() {
			return d.problem(line, d.join(path, f.key), "is missing%s", wanted(f))
		}
	}
	var err error
	key := "key"
	switch s := v.Addr().Interface().(type) {
	case *spec.Certificate:
		_, err = tls.X509KeyPair([]byte(s.Chain), []byte(s.Key))
	case *spec.ECH:
		if _, _, err := s.Parse(); err != nil {
			key = d.join(path, "config")
			return d.problem(d.lineOf(key, line), key, "%v", err)
		}
	case *spec.List:
		return d.named(s, line, path)
	case *spec.Crawler:
		return d.crawler(s, line, path)
	case *spec.Pool:
		if len(s.Origin.Servers) == 0 {
			return d.problem(line, d.join(path, "origin.url"), "is missing: want the pool's server, such as http://10.0.0.7:3000")
		}
	case *spec.TLS:
		if s.Certificate != "" || s.Key != "" {
			_, err = tls.X509KeyPair([]byte(s.Certificate), []byte(s.Key))
		}
	}
	if err != nil {
		key = d.join(path, key)
		return d.problem(d.lineOf(key, line), key, "the certificate and the key make no pair: %v", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return nil
}

// lineOf is where a key stands that was decoded last under this name.
func (d *decoder) lineOf(key string, otherwise int) int {
	for _, m := range slices.Backward(d.marks) {
		if m.key == key {
			return m.line
		}
	}
	return otherwise
}

// value decodes one value of any type.
func (d *decoder) value(n *node, v reflect.Value, f *field, key string) *Problem {
	if d.left -= 1 + len(n.items); d.left < 0 {
		return d.problem(n.line, key, "is one of more than %d values of this file, aliases counted each time", maxValues)
	}
	t := v.Type()
	switch {
	case n.kind == broken:
		return d.problem(n.line, key, "%s", n.text)
	case isSection(t):
		return d.section(n, v, key)
	case n.kind == null && t.Kind() != reflect.Pointer:
		return d.problem(n.line, key, "has no value%s", wanted(f))
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return d.section(n, v.Elem(), key)
	case t.Kind() == reflect.Slice && n.kind != list:
		return d.problem(n.line, key, "is %v: want a list, such as [%s]", n.kind, clip(n.text))
	case t.Kind() == reflect.Slice && t.Elem() == prefixType:
		return d.prefixes(n, v.Addr().Interface().(*[]netip.Prefix), f, key)
	case t.Kind() == reflect.Slice:
		return d.list(n, v, f, key)
	case t.Kind() == reflect.Map:
		return d.table(n, v, f, key)
	case n.kind == list || n.kind == mapping:
		return d.problem(n.line, key, "is %v%s; a text with brackets, braces or a colon needs quotes", n.kind, wanted(f))
	}
	return d.scalar(n, v, f, key)
}

// list decodes a list, which takes the place of the one before or is appended to it.
func (d *decoder) list(n *node, v reflect.Value, f *field, key string) *Problem {
	if len(n.items) > maxItems {
		return d.problem(n.line, key, "has %d entries: want at most %d", len(n.items), maxItems)
	}
	t, before := v.Type(), 0
	if f.rule.appended {
		before = v.Len()
	}
	items := reflect.MakeSlice(t, before+len(n.items), before+len(n.items))
	reflect.Copy(items, v.Slice(0, before))
	for i, item := range n.items {
		i += before
		items.Index(i).Set(d.newItem(t.Elem()))
		at := d.join(key, "["+strconv.Itoa(i)+"]")
		if isSection(t.Elem()) {
			d.marks = append(d.marks, mark{at, item.line})
		}
		element := field{key: f.key, typ: t.Elem(), rule: f.rule}
		if p := d.value(item, items.Index(i), &element, at); p != nil {
			return p
		}
	}
	v.Set(items)
	return nil
}

// newItem is what an entry of a list starts from, if there are defaults.
func (d *decoder) newItem(t reflect.Type) reflect.Value {
	if t == poolType {
		return reflect.ValueOf(newPool(&d.defaults))
	}
	if start, ok := d.starts[t]; ok {
		return start
	}
	return newItem(t)
}

// newItem is what an entry of a list starts from.
func newItem(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[spec.Server]():
		return reflect.ValueOf(spec.Server{Weight: 1})
	case poolType:
		z := spec.DefaultZone()
		return reflect.ValueOf(newPool(&z))
	}
	return reflect.Zero(t)
}

// newPool is a pool as the defaults have it; its servers are always its own.
func newPool(defaults *spec.Zone) spec.Pool {
	p := spec.Pool{Origin: defaults.Origin, Budget: defaults.Budget}
	p.Origin.Servers = nil
	return p
}

// prefixes decodes a list of prefixes and files of them.
func (d *decoder) prefixes(n *node, into *[]netip.Prefix, f *field, key string) *Problem {
	var all []netip.Prefix
	if f.rule.appended {
		all = slices.Clip(*into)
	}
	for i, item := range n.items {
		more, err := d.prefix(item)
		if err == nil && len(all)+len(more) > maxPrefixes {
			err = fmt.Errorf("makes more than %d prefixes", maxPrefixes)
		}
		if err != nil {
			return d.problem(item.line, fmt.Sprintf("%s[%d]", key, i), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		if len(all) == 0 {
			all = slices.Clip(more) // not copied: many may name one file
		} else {
			all = append(all, more...)
		}
	}
	*into = slices.Clip(all)
	return nil
}

// prefix is an entry of a list of prefixes: one, or those of a file.
func (d *decoder) prefix(n *node) ([]netip.Prefix, error) {
	switch name, isFile := strings.CutPrefix(n.text, "@"); {
	case n.kind == broken:
		return nil, errors.New(n.text)
	case n.kind != text && n.kind != number:
		return nil, fmt.Errorf("is %v: want an address, a prefix, or @ and a file of them", n.kind)
	case isFile:
		name = d.beside(name)
		d.refs = append(d.refs, ref{name: name, most: maxList})
		return d.reader.prefixes(name)
	}
	p, err := prefixes.Parse(n.text)
	return []netip.Prefix{p}, err
}

// beside is a file's name as it is to be read: from the folder of the file that names it.
func (d *decoder) beside(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(d.file), name)
}
