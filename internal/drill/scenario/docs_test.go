package scenario

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec/config"
)

const docs = "../../../docs/drill-scenarios.md"

var update = flag.Bool("update", false, "write the tables of docs/drill-scenarios.md")

var generated = regexp.MustCompile(`(?s)<!-- (keys: (\w+)|scenarios) -->\n.*?<!-- end -->`)

// TestDocs: the tables of docs/drill-scenarios.md have every key and every built-in scenario, as the code has them.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	have, comments := string(text), readComments(t)
	shown := make(map[string]bool)
	want := generated.ReplaceAllStringFunc(have, func(part string) string {
		m := generated.FindStringSubmatch(part)
		shown[m[2]] = true
		table := scenarioTable()
		if m[2] != "" {
			table = keyTable(sections()[m[2]], comments)
		}
		return "<!-- " + m[1] + " -->\n" + table + "<!-- end -->"
	})
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("docs/drill-scenarios.md is not up to date; run go test ./internal/drill/scenario -update (-want +got):\n%s", d)
	}
	for name := range sections() {
		if !shown[name] {
			t.Errorf("the keys of %s are nowhere", name)
		}
	}
	for _, known := range [][]string{Kinds(), EventKinds(), attackKinds(), Placeholders()} {
		for _, word := range known {
			if !strings.Contains(have, "`"+word+"`") {
				t.Errorf("%s is nowhere explained", word)
			}
		}
	}
}

// sections are the parts of a file as they are by default.
func sections() map[string]reflect.Value {
	s := standard("")
	all := make(map[string]reflect.Value)
	for _, part := range []any{*s, s.Site, s.Visitors, standardAttack(), Shape{Kind: Steady}, standardAttack().Sources, standardRequest(), standardEvent()} {
		v := reflect.ValueOf(part)
		all[v.Type().Name()] = v
	}
	return all
}

// readComments are what scenario.go says of fields, by "Type.key".
func readComments(t *testing.T) map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), "scenario.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range typ.Fields.List {
				key := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml")
				all[spec.Name.Name+"."+key] = strings.Join(strings.Fields(field.Doc.Text()), " ")
			}
		}
		return true
	})
	return all
}

func keyTable(v reflect.Value, comments map[string]string) string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		name := v.Type().Name() + "." + key
		rule := rules()[name]
		value, standard := valueText(f.Type, rule), defaultText(v.Field(i))
		if rule.Required || key == "rate" || key == "arrivals" { // which only Validate requires
			standard = "required"
		}
		if key == "cpu" { // as does this
			value = fmt.Sprintf("0 to %v", maxCPU)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key, value, standard, comments[name])
	}
	return b.String()
}

func shortly(d time.Duration) string {
	return strings.TrimSuffix(d.String(), "m0s") + map[bool]string{true: "m"}[d >= time.Minute]
}

// valueText is what may be written.
func valueText(t reflect.Type, r config.Rule) string {
	quoted := "`" + strings.Join(r.OneOf, "`, `") + "`"
	switch {
	case t == reflect.TypeFor[time.Duration]() && r.Most > 0:
		return shortly(time.Duration(r.Least)) + " to " + shortly(time.Duration(r.Most))
	case t == reflect.TypeFor[map[string]float64]():
		return fmt.Sprintf("kinds with weights from 0 to %d", r.Most)
	case t == reflect.TypeFor[[]Field]():
		return "list of fields"
	case t.Kind() == reflect.Struct:
		return "keys"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "list"
	case t.Kind() == reflect.Slice && len(r.OneOf) > 0:
		return "list of " + quoted
	case t.Kind() == reflect.Slice:
		return "list of " + r.Want
	case len(r.OneOf) > 0:
		return quoted
	case t.Kind() == reflect.Bool:
		return "`true`, `false`"
	case r.Most > 0:
		return fmt.Sprintf("%d to %d", r.Least, r.Most)
	case r.Want != "":
		return r.Want
	}
	return t.String()
}

// defaultText is what a key is when it is left out.
func defaultText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Struct:
		return ""
	case reflect.String:
		if v.IsZero() {
			return ""
		}
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

func scenarioTable() string {
	var b strings.Builder
	b.WriteString("| scenario | group | what happens | length | what is planted |\n|---|---|---|---|---|\n")
	for _, s := range List() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %v | %s |\n", s.Name, s.Group, s.Title, s.Length, strings.Join(s.Plants, ", "))
	}
	return b.String()
}

var example = regexp.MustCompile("(?s)```yaml\n# ([^\n]*)\n(.*?)```")

// TestExamples: the examples of docs/drill-scenarios.md are good.
func TestExamples(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllStringSubmatch(string(text), -1)
	if len(examples) != 2 {
		t.Errorf("%d examples, want 2", len(examples))
	}
	for _, m := range examples {
		if _, err := Parse(m[1], m[2]); err != nil {
			t.Error(err)
		}
	}
}
