package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding"
	"fmt"
	"math"
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
	top    reflect.Type // of which everything is a part
	refs   []ref        // files that values were read from
	marks  []mark
	keys   map[[2]string]string // joined before, so that the marks of many zones share them
	values int
}

func newDecoder(r *reader, file string) *decoder {
	return &decoder{reader: r, file: file, top: zoneType, keys: make(map[[2]string]string)}
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
	s := sectionOf(v.Type())
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
			return d.problem(e.line, key, "is no key here%s", s.suggest(e.key, d.top))
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
	s := sectionOf(v.Type())
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
	if d.values++; d.values > maxValues {
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
	case n.kind == list || n.kind == mapping:
		return d.problem(n.line, key, "is %v%s; a text with brackets, braces or a colon needs quotes", n.kind, wanted(f))
	}
	return d.scalar(n, v, f, key)
}

// list decodes a list, which takes the place of the one before.
func (d *decoder) list(n *node, v reflect.Value, f *field, key string) *Problem {
	if len(n.items) > maxItems {
		return d.problem(n.line, key, "has %d entries: want at most %d", len(n.items), maxItems)
	}
	t := v.Type()
	items := reflect.MakeSlice(t, len(n.items), len(n.items))
	for i, item := range n.items {
		items.Index(i).Set(newItem(t.Elem()))
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

// newItem is what an entry of a list starts from.
func newItem(t reflect.Type) reflect.Value {
	if t == reflect.TypeFor[spec.Server]() {
		return reflect.ValueOf(spec.Server{Weight: 1})
	}
	return reflect.Zero(t)
}

// prefixes decodes a list of prefixes and files of them.
func (d *decoder) prefixes(n *node, into *[]netip.Prefix, f *field, key string) *Problem {
	var all []netip.Prefix
	if f.rule.appended {
		all = slices.Clip(*into)
	}
	for i, item := range n.items {
		at := d.join(key, "["+strconv.Itoa(i)+"]")
		name, isFile := strings.CutPrefix(item.text, "@")
		switch {
		case item.kind == broken:
			return d.problem(item.line, at, "%s", item.text)
		case item.kind != text && item.kind != number:
			return d.problem(item.line, at, "is %v: want an address, a prefix, or @ and a file of them", item.kind)
		case isFile:
			more, err := d.listFile(name)
			if err != nil {
				return d.problem(item.line, at, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			if len(all) == 0 {
				all = more // shared by all who name this file
			} else {
				all = append(all, more...)
			}
		default:
			p, err := prefixes.Parse(item.text)
			if err != nil {
				return d.problem(item.line, at, "%v", err)
			}
			all = append(all, p)
		}
		if len(all) > maxPrefixes {
			return d.problem(item.line, at, "makes more than %d prefixes", maxPrefixes)
		}
	}
	if d.values += len(n.items); d.values > maxValues {
		return d.problem(n.line, key, "is one of more than %d values of this file, aliases counted each time", maxValues)
	}
	*into = slices.Clip(all)
	return nil
}

// beside is a file's name as it is to be read: from the folder of the file that names it.
func (d *decoder) beside(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(d.file), name)
}

func (d *decoder) listFile(name string) ([]netip.Prefix, error) {
	name = d.beside(name)
	d.refs = append(d.refs, ref{name: name, most: maxList})
	return d.reader.prefixes(name)
}

// scalar decodes what is one text.
func (d *decoder) scalar(n *node, v reflect.Value, f *field, key string) *Problem {
	var err error
	switch at := v.Addr().Interface().(type) {
	case *spec.PEM:
		*at, err = d.pem(n.text, f)
	case *time.Duration:
		*at, err = parseDuration(n.text)
	case encoding.TextUnmarshaler:
		err = at.UnmarshalText([]byte(n.text))
	case *bool:
		if *at = n.text == "true"; n.kind != boolean {
			err = fmt.Errorf("%s is %v: want true or false", clip(n.text), n.kind)
		}
	case *int:
		*at, err = parseInt(n)
	default:
		v.SetString(n.text)
	}
	if err != nil {
		return d.problem(n.line, key, "%v", err)
	}
	if v.CanInt() {
		if least, most := f.rule.bounds(); v.Int() < least || v.Int() > most {
			return d.problem(n.line, key, "%s is out of bounds%s", clip(n.text), wanted(f))
		}
		return nil
	}
	if v.Kind() == reflect.String && v.Type() != pemType {
		return d.text(n, v, f, key)
	}
	return nil
}

// text checks a text by its rule.
func (d *decoder) text(n *node, v reflect.Value, f *field, key string) *Problem {
	s, r := v.String(), &f.rule
	switch {
	case r.off && s == "off":
		s = ""
	case len(r.oneOf) > 0 && !slices.Contains(r.oneOf, s):
		return d.problem(n.line, key, "%s is unknown%s", clip(s), wanted(f))
	case r.pattern != nil && s != "" && !r.pattern.MatchString(s):
		shown := "this"
		if !r.secret && !strings.Contains(s, "@") { // which may come after a password
			shown = clip(s)
		}
		return d.problem(n.line, key, "%s does not fit%s", shown, wanted(f))
	case r.path && s != "" && s != "-":
		s = d.beside(s)
	}
	v.SetString(s)
	return nil
}

// pem is a text in PEM form, or that of a file.
func (d *decoder) pem(s string, f *field) (spec.PEM, error) {
	const begin = "-----BEGIN "
	from := "this text"
	if s == "" {
		return "", nil
	}
	if !strings.Contains(s, begin) {
		from = d.beside(s)
		d.refs = append(d.refs, ref{name: from, most: maxPEM})
		var err error
		if s, err = d.reader.text(from, maxPEM); err != nil {
			return "", err
		}
	}
	if f.rule.secret {
		if !strings.Contains(s, "PRIVATE KEY-----") {
			return "", fmt.Errorf("%s holds no private key in PEM form", from)
		}
	} else if !x509.NewCertPool().AppendCertsFromPEM([]byte(s)) {
		return "", fmt.Errorf("%s holds no certificate in PEM form", from)
	}
	return spec.PEM(s), nil
}

// parseInt reads a whole number, which may have underscores between its digits.
func parseInt(n *node) (int, error) {
	digits := strings.ReplaceAll(n.text, "_", "")
	i, err := strconv.Atoi(digits)
	unsigned := strings.TrimPrefix(digits, "-")
	if n.kind != number || err != nil || len(unsigned) > 1 && unsigned[0] == '0' {
		return 0, fmt.Errorf("%s is no whole number", clip(n.text))
	}
	return i, nil
}

const day = 24 * time.Hour

// parseDuration reads what [time.ParseDuration] does, and days, such as 365d.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 63); err == nil && n <= uint64(math.MaxInt64/day) {
			return time.Duration(n) * day, nil
		}
	}
	t, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is no time: want a number with ms, s, m, h or d, such as 10s", clip(s))
	}
	return t, nil
}

// formatDuration writes what parseDuration reads.
func formatDuration(t time.Duration) string {
	if t > 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
