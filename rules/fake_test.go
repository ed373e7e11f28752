package rules_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/seawall/seawall/rules"
)

// fields is what the tests' requests have.
var fields = []rules.Field{
	{Name: "http.host", Type: rules.Bytes},
	{Name: "http.request.uri.path", Type: rules.Bytes},
	{Name: "http.request.uri.query", Type: rules.Bytes},
	{Name: "http.request.method", Type: rules.Bytes},
	{Name: "http.user_agent", Type: rules.Bytes},
	{Name: "ip.src", Type: rules.IP},
	{Name: "ip.src.asnum", Aliases: []string{"ip.geoip.asnum"}, Type: rules.Int, Cost: 100},
	{Name: "ssl", Type: rules.Bool},
	{Name: "http.request.headers", Type: rules.MapOf(rules.ArrayOf(rules.Bytes))},
	{Name: "http.request.headers.names", Type: rules.ArrayOf(rules.Bytes)},
	{Name: "ids", Type: rules.ArrayOf(rules.Int)},
	{Name: "parts", Type: rules.ArrayOf(rules.ArrayOf(rules.Bytes))},
	{Name: "flags", Type: rules.ArrayOf(rules.Bool)},
	{Name: "scores", Type: rules.MapOf(rules.Int)},
	{Name: "now", Type: rules.Int},
	{Name: "http.request.body.raw", Type: rules.Bytes, Cost: 1000, Phase: rules.Body},
	{Name: "http.response.code", Type: rules.Int, Phase: rules.Response},
}

// request is a Source by the names of fields.
type request map[string]rules.Value

func (r request) Value(i int) rules.Value { return r[fields[i].Name] }

// pairs is an array, or a map if it has keys.
type pairs []pair

type pair struct {
	key   string
	value rules.Value
}

func (p pairs) Len() int                     { return len(p) }
func (p pairs) At(i int) rules.Value         { return p[i].value }
func (p pairs) Under(i int, key string) bool { return p[i].key == key }
func (p pairs) Key(i int) string             { return p[i].key }

func texts(t ...string) rules.Value {
	var p pairs
	for _, s := range t {
		p = append(p, pair{"", rules.BytesValue(s)})
	}
	return rules.ItemsValue(rules.ArrayOf(rules.Bytes), p)
}

// multimap takes keys and values in turn.
func multimap(t ...string) rules.Value {
	var p pairs
	for i := 0; i < len(t); i += 2 {
		p = append(p, pair{t[i], rules.BytesValue(t[i+1])})
	}
	return rules.ItemsValue(rules.MapOf(rules.ArrayOf(rules.Bytes)), p)
}

func numbers(n ...int64) rules.Value {
	var p pairs
	for _, i := range n {
		p = append(p, pair{"", rules.IntValue(i)})
	}
	return rules.ItemsValue(rules.ArrayOf(rules.Int), p)
}

// visit is the request of most tests.
func visit() request {
	return request{
		"http.host":                  rules.BytesValue("www.Example.com"),
		"http.request.uri.path":      rules.BytesValue("/blog/First%20post.html"),
		"http.request.uri.query":     rules.BytesValue("order=asc&country=GB&order=desc"),
		"http.request.method":        rules.BytesValue("GET"),
		"ip.src":                     rules.IPValue(netip.MustParseAddr("203.0.113.7")),
		"ip.src.asnum":               rules.IntValue(64500),
		"ssl":                        rules.BoolValue(true),
		"http.request.headers":       multimap("accept", "text/html", "cookie", "a=1", "accept", "image/webp", "empty", ""),
		"http.request.headers.names": texts("Accept", "Cookie", "accept", "empty"),
		"ids":                        numbers(3, 14, 15),
		"parts": rules.ItemsValue(rules.ArrayOf(rules.ArrayOf(rules.Bytes)), pairs{
			{"", texts("name", "x")}, {"", texts()}, {"", texts("file")},
		}),
		"flags":                 rules.ItemsValue(rules.ArrayOf(rules.Bool), pairs{{"", rules.BoolValue(true)}, {"", rules.BoolValue(false)}}),
		"scores":                rules.ItemsValue(rules.MapOf(rules.Int), pairs{{"cats", rules.IntValue(20)}, {"dogs", rules.IntValue(-5)}}),
		"now":                   rules.IntValue(1484063800),
		"http.request.body.raw": rules.BytesValue(`{"company":"acme","product":{"id":356,"tags":["a","b"]},"price":4.0}`),
	}
}

// lists are those that expressions of tests may name.
type lists struct{}

var errNoList = errors.New("no such list")

func (lists) List(name string, _ rules.Type) (rules.List, error) {
	if name != "office" {
		return nil, errNoList
	}
	return office{}, nil
}

type office struct{}

func (office) ContainsIP(a netip.Addr) bool { return a == netip.MustParseAddr("203.0.113.7") }
func (office) ContainsInt(n int64) bool     { return n == 64500 }
func (office) ContainsBytes(b []byte) bool {
	return string(b) == "www.example.com" || string(b) == "GET"
}

func scheme(t testing.TB) *rules.Scheme {
	t.Helper()
	s, err := rules.NewScheme(fields, lists{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// machine returns one that was reset to a request.
func machine(t testing.TB, r rules.Source) *rules.Machine {
	t.Helper()
	m := rules.NewMachine(scheme(t))
	m.Reset(r)
	return m
}

func compile(t testing.TB, text string) *rules.Filter {
	t.Helper()
	f, err := rules.Compile(scheme(t), text)
	if err != nil {
		t.Fatalf("compiling %s: %v", text, err)
	}
	return f
}
