package cache

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// TestRecent: an invalidation is for what was asked for before it, of its target in whatever scheme, and nothing else as long as there is room; then for
// more, never for less.
func TestRecent(t *testing.T) {
	seed, c := maphash.MakeSeed(), new(recent)
	page := func(path string) *target { return &target{scheme: "https", host: "example.org", path: path} }
	c.note(seed, page("/a"), 100)
	tests := []struct {
		target *target
		begun  int64
		want   bool
	}{
		{page("/a"), 99, true},
		{page("/a"), 100, false},
		{&target{scheme: "http", host: "example.org", path: "/a", port: "8080", dimensions: "x"}, 99, true},
		{page("/b"), 99, false},
		{&target{scheme: "https", host: "example.org", path: "/a", hasQuery: true}, 99, false},
	}
	for _, tt := range tests {
		if got := c.after(seed, tt.target, tt.begun); got != tt.want {
			t.Errorf("%+v, begun at %d: got %t, want %t", tt.target, tt.begun, got, tt.want)
		}
	}
	for i := range int64(10 * recentSlots) {
		c.note(seed, page(fmt.Sprint("/", i)), 1000+i)
	}
	for i := range int64(10 * recentSlots) {
		if !c.after(seed, page(fmt.Sprint("/", i)), 999+i) {
			t.Fatalf("/%d: what began before its invalidation is let in", i)
		}
	}
	if c.after(seed, page("/other"), 1000+10*recentSlots) {
		t.Error("what began after all of them is kept out")
	}
}

// TestInvalidationDuringFetchOfVariant: what was asked for before an invalidation is not stored after it, although nobody knew the variant then.
func TestInvalidationDuringFetchOfVariant(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/a", "Accept-Language: de"), response(200, "de", cacheable, "Vary: Accept-Language"))
	f := get("/a", "Accept-Language: fr")
	p.Lookup(f)
	if got := p.Join(f); got != Lead {
		t.Fatalf("got %v, want lead", got)
	}
	post := get("/a")
	post.Request.Method, post.Origin.Message = "POST", &flow.Message{Status: 204}
	p.Invalidate(post)
	f.Origin.Message = response(200, "old", cacheable, "Vary: Accept-Language")
	p.Keep(f)
	if body, err := read(f); body != "old" || err != nil {
		t.Errorf("who asked before: got %q, %v", body, err)
	}
	mustMiss(t, p, get("/a", "Accept-Language: fr"))
	mustMiss(t, p, get("/a", "Accept-Language: de"))
}
