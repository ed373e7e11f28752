package config

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

const docs = "../../../docs/configuration.md"

func readDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var generated = regexp.MustCompile(`(?s)(<!-- (node|zone): [^\n]*-->\n).*?(<!-- end -->)`)

// TestDocs: the tables of docs/configuration.md have every key, as package spec has it.
func TestDocs(t *testing.T) {
	have := readDocs(t)
	c := readComments(t)
	want := generated.ReplaceAllStringFunc(have, func(part string) string {
		m := generated.FindStringSubmatch(part)
		typ, usual := zoneType, reflect.ValueOf(spec.DefaultZone())
		if m[2] == "node" {
			typ, usual = nodeType, reflect.ValueOf(defaultNode())
		}
		var b strings.Builder
		b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
		told := make(map[reflect.Type]string)
		if typ == nodeType {
			told[reflect.TypeFor[spec.Rule]()] = "zones[].rules.http_request_dynamic_redirect"
		}
		c.table(&b, typ, usual, "", told)
		return m[1] + b.String() + m[3]
	})
	if *update {
		put(t, docs, want)
		return
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("docs/configuration.md is not up to date; run go test ./internal/spec/config -update (-want +got):\n%s", d)
	}
	for typ, top := range map[reflect.Type]string{nodeType: "acme.authorities[].hmac", zoneType: "origin.servers[].tls"} {
		if !strings.Contains(have, "| `"+top+"` |") {
			t.Errorf("%s of %v is not there", top, typ)
		}
	}
}

// table writes a row for each key. What lists of one type have in them is written once, as are a zone's
// sections: told has where.
func (c comments) table(b *strings.Builder, t reflect.Type, usual reflect.Value, path string, told map[reflect.Type]string) {
	s := sectionOf(t)
	for i := range s.fields {
		f := &s.fields[i]
		key, value, standard := path+f.key, valueText(f, f.typ), ""
		if f.index != shorthand {
			standard = defaultText(f, usual.Field(f.index), key)
		}
		means, list := strings.ReplaceAll(c.of(s, f), "|", `\|`), f.typ.Kind() == reflect.Slice && isSection(f.typ.Elem())
		known := told[f.typ]
		if list {
			known = told[f.typ.Elem()]
		}
		if known != "" {
			means += " The keys are those of `" + known + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, value, standard, means)
		switch {
		case isSection(f.typ) && known == "":
			if t == zoneType { // else the same keys may have other defaults
				told[f.typ] = key
			}
			c.table(b, f.typ, usual.Field(f.index), key+".", told)
		case list && told[f.typ.Elem()] == "":
			told[f.typ.Elem()] = key
			c.table(b, f.typ.Elem(), newItem(f.typ.Elem()), key+"[].", told)
		}
	}
}

// defaultText is what a key is when it is left out.
func defaultText(f *field, v reflect.Value, key string) string {
	switch {
	case key == "log.path":
		return "`access.log` in `data`"
	case key == "acme.authorities":
		return "Let's Encrypt"
	case f.rule.required && v.IsZero():
		return "required"
	case key == "hosts":
		return "required"
	case isSection(v.Type()), v.Kind() == reflect.Pointer, v.Kind() == reflect.Slice && v.Len() == 0:
		return ""
	case v.Kind() == reflect.Slice:
		return "`" + listText(v) + "`"
	case plain(v) == "":
		return ""
	}
	return "`" + plain(v) + "`"
}

// valueText is what may be written.
func valueText(f *field, t reflect.Type) string {
	least, most := f.rule.bounds()
	switch {
	case isSection(t), t.Kind() == reflect.Pointer:
		return "keys"
	case t.Kind() == reflect.Slice && t.Elem() == prefixType:
		return "prefixes"
	case t.Kind() == reflect.Slice && isSection(t.Elem()):
		return "list"
	case t.Kind() == reflect.Slice && len(f.rule.oneOf) > 0:
		return "list of `" + strings.Join(f.rule.oneOf, "`, `") + "`"
	case t.Kind() == reflect.Slice:
		return "list of " + strings.TrimSuffix(valueText(f, t.Elem()), "s") + "s"
	case t.Kind() == reflect.Bool:
		return "`true`, `false`"
	case t == durationType:
		return "time"
	case t == sizeType:
		return "size"
	case t == rateType:
		return "rate"
	case t == pemType:
		return "PEM"
	case t == listType, t == fileTextType:
		return "path"
	case t == reflect.TypeFor[spec.Listener]():
		return "listener"
	case t.Kind() == reflect.Int && most < math.MaxInt64:
		return fmt.Sprintf("%d to %d", least, most)
	case t.Kind() == reflect.Int:
		return fmt.Sprintf("number from %d", least)
	case len(f.rule.oneOf) > 0:
		return strings.TrimPrefix("`"+strings.Join(f.rule.oneOf, "`, `")+"`", "``, ")
	case f.key == "path" && f.rule.path && f.rule.off:
		return "path, `-`, `off`"
	case f.rule.path:
		return "path"
	case f.rule.off:
		return "text, `off`"
	}
	return "text"
}

var example = regexp.MustCompile("(?s)```yaml\n# ([^\n]*)\n(.*?)```")

// TestExamples: the examples of docs/configuration.md are good.
func TestExamples(t *testing.T) {
	chain, key := pair(t)
	files := map[string]string{"blocklist.txt": "192.0.2.0/24\n", "internal-ca.pem": chain, "wiki.pem": chain, "wiki.key": key}
	for _, m := range example.FindAllStringSubmatch(readDocs(t), -1) {
		files[m[1]] = m[2]
	}
	c := mustLoad(t, new(Loader), write(t, files)+"/seawall.yaml")
	var names []string
	for _, z := range c.Zones {
		names = append(names, z.Name)
		if z.Limits.Requests.Requests != 100 || len(z.Lists.Deny) != 1 {
			t.Errorf("zone %s does not start from the defaults", z.Name)
		}
	}
	if d := cmp.Diff([]string{"shop", "wiki", "blog"}, names); d != "" {
		t.Errorf("zones (-want +got):\n%s", d)
	}
}
