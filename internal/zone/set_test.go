package zone

import (
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/spec"
)

// newSet makes a set of zones that are named after their first hosts.
func newSet(t testing.TB, zones ...[]string) *Set {
	t.Helper()
	s := NewSet(&Zone{name: "-"})
	for _, hosts := range zones {
		if err := s.Add(&Zone{name: hosts[0]}, hosts); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestLookup(t *testing.T) {
	few := [][]string{{"a.test", "www.a.test"}, {"*.a.test"}, {"*.b.a.test"}, {"B.Test."}, {"*.C.test."}, {"[2001:db8::1]"}, {"192.0.2.1"}}
	more := append([][]string{{spec.AnyHost}}, few...)
	tests := []struct {
		name  string
		zones [][]string
		host  string
		want  string // "" for none
	}{
		{"exact", few, "a.test", "a.test"},
		{"second host", few, "www.a.test", "a.test"},
		{"one label below", few, "x.a.test", "*.a.test"},
		{"labels below", few, "x.y.z.a.test", "*.a.test"},
		{"longest parent", few, "x.b.a.test", "*.b.a.test"},
		{"labels below the longest parent", few, "x.y.b.a.test", "*.b.a.test"},
		{"the longer parent itself", few, "b.a.test", "*.a.test"},
		{"a wildcard's parent", few, "c.test", ""},
		{"any case in the zone's host", few, "b.test", "B.Test."},
		{"any case in a wildcard", few, "x.c.test", "*.C.test."},
		{"end of a name", few, "xa.test", ""},
		{"IPv6", few, "[2001:db8::1]", "[2001:db8::1]"},
		{"IPv4", few, "192.0.2.1", "192.0.2.1"},
		{"nothing", few, "", ""},
		{"a dot", few, ".", ""},
		{"empty label", few, ".a.test", "*.a.test"},
		{"none", few, "z.test", ""},
		{"star as a host", few, "*.a.test", "*.a.test"},
		{"any", more, "z.test", "*"},
		{"any for nothing", more, "", "*"},
		{"exact before any", more, "a.test", "a.test"},
		{"wildcard before any", more, "x.a.test", "*.a.test"},
		{"too long for a name", more, strings.Repeat("x.", 200) + "a.test", "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if z := newSet(t, tt.zones...).Lookup(tt.host); z != nil {
				got = z.Name()
			}
			if got != tt.want {
				t.Errorf("got zone %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	const form = "is no host: want"
	tests := []struct {
		name, host, err string
	}{
		{"exact twice", "a.test", `hosts: "a.test" already belongs to zone a.test`},
		{"in another case", "A.TEST", `hosts: "A.TEST" already belongs to zone a.test`},
		{"with a final dot", "a.test.", `hosts: "a.test." already belongs to zone a.test`},
		{"wildcard twice", "*.A.test", `hosts: "*.A.test" already belongs to zone a.test`},
		{"any twice", "*", `hosts: "*" already belongs to zone a.test`},
		{"empty", "", form},
		{"URL", "http://a.test", form},
		{"port", "a.test:80", form},
		{"path", "a.test/", form},
		{"star within", "www.*.test", form},
		{"star in a label", "*a.test", form},
		{"star alone with a dot", "*.", form},
		{"two stars", "*.*.test", form},
		{"space", "a test", form},
		{"not ASCII", "münchen.test", form},
		{"too long", strings.Repeat("x", 254), form},
		{"half an IPv6 address", "[2001:db8::1", form},
		{"IPv6 without brackets", "2001:db8::1", form},
		{"wildcard of an address", "*.[::1]", form},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSet(t, []string{"a.test", "*.a.test", "*"})
			err := s.Add(&Zone{name: "other"}, []string{"free.test", tt.host})
			if err == nil || !strings.Contains(err.Error(), "zone other: ") || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want an error of zone other with %q", err, tt.err)
			}
			if z := s.Owner("free.test"); z != nil {
				t.Error("the zone was put under its other host")
			}
		})
	}
}

// TestAddOwn lets a zone name a host twice.
func TestAddOwn(t *testing.T) {
	s := newSet(t, []string{"a.test", "A.test", "a.test."})
	if z := s.Owner("a.test"); z == nil || z.Name() != "a.test" {
		t.Errorf("got %v, want the zone", z)
	}
}

func TestEnter(t *testing.T) {
	refused := &flow.Refusal{Reason: flow.Malformed, Status: 400}
	tests := []struct {
		name    string
		zones   [][]string
		request flow.Request
		zone    string
		refusal flow.Reason
	}{
		{"served", [][]string{{"a.test"}}, flow.Request{Host: "a.test"}, "a.test", flow.NoReason},
		{"not served", [][]string{{"a.test"}}, flow.Request{Host: "b.test"}, "-", flow.UnknownHost},
		{"no host", [][]string{{"a.test"}}, flow.Request{}, "-", flow.UnknownHost},
		{"no host, any zone", [][]string{{"*"}}, flow.Request{}, "*", flow.NoReason},
		{"refused", [][]string{{"a.test"}}, flow.Request{Host: "a.test", Refusal: refused}, "a.test", flow.Malformed},
		{"refused before its host was known", [][]string{{"*"}}, flow.Request{Refusal: refused}, "-", flow.Malformed},
		{"refused, not served", [][]string{{"a.test"}}, flow.Request{Host: "b.test", Refusal: refused}, "-", flow.Malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &flow.Flow{Request: tt.request}
			z := newSet(t, tt.zones...).Enter(f)
			if z == nil || z.Name() != tt.zone || f.Zone != flow.Zone(z) {
				t.Errorf("got zone %v, in the flow %v, want %s", z, f.Zone, tt.zone)
			}
			got := flow.NoReason
			if r := f.Refusal(); r != nil {
				got = r.Reason
			}
			if got != tt.refusal {
				t.Errorf("got %v, want %v", got, tt.refusal)
			}
			if f.Unserved != nil && f.Unserved.Status != 421 {
				t.Errorf("got status %d, want 421", f.Unserved.Status)
			}
		})
	}
}

// FuzzLookup looks any host up, and adds it if that is allowed: then it must be found.
func FuzzLookup(f *testing.F) {
	for _, host := range []string{"a.test", "x.a.test", "*.a.test", "", ".", "..", "*", "*.", "[::1]", strings.Repeat(".", 300), "A.TEST."} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		s := newSet(t, []string{"a.test"}, []string{"*.a.test"}, []string{"*.b.a.test"})
		s.Lookup(host)
		own := &Zone{name: "own"}
		if s.Add(own, []string{host}) != nil {
			return
		}
		asked := strings.Replace(normal(host), "*", "x", 1)
		if z := s.Lookup(asked); z != own || s.Owner(host) != own {
			t.Errorf("got zone %v for %q, owner %v, want the one added with %q", z, asked, s.Owner(host), host)
		}
	})
}

