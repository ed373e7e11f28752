package cache

import (
	"net/netip"
	"testing"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func TestQueryInKey(t *testing.T) {
	tests := []struct {
		name      string
		key       spec.CacheKey
		query     string
		want      string
		wantQuery bool
	}{
		{"all", spec.CacheKey{Query: "all"}, "b=1&a=2", "b=1&a=2", true},
		{"empty", spec.CacheKey{Query: "all"}, "", "", true},
		{"none", spec.CacheKey{Query: "none"}, "b=1&a=2", "", false},
		{"sorted", spec.CacheKey{QuerySort: true}, "b=1&a=2&a=1", "a=1&a=2&b=1", true},
		{"sorted already", spec.CacheKey{QuerySort: true}, "a=1&a=2&b=1", "a=1&a=2&b=1", true},
		{"ignored", spec.CacheKey{QueryIgnore: []string{"utm_*", "fbclid"}}, "utm_source=x&id=7&fbclid=1&utmost=2", "id=7&utmost=2", true},
		{"all ignored", spec.CacheKey{QueryIgnore: []string{"utm_*"}}, "utm_source=x", "", false},
		{"ignored is what is written", spec.CacheKey{QueryIgnore: []string{"utm_*"}}, "utm%5Fsource=x", "utm%5Fsource=x", true},
		{"only", spec.CacheKey{QueryOnly: []string{"id", "page"}}, "page=2&x=1&id=7&id", "page=2&id=7&id", true},
		{"only and sorted", spec.CacheKey{QueryOnly: []string{"id", "page"}, QuerySort: true}, "page=2&x=1&id=7", "id=7&page=2", true},
		{"without names", spec.CacheKey{QueryIgnore: []string{"x"}}, "&&=1&x", "&&=1", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := compileQuery(&tt.key)
			got, has := rule.apply(tt.query, true)
			if got != tt.want || has != tt.wantQuery {
				t.Errorf("got %q, %t, want %q, %t", got, has, tt.want, tt.wantQuery)
			}
			if again, _ := rule.apply(got, has); again != got {
				t.Errorf("applied again: got %q, want %q", again, got)
			}
		})
	}
}

