package cache

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestRules: how long what is fetched is fresh, 0 if it is not stored or not fresh.
func TestRules(t *testing.T) {
	const html, css = "Content-Type: text/html; charset=utf-8", "Content-Type: text/css"
	tests := []struct {
		name   string
		rules  []spec.CacheRule
		path   string
		status int
		fields []string
		want   time.Duration
	}{
		{"silent page", nil, "/page", 200, []string{html}, 0},
		{"silent file", nil, "/a/style.CSS", 200, []string{css}, 2 * time.Hour},
		{"file that is not found", nil, "/style.css", 404, []string{html}, 3 * time.Minute},
		{"file that is forbidden", nil, "/style.css", 403, []string{css}, 0},
		{"file that sets a cookie", nil, "/style.css", 200, []string{css, "Set-Cookie: a=b"}, 0},
		{"file that may not be stored", nil, "/style.css", 200, []string{css, "Cache-Control: no-store"}, 0},
		{"file that says how long", nil, "/style.css", 200, []string{css, "Cache-Control: max-age=60"}, time.Minute},
		{"deception: a page under a file's name", nil, "/account/x.css", 200, []string{html}, 0},
		{"deception: no type", nil, "/account/x.css", 200, nil, 0},
		{"deception: data", nil, "/account/x.jpg", 200, []string{"Content-Type: application/json"}, 0},
		{
			"a page that says itself how long, whatever its name", nil, "/x.css", 200, []string{html, "Cache-Control: max-age=60"}, time.Minute,
		},
		{"rule", []spec.CacheRule{{Paths: []string{"/blog/*"}, TTL: time.Hour}}, "/blog/1", 200, []string{html}, time.Hour},
		{"rule for other paths", []spec.CacheRule{{Paths: []string{"/blog/*"}, TTL: time.Hour}}, "/shop", 200, []string{html}, 0},
		{
			"first rule", []spec.CacheRule{{Paths: []string{"/blog/*"}, TTL: time.Hour}, {TTL: time.Minute}}, "/blog/1", 200, []string{html}, time.Hour,
		},
		{
			"rule does not override", []spec.CacheRule{{TTL: time.Hour}}, "/a", 200, []string{html, "Cache-Control: max-age=60"}, time.Minute,
		},
		{"rule respects Expires", []spec.CacheRule{{TTL: time.Hour}}, "/a", 200, []string{html, "Expires: 0"}, 0},
		{
			"rule overrides", []spec.CacheRule{{TTL: time.Hour, Override: true}}, "/a", 200, []string{html, "Cache-Control: no-store, max-age=0"}, time.Hour,
		},
		{
			"nothing overrides private", []spec.CacheRule{{TTL: time.Hour, Override: true}}, "/a", 200, []string{html, "Cache-Control: private"}, 0,
		},
		{
			"nothing overrides a cookie", []spec.CacheRule{{TTL: time.Hour, Override: true}}, "/a", 200, []string{html, "Set-Cookie: a=b"}, 0,
		},
		{
			"an override is not deceived", []spec.CacheRule{{Paths: []string{"*.css"}, TTL: time.Hour, Override: true}},
			"/account/x.css", 200, []string{html}, 0,
		},
		{
			"a session for nobody", []spec.CacheRule{{TTL: time.Hour, Override: true, UnsetCookies: true}},
			"/a", 200, []string{html, "Cache-Control: no-store", "Vary: Cookie", "Set-Cookie: a=b"}, time.Hour,
		},
		{
			"a session for nobody, but private", []spec.CacheRule{{TTL: time.Hour, Override: true, UnsetCookies: true}},
			"/a", 200, []string{html, "Cache-Control: private", "Set-Cookie: a=b"}, 0,
		},
		{
			"a session under an earlier rule", []spec.CacheRule{{Paths: []string{"/a"}, TTL: time.Hour}, {TTL: time.Hour, UnsetCookies: true}},
			"/a", 200, []string{html, "Set-Cookie: a=b"}, 0,
		},
		{"status", []spec.CacheRule{{Statuses: []string{"500-599"}, TTL: time.Second}}, "/a", 503, nil, time.Second},
		{"other status", []spec.CacheRule{{Statuses: []string{"404"}, TTL: time.Second}}, "/a", 200, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicyFor(t, func(z *spec.Zone) { z.Cache.Rules = tt.rules })
			fetch(t, p, get(tt.path), response(tt.status, "x", tt.fields...))
			f := get(tt.path)
			p.Lookup(f)
			if got := f.Cache.TTL.Round(time.Second); f.Cache.Message == nil && tt.want != 0 || f.Cache.Message != nil && got != tt.want {
				t.Errorf("got %v fresh for %v (%s), want %v", f.Cache.Status, got, f.Cache.Reason, tt.want)
			}
		})
	}
}

func TestBypassRules(t *testing.T) {
	p := newPolicyFor(t, func(z *spec.Zone) {
		z.Cache.Rules = []spec.CacheRule{
			{Paths: []string{"/wp-admin/*"}, Bypass: true},
			{Cookies: []string{"wordpress_logged_in_*", "cart"}, Bypass: true},
		}
	})
	tests := []struct {
		name string
		f    *flow.Flow
		want bool
	}{
		{"path", get("/wp-admin/a"), true},
		{"other path", get("/wp-admin"), false},
		{"cookie", get("/", "Cookie: a=b; wordpress_logged_in_7=x"), true},
		{"second field", get("/", "Cookie: a=b", "Cookie: cart="), true},
		{"in a value", get("/", "Cookie: a=cart"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.Lookup(tt.f)
			if got := tt.f.Cache.Status == flow.Bypass; got != tt.want {
				t.Errorf("got %v (%s), want a bypass: %t", tt.f.Cache.Status, tt.f.Cache.Reason, tt.want)
			}
		})
	}
}

