package cache

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

const cacheable = "Cache-Control: max-age=60"

// crowd is flows that want one response at one time, and what became of them.
type crowd struct {
	t       *testing.T
	p       *Policy
	fetches atomic.Int32
	wg      sync.WaitGroup
	flows   []*flow.Flow
	bodies  map[int]string
	mu      sync.Mutex
}

func newCrowd(t *testing.T, p *Policy) *crowd {
	return &crowd{t: t, p: p, bodies: make(map[int]string)}
}

// send starts a flow and waits until it waits itself. fetch is called if it has to ask the origin, with the flow's Abort at
// that time and the number of the fetch, from 1 on.
func (c *crowd) send(f *flow.Flow, fetch func(n int, abort *flow.Abort) (*flow.Message, *flow.Refusal)) {
	i := len(c.flows)
	c.flows = append(c.flows, f)
	c.wg.Go(func() {
		run(c.p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			return fetch(int(c.fetches.Add(1)), f.Abort)
		})
		if body, err := read(f); err == nil {
			c.mu.Lock()
			c.bodies[i] = body
			c.mu.Unlock()
		}
	})
	synctest.Wait()
}

// wait waits for all, and checks how many fetches it took and that nothing is left behind.
func (c *crowd) wait(fetches int) {
	c.t.Helper()
	c.wg.Wait()
	synctest.Wait()
	if got := int(c.fetches.Load()); got != fetches {
		c.t.Errorf("fetches: got %d, want %d", got, fetches)
	}
	for i := range c.p.room.fills {
		sh := &c.p.room.fills[i]
		if len(sh.fills) > 0 {
			c.t.Errorf("left in the table: %d fills", len(sh.fills))
		}
	}
	if got := c.p.room.Stats().Filling; got != 0 {
		c.t.Errorf("memory of fetches: got %d bytes, want 0", got)
	}
}

// after answers d later with what answer makes, unless the client goes first.
func after(d time.Duration, answer func() *flow.Message) func(int, *flow.Abort) (*flow.Message, *flow.Refusal) {
	return func(_ int, abort *flow.Abort) (*flow.Message, *flow.Refusal) {
		return answerAfter(d, abort, answer())
	}
}

func answerAfter(d time.Duration, abort *flow.Abort, m *flow.Message) (*flow.Message, *flow.Refusal) {
	gone := newScripted(abort)
	if abort.Watch(gone) {
		defer abort.Unwatch()
		select {
		case <-time.After(d):
			return m, nil
		case <-gone.gone:
		}
	}
	return nil, &flow.Refusal{Reason: flow.ClientGone}
}

func ok() *flow.Message { return response(200, "body", cacheable) }

func TestCollapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		for range 100 {
			c.send(get("/a"), after(time.Second, ok))
		}
		c.wait(1)
		for i, f := range c.flows {
			if c.bodies[i] != "body" {
				t.Errorf("flow %d: got %q, want the body", i, c.bodies[i])
			}
			if got, want := f.Cache.Collapsed, i > 0; got != want || f.Cache.Status != flow.Miss {
				t.Errorf("flow %d: got %v, collapsed %v, want miss, %v", i, f.Cache.Status, got, want)
			}
		}
		mustHit(t, c.p, get("/a"), "body")
	})
}

// What another flow has stored between Lookup and Join is found.
func TestJoinFindsWhatWasStored(t *testing.T) {
	p := newPolicy(t)
	f := get("/a")
	p.Lookup(f)
	fetch(t, p, get("/a"), ok())
	if got := p.Join(f); got != Served || f.Cache.Status != flow.Hit {
		t.Fatalf("got %v with %v, want served with a hit", got, f.Cache.Status)
	}
	if got, err := read(f); got != "body" || err != nil {
		t.Errorf("got %q, %v, want the body", got, err)
	}
}

func TestRevalidationIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		expired(t, c.p, "Cache-Control: max-age=10")
		for range 10 {
			c.send(get("/a"), after(time.Second, func() *flow.Message { return response(304, "", cacheable) }))
		}
		c.wait(1)
		for i, f := range c.flows {
			if f.Cache.Status != flow.Revalidated || c.bodies[i] != "old" {
				t.Errorf("flow %d: got %v with %q, want revalidated with the old body", i, f.Cache.Status, c.bodies[i])
			}
		}
	})
}

// Within stale-while-revalidate nobody waits, and one has it refreshed.
func TestStaleWhileOneRevalidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		expired(t, c.p, "Cache-Control: max-age=10, stale-while-revalidate=60")
		for range 10 {
			c.send(get("/a"), after(time.Second, ok))
		}
		c.wait(0)
		for i, f := range c.flows {
			if f.Cache.Status != flow.Stale || c.bodies[i] != "old" || f.Cache.Refresh != (i == 0) {
				t.Errorf("flow %d: got %v with %q, to refresh: %t", i, f.Cache.Status, c.bodies[i], f.Cache.Refresh)
			}
		}
		b := c.flows[0].Behind()
		if got := c.p.Join(b); got != Lead {
			t.Fatalf("behind: got %v, want lead", got)
		}
		b.Origin.Message = ok()
		c.p.Keep(b)
		c.p.Refreshed(b)
		mustHit(t, c.p, get("/a"), "body")
		if got := c.p.room.refreshes.Load(); got != 0 {
			t.Errorf("got %d refreshes, want none", got)
		}
	})
}

