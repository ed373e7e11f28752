package lists

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

func shared(tb testing.TB, lists ...spec.List) *Shared {
	tb.Helper()
	s := new(Shared)
	if _, problems := s.Configure(lists); problems != nil {
		tb.Fatal(problems)
	}
	return s
}

// list has values and a file's text.
func list(name string, kind spec.ListKind, file string, values ...string) spec.List {
	return spec.List{Name: name, Kind: kind, Values: values, File: spec.ListText(file)}
}

func TestKinds(t *testing.T) {
	s := shared(t,
		list("bad", spec.ListIP, "192.0.2.0/24 # one\n\n2001:db8::/32\n", "198.51.100.7"),
		list("hosters", spec.ListASN, "AS64496\n64500 ; two\n"),
		list("ours", spec.ListHost, "", "Example.org", "*.example.org", "*.a.test"),
		list("near", spec.ListCountry, "de\nfr\n"),
		list("tools", spec.ListFingerprint, "t13d1516h2_8daaf6152771_e5627efa2ab1\n"),
	)
	has := func(name, addr string) bool { return s.Get(name).Has(netip.MustParseAddr(addr)) }
	tests := []struct {
		name string
		got  bool
		want bool
	}{
		{"address of the file", has("bad", "192.0.2.9"), true},
		{"address that stands there", has("bad", "::ffff:198.51.100.7"), true},
		{"other address", has("bad", "198.51.100.8"), false},
		{"address of numbers", has("hosters", "192.0.2.9"), false},
		{"number", s.Get("hosters").HasInt(64496), true},
		{"second number", s.Get("hosters").HasInt(64500), true},
		{"other number", s.Get("hosters").HasInt(1), false},
		{"number that is cut to one", s.Get("hosters").HasInt(1<<32 + 64496), false},
		{"host", s.Get("ours").HasString("example.org"), true},
		{"below", s.Get("ours").HasString("www.shop.example.org"), true},
		{"star alone", s.Get("ours").HasString("a.test"), false},
		{"below star alone", s.Get("ours").HasString("b.a.test"), true},
		{"end of a label", s.Get("ours").HasString("notexample.org"), false},
		{"long host", s.Get("ours").HasString(strings.Repeat("a.", 200) + "example.org"), false},
		{"country", s.Get("near").HasString("DE"), true},
		{"other country", s.Get("near").HasString("US"), false},
		{"fingerprint", s.Get("tools").HasString("t13d1516h2_8daaf6152771_e5627efa2ab1"), true},
		{"fingerprint of addresses", s.Get("bad").HasString("t13d1516h2_8daaf6152771_e5627efa2ab1"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %v, want %v", tt.got, tt.want)
			}
		})
	}
}

// TestNamedInLists: names count as their entries would, and the most specific one decides, wherever it stands.
func TestNamedInLists(t *testing.T) {
	s := shared(t, list("office", spec.ListIP, "10.1.0.0/16\n"))
	lists := compile(t, &spec.Lists{
		Deny: parse("10.0.0.0/8"), AllowNamed: []string{"office"}, DenyNamed: []string{"guests"},
		Named: []spec.List{list("guests", spec.ListIP, "", "10.1.7.0/24")},
	}, s)
	tests := []struct {
		addr    string
		listing Listing
		by      string
		name    string
	}{
		{"10.2.0.1", Denied, "10.0.0.0/8", ""},
		{"10.1.0.1", Allowed, "10.1.0.0/16", "office"},
		{"10.1.7.1", Denied, "10.1.7.0/24", "guests"},
		{"192.0.2.1", Unlisted, "invalid Prefix", ""},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			listing, by, name := lists.Find(netip.MustParseAddr(tt.addr))
			if listing != tt.listing || by.String() != tt.by || name != tt.name {
				t.Errorf("got %v by %v of %q, want %v by %s of %q", listing, by, name, tt.listing, tt.by, tt.name)
			}
		})
	}
	if lists.Named("guests") == nil || s.Get("guests") != nil {
		t.Error("guests: want a list that the zone alone knows")
	}
}

