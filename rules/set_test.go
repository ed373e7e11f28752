package rules_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/seawall/seawall/rules"
)

// held returns the filters of a set that hold.
func held(s *rules.Set, m *rules.Machine) []int {
	var held []int
	for i := s.Next(m, 0); i >= 0; i = s.Next(m, i+1) {
		held = append(held, i)
	}
	return held
}

func set(t testing.TB, texts ...string) *rules.Set {
	t.Helper()
	var filters []*rules.Filter
	for _, text := range texts {
		filters = append(filters, compile(t, text))
	}
	return rules.NewSet(filters)
}

func TestSet(t *testing.T) {
	s := set(t,
		`http.host eq "a.com" and http.request.uri.path contains "php"`,
		`http.host in {"b.com" "a.com"} and not starts_with(http.request.uri.path, "/static")`,
		`starts_with(http.request.uri.path, "/") and starts_with(http.request.uri.path, "/wp") and ends_with(http.request.uri.path, ".php")`,
		`http.request.uri.path contains "login" or http.request.uri.path contains "log"`,
		`ip.src in {10.0.0.0/8} or ip.src in {10.1.0.0/16 192.0.2.1}`,
		`not ip.src in {10.0.0.0/8}`,
		`ip.src.asnum lt 100 xor ip.src.asnum ge 50`,
		`lower(http.user_agent) contains "curl"`,
		`http.request.uri.path contains ""`,
		`true`,
		`false`,
		`any(http.request.headers["accept"][*] contains "html")`,
		`starts_with(http.user_agent, "")`,
		`any(http.request.headers["accept"][*] eq "text/html") and ssl`,
		`not any(lower(http.request.headers.names[*])[*] in {"cookie" "accept"})`,
	)
	tests := []struct {
		name string
		request
		want []int
	}{
		{"nothing is known", request{}, []int{5, 9, 14}},
		{"a login", request{
			"http.host": rules.BytesValue("a.com"), "http.request.uri.path": rules.BytesValue("/wp-login.php"),
			"ip.src": rules.IPValue(netip.MustParseAddr("10.1.2.3")), "ip.src.asnum": rules.IntValue(70),
		}, []int{0, 1, 2, 3, 4, 8, 9, 14}},
		{"a robot", request{
			"http.host": rules.BytesValue("b.com"), "http.request.uri.path": rules.BytesValue("/static/blog"),
			"ip.src": rules.IPValue(netip.MustParseAddr("192.0.2.1")), "ip.src.asnum": rules.IntValue(7),
			"http.user_agent": rules.BytesValue("Curl/8"), "http.request.headers": multimap("accept", "*/*", "accept", "text/html"),
			"http.request.headers.names": texts("Host", "Accept"), "ssl": rules.BoolValue(true),
		}, []int{3, 4, 5, 6, 7, 8, 9, 11, 12, 13}},
	}
	m := rules.NewMachine(scheme(t))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.Reset(tt.request)
			if got := held(s, m); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A set asks for no dear field that no candidate needs, and for none twice.
func TestSetAsksForLittle(t *testing.T) {
	s := set(t, `http.host eq "a.com" and http.request.body.raw contains "x"`, `http.host eq "a.com" and http.request.body.raw contains "y"`)
	for host, want := range map[string]int{"a.com": 1, "b.com": 0} {
		source := &counter{request: request{"http.host": rules.BytesValue(host), "http.request.body.raw": rules.BytesValue("y")}}
		m := machine(t, source)
		held(s, m)
		held(s, m)
		if got := source.asked["http.request.body.raw"]; got != want {
			t.Errorf("host %s: the body was asked for %d times, want %d", host, got, want)
		}
		if got := source.asked["http.host"]; got != 1 {
			t.Errorf("host %s: the host was asked for %d times, want 1", host, got)
		}
	}
}

// What no index answers is asked once for all filters.
func TestSetRemembers(t *testing.T) {
	asked := 0
	s, err := rules.NewScheme(fields, counting{&asked})
	if err != nil {
		t.Fatal(err)
	}
	var filters []*rules.Filter
	for _, text := range []string{`ip.src in $office and ssl`, `not ip.src in $office`, `ip.src in $office or ssl`} {
		f, err := rules.Compile(s, text)
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	m := rules.NewMachine(s)
	m.Reset(visit())
	if got, want := held(rules.NewSet(filters), m), []int{0, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if asked != 1 {
		t.Errorf("the list was asked %d times, want once", asked)
	}
}

// counting has lists that count how often they are asked.
type counting struct{ asked *int }

func (c counting) List(string, rules.Type) (rules.List, error) {
	return &countingList{asked: c.asked}, nil
}

type countingList struct {
	office
	asked *int
}

func (l *countingList) ContainsIP(a netip.Addr) bool {
	*l.asked++
	return l.office.ContainsIP(a)
}

// counter counts what it is asked for.
type counter struct {
	request
	asked map[string]int
}

func (c *counter) Value(i int) rules.Value {
	if c.asked == nil {
		c.asked = make(map[string]int)
	}
	c.asked[fields[i].Name]++
	return c.request.Value(i)
}

// A set may be used by many at once, each with a machine of its own.
func TestSetIsShared(t *testing.T) {
	s := set(t, `http.host matches "(abc|bcd)" and lower(http.host) contains "x"`, `any(split(http.host, ".")[*] eq "x")`, `not ip.src in $office`)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			m := rules.NewMachine(scheme(t))
			for range 200 {
				for text, want := range map[string][]int{"abc.X": {0, 2}, "x.bcd": {0, 1, 2}, "none": {2}, strconv.Itoa(i): {2}} {
					m.Reset(request{"http.host": rules.BytesValue(text)})
					if got := held(s, m); !slices.Equal(got, want) {
						t.Errorf("%s: got %v, want %v", text, got, want)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestSetPhase(t *testing.T) {
	if got := set(t, `ssl`, `http.request.body.raw eq "x"`, `ssl`).Phase(); got != rules.Body {
		t.Errorf("got %v, want %v", got, rules.Body)
	}
}

// typical is a thousand rules as sites have them: a host, a path, and networks. With one host for all, it is the others that count.
func typical(t testing.TB, n, hosts int) *rules.Set {
	var texts []string
	for i := range n {
		text := fmt.Sprintf(`http.host eq "site%d.example.com" and `, i%hosts)
		switch i % 3 {
		case 0:
			text += fmt.Sprintf(`starts_with(http.request.uri.path, "/shop%d/cart") and ip.src in {10.%d.%d.0/24 2001:db8:%x::/48}`, i, i>>8, i&255, i)
		case 1:
			text += fmt.Sprintf(`(http.request.uri.path contains "/wp-%d" or http.request.uri.path contains "xmlrpc%d.php")`, i, i)
		default:
			text += fmt.Sprintf(`not ip.src in {192.0.2.%d 198.51.%d.0/24} and http.request.uri.path contains "/admin%d/"`, i&255, i&255, i)
		}
		texts = append(texts, text)
	}
	return set(t, texts...)
}

// pathed is a Source without a map, so that what is measured is the package.
type pathed struct {
	values []rules.Value
}

func (p *pathed) Value(i int) rules.Value { return p.values[i] }

func measured() *pathed {
	p := &pathed{values: make([]rules.Value, len(fields))}
	r := request{
		"http.host":             rules.BytesValue("site7.example.com"),
		"http.request.uri.path": rules.BytesValue("/articles/2026/11/a-long-story-about-the-sea-and-its-walls.html"),
		"http.request.method":   rules.BytesValue("GET"),
		"http.user_agent":       rules.BytesValue("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"),
		"ip.src":                rules.IPValue(netip.MustParseAddr("203.0.113.7")),
		"http.request.headers":  multimap("accept", "text/html", "cookie", "a=1", "user-agent", "x", "accept-language", "en"),
	}
	for i := range fields {
		p.values[i] = r[fields[i].Name]
	}
	return p
}

func BenchmarkSet(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		for _, hosts := range []int{1, n} {
			b.Run(fmt.Sprintf("rules=%d/hosts=%d", n, hosts), func(b *testing.B) {
				s, m, source := typical(b, n, hosts), rules.NewMachine(scheme(b)), measured()
				b.ReportAllocs()
				for b.Loop() {
					m.Reset(source)
					if s.Next(m, 0) >= 0 {
						b.Fatal("a rule holds")
					}
				}
			})
		}
	}
}

// BenchmarkSetOfOthers is a thousand rules of one kind.
func BenchmarkSetOfOthers(b *testing.B) {
	for name, text := range map[string]string{
		"regexps": `http.user_agent matches r"(?i)\b(tool%[1]d|robot%[1]dx)/[0-9]+"`,
		"headers": `any(lower(http.request.headers["accept"][*])[*] contains "type%d")`,
		"nothing": `all(http.request.headers["accept"][*] eq "type%d")`,
	} {
		b.Run(name, func(b *testing.B) {
			var texts []string
			for i := range 1000 {
				texts = append(texts, fmt.Sprintf(text, i))
			}
			s, m, source := set(b, texts...), rules.NewMachine(scheme(b)), measured()
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(source)
				if s.Next(m, 0) >= 0 {
					b.Fatal("a rule holds")
				}
			}
		})
	}
}

// BenchmarkNewSet is what a change of rules costs.
func BenchmarkNewSet(b *testing.B) {
	s := typical(b, 1000, 1000)
	var filters []*rules.Filter
	for i := range s.Len() {
		filters = append(filters, s.Filter(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		rules.NewSet(filters)
	}
}

func BenchmarkCompile(b *testing.B) {
	s := scheme(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rules.Compile(s, `http.host eq "example.com" and lower(http.request.uri.path) contains "x" or ip.src in {10.0.0.0/8}`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, text := range []string{
		`http.host eq "example.com" and http.request.method eq "GET"`,
		`ip.src in {10.0.0.0/8 192.168.0.0/16 203.0.113.0/24}`,
		`http.request.uri.path contains "wp-login"`,
		`lower(http.request.uri.path) contains "wp-login"`,
		`url_decode(http.request.uri.path, "r") contains "../"`,
		`http.request.uri.path wildcard "/articles/*/*.html"`,
		`http.user_agent matches "(?i)(curl|wget|python)/[0-9]"`,
		`any(http.request.headers["cookie"][*] contains "session")`,
	} {
		b.Run(text, func(b *testing.B) {
			f, m, source := compile(b, text), rules.NewMachine(scheme(b)), measured()
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(source)
				f.Match(m)
			}
		})
	}
}
