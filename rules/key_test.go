package rules_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/rules"
)

func newKey(tb testing.TB, s *rules.Scheme, text string) *rules.Key {
	tb.Helper()
	k, err := rules.CompileKey(s, text)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestKey(t *testing.T) {
	one := request{
		"http.host":            rules.BytesValue("a"),
		"ip.src":               rules.IPValue(netip.MustParseAddr("192.0.2.1")),
		"ip.src.asnum":         rules.IntValue(64500),
		"ssl":                  rules.BoolValue(true),
		"http.request.headers": multimap("x-key", "k", "x-empty", "", "x-two", "1", "x-two", "2", "x-one", "12"),
	}
	other := request{
		"http.host":            rules.BytesValue("b"),
		"ip.src":               rules.IPValue(netip.MustParseAddr("::ffff:192.0.2.1")),
		"ip.src.asnum":         rules.IntValue(-1),
		"ssl":                  rules.BoolValue(false),
		"http.request.headers": multimap("x-empty", "1", "x-two", "12"),
	}
	tests := []struct {
		text string
		show string // of one
		same bool   // as of the other
	}{
		{`http.host`, `"a"`, false},
		{`upper(http.host)`, `"A"`, false},
		{`ip.src`, "192.0.2.1", true},
		{`cidr(ip.src, 24, 64)`, "192.0.2.0", true},
		{`ip.src.asnum`, "64500", false},
		{`ssl`, "true", false},
		{`not ssl`, "false", false},
		{`http.host eq "c"`, "false", true},
		{`http.request.headers["x-key"][0]`, `"k"`, false},
		{`http.request.headers["x-key"]`, `["k"]`, false},
		{`http.request.headers["x-empty"][0]`, `""`, false},
		{`http.request.headers["x-two"]`, `["1", "2"]`, false},
		{`http.request.headers["x-none"][0]`, "missing", true},
		{`http.user_agent`, "missing", true},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			s := scheme(t)
			k, m := newKey(t, s, tt.text), rules.NewMachine(s)
			m.Reset(one)
			first, show := string(k.Append(nil, m)), k.Show(m)
			m.Reset(other)
			second := string(k.Append(nil, m))
			if show != tt.show || first == second != tt.same {
				t.Errorf("got %s, the same as another's %v, want %s, %v", show, first == second, tt.show, tt.same)
			}
		})
	}
}

func TestKeyErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{`http.request.headers`, `column 1: the expression has type Map<Array<String>>: want one of its values, as ["name"] picks it`},
		{`parts`, `column 1: the expression has type Array<Array<String>>: want one of its elements, as [0] picks it`},
		{`lower(http.request.headers.names[*])`, `column 1: [*] makes results of which there are many: want one value, or the array without it`},
		{`http.hots`, `column 1: unknown field http.hots: did you mean http.host?`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if _, err := rules.CompileKey(scheme(t), tt.text); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestKeysDiffer: two lists of values have the same bytes only if they are the same.
func TestKeysDiffer(t *testing.T) {
	s := scheme(t)
	keys := []*rules.Key{newKey(t, s, "http.host"), newKey(t, s, `http.request.headers["x"]`), newKey(t, s, "http.user_agent"), newKey(t, s, "now")}
	text := rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 3, 5, 'a', 0xff}), 0, 4, -1)
	draw := func(t *rapid.T, label string) request {
		r := request{}
		for _, name := range []string{"http.host", "http.user_agent"} {
			if rapid.Bool().Draw(t, label+" has "+name) {
				r[name] = rules.BytesValue(text.Draw(t, label+" "+name))
			}
		}
		var headers []string
		for _, value := range rapid.SliceOfN(text, 0, 3).Draw(t, label+" headers") {
			headers = append(headers, "x", value)
		}
		r["http.request.headers"] = multimap(headers...)
		if rapid.Bool().Draw(t, label+" has now") {
			r["now"] = rules.IntValue(rapid.Int64Range(-2, 2).Draw(t, label+" now"))
		}
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		m := rules.NewMachine(s)
		both := func(r request) (bytes, shown string) {
			m.Reset(r)
			var b []byte
			for _, k := range keys {
				b = k.Append(b, m)
				shown += k.Show(m) + "\n"
			}
			return string(b), shown
		}
		a, shownA := both(draw(t, "a"))
		b, shownB := both(draw(t, "b"))
		if a == b != (shownA == shownB) {
			t.Fatalf("got the same bytes %v of\n%sand\n%s", a == b, shownA, shownB)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	s := scheme(b)
	m := rules.NewMachine(s)
	r := request{"ip.src": rules.IPValue(netip.MustParseAddr("192.0.2.1")), "http.request.headers": multimap("x-key", "k")}
	for _, text := range []string{"ip.src", `http.request.headers["x-key"]`} {
		b.Run(text, func(b *testing.B) {
			k, buffer := newKey(b, s, text), make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(r)
				buffer = k.Append(buffer[:0], m)
			}
		})
	}
}
