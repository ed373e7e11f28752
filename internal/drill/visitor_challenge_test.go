package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/drill/wire"
)

// interstitial is the response that a page comes with, and fields given in turn.
func interstitial(status int, namesAndValues ...string) *wire.Response {
	r := &wire.Response{Status: status, Fields: []wire.Field{{Name: "Content-Type", Value: "text/html"}}}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		r.Fields = append(r.Fields, wire.Field{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return r
}

func TestReadChallenge(t *testing.T) {
	cookie := []string{"Set-Cookie", "k=v"}
	kv := []wire.Field{{Name: "k", Value: "v"}}
	tests := []struct {
		name, page string
		response   *wire.Response
		want       challenge
		ok         bool
	}{
		{"nothing", "", interstitial(200), challenge{}, false},
		{"refusal", "<h1>Too many requests</h1>", interstitial(429, cookie...), challenge{}, false},
		{"refresh", `<meta http-equiv="refresh" content="2">`, interstitial(503, cookie...),
			challenge{delay: 2 * time.Second}, true},
		{"refresh of one's own", `<meta http-equiv="refresh" content="2">`, interstitial(503), challenge{}, false},
		{"refresh in a field", "", interstitial(403, "Refresh", "0.5; url=/", "Set-Cookie", "k=v"),
			challenge{delay: 500 * time.Millisecond}, true},
		{"refresh much later", `<META CONTENT='300;URL=/' HTTP-EQUIV='Refresh'>`, interstitial(429, cookie...),
			challenge{delay: maxDelay}, true},
		{"refresh of no time", `<meta http-equiv=refresh content=soon>`, interstitial(429, cookie...),
			challenge{delay: maxDelay, scripted: true}, false},
		{"other elements first", `<meta charset=utf-8><meta name="a" content="b"><meta http-equiv="refresh" content="0">`, interstitial(200, cookie...),
			challenge{}, true},
		{"reload", `<script>window.location.reload();</script>`, interstitial(200, cookie...), challenge{scripted: true}, true},
		{"reload later", `<script>setTimeout(() => location.reload(true), 3000)</script>`, interstitial(401, cookie...),
			challenge{scripted: true, delay: 3 * time.Second}, true},
		{"reload with arguments", `<script>setTimeout(function(){f(a,b);location.href="/x"}, 40 )</script>`, interstitial(401, cookie...),
			challenge{scripted: true, delay: 40 * time.Millisecond}, true},
		{"literal", `<script>document.cookie='k=v; path=/';location.reload()</script>`, interstitial(503),
			challenge{scripted: true, cookies: kv}, true},
		{"literal and refresh", "<script>document.cookie = `k=v`</script><meta http-equiv=refresh content=1>", interstitial(503),
			challenge{scripted: true, cookies: kv, delay: time.Second}, true},
		{"computed", `<script>document.cookie='k='+f();location.reload()</script>`, interstitial(503),
			challenge{scripted: true, computed: true}, true},
		{"read only", `<script>if (document.cookie == "") location.reload()</script>`, interstitial(503), challenge{}, false},
		{"gone", `<meta http-equiv="refresh" content="2">`, interstitial(410, cookie...), challenge{}, false},
		{"no page", `location.reload()`, &wire.Response{Status: 200, Fields: []wire.Field{{Name: "Set-Cookie", Value: "k=v"}}}, challenge{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := readChallenge(tt.response, []byte(tt.page))
			if ok != tt.ok {
				t.Fatalf("challenge %v, want %v", ok, tt.ok)
			}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(challenge{})); ok && d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// Whatever a page says, what is made of it is bounded.
func FuzzReadChallenge(f *testing.F) {
	f.Add(503, "Set-Cookie", `<meta http-equiv="refresh" content="2; url=/">`)
	f.Add(200, "Refresh", `<script>setTimeout(function () { location.reload() }, 1500)</script>`)
	f.Add(403, "", "<script>document.cookie = `k=v`; location.replace('/')</script>")
	f.Fuzz(func(t *testing.T, status int, field, page string) {
		ch, ok := readChallenge(interstitial(status, field, "3"), []byte(page))
		if ch.delay < 0 || ch.delay > maxDelay || len(ch.cookies) > jarSize {
			t.Errorf("delay %v, %d cookies", ch.delay, len(ch.cookies))
		}
		for _, c := range ch.cookies {
			if strings.ContainsAny(c.Name+c.Value, ";\r\n") {
				t.Errorf("cookie %q=%q", c.Name, c.Value)
			}
		}
		if ok && !ch.computed && len(ch.cookies) == 0 && !strings.EqualFold(field, "Set-Cookie") {
			t.Error("a challenge that gives no cookie")
		}
	})
}

func TestFreshFor(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"", 0},
		{"public", 0},
		{"public, max-age=60", time.Minute},
		{"MAX-AGE=\"5\"", 5 * time.Second},
		{"public, max-age=0, s-maxage=30", 0},
		{"max-age=60, no-cache", 0},
		{"no-store", 0},
		{"max-age=soon", 0},
		{"max-age=31536000, immutable", maxFreshFor},
	}
	for _, tt := range tests {
		if got := freshFor(tt.in); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestJar(t *testing.T) {
	a := &userAgent{cookies: true}
	set := func(lines ...string) {
		r := new(wire.Response)
		for _, l := range lines {
			r.Fields = append(r.Fields, wire.Field{Name: "set-cookie", Value: l})
		}
		a.keepCookies(r)
	}
	set("a=1; Path=/; HttpOnly", "b=2", "nonsense", "c=3; Max-Age=60")
	set("b=3", "c=gone; Max-Age=0")
	want := []wire.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "3"}}
	if d := cmp.Diff(want, a.jar); d != "" {
		t.Errorf("jar (-want +got):\n%s", d)
	}
	for i := range 2 * jarSize {
		set(strings.Repeat("x", i+1) + "=1")
	}
	if len(a.jar) != jarSize {
		t.Errorf("%d cookies, want %d", len(a.jar), jarSize)
	}
	a = &userAgent{}
	if set("a=1"); len(a.jar) > 0 {
		t.Errorf("a client without cookies keeps %v", a.jar)
	}
}

func TestRedirect(t *testing.T) {
	post := ask{method: "POST", path: "/login", body: []byte("x"), fields: []wire.Field{{Name: "Content-Type", Value: "a/b"}}}
	get := ask{method: "GET", path: "/a/b?c=d"}
	tests := []struct {
		name     string
		q        ask
		status   int
		location string
		want     string // method, target and length of the body; "": not followed
	}{
		{"after a form", post, 303, "/account", "GET /account 0"},
		{"after a form, as of old", post, 302, "/account", "GET /account 0"},
		{"with the form", post, 307, "/elsewhere", "POST /elsewhere 1"},
		{"for good", get, 308, "https://harbour.test/x?y", "GET /x?y 0"},
		{"relative", get, 301, "e", "GET /a/e 0"},
		{"other host", get, 301, "https://other.test/", ""},
		{"other scheme", get, 301, "http://harbour.test/", ""},
		{"no place", get, 302, "", ""},
		{"itself", get, 302, "?c=d", ""},
		{"broken", get, 302, "http://[", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &userAgent{target: wire.Target{Host: "harbour.test", TLS: true}, cookies: true}
			r := &wire.Response{Status: tt.status, Fields: []wire.Field{{Name: "Location", Value: tt.location}}}
			got := ""
			if a.redirect(&tt.q, r, &rebuff{}) {
				got = tt.q.method + " " + tt.q.path + " " + string(rune('0'+len(tt.q.body)))
			}
			if got != tt.want {
				t.Errorf("follows to %q, want %q", got, tt.want)
			}
			if tt.q.body == nil && len(tt.q.fields) > 0 {
				t.Errorf("fields of the form are kept: %v", tt.q.fields)
			}
		})
	}
}
