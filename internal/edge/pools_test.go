package edge

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// pooled is a zone whose pool has what comes with X-App.
func pooled() spec.Zone {
	z := site("site", "site.test")
	z.Pools = []spec.Pool{{Name: "app", Origin: z.Origin, Budget: spec.Budget{Concurrent: 1}}}
	z.Pools[0].Origin.Servers = spec.OneServer("http://" + otherOrigin)
	z.Rules.Origin = []spec.Rule{{
		Name: "app", Expression: `http.request.headers["x-app"][0] eq "1" or starts_with(http.request.uri.path, "/silent")`,
		Action: spec.RuleRoutes, Route: spec.RuleRoute{Pool: "app"},
	}}
	return z
}

// named is an origin whose pages say which it is, and how often it was asked.
func named(name, control string) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", control)
		fmt.Fprintf(w, "%s %d", name, asked.Add(1))
	}
}

// TestPools: a request is answered from where rules route it, by the cache, too, and behind an answer that is stale. Who is on the allow list is
// routed like all others.
func TestPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := pooled()
		z.Lists.Allow = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		h := build(t, testNode(), z)
		h.serve(firstOrigin, named("own", "max-age=10, stale-while-revalidate=60"))
		h.serve(otherOrigin, named("app", "max-age=10, stale-while-revalidate=60"))
		const app = "X-App: 1"
		h.want("the zone's own", h.get("10.0.0.1", "site.test", "/a"), 200, "own 1")
		first := h.get("10.0.0.1", "site.test", "/a", app)
		h.want("the pool", first, 200, "app 1")
		h.want("the zone's own, kept", h.get("10.0.0.1", "site.test", "/a"), 200, "own 1")
		h.want("the pool's, kept", h.get("10.0.0.1", "site.test", "/a", app), 200, "app 1")
		h.want("the pool's, kept, for who is allowed", h.get(visitor, "site.test", "/a", app), 200, "app 1")
		h.want("the pool, for who is allowed", h.get(visitor, "site.test", "/b", app), 200, "app 2")
		if e := h.entry(first); e.Pool != "app" || e.Origin != otherOrigin {
			t.Errorf("the record has pool %q and server %q, want app and %s", e.Pool, e.Origin, otherOrigin)
		}
		time.Sleep(15 * time.Second)
		h.want("stale", h.get("10.0.0.1", "site.test", "/a", app), 200, "app 1")
		time.Sleep(time.Second)
		h.want("refreshed", h.get("10.0.0.1", "site.test", "/a", app), 200, "app 3")
		h.want("not refreshed by that", h.get("10.0.0.1", "site.test", "/a"), 200, "own 1")
		h.wantIdle("site")
	})
}

// TestPoolsApart: a pool that is full, or down, takes nothing from the zone's own origin; what survives it is its own.
func TestPoolsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := pooled()
		z.Cache.Survive = time.Hour
		h := build(t, testNode(), z)
		h.serve(firstOrigin, named("own", "no-cache"))
		app := h.serve(otherOrigin, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				time.Sleep(time.Minute)
			}
			w.Header().Set("Cache-Control", "no-cache")
			io.WriteString(w, "app")
		})
		h.want("its page", h.get(visitor, "site.test", "/a", "X-App: 1"), 200, "app")
		slow := make(chan answer)
		go func() { slow <- h.get(visitor, "site.test", "/slow", "X-App: 1") }()
		synctest.Wait()
		if a := h.get(visitor, "site.test", "/full", "X-App: 1"); a.status != 503 || h.entry(a).Pool != "app" || h.entry(a).Refusal != "queue-full" {
			t.Errorf("a full pool: got %d, %+v", a.status, h.entry(a))
		}
		h.want("beside it", h.get(visitor, "site.test", "/full"), 200, "own 1")
		h.want("the slow one", <-slow, 200, "app")
		app.Close()
		h.want("a copy", h.get(visitor, "site.test", "/a", "X-App: 1"), 200, "app")
		h.want("no copy", h.get(visitor, "site.test", "/full", "X-App: 1"), 502, "")
		h.want("the zone's own is well", h.get(visitor, "site.test", "/a"), 200, "own 2")
	})
}

