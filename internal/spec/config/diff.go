package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// Setting is a key and its value as text.
type Setting struct {
	Key, Value string
}

// Flatten lists all settings of a [spec.Node] or [spec.Zone], or a pointer to one, in the order of its keys: origin.servers[0].url, for example. A list of
// texts is one setting. Of PEM texts and keys there is no more than the beginning of their SHA-256.
func Flatten(v any) []Setting {
	var out []Setting
	flatten(reflect.Indirect(reflect.ValueOf(v)), "", func(s Setting) { out = append(out, s) })
	return out
}

func flatten(v reflect.Value, path string, add func(Setting)) {
	for f, at := range keysOf(v) {
		key := f.key
		if path != "" {
			key = path + "." + f.key
		}
		t := at.Type()
		switch {
		case isSection(t):
			flatten(at, key, add)
		case t.Kind() == reflect.Pointer:
			if !at.IsNil() {
				flatten(at.Elem(), key, add)
			}
		case t.Kind() == reflect.Slice && isSection(t.Elem()):
			for i := range at.Len() {
				flatten(at.Index(i), key+"["+strconv.Itoa(i)+"]", add)
			}
		case t.Kind() == reflect.Slice:
			add(Setting{key, listText(at)})
		default:
			add(Setting{key, shown(at, f)})
		}
	}
}

// keysOf goes through a section's keys and their values.
func keysOf(v reflect.Value) iter.Seq2[*field, reflect.Value] {
	return func(yield func(*field, reflect.Value) bool) {
		s := sectionOf(v.Type())
		for i := range s.fields {
			f := &s.fields[i]
			if f.index == shorthand {
				continue
			}
			at := v.Field(f.index)
			if f.names > 0 && v.Field(f.names).Len() > 0 {
				at = withNames(at, v.Field(f.names))
			}
			if !yield(f, at) {
				return
			}
		}
	}
}

// withNames is a list as it is written, whose names lie apart from it.
func withNames(values, names reflect.Value) reflect.Value {
	all := make([]string, 0, values.Len()+names.Len())
	for i := range names.Len() {
		all = append(all, "$"+names.Index(i).String())
	}
	for i := range values.Len() {
		all = append(all, plain(values.Index(i)))
	}
	return reflect.ValueOf(all)
}

// isContent tells whether a text stands for a file's.
func isContent(t reflect.Type) bool { return t == pemType || t == listType || t == fileTextType }

// isSection tells whether values of a type are keys with values.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

// maxListed bounds the entries of a list that are shown.
const maxListed = 20

// listText is a list on one line: its beginning, if it is long, and what tells it from another.
func listText(v reflect.Value) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range min(v.Len(), maxListed) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(plain(v.Index(i)))
	}
	if v.Len() > maxListed {
		all := sha256.New()
		for i := range v.Len() {
			fmt.Fprintln(all, plain(v.Index(i)))
		}
		fmt.Fprintf(&b, ", … %d in all, SHA-256 %s", v.Len(), short(all.Sum(nil)))
	}
	b.WriteByte(']')
	return b.String()
}

// shown is a value without its secrets.
func shown(v reflect.Value, f *field) string {
	s := plain(v)
	if s != "" && (f.rule.secret || isContent(v.Type())) {
		hash := sha256.Sum256([]byte(s))
		return "SHA-256 " + short(hash[:])
	}
	return s
}

func short(hash []byte) string { return hex.EncodeToString(hash[:6]) }

// plain is a scalar as text.
func plain(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case time.Duration:
		return formatDuration(v)
	case netip.Prefix: // much the most frequent
		return v.String()
	case encoding.TextMarshaler:
		if t, err := v.MarshalText(); err == nil {
			return string(t)
		}
	}
	return fmt.Sprint(v.Interface())
}

// Op is what happens to a zone or a key.
type Op string

// What happens.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
)

// Change is a difference between two readings.
type Change struct {
	// Zone is where; "" is the node.
	Zone string
	Op   Op
	// Key is what differs; "" is the whole zone.
	Key      string
	Old, New string
	// Restart tells that the change takes no effect before the node is started anew.
	Restart bool
}

// String is the change on one line.
func (c Change) String() string {
	where := "node"
	if c.Zone != "" {
		where = "zone " + c.Zone
	}
	if c.Key == "" {
		return where + ": " + string(c.Op)
	}
	s := where + ": " + c.Key + ": "
	switch c.Op {
	case Added:
		s += "added " + orNone(c.New)
	case Removed:
		s += "removed " + orNone(c.Old)
	case Changed:
		s += orNone(c.Old) + " → " + orNone(c.New)
	}
	if c.Restart {
		s += " (at a restart)"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// reloadable are the keys of the node that a reload can change; any other needs a restart.
var reloadable = []string{
	"certificates", "deny", "acme", "lists", "geo", "crawlers", "rules",
	"packets.allow", "packets.per_source", "packets.per_network", "packets.syns", "packets.icmp", "packets.fragments",
	"tls.strict_names", "tls.deny_fingerprints", "tls.handshakes.open", "tls.handshakes.per_source", "tls.ech",
}

// Diff says what is different in b: of the node first, then of b's zones in their order, then those that only a had. What b refuses
// stays as it is, so it is no difference.
func Diff(a, b *Config) []Change {
	var all []Change
	if b.NodeProblem == nil {
		all = changes(all, "", Flatten(a.Node), Flatten(b.Node))
		for i := range all {
			all[i].Restart = !slices.ContainsFunc(reloadable, func(key string) bool { return within(all[i].Key, key) })
		}
	}
	before := make(map[string]*spec.Zone, len(a.Zones))
	for i := range a.Zones {
		before[a.Zones[i].Name] = &a.Zones[i]
	}
	for i := range b.Zones {
		z := &b.Zones[i]
		old := before[z.Name]
		delete(before, z.Name)
		if old == nil {
			all = append(all, Change{Zone: z.Name, Op: Added})
		} else if !reflect.DeepEqual(old, z) {
			all = changes(all, z.Name, Flatten(*old), Flatten(*z))
		}
	}
	for _, r := range b.Refused {
		delete(before, r.Zone)
	}
	for i := range a.Zones {
		if name := a.Zones[i].Name; before[name] != nil {
			all = append(all, Change{Zone: name, Op: Removed})
		}
	}
	return all
}

// within tells whether a path is that of a key, or of something in it.
func within(path, key string) bool {
	rest, ok := strings.CutPrefix(path, key)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// changes adds what is different in b: what b has in its order, then what only a had.
func changes(all []Change, zone string, a, b []Setting) []Change {
	before := make(map[string]string, len(a))
	for _, s := range a {
		before[s.Key] = s.Value
	}
	for _, s := range b {
		old, ok := before[s.Key]
		delete(before, s.Key)
		switch {
		case !ok:
			all = append(all, Change{Zone: zone, Op: Added, Key: s.Key, New: s.Value})
		case old != s.Value:
			all = append(all, Change{Zone: zone, Op: Changed, Key: s.Key, Old: old, New: s.Value})
		}
	}
	for _, s := range a {
		if _, ok := before[s.Key]; ok {
			all = append(all, Change{Zone: zone, Op: Removed, Key: s.Key, Old: s.Value})
		}
	}
	return all
}
