package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func TestLookup(t *testing.T) {
	tests := []struct {
		name   string
		change func(q *flow.Request)
		path   string
		fields []string
		want   flow.CacheStatus
		served bool
		refuse flow.Reason
	}{
		{name: "fresh", path: "/fresh", want: flow.Hit, served: true},
		{name: "HEAD", path: "/fresh", change: func(q *flow.Request) { q.Method = "HEAD" }, want: flow.Hit, served: true},
		{name: "range of a stored one", path: "/fresh", fields: []string{"Range: bytes=0-1"}, want: flow.Hit, served: true},
		{name: "client's no-cache", path: "/fresh", fields: []string{"Cache-Control: no-cache"}, want: flow.Hit, served: true},
		{name: "only-if-cached and there", path: "/fresh", fields: []string{"Cache-Control: only-if-cached"}, want: flow.Hit, served: true},
		{name: "nothing there", path: "/none", want: flow.Miss},
		{name: "other scheme", path: "/fresh", change: func(q *flow.Request) { q.Scheme = "http" }, want: flow.Miss},
		{name: "other host", path: "/fresh", change: func(q *flow.Request) { q.Host = "www.example.org" }, want: flow.Miss},
		{name: "empty query", path: "/fresh?", want: flow.Miss},
		{name: "query", path: "/fresh?a", want: flow.Miss},
		{name: "only-if-cached", path: "/none", fields: []string{"Cache-Control: only-if-cached"}, want: flow.Miss, refuse: flow.OnlyIfCached},
		{name: "stale", path: "/stale", want: flow.Stale},
		{name: "stale and accepted", path: "/stale", fields: []string{"Cache-Control: max-stale=600"}, want: flow.Stale, served: true},
		{name: "stale and only-if-cached", path: "/stale", fields: []string{"Cache-Control: only-if-cached"}, want: flow.Miss, refuse: flow.OnlyIfCached},
		{name: "POST", path: "/fresh", change: func(q *flow.Request) { q.Method = "POST" }, want: flow.Bypass},
		{name: "upgrade", path: "/fresh", change: func(q *flow.Request) { q.Upgrade = "websocket" }, want: flow.Bypass},
		{name: "GET with a body", path: "/fresh", change: func(q *flow.Request) { q.Length = -1 }, want: flow.Bypass},
		{name: "range of nothing", path: "/none", fields: []string{"Range: bytes=0-1"}, want: flow.Bypass},
		{name: "HEAD of nothing", path: "/none", change: func(q *flow.Request) { q.Method = "HEAD" }, want: flow.Bypass},
		{name: "HEAD of a stale one", path: "/stale", change: func(q *flow.Request) { q.Method = "HEAD" }, want: flow.Bypass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t)
				fetch(t, p, get("/fresh"), response(200, "fresh", "Cache-Control: max-age=60"))
				fetch(t, p, get("/stale"), response(200, "stale", "Cache-Control: max-age=10", `ETag: "1"`))
				time.Sleep(30 * time.Second)
				f := get(tt.path, tt.fields...)
				if tt.change != nil {
					tt.change(&f.Request)
				}
				p.Lookup(f)
				if got := f.Cache.Status; got != tt.want {
					t.Errorf("status: got %v (%s), want %v", got, f.Cache.Reason, tt.want)
				}
				if got := f.Cache.Message != nil; got != tt.served {
					t.Errorf("served: got %v, want %v", got, tt.served)
				}
				var got flow.Reason
				if f.Cache.Refusal != nil {
					got = f.Cache.Refusal.Reason
				}
				if got != tt.refuse {
					t.Errorf("refusal: got %v, want %v", got, tt.refuse)
				}
				if f.Cache.Reason == "" {
					t.Error("no reason given")
				}
			})
		})
	}
}

func TestHitTellsAgeAndTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		fetch(t, p, get("/a"), response(200, "a", "Cache-Control: max-age=60", "Age: 5"))
		time.Sleep(20 * time.Second)
		f := get("/a")
		mustHit(t, p, f, "a")
		if got, want := f.Cache.Age, 25*time.Second; got != want {
			t.Errorf("age: got %v, want %v", got, want)
		}
		if got, want := f.Cache.TTL, 35*time.Second; got != want {
			t.Errorf("ttl: got %v, want %v", got, want)
		}
		if f.Cache.Meta == nil || f.Cache.Meta.Status != 200 {
			t.Errorf("meta: got %+v, want that of a 200", f.Cache.Meta)
		}
	})
}

func TestZonesAreIsolated(t *testing.T) {
	a := newPolicy(t)
	b := compile(t, a.room, "other", 10)
	fetch(t, a, get("/x"), response(200, "a's", "Cache-Control: max-age=60"))
	mustMiss(t, b, get("/x"))
	fetch(t, b, get("/x"), response(200, "b's", "Cache-Control: max-age=60"))
	mustHit(t, a, get("/x"), "a's")
	mustHit(t, b, get("/x"), "b's")
	mustHit(t, compile(t, a.room, "zone", 1), get("/x"), "a's") // compiled anew
}

func TestDisabled(t *testing.T) {
	p := newPolicy(t)
	off, err := p.room.Compile(&spec.Zone{Name: "zone"})
	if err != nil {
		t.Fatal(err)
	}
	f := get("/a")
	off.Lookup(f)
	if got := off.Join(f); f.Cache.Status != flow.Bypass || got != Pass {
		t.Errorf("got %v and %v, want bypass and pass", f.Cache.Status, got)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name  string
		cache spec.Memory
	}{
		{"less than no size", spec.Memory{Size: -1, Object: 1}},
		{"no object", spec.Memory{Size: 1 << 20}},
		{"object above a quarter", spec.Memory{Size: 1 << 20, Object: 1<<18 + 1}},
		{"object above 2 GiB", spec.Memory{Size: 1 << 40, Object: 1 << 32}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(&spec.Node{Cache: tt.cache}); err == nil {
				t.Error("got no error, want one")
			}
		})
	}
	node := spec.DefaultNode()
	if _, err := New(&node); err != nil {
		t.Errorf("default node: got %v, want no error", err)
	}
}

// A hash collision is a miss, never another target's response (RFC 9111 §4).
func TestCollision(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/a"), response(200, "a", "Cache-Control: max-age=60"))
	a, b := p.target(&get("/a").Request), p.target(&get("/b").Request)
	e, _ := p.room.objects.Get(p.room.key(p.basis, &a))
	p.room.objects.Set(p.room.key(p.basis, &b), e)
	mustMiss(t, p, get("/b"))
}
