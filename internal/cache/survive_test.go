package cache

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func survivors(t testing.TB) *Policy {
	return newPolicyFor(t, func(z *spec.Zone) { z.Cache.Survive = time.Hour })
}

// down is an origin that can't be reached.
func down(*flow.Flow) (*flow.Message, *flow.Refusal) {
	return nil, &flow.Refusal{Reason: flow.OriginUnreachable, Status: 502}
}

// TestSurvive: of which answers there is a copy when the origin is down.
func TestSurvive(t *testing.T) {
	tests := []struct {
		name   string
		f      *flow.Flow
		status int
		fields []string
		want   bool
	}{
		{"page that says nothing", get("/a"), 200, nil, true},
		{"page to be validated", get("/a"), 200, []string{"Cache-Control: no-cache", `ETag: "1"`}, true},
		{"page that must not be stale", get("/a"), 200, []string{"Cache-Control: max-age=1, must-revalidate"}, true},
		{"page that sets a cookie", get("/a"), 200, []string{"Set-Cookie: a=b"}, true},
		{"page that varies by anything", get("/a"), 200, []string{"Vary: *"}, true},
		{"cacheable page", get("/a"), 200, []string{"Cache-Control: max-age=1"}, true},
		{"no-store", get("/a"), 200, []string{"Cache-Control: no-store"}, false},
		{"private", get("/a"), 200, []string{"Cache-Control: private"}, false},
		{"private fields", get("/a"), 200, []string{`Cache-Control: private="x-user"`, "X-User: bob"}, true},
		{"no-store for CDNs", get("/a"), 200, []string{"CDN-Cache-Control: no-store", "Cache-Control: max-age=60"}, false},
		{"private, and CDNs must ask", get("/a"), 200, []string{"CDN-Cache-Control: no-cache", "Cache-Control: private"}, false},
		{"broken directives", get("/a"), 200, []string{`Cache-Control: "no-store`}, false},
		{"request with a cookie", get("/a", "Cookie: a=b"), 200, nil, false},
		{"request with credentials", get("/a", "Authorization: Basic eA=="), 200, nil, false},
		{"an error", get("/a"), 404, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := survivors(t)
				fetch(t, p, tt.f, response(tt.status, "page", tt.fields...))
				for range 2 { // also one that asks for itself alone
					time.Sleep(10 * time.Second)
					f := get("/a", "Cookie: session=1")
					run(p, f, down)
					m := f.Message()
					if got := m != nil; got != tt.want {
						t.Fatalf("got an answer: %t (%s), want %t", got, f.Cache.Reason, tt.want)
					}
					if !tt.want {
						return
					}
					if f.Cache.Status != flow.Stale || f.Cache.TTL > 0 || f.Cache.Age < 10*time.Second || string(m.Body) != "page" {
						t.Errorf("got %v, fresh for %v, %v old: want a stale page", f.Cache.Status, f.Cache.TTL, f.Cache.Age)
					}
					if slices.ContainsFunc(m.Fields, func(f flow.Field) bool { return f.Name == "Set-Cookie" || f.Name == "X-User" }) {
						t.Errorf("got what is one visitor's: %v", m.Fields)
					}
				}
				time.Sleep(25 * time.Hour)
				f := get("/a")
				if run(p, f, down); f.Message() != nil {
					t.Errorf("got an answer after a day, want none")
				}
			})
		})
	}
}

// TestSurviveErrors: a copy stands in for errors of the origin, and not for what it means.
func TestSurviveErrors(t *testing.T) {
	for status, want := range map[int]string{500: "page", 502: "page", 503: "page", 504: "page", 501: "broken", 404: "broken", 200: "broken"} {
		p := survivors(t)
		fetch(t, p, get("/a"), response(200, "page"))
		if got := fetch(t, p, get("/a"), response(status, "broken")); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}

// TestSurviveIsRefreshed: a copy is replaced when it is a minute old, and not more often.
func TestSurviveIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := survivors(t)
		for _, tt := range []struct{ body, want string }{{"one", "one"}, {"two", "one"}, {"three", "three"}} {
			fetch(t, p, get("/a"), response(200, tt.body))
			f := get("/a")
			run(p, f, down)
			if got := string(f.Message().Body); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			time.Sleep(31 * time.Second)
		}
	})
}

// TestSurviveWhole: what broke off is no copy, nor what is too large; all memory for fetches is given back.
func TestSurviveWhole(t *testing.T) {
	large := strings.Repeat("x", testObject/2)
	tests := []struct {
		name string
		body flow.Body
		size int64
		want bool
	}{
		{"in pieces", pieces(io.EOF, "some", "pieces"), -1, true},
		{"broken off", pieces(io.ErrUnexpectedEOF, "some"), -1, false},
		{"shorter than it said", pieces(io.EOF, "some"), 10, false},
		{"too large", pieces(io.EOF, large, large, large), -1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := survivors(t)
			f := get("/a")
			run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
				return &flow.Message{Status: 200, Length: tt.size, Stream: tt.body}, nil
			})
			_, _ = read(f)
			if got := p.room.filling.used.Load(); got != 0 {
				t.Errorf("got %d bytes reserved, want none", got)
			}
			again := get("/a")
			run(p, again, down)
			if got := again.Message() != nil; got != tt.want {
				t.Errorf("got a copy: %t, want %t", got, tt.want)
			}
		})
	}
}

// TestSurviveDropped: a purge and an invalidation are for copies, too.
func TestSurviveDropped(t *testing.T) {
	for name, drop := range map[string]func(p *Policy){
		"purge": func(p *Policy) { p.Purge(Purge{Scope: PurgeAll}) },
		"invalidation": func(p *Policy) {
			post := get("/a")
			post.Request.Method, post.Origin.Message = "POST", response(204, "")
			p.Invalidate(post)
		},
	} {
		p := survivors(t)
		fetch(t, p, get("/a"), response(200, "page"))
		drop(p)
		f := get("/a")
		if run(p, f, down); f.Message() != nil {
			t.Errorf("%s: got a copy, want none", name)
		}
	}
}

// TestSurviveCoding: who does not understand a copy's coding does not get it.
func TestSurviveCoding(t *testing.T) {
	p := survivors(t)
	fetch(t, p, get("/a", "Accept-Encoding: gzip, br"), response(200, "page", "Content-Encoding: br", "Vary: Accept-Encoding"))
	for accept, want := range map[string]bool{"gzip": false, "gzip, BR;q=0.5": true, "": false} {
		f := get("/a", "Accept-Encoding: "+accept)
		run(p, f, down)
		if got := f.Message() != nil; got != want {
			t.Errorf("%q: got a copy: %t, want %t", accept, got, want)
		}
	}
}

func TestUpgradeKeepsCopies(t *testing.T) {
	from, to := survivors(t), survivors(t)
	fetch(t, from, get("/a"), response(200, "page"))
	upgradeTo(t, from, to)
	mustMiss(t, to, get("/a"))
	f := get("/a")
	if run(to, f, down); f.Message() == nil || string(f.Message().Body) != "page" {
		t.Errorf("got %v, want the copy", f.Message())
	}
}