// When there are too many refreshes, visitors wait for theirs, as if there was no stale-while-revalidate.
func TestMostRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		expired(t, p, "Cache-Control: max-age=10, stale-while-revalidate=60")
		p.room.refreshes.Store(mostRefreshes)
		mustMiss(t, p, get("/a"))
		p.room.refreshes.Add(-1)
		f := get("/a")
		if p.Lookup(f); !f.Cache.Refresh {
			t.Errorf("got %v, want a refresh", f.Cache.Status)
		}
	})
}

func TestLeaderCannotFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		for range 10 {
			c.send(get("/a"), func(n int, abort *flow.Abort) (*flow.Message, *flow.Refusal) {
				if n <= 3 {
					time.Sleep(100 * time.Millisecond)
					return nil, &flow.Refusal{Reason: flow.OriginUnreachable}
				}
				return answerAfter(100*time.Millisecond, abort, ok())
			})
		}
		c.wait(4)
		for i := range c.flows {
			if served := c.bodies[i] == "body"; served != (i > 2) {
				t.Errorf("flow %d: got served %v, want the first three refused, in order", i, served)
			}
		}
	})
}

func TestStaleForAllWhenLeaderCannotFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		expired(t, c.p, "Cache-Control: max-age=10")
		for range 10 {
			c.send(get("/a"), func(int, *flow.Abort) (*flow.Message, *flow.Refusal) {
				time.Sleep(time.Second)
				return nil, &flow.Refusal{Reason: flow.OriginUnreachable}
			})
		}
		c.wait(1)
		for i, f := range c.flows {
			if f.Cache.Status != flow.Stale || c.bodies[i] != "old" {
				t.Errorf("flow %d: got %v with %q, want stale with the old body", i, f.Cache.Status, c.bodies[i])
			}
		}
	})
}

func TestClientOfLeaderGone(t *testing.T) {
	tests := []struct {
		name    string
		waiters int
		leave   []int // flows whose clients go, in order
		fetches int
		stored  bool
	}{
		{"nobody waits", 0, []int{0}, 1, false},
		{"others wait", 3, []int{0}, 1, true},
		{"all go", 3, []int{2, 0, 1, 3}, 1, false},
		{"one stays", 3, []int{3, 0, 1}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, newPolicy(t))
				begin := time.Now()
				var clients []*flow.Abort
				for range 1 + tt.waiters {
					f := get("/a")
					clients = append(clients, f.Abort)
					c.send(f, after(time.Second, ok))
				}
				for _, i := range tt.leave {
					clients[i].Fire()
					synctest.Wait()
				}
				c.wait(tt.fetches)
				if took := time.Since(begin); tt.stored != (took >= time.Second) {
					t.Errorf("took %v; the fetch should be cancelled at once or not at all", took)
				}
				f := get("/a")
				c.p.Lookup(f)
				if got := f.Cache.Status == flow.Hit; got != tt.stored {
					t.Errorf("stored: got %v, want %v", got, tt.stored)
				}
			})
		})
	}
}

func TestClientGoneBeforeJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		f := get("/a")
		f.Abort.Fire()
		c.send(f, after(time.Second, ok))
		c.send(get("/a"), after(time.Second, ok))
		f2 := get("/a")
		f2.Abort.Fire()
		c.send(f2, after(time.Second, ok))
		c.wait(1)
		for _, f := range []*flow.Flow{f, f2} {
			if r := f.Cache.Refusal; r == nil || r.Reason != flow.ClientGone {
				t.Errorf("refusal: got %+v, want client-gone", r)
			}
		}
	})
}

func TestSlowLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		begin := time.Now()
		c.send(get("/a"), after(10*time.Second, ok))
		for range 5 {
			c.send(get("/a"), after(10*time.Second, ok))
		}
		time.Sleep(headWait - time.Nanosecond)
		synctest.Wait()
		if got := c.fetches.Load(); got != 1 {
			t.Errorf("fetches before the end of the wait: got %d, want 1", got)
		}
		c.wait(6)
		if got, want := time.Since(begin), 10*time.Second+headWait; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		for i, f := range c.flows {
			if f.Cache.Collapsed || c.bodies[i] != "body" {
				t.Errorf("flow %d: got collapsed %v and %q, want a fetch of its own", i, f.Cache.Collapsed, c.bodies[i])
			}
		}
	})
}