// TestConfigure: contents change under who holds on to a list; a list whose values are wrong, or that is gone, stays for them as it was.
func TestConfigure(t *testing.T) {
	s := shared(t, list("bad", spec.ListIP, "192.0.2.1\n"))
	lists := compile(t, &spec.Lists{DenyNamed: []string{"bad"}}, s)
	steps := []struct {
		name    string
		lists   []spec.List
		changed bool
		problem string
		denied  string
	}{
		{"as it was", []spec.List{list("bad", spec.ListIP, "192.0.2.1\n")}, false, "", "192.0.2.1"},
		{"other contents", []spec.List{list("bad", spec.ListIP, "192.0.2.2\n")}, false, "", "192.0.2.2"},
		{"broken", []spec.List{list("bad", spec.ListIP, "192.0.2.3\nx\n")}, false, `lists[0]: file:2: "x" is not an address`, "192.0.2.2"},
		{"another beside it", []spec.List{list("bad", spec.ListIP, "192.0.2.4\n"), list("as", spec.ListASN, "1\n")}, true, "", "192.0.2.4"},
		{"twice", []spec.List{list("bad", spec.ListIP, "192.0.2.4\n"), list("bad", spec.ListIP, "")}, true, "lists[1].name: there is a list bad already", "192.0.2.4"},
		{"another kind", []spec.List{list("bad", spec.ListHost, "a.example\n")}, true, "", "192.0.2.4"},
		{"gone", nil, true, "", "192.0.2.4"},
	}
	for _, tt := range steps {
		changed, problems := s.Configure(tt.lists)
		if changed != tt.changed {
			t.Errorf("%s: changed: got %v, want %v", tt.name, changed, tt.changed)
		}
		if tt.problem == "" && problems != nil || tt.problem != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), tt.problem)) {
			t.Errorf("%s: got problems %v, want %q", tt.name, problems, tt.problem)
		}
		for _, addr := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"} {
			listing, _, _ := lists.Find(netip.MustParseAddr(addr))
			if got, want := listing == Denied, addr == tt.denied; got != want {
				t.Errorf("%s: %s: got denied %v, want %v", tt.name, addr, got, want)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	s := shared(t, list("bad", spec.ListIP, ""), list("as", spec.ListASN, ""))
	tests := []struct {
		name   string
		lists  spec.Lists
		shared *Shared
		want   string
	}{
		{"no such list", spec.Lists{DenyNamed: []string{"worse"}}, s, "lists.deny: there is no list worse: want one of as, bad"},
		{"no lists", spec.Lists{AllowNamed: []string{"worse"}}, new(Shared), "lists.allow: there is no list worse: neither the node nor the zone has any"},
		{"another kind", spec.Lists{DenyNamed: []string{"as"}}, s, "lists.deny: as is a list of kind asn: want one of kind ip"},
		{"hides the node's", spec.Lists{Named: []spec.List{list("bad", spec.ListIP, "")}}, s,
			"lists.named[0].name: the node has a list bad, which a zone may not hide"},
		{"twice", spec.Lists{Named: []spec.List{list("a", spec.ListIP, ""), list("a", spec.ListIP, "")}}, s,
			"lists.named[1].name: there is a list a already"},
		{"wrong value", spec.Lists{Named: []spec.List{list("a", spec.ListCountry, "", "Germany")}}, s,
			`lists.named[0]: "GERMANY" is not a country's two letters (ISO 3166), such as DE`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Compile(&tt.lists, tt.shared); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func BenchmarkHasString(b *testing.B) {
	s := shared(b, list("ours", spec.ListHost, "", "*.example.org"))
	l := s.Get("ours")
	b.ReportAllocs()
	for b.Loop() {
		l.HasString("www.shop.example.org")
	}
}