// TestLookupTime: a host of any length costs no more than its length.
func TestLookupTime(t *testing.T) {
	s := newSet(t, []string{"*.a.test"})
	host := strings.Repeat("a.", 4<<20)
	start := time.Now()
	s.Lookup(host)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a host of %d labels took %v", len(host)/2, took)
	}
}

func BenchmarkLookup(b *testing.B) {
	s := newSet(b, []string{"a.test", "www.a.test"}, []string{"*.a.test"}, []string{"*"})
	for _, host := range []string{"www.a.test", "x.a.test", "deep.down.below.x.a.test", "z.test", strings.Repeat("a.", 120) + "test"} {
		b.Run(host[:min(len(host), 30)], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Lookup(host)
			}
		})
	}
}

// TestMisdirected wants a request refused whose host's zone asks something else of TLS clients than that of the server name.
func TestMisdirected(t *testing.T) {
	zone := func(name, version string) *Zone {
		policy, err := hello.Compile(&spec.Zone{Name: name, HTTPS: spec.HTTPS{MinVersion: version}})
		if err != nil {
			t.Fatal(err)
		}
		return &Zone{name: name, Hello: policy}
	}
	plain, other, strict := zone("plain", "1.2"), zone("other", ""), zone("strict", "1.3")
	s := NewSet(&Zone{name: "unserved"})
	for _, z := range []*Zone{plain, other, strict} {
		if err := s.Add(z, []string{z.name + ".example"}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		host string
		conn *flow.Conn
		want flow.Reason
	}{
		{"plain.example", &flow.Conn{}, flow.NoReason},
		{"strict.example", &flow.Conn{}, flow.NoReason}, // in the clear nothing was asked
		{"plain.example", &flow.Conn{TLS: &flow.TLS{Policy: plain.Hello}}, flow.NoReason},
		{"plain.example", &flow.Conn{TLS: &flow.TLS{Policy: other.Hello}}, flow.NoReason},
		{"plain.example", &flow.Conn{TLS: &flow.TLS{}}, flow.NoReason}, // no zone's name, asked as usual
		{"plain.example", &flow.Conn{TLS: &flow.TLS{Policy: strict.Hello}}, flow.Misdirected},
		{"strict.example", &flow.Conn{TLS: &flow.TLS{Policy: plain.Hello}}, flow.Misdirected},
		{"strict.example", &flow.Conn{TLS: &flow.TLS{}}, flow.Misdirected},
		{"strict.example", &flow.Conn{TLS: &flow.TLS{Policy: strict.Hello}}, flow.NoReason},
	}
	for i, tt := range tests {
		f := &flow.Flow{Conn: tt.conn, Request: flow.Request{Host: tt.host}}
		z := s.Enter(f)
		got := flow.NoReason
		if r := f.Refusal(); r != nil {
			got = r.Reason
		}
		if got != tt.want || z.name+".example" != tt.host {
			t.Errorf("%d: got %v in zone %s, want %v", i, got, z.name, tt.want)
		}
	}
}