func TestNotShareable(t *testing.T) {
	tests := []struct {
		name   string
		answer func() *flow.Message
		again  int // fetches of three more flows directly afterwards
	}{
		{"no-store", func() *flow.Message { return response(200, "mine", "Cache-Control: no-store") }, 3},
		{"cookie", func() *flow.Message { return response(200, "mine", cacheable, "Set-Cookie: a=b") }, 3},
		{"stored with no-cache", func() *flow.Message { return response(200, "mine", "Cache-Control: no-cache", `ETag: "1"`) }, 3},
		{"error", func() *flow.Message { return response(500, "mine") }, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, newPolicy(t))
				begin := time.Now()
				for range 5 {
					c.send(get("/a"), after(time.Second, tt.answer))
				}
				c.wait(5)
				if got, want := time.Since(begin), 2*time.Second; got != want {
					t.Errorf("took %v, want %v: one alone, then the others together", got, want)
				}
				begin = time.Now()
				for range tt.again {
					c.send(get("/a"), after(time.Second, tt.answer))
				}
				c.wait(5 + tt.again)
				if got, want := time.Since(begin), time.Second; got != want {
					t.Errorf("again: took %v, want %v: all together", got, want)
				}
				for i, f := range c.flows {
					if f.Cache.Collapsed || c.bodies[i] != "mine" {
						t.Errorf("flow %d: got collapsed %v and %q, want a fetch of its own", i, f.Cache.Collapsed, c.bodies[i])
					}
				}
				time.Sleep(unshareableFor)
				begin = time.Now()
				for range 2 {
					c.send(get("/a"), after(time.Second, tt.answer))
				}
				c.wg.Wait()
				if got, want := time.Since(begin), 2*time.Second; got != want {
					t.Errorf("later: took %v, want %v: forgotten, so one leads again", got, want)
				}
			})
		})
	}
}

// Whoever makes the origin answer him alone must not keep others from the cache.
func TestUnshareableIsForgottenOnceStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		c.send(get("/a", "Cookie: me"), after(0, func() *flow.Message { return response(200, "mine", "Cache-Control: private") }))
		time.Sleep(time.Millisecond)
		c.send(get("/a"), after(0, ok)) // alone, but its answer tells that the key can be shared again
		time.Sleep(time.Millisecond)
		c.send(get("/a"), after(0, ok))
		c.wait(3)
		mustHit(t, c.p, get("/a"), "body")
	})
}

// Credentials can't make others wait, nor be remembered against them.
func TestNobodyWaitsForCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		begin := time.Now()
		c.send(get("/a", "Authorization: x"), after(time.Second, ok))
		for range 5 {
			c.send(get("/a"), after(time.Second, ok))
		}
		c.wait(2)
		if got, want := time.Since(begin), time.Second; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		mustHit(t, c.p, get("/a", "Authorization: x"), "body")
	})
}

func TestWaitersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicyOf(t, testSize, testObject, 3))
		for range 6 {
			c.send(get("/a"), after(time.Second, ok))
		}
		c.wait(3)
		for i, f := range c.flows {
			if got, want := f.Cache.Status == flow.Bypass, i > 3; got != want || c.bodies[i] != "body" {
				t.Errorf("flow %d: got %v (%s) with %q, want bypass %v", i, f.Cache.Status, f.Cache.Reason, c.bodies[i], want)
			}
		}
	})
}

func TestWaitersOfOtherVariants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		languages := []string{"de", "en", "de", "en", "fr", "en"}
		for _, l := range languages {
			c.send(get("/a", "Accept-Language: "+l), after(time.Second/2, func() *flow.Message {
				return response(200, "in "+l, cacheable, "Vary: Accept-Language")
			}))
		}
		c.wait(3)
		for i, l := range languages {
			if got, want := c.bodies[i], "in "+l; got != want {
				t.Errorf("flow %d: got %q, want %q", i, got, want)
			}
			mustHit(t, c.p, get("/a", "Accept-Language: "+l), "in "+l)
		}
	})
}

// A fill that moves to its variant's key is found there while it grows.
func TestVariantIsSharedWhileItGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicy(t))
		body := newScripted(&flow.Abort{})
		body.steps <- step{"one ", nil}
		c.send(get("/a", "Accept-Language: de"), after(0, func() *flow.Message {
			return &flow.Message{Status: 200, Fields: lines(cacheable, "Vary: Accept-Language"), Length: -1, Stream: body}
		}))
		time.Sleep(time.Millisecond)
		for range 3 {
			c.send(get("/a", "Accept-Language: de"), after(0, ok))
		}
		body.steps <- step{"two", io.EOF}
		c.wait(1)
		for i := range c.flows {
			if c.bodies[i] != "one two" {
				t.Errorf("flow %d: got %q, want both pieces", i, c.bodies[i])
			}
		}
	})
}

// Refusing leaders must cost each waiter one wake-up: with n flows, all work together stays linear.
func TestManyRefusedLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, newPolicyOf(t, testSize, testObject, 10_000))
		for range 2000 {
			f := get("/a")
			c.flows = append(c.flows, f)
			c.wg.Go(func() {
				run(c.p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
					c.fetches.Add(1)
					time.Sleep(time.Microsecond)
					return nil, &flow.Refusal{Reason: flow.QueueFull}
				})
			})
		}
		c.wait(2000)
	})
}

func TestOutcomeString(t *testing.T) {
	if got := fmt.Sprint(Pass, Lead, Served); got != "pass lead served" {
		t.Errorf("got %q", got)
	}
}
