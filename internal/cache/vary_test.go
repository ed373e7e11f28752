package cache

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// TestVary is RFC 9111 §4.1.
func TestVary(t *testing.T) {
	p := newPolicy(t)
	store := func(body, vary string, request ...string) {
		fetch(t, p, get("/a", request...), response(200, body, cacheable, "Vary: "+vary))
	}
	store("de", "Accept-Language", "Accept-Language: de")
	store("en", "Accept-Language", "Accept-Language: en")
	mustHit(t, p, get("/a", "Accept-Language: de", "User-Agent: x"), "de")
	mustHit(t, p, get("/a", "Accept-Language: en"), "en")
	mustMiss(t, p, get("/a"))
	mustMiss(t, p, get("/a", "Accept-Language: fr"))

	// A response that varies by another field, or by none, does not hide the first: both fields count from now on.
	store("gzip", "Accept-Encoding", "Accept-Encoding: gzip", "Accept-Language: it")
	mustHit(t, p, get("/a", "Accept-Encoding: gzip", "Accept-Language: it"), "gzip")
	mustMiss(t, p, get("/a", "Accept-Encoding: gzip", "Accept-Language: en"))
	mustMiss(t, p, get("/a", "Accept-Language: de"))
	fetch(t, p, get("/a"), response(200, "plain", cacheable))
	mustHit(t, p, get("/a"), "plain")
	mustMiss(t, p, get("/a", "Accept-Encoding: br"))
	mustHit(t, p, get("/a", "Accept-Encoding: gzip", "Accept-Language: it"), "gzip")
}

// A response that turns out to vary takes the place of one that did not.
func TestVaryComesLater(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/a"), response(200, "all", "Cache-Control: max-age=0, stale-if-error=1"))
	fetch(t, p, get("/a", "Accept: x"), response(200, "x", cacheable, "Vary: Accept"))
	mustHit(t, p, get("/a", "Accept: x"), "x")
	mustMiss(t, p, get("/a"))
}

func TestVariantsAreBounded(t *testing.T) {
	p := newPolicy(t)
	one := func(i int) *flow.Flow { return get("/a", fmt.Sprintf("Accept-Language: l%d", i)) }
	const n = 3*maxVariants + 5
	for i := range n {
		fetch(t, p, one(i), response(200, itoa(i), cacheable, "Vary: Accept-Language"))
	}
	for i := range n {
		f := one(i)
		p.Lookup(f)
		if got, want := f.Cache.Status == flow.Hit, i >= n-maxVariants; got != want {
			t.Errorf("variant %d of %d: got hit %v, want %v: the newest stay", i, n, got, want)
		}
	}
	if got, limit := p.room.Stats().Objects, maxVariants+1; got > limit {
		t.Errorf("objects: got %d, want at most %d", got, limit)
	}
}

func TestUnion(t *testing.T) {
	many := func(prefix string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s%02d", prefix, i))
		}
		return names
	}
	tests := []struct {
		name                string
		older, newer, wants []string
	}{
		{"none", nil, nil, nil},
		{"same", []string{"a", "b"}, []string{"a", "b"}, []string{"a", "b"}},
		{"both", []string{"a", "c"}, []string{"b", "c"}, []string{"a", "b", "c"}},
		{"too many", many("a", 10), many("b", 10), many("b", 10)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := union(tt.older, tt.newer); !slices.Equal(got, tt.wants) {
				t.Errorf("got %v, want %v", got, tt.wants)
			}
		})
	}
}