// TestPoolsReload: what is kept, and the budget that is in use, outlive a change, and a pool that rules route to can't go.
func TestPoolsReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), pooled())
		h.serve(otherOrigin, named("app", "max-age=3600"))
		h.want("asked for", h.get(visitor, "site.test", "/a", "X-App: 1"), 200, "app 1")
		changed := pooled()
		changed.Pools[0].Budget.Concurrent = 2
		before := h.policy("site").Pools["app"]
		lease := before.Admission.Take()
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{changed})...))
		if got := h.policy("site").Pools["app"].Admission.Load().Concurrent; got != 1 {
			t.Errorf("got %d requests under way, want the one that began before", got)
		}
		lease.Release()
		h.want("kept", h.get(visitor, "site.test", "/a", "X-App: 1"), 200, "app 1")
		changed.Pools = nil
		err := errors.Join(h.snapshot.Apply([]spec.Zone{changed})...)
		if err == nil || !strings.Contains(err.Error(), `rules.http_request_origin[0].route.pool: the zone has no pool "app"`) {
			t.Errorf("got %v, want the rule refused", err)
		}
		h.want("as it was", h.get(visitor, "site.test", "/b", "X-App: 1"), 200, "app 2")
	})
}

// TestPoolsInvalidate: what is read from a pool is dropped by what is written to the zone's own origin.
func TestPoolsInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := pooled()
		z.Rules.Origin[0].Expression = `http.request.method eq "GET"`
		h := build(t, testNode(), z)
		h.serve(firstOrigin, named("own", "no-store"))
		h.serve(otherOrigin, named("app", "max-age=3600"))
		h.want("read", h.get(visitor, "site.test", "/a"), 200, "app 1")
		h.want("kept", h.get(visitor, "site.test", "/a"), 200, "app 1")
		h.want("written", h.ask(visitor, "POST", "site.test", "/a", "Content-Length: 0"), 200, "own 1")
		h.want("read again", h.get(visitor, "site.test", "/a"), 200, "app 2")
	})
}

// TestPrefetchFromPool: a page is fetched ahead from where visitors would get it.
func TestPrefetchFromPool(t *testing.T) {
	z := prefetching(time.Hour)
	z.Pools, z.Rules = pooled().Pools, pooled().Rules
	runMapped(t, z, pagesThatSay, func(h *house, m *mapped) {
		server := h.serve(otherOrigin, named("app", "max-age=3600"))
		defer server.Close()
		time.Sleep(time.Minute)
		wantAsked(t, "the zone's own", m.take(), "0s /robots.txt", "1s /index.xml", "2s /map.xml.gz", "3s /kept?a=1&b=2")
		h.want("fetched ahead", h.get(visitor, "site.test", "/silent"), 200, "app 1")
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{prefetching(0)})...))
	})
}

// TestPoolChecks: each pool's servers are checked, at its budget's cost, until the pool is gone.
func TestPoolChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := pooled()
		z.Pools[0].Origin.Health.Path = "/healthz"
		h := build(t, testNode(), z)
		var checks atomic.Int64
		h.serve(otherOrigin, func(w http.ResponseWriter, r *http.Request) { checks.Add(1) })
		time.Sleep(time.Minute)
		if n := checks.Load(); n < 10 || n > 15 {
			t.Errorf("got %d checks in a minute, want one every 5s", n)
		}
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{site("site", "site.test")})...))
		synctest.Wait()
		before := checks.Load()
		time.Sleep(time.Minute)
		if n := checks.Load() - before; n != 0 {
			t.Errorf("got %d checks of a pool that is gone, want none", n)
		}
	})
}