func TestWildcard(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"/a", "/a", true},
		{"/a", "/ab", false},
		{"/a*", "/a", true},
		{"/a*", "/abc", true},
		{"*.css", "/x/y.css", true},
		{"*.css", "/x/y.css.map", false},
		{"/a*b*c", "/aXbYc", true},
		{"/a*b*c", "/ac", false},
		{"/ab*ba", "/aba", false},
		{"*", "", true},
		{"**", "x", true},
		{"*a*a*", "xaya", true},
		{"*a*a*", "xay", false},
	}
	for _, tt := range tests {
		if got := wildcards([]string{tt.pattern})[0].match(tt.text); got != tt.want {
			t.Errorf("%q for %q: got %t, want %t", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// TestKey: which requests share a response.
func TestKey(t *testing.T) {
	tests := []struct {
		name string
		key  spec.CacheKey
		a, b *flow.Flow
		same bool
	}{
		{"query", spec.CacheKey{}, get("/?a=1"), get("/?a=2"), false},
		{"ignored", spec.CacheKey{QueryIgnore: []string{"utm_*"}}, get("/?a=1&utm_x=1"), get("/?a=1&utm_x=2"), true},
		{"no query and an empty one", spec.CacheKey{}, get("/"), get("/?"), false},
		{"unkeyed cookie", spec.CacheKey{}, get("/", "Cookie: lang=de"), get("/", "Cookie: lang=fr"), true},
		{"cookie", spec.CacheKey{Cookies: []string{"lang"}}, get("/", "Cookie: a=1; lang=de"), get("/", "Cookie: lang=fr"), false},
		{"same cookie", spec.CacheKey{Cookies: []string{"lang"}}, get("/", "Cookie: a=1; lang=de"), get("/", "Cookie: lang=de; b=2"), true},
		{"no cookie and an empty one", spec.CacheKey{Cookies: []string{"lang"}}, get("/"), get("/", "Cookie: lang="), false},
		{"header", spec.CacheKey{Headers: []string{"X-Currency"}}, get("/", "x-currency: EUR"), get("/", "X-Currency: USD"), false},
		{"same header", spec.CacheKey{Headers: []string{"X-Currency"}}, get("/", "x-currency: EUR"), get("/", "X-Currency: EUR"), true},
		{
			"values that run together", spec.CacheKey{Headers: []string{"A", "B"}},
			get("/", "A: x", "B: y"), get("/", "A: xy"), false,
		},
		{
			"device", spec.CacheKey{Device: true},
			get("/", "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile/15E148"), get("/", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"), false,
		},
		{
			"two of a kind", spec.CacheKey{Device: true},
			get("/", "User-Agent: Mozilla/5.0 (Windows NT 10.0)"), get("/", "User-Agent: curl/8.0"), true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicyFor(t, func(z *spec.Zone) { z.Cache.Key = tt.key })
			fetch(t, p, tt.a, response(200, "first", cacheable))
			p.Lookup(tt.b)
			if got := tt.b.Cache.Message != nil; got != tt.same {
				t.Errorf("got a hit: %t, want %t", got, tt.same)
			}
		})
	}
}

// from is a flow whose client is in a country.
type from string

func (c from) Locate(netip.Addr) flow.Location { return flow.Location{Country: string(c)} }

// TestCountryInKey: visitors of one country share what the origin made for it, and the origin is told which one that is.
func TestCountryInKey(t *testing.T) {
	visit := func(country string) *flow.Flow {
		f := get("/")
		if country != "" {
			f.Request.Locator = from(country)
		}
		return f
	}
	p := newPolicyFor(t, func(z *spec.Zone) { z.Cache.Key.Country = true })
	for _, country := range []string{"DE", "FR", ""} {
		fetch(t, p, visit(country), response(200, "for "+country, cacheable))
	}
	tests := []struct{ country, want string }{{"DE", "for DE"}, {"FR", "for FR"}, {"", "for "}, {"XX", "for "}, {"US", ""}}
	for _, tt := range tests {
		f := visit(tt.country)
		p.Lookup(f)
		got := ""
		if f.Cache.Message != nil {
			got = string(f.Cache.Message.Body)
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.country, got, tt.want)
		}
	}
	f := visit("US")
	tg := p.target(&f.Request)
	if got := p.asked(&tg, &f.Request).Country; got != "US" {
		t.Errorf("the origin is told %q, want US", got)
	}
}

// TestAsked: what is not in the key is not sent for the cache, so that nobody chooses what others get.
func TestAsked(t *testing.T) {
	tests := []struct {
		name string
		key  spec.CacheKey
		f    *flow.Flow
		host string
		want flow.Asked
	}{
		{"as it is", spec.CacheKey{}, get("/?a=1"), "example.org", flow.Asked{Authority: "example.org", Query: "a=1", HasQuery: true}},
		{"case and dot", spec.CacheKey{}, get("/"), "EXAMPLE.org.", flow.Asked{Authority: "example.org"}},
		{"the scheme's port", spec.CacheKey{}, get("/"), "example.org:443", flow.Asked{Authority: "example.org"}},
		{"another port, which is in the key", spec.CacheKey{}, get("/"), "Example.org:8443", flow.Asked{Authority: "example.org:8443"}},
		{"ignored query", spec.CacheKey{QueryIgnore: []string{"utm_*"}}, get("/?utm_x=<script>"), "example.org", flow.Asked{Authority: "example.org"}},
		{
			"device", spec.CacheKey{Device: true}, get("/", "User-Agent: Mozilla/5.0 (Linux; Android 14) Mobile"), "example.org",
			flow.Asked{Authority: "example.org", Device: mobile},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicyFor(t, func(z *spec.Zone) { z.Cache.Key = tt.key })
			tt.f.Request.Authority = tt.host
			p.Lookup(tt.f)
			if got := p.Join(tt.f); got != Lead {
				t.Fatalf("got %v, want lead", got)
			}
			tt.want.AcceptEncoding = "identity" // what suits who says nothing
			if got := tt.f.Target(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			p.Abandon(tt.f)
		})
	}
}

func TestDeviceOf(t *testing.T) {
	tests := []struct{ agent, want string }{
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", mobile},
		{"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", mobile},
		{"Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", mobile},
		{"Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", tablet},
		{"Mozilla/5.0 (Android 14; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0", tablet},
		{"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", tablet},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", desktop},
		{"", desktop},
	}
	for _, tt := range tests {
		if got := deviceOf(tt.agent); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.agent, got, tt.want)
		}
	}
}
