package cache

import (
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// TestNoCache wants a node without memory for a cache to have none in a zone that asks for one, and so before and after an upgrade.
func TestNoCache(t *testing.T) {
	none := newPolicyOf(t, 0, testObject, 1000)
	wantNone := func(when string) {
		t.Helper()
		f := get("/a")
		none.Lookup(f)
		if f.Cache.Status != flow.Bypass || f.Cache.Reason != "cache is off" {
			t.Errorf("%s: got %v: %s, want a bypass", when, f.Cache.Status, f.Cache.Reason)
		}
		if outcome := none.Join(f); outcome != Pass {
			t.Errorf("%s: got %v, want the origin's answer to be passed", when, outcome)
		}
		f.Request.Method, f.Origin.Message = "POST", response(200, "")
		none.Invalidate(f)
		if got := none.room.Stats(); got != (Stats{}) {
			t.Errorf("%s: got %+v, want nothing", when, got)
		}
	}
	wantNone("at first")

	full := newPolicy(t)
	fetch(t, full, get("/a"), response(200, "a", cacheable))
	u := upgradeTo(t, full, none)
	if u.got != 0 {
		t.Errorf("got %d objects, want none to fit", u.got)
	}
	f := get("/a")
	full.drop(full.target(&f.Request)) // which the other is told
	u.end()
	wantNone("after an upgrade from a cache")

	u = upgradeTo(t, none, newPolicy(t))
	if u.got != 0 {
		t.Errorf("got %d objects from a node that has none", u.got)
	}
	u.end()
	none.room.Clear()
	wantNone("after an upgrade")
}
