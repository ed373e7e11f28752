package config

import (
	"io"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// Write writes the node and its zones as [Load] reads them: what differs from the defaults, private keys included. Prefixes and PEM
// texts that came from files are written out, paths as the node has them. A listener's Otherwise has no key.
func Write(w io.Writer, n *spec.Node, zones []spec.Zone) error {
	out := new(writer)
	out.line("# What is not here has its default.")
	usual := defaultNode()
	usual.Log.Path = defaultLog(n)
	out.section("", "node:", reflect.ValueOf(*n), reflect.ValueOf(usual))
	if len(zones) == 0 {
		out.line("zones: []")
	} else {
		out.line("zones:")
	}
	for i := range zones {
		out.item("  ", reflect.ValueOf(zones[i]), reflect.ValueOf(spec.DefaultZone()))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writer makes YAML.
type writer struct{ strings.Builder }

func (w *writer) line(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
	w.WriteByte('\n')
}

// section writes a head, and below it the keys of v that are not as usual; nothing if there are none.
func (w *writer) section(indent, head string, v, usual reflect.Value) {
	for f, at := range keysOf(v) {
		as := usual.Field(f.index)
		if equal(at, as) {
			continue
		}
		if head != "" {
			w.line(indent, head)
			head = ""
		}
		w.value(indent+"  ", f, at, as)
	}
}

// item writes an entry of a list of sections, its first key behind the dash.
func (w *writer) item(indent string, v, usual reflect.Value) {
	var entry writer
	entry.section(indent, "", v, usual)
	if entry.Len() == 0 {
		w.line(indent, "- {}")
		return
	}
	w.WriteString(indent + "- " + strings.TrimPrefix(entry.String(), indent+"  "))
}

func equal(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// value writes one key.
func (w *writer) value(indent string, f *field, v, usual reflect.Value) {
	head := f.key + ":"
	t := v.Type()
	switch {
	case isSection(t):
		w.section(indent, head, v, usual)
	case t.Kind() == reflect.Pointer:
		if v.Elem().IsZero() {
			w.line(indent, head, " {}")
			return
		}
		w.section(indent, head, v.Elem(), reflect.Zero(t.Elem()))
	case t.Kind() == reflect.Slice && isSection(t.Elem()) && v.Len() > 0:
		w.line(indent, head)
		for i := range v.Len() {
			w.item(indent+"  ", v.Index(i), newItem(t.Elem()))
		}
	case t.Kind() == reflect.Slice:
		w.list(indent, head, v)
	case isContent(t) && isBlock(v.String()):
		w.line(indent, head, " |")
		for line := range strings.Lines(v.String()) {
			w.WriteString(indent + "  " + line)
		}
	case f.rule.off && v.String() == "":
		w.line(indent, head, " off")
	default:
		w.line(indent, head, " ", quoted(v))
	}
}

// list writes texts: a few on one line, many on one each.
func (w *writer) list(indent, head string, v reflect.Value) {
	if v.Len() > maxListed {
		w.line(indent, head)
		for i := range v.Len() {
			w.line(indent, "  - ", quoted(v.Index(i)))
		}
		return
	}
	w.WriteString(indent + head + " [")
	for i := range v.Len() {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(quoted(v.Index(i)))
	}
	w.WriteString("]\n")
}

var (
	// plainText needs no quotes in YAML, wherever it stands.
	plainText = regexp.MustCompile(`^((https?|unix):/|[A-Za-z/])[A-Za-z0-9_./-]*(:[0-9]+/?)?( [A-Za-z0-9_./-]+)*$`)
	// wordsOfYAML do, though they look alike.
	wordsOfYAML = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|null|nan|inf|y|n)$`)
	blockText   = regexp.MustCompile(`^(-----|[A-Za-z0-9+/=])[ -~]*[!-~]\n([!-~]([ -~]*[!-~])?\n)*$`)
)

// quoted is a scalar as YAML.
func quoted(v reflect.Value) string {
	s := plain(v)
	switch {
	case v.Kind() == reflect.Bool, v.Kind() == reflect.Int, v.Type() == durationType, v.Type() == sizeType, v.Type() == rateType:
		return s
	case v.Type() == prefixType && v.Interface().(netip.Prefix).Addr().Is4():
		return s
	case plainText.MatchString(s) && !wordsOfYAML.MatchString(s):
		return s
	}
	return strconv.Quote(s)
}

// isBlock tells whether a text can be written line by line as it is.
func isBlock(s string) bool { return blockText.MatchString(s) }
