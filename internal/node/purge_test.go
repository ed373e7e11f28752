package node

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPurge: what is purged of which zone, or what is wrong with it.
func TestPurge(t *testing.T) {
	site, _ := testZone(t)
	other := site
	other.Name, other.Hosts = "other", []string{"other.test", "*.other.test"}
	s := testNode(t)
	start(t, s, site, other)
	tests := []struct {
		name  string
		purge Purge
		want  []string // zone, scope and what
		fails string
	}{
		{"urls", Purge{URLs: []string{"https://site.test/a?b", "www.other.test/%7Ec/../d"}}, []string{"site url https://site.test/a?b", "other url www.other.test/%7Ec/../d"}, ""},
		{"prefix", Purge{Prefixes: []string{"site.test/a/"}}, []string{"site prefix site.test/a/"}, ""},
		{"host", Purge{Hosts: []string{"SITE.test"}}, []string{"site host SITE.test"}, ""},
		{"all of a zone", Purge{Zone: "other", All: true}, []string{"other all "}, ""},
		{"tags", Purge{Zone: "site", Tags: []string{"a", "b"}, Soft: true}, []string{"site tag a", "site tag b"}, ""},
		{"nothing", Purge{}, nil, "nothing to purge"},
		{"tags of which zone", Purge{Tags: []string{"a"}}, nil, "there are 2 zones"},
		{"no such zone", Purge{Zone: "none", All: true}, nil, "no zone none is in force"},
		{"no such host", Purge{Hosts: []string{"none.test"}}, nil, "no zone has the host none.test"},
		{"host of another zone", Purge{Zone: "site", Hosts: []string{"other.test"}}, nil, "zone site has no host other.test"},
		{"one of two is wrong", Purge{URLs: []string{"site.test/a", "site.test/%"}}, nil, "invalid URL escape"},
		{"host with a path", Purge{Hosts: []string{"site.test/a"}}, nil, "is no host"},
		{"prefix with a query", Purge{Prefixes: []string{"site.test/a?b"}}, nil, "has a query"},
		{"scheme", Purge{URLs: []string{"ftp://site.test/"}}, nil, "is no URL"},
		{"tag with a space", Purge{Zone: "site", Tags: []string{"a b"}}, nil, `tag "a b"`},
		{"too many", Purge{Zone: "site", Tags: make([]string, mostPurged+1)}, nil, "too many"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			receipt, err := PurgeCache(t.Context(), s.Data, "", &tt.purge)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("got %v, want %s", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range receipt.Purged {
				got = append(got, p.Zone+" "+p.Scope+" "+p.What)
				if p.InForce.IsZero() || p.Soft != tt.purge.Soft {
					t.Errorf("got %+v", p)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPurgeInForce: the next visitor after the receipt gets what is new, however the URL is spelt.
func TestPurgeInForce(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	n, _ := start(t, s, z)
	to := n.Listening()[0].Address
	visit(t, to, "site.test", "/a~b?c")
	if _, h, _ := visit(t, to, "site.test", "/a~b?c"); !strings.Contains(h.Get("Cache-Status"), "; hit") {
		t.Fatalf("got %s, want a hit", h.Get("Cache-Status"))
	}
	if _, err := PurgeCache(t.Context(), s.Data, "", &Purge{URLs: []string{"http://Site.test./x/../a%7Eb?c"}}); err != nil {
		t.Fatal(err)
	}
	if _, h, _ := visit(t, to, "site.test", "/a~b?c"); !strings.Contains(h.Get("Cache-Status"), "fwd=miss; stored") {
		t.Errorf("got %s, want a miss", h.Get("Cache-Status"))
	}
	why, err := WhyCached(t.Context(), s.Data, "", "http://site.test/a~b?c", []string{"Accept: text/html"})
	if err != nil || why.Zone != "site" || why.Steps[len(why.Steps)-1].Says != "hit: it is served from memory" {
		t.Errorf("got %+v, %v, want a hit", why, err)
	}
	if _, err := WhyCached(t.Context(), s.Data, "", "http://site.test/", []string{"nonsense"}); err == nil || !strings.Contains(err.Error(), "want a name") {
		t.Errorf("got %v, want what is wrong", err)
	}
}
