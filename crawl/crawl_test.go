package crawl

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestAllowed(t *testing.T) {
	const file = "\ufeffUser-agent: other\nDisallow: /\n\n" +
		"# for us, and for one more\nUSER-AGENT: Seawall-Prefetch\nuser-agent: more\nDisallow: /private # and below\nAllow: /private/open\nDisallow: *.pdf$\nDisallow: /*?do=\nDisallow:\n" +
		"Sitemap: https://www.example.org/map.xml\n\nUser-agent: *\nDisallow: /all\n\nnonsense\nUser-agent: seawall-prefetch\nDisallow: /later\n"
	tests := []struct {
		file, target string
		want         bool
	}{
		{file, "/", true},
		{file, "/private", false},
		{file, "/privately", false},
		{file, "/private/open", true},
		{file, "/a/b.pdf", false},
		{file, "/a/b.pdf?x", true},
		{file, "/page?do=edit", false},
		{file, "/page?undo=1", true},
		{file, "/all", true},
		{file, "/later/x", false},
		{file, "/robots.txt", true},
		{"User-agent: *\r\nDisallow: /a\r\n", "/a", false},
		{"User-agent: *\rDisallow: /\rAllow: /$", "/", true},
		{"User-agent: *\rDisallow: /\rAllow: /$", "/a", false},
		{"User-agent: *\nDisallow: /a\nAllow: /a", "/a", true},
		{"User-agent: *\nAllow: /a\nDisallow: /a", "/a", true},
		{"User-agent: *\nDisallow: /a*b*c$", "/axbxc", false},
		{"User-agent: *\nDisallow: /a*b*c$", "/axbxcx", true},
		{"User-agent: *\nDisallow: /a*c$", "/acxc", false},
		{"User-agent: *\nDisallow: *", "/x", false},
		{"User-agent: other\nDisallow: /", "/a", true},
		{"Disallow: /", "/a", true},
		{"", "/a", true},
		{"User-agent: *\nDisallow: /" + strings.Repeat("\n", MostRobots), "/a", false},
		{strings.Repeat("\n", MostRobots) + "User-agent: *\nDisallow: /", "/a", true},
	}
	for _, tt := range tests {
		if got := ParseRobots(tt.file, "seawall-prefetch").Allowed(tt.target); got != tt.want {
			t.Errorf("%.60q: %s: got allowed %t, want %t", tt.file, tt.target, got, tt.want)
		}
	}
	if got := ParseRobots(file, "x").Sitemaps; !slices.Equal(got, []string{"https://www.example.org/map.xml"}) {
		t.Errorf("got the maps %q", got)
	}
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func TestSitemap(t *testing.T) {
	const set = `<?xml version="1.0" encoding="UTF-8"?><!-- map --><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="x">
	<url><loc> https://a.test/?a=1&amp;b=2
	</loc><lastmod>2026-01-01</lastmod><image:image><image:loc>https://a.test/i.png</image:loc></image:image></url>
	<url><loc><![CDATA[https://a.test/b]]></loc></url><url><loc></loc></url></urlset>`
	index := `<sitemapindex><sitemap><loc>https://a.test/1.xml.gz</loc></sitemap><sitemap><loc>2.xml</loc></sitemap></sitemapindex>`
	both := []string{"https://a.test/?a=1&b=2", "https://a.test/b"}
	many := "<urlset>" + strings.Repeat("<url><loc>/</loc></url>", MostURLs+1) + "</urlset>"
	tests := []struct {
		name, text string
		pages      []string
		maps       []string
		err        string
	}{
		{"map", set, both, nil, ""},
		{"packed", packed(set), both, nil, ""},
		{"index", index, nil, []string{"https://a.test/1.xml.gz", "2.xml"}, ""},
		{"empty", "", nil, nil, ""},
		{"something else", "<html><body><loc>x</loc></body></html>", nil, nil, ""},
		{"cut off", set[:len(set)-20], both, nil, "unexpected EOF"},
		{"packed and cut off", packed(set)[:60], nil, nil, "unexpected EOF"},
		{"no XML", "https://a.test/\n<", nil, nil, "syntax"},
		{"in the wrong order", "<urlset><url></urlset></url>", nil, nil, "ends what was not begun"},
		{"deep", strings.Repeat("<a>", 17), nil, nil, "within each other"},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?><urlset></urlset>`, nil, nil, "encoding"},
		{"an entity of its own", `<!DOCTYPE urlset [<!ENTITY x "xx">]><urlset><url><loc>&x;</loc></url></urlset>`, nil, nil, "entity"},
		{"long address", "<urlset><url><loc>/" + strings.Repeat("x", MostURL) + "</loc></url></urlset>", nil, nil, ""},
		{"too large", packed("<urlset>" + strings.Repeat(" ", MostMap) + "</urlset>"), nil, nil, "too large"},
		{"too many", many, slices.Repeat([]string{"/"}, MostURLs), nil, "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ReadSitemap(strings.NewReader(tt.text))
			if got := fmt.Sprint(err); (err == nil) != (tt.err == "") || !strings.Contains(got, tt.err) {
				t.Errorf("got the error %v, want %q", err, tt.err)
			}
			if !slices.Equal(m.Pages, tt.pages) || !slices.Equal(m.Maps, tt.maps) {
				t.Errorf("got %d pages and the maps %q, want %d and %q", len(m.Pages), m.Maps, len(tt.pages), tt.maps)
			}
		})
	}
}

func FuzzSitemap(f *testing.F) {
	f.Add([]byte("<urlset><url><loc>/a</loc></url></urlset>"))
	f.Add([]byte(packed("<sitemapindex><sitemap><loc>/a</loc></sitemap></sitemapindex>")))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, _ := ReadSitemap(bytes.NewReader(text))
		for _, u := range slices.Concat(m.Pages, m.Maps) {
			if u == "" || len(u) > MostURL || u != strings.TrimSpace(u) {
				t.Errorf("got the address %q", u)
			}
		}
		if len(m.Pages) > MostURLs || len(m.Maps) > MostURLs {
			t.Errorf("got %d pages and %d maps, want at most %d", len(m.Pages), len(m.Maps), MostURLs)
		}
	})
}

func FuzzRobots(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /a*b$\nSitemap: x", "/axb")
	f.Fuzz(func(t *testing.T, text, target string) {
		r := ParseRobots(text, "seawall-prefetch")
		if allowed := r.Allowed(target); !allowed && !slices.ContainsFunc(r.rules, func(rule robotsRule) bool { return !rule.allow && fits(rule.pattern, target) }) {
			t.Errorf("%q is not allowed, and no rule says so", target)
		}
	})
}