// TestUnsetCookies: under such a rule the origin sees no cookie but those in the key, and nobody gets one from what is kept, not even who caused it.
func TestUnsetCookies(t *testing.T) {
	p := newPolicyFor(t, func(z *spec.Zone) {
		z.Cache.Key.Cookies = []string{"currency"}
		z.Cache.Rules = []spec.CacheRule{{Cookies: []string{"login"}, Bypass: true}, {TTL: time.Minute, Override: true, UnsetCookies: true}}
	})
	page := func(body string, status int, fields ...string) func(*flow.Flow) (*flow.Message, *flow.Refusal) {
		return func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			if a := f.Cache.Asked; f.Cache.Whole && (!a.UnsetCookies || a.Cookie != "currency=EUR") {
				t.Errorf("got the origin asked with %t, %q, want only the cookie of the key", a.UnsetCookies, a.Cookie)
			}
			return response(status, body, append(fields, "Set-Cookie: session=1")...), nil
		}
	}
	check := func(what string, f *flow.Flow, wantBody string, wantCookie bool) {
		t.Helper()
		if got, err := read(f); got != wantBody || err != nil {
			t.Errorf("%s: got %q, %v, want %q", what, got, err, wantBody)
		}
		if got := flow.Get(f.Message().Fields, "set-cookie") != ""; got != wantCookie {
			t.Errorf("%s: got a cookie: %t, want %t", what, got, wantCookie)
		}
	}
	const euro = "Cookie: id=7; currency=EUR; other=1"
	f := get("/a", euro)
	run(p, f, page("one", 200, `ETag: "1"`, "Vary: Cookie"))
	check("who caused it", f, "one", false)
	f = get("/a", "Cookie: currency=EUR")
	run(p, f, page("two", 200))
	check("the next", f, "one", false)
	f = get("/a", "Cookie: currency=EUR; login=1")
	run(p, f, page("mine", 200))
	check("who is logged in", f, "mine", true)
	f = get("/a", "Cookie: currency=EUR", "Authorization: Basic eA==")
	run(p, f, page("mine", 200))
	check("who has a password", f, "mine", true)

	// What a range or a HEAD brings was asked for with cookies: it is nobody else's.
	f = get("/b", euro, "Range: bytes=0-3")
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
		return response(206, "mine", "Cache-Control: max-age=60", `ETag: "1"`, "Content-Range: bytes 0-3/4"), nil
	})
	p.Learn(f)
	check("a range", f, "mine", false)
	f = get("/b", euro)
	run(p, f, page("ours", 200))
	check("after the range", f, "ours", false)

	// What is not kept is one visitor's, cookie and all.
	f = get("/c", euro)
	run(p, f, page("private", 200, "Cache-Control: private"))
	check("private", f, "private", true)
}

// TestUnsetCookiesRevalidated: a 304 begins sessions, too.
func TestUnsetCookiesRevalidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicyFor(t, func(z *spec.Zone) {
			z.Cache.Rules = []spec.CacheRule{{TTL: time.Minute, Override: true, UnsetCookies: true}}
		})
		fetch(t, p, get("/a"), response(200, "page", `ETag: "1"`, "Set-Cookie: session=1"))
		time.Sleep(2 * time.Minute)
		for _, want := range []flow.CacheStatus{flow.Revalidated, flow.Hit} {
			f := get("/a")
			if got := fetch(t, p, f, response(304, "", `ETag: "1"`, "Set-Cookie: session=2")); got != "page" || f.Cache.Status != want {
				t.Errorf("got %q, %v (%s), want the page, %v", got, f.Cache.Status, f.Cache.Reason, want)
			}
			if got := flow.Get(f.Message().Fields, "set-cookie"); got != "" {
				t.Errorf("%v: got the cookie %q, want none", want, got)
			}
		}
	})
}

func TestBadRules(t *testing.T) {
	tests := []struct {
		rule spec.CacheRule
		want string
	}{
		{spec.CacheRule{}, "cache.rules[1].ttl: missing"},
		{spec.CacheRule{Bypass: true, TTL: time.Hour}, "cache.rules[1].bypass: a ttl"},
		{spec.CacheRule{Bypass: true, Statuses: []string{"404"}}, "cache.rules[1].statuses: not known"},
		{spec.CacheRule{Bypass: true, UnsetCookies: true}, "cache.rules[1].bypass: a ttl"},
		{spec.CacheRule{TTL: time.Hour, UnsetCookies: true, Statuses: []string{"200"}}, "cache.rules[1].statuses: not known"},
	}
	for _, tt := range tests {
		room, err := New(&spec.Node{Cache: spec.Memory{Size: testSize, Object: testObject}})
		if err != nil {
			t.Fatal(err)
		}
		z := spec.DefaultZone()
		z.Cache.Rules = []spec.CacheRule{{TTL: time.Hour}, tt.rule}
		if _, err := room.Compile(&z); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
