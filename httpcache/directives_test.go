package httpcache

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCutDirective(t *testing.T) {
	tests := []struct {
		name  string
		value string
		want  []directive
	}{
		{"9111 §5.2 names, tokens and quoted strings", `public, max-age=60, private="a, b"`,
			[]directive{{name: "public"}, {name: "max-age", arg: "60", hasArg: true}, {name: "private", arg: "a, b", hasArg: true}}},
		{"9110 §5.6.1 empty elements", " , public ,", []directive{{}, {name: "public"}}},
		{"9110 §5.6.4 escapes are left in", `a="\"\\", b`, []directive{{name: "a", arg: `\"\\`, hasArg: true}, {name: "b"}}},
		{"empty quoted string", `a=""`, []directive{{name: "a", hasArg: true}}},
		{"nothing after =", `a=`, []directive{{name: "a", hasArg: true}}},
		{"whitespace before =", `a =1`, []directive{{name: "a", hasArg: true}}},
		{"whitespace after =", `a= 1`, []directive{{name: "a", arg: " 1", hasArg: true}}},
		{"quotes that do not end", `a="b, c`, []directive{{name: "a", arg: `"b, c`, hasArg: true, malformed: true}}},
		{"quotes that end twice", `a="b"c"", d`, []directive{{name: "a", arg: "b", hasArg: true, malformed: true}, {name: "d"}}},
		{"quotes in a name", `a"b"=1`, []directive{{name: `a"b"`, arg: "1", hasArg: true, malformed: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []directive
			for value := tt.value; value != ""; {
				var d directive
				d, value = cutDirective(value)
				got = append(got, d)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(directive{})); diff != "" {
				t.Errorf("directives (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDirectives checks that parsing ends, that numbers stay in bounds, and that a directive in plain sight is seen
// whatever else stands in the line, unless the line is known to be broken.
func FuzzDirectives(f *testing.F) {
	for _, seed := range []string{
		"public, max-age=60", `private="a, b", max-age="60"`, `ext="a\", no-store`, "max-age=99999999999999999999",
		",, ,", "a=b=c", `"`, `\"`, "max-age =1", "stale-while-revalidate=5,stale-if-error=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Count(line, ",") > 1000 {
			t.Skip()
		}
		d := parseResponseDirectives([]Field{{"Cache-Control", line}})
		r := parseRequestDirectives([]Field{{"Cache-Control", line}})
		for _, s := range []seconds{d.maxAge, d.sMaxAge, d.staleWhileRevalidate, d.staleIfError, r.maxAge, r.minFresh, r.maxStale} {
			if s.value < 0 || s.value > maxDelta {
				t.Errorf("%q: got %v, want 0 to %v", line, s.value, maxDelta)
			}
		}
		for _, with := range []string{line + ", no-store", "no-store, " + line} {
			d := parseResponseDirectives([]Field{{"Cache-Control", with}})
			if !d.noStore && !d.malformed {
				t.Errorf("%q: got neither no-store nor malformed", with)
			}
		}
	})
}

func TestParseDelta(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"0", 0, true},
		{"2147483647", maxDelta - time.Second, true},
		{"2147483648", maxDelta, true},
		{"2147483649", maxDelta, true},
		{"18446744073709551617", maxDelta, true},
		{"", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{" 1", 0, false},
		{"1.0", 0, false},
		{"0x1", 0, false},
	}
	for _, tt := range tests {
		t.Run("9111 §1.2.2 "+tt.value, func(t *testing.T) {
			if got, ok := parseDelta(tt.value); got != tt.want || ok != tt.ok {
				t.Errorf("got %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
