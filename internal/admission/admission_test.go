package admission

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// compile returns the policy of a zone that has this budget, always the same zone.
func perSecond(requests, burst int) spec.Rate {
	return spec.Rate{Requests: requests, Per: time.Second, Burst: burst}
}

func compile(tb testing.TB, r *Room, b spec.Budget) *Policy {
	tb.Helper()
	p, err := r.Compile(&spec.Zone{Name: "test", Origin: spec.Origin{Servers: spec.OneServer("http://origin")}, Budget: b})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func newFlow(source netip.Prefix) *flow.Flow {
	f := &flow.Flow{Abort: new(flow.Abort)}
	f.Request.Client, f.Request.Source = source.Addr(), source
	return f
}

// newUpgrade is a request to change to the WebSocket protocol.
func newUpgrade(source netip.Prefix) *flow.Flow {
	f := newFlow(source)
	f.Request.Upgrade = "websocket"
	return f
}

// admit admits a request that finds room, or is refused, at once.
func admit(tb testing.TB, p *Policy, source netip.Prefix) *flow.Flow {
	tb.Helper()
	f := newFlow(source)
	p.Admit(f)
	if f.Admission.Waited != 0 {
		tb.Fatalf("waited %v, want no wait", f.Admission.Waited)
	}
	return f
}

// begin lets a request wait. What it returns may be looked at after [synctest.Wait] or its Admit has returned.
func begin(p *Policy, f *flow.Flow) *flow.Flow {
	go p.Admit(f)
	synctest.Wait()
	return f
}

func reason(f *flow.Flow) flow.Reason {
	if f.Admission.Refusal == nil {
		return flow.NoReason
	}
	return f.Admission.Refusal.Reason
}

func checkLoad(tb testing.TB, p *Policy, want Load) {
	tb.Helper()
	if diff := cmp.Diff(want, p.Load()); diff != "" {
		tb.Errorf("load: -want +got:\n%s", diff)
	}
}

func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute})
		first := admit(t, p, source(0, 0))
		second := begin(p, newFlow(source(0, 0)))
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		time.Sleep(3 * time.Second)
		first.Admission.Lease.Release()
		synctest.Wait()
		if second.Admission.Lease == nil || second.Admission.Waited != 3*time.Second {
			t.Errorf("got %+v, want a lease after 3s", second.Admission)
		}
		second.Admission.Lease.Release()
		checkLoad(t, p, Load{})
	})
}

// TestGauge: a budget is busy from when somebody had to wait for it until 10 seconds after the last one did.
func TestGauge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute})
		want := func(when string, want bool) {
			t.Helper()
			f := newFlow(source(1, 1))
			if p.Gauge(f); f.Admission.Busy != want {
				t.Errorf("%s: got busy %t, want %t", when, f.Admission.Busy, want)
			}
		}
		want("at first", false)
		lease := admit(t, p, source(0, 0)).Admission.Lease
		want("with room for nobody else", false)
		second := begin(p, newFlow(source(0, 0)))
		want("while one waits", true)
		lease.Release()
		synctest.Wait()
		second.Admission.Lease.Release()
		time.Sleep(9 * time.Second)
		want("9 s later", true)
		time.Sleep(time.Second)
		want("10 s later", false)
	})
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 16, QueueTimeout: time.Minute})
		lease := admit(t, p, source(9, 9)).Admission.Lease
		waiting := make(map[string]*flow.Flow)
		for _, arrival := range []string{"a1", "a1'", "a1''", "a2", "b1", "b1'", "a2'", "c1"} { // network, source, request
			waiting[arrival] = begin(p, newFlow(source(int(arrival[0]), int(arrival[1]))))
		}
		var got []string
		for range len(waiting) {
			lease.Release()
			synctest.Wait()
			for name, f := range waiting {
				if f.Admission.Lease != nil {
					got, lease = append(got, name), f.Admission.Lease
					delete(waiting, name)
				}
			}
		}
		if diff := cmp.Diff([]string{"a1", "a1'", "a2", "b1", "b1'", "c1", "a2'", "a1''"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestFullQueue(t *testing.T) {
	tests := []struct {
		name    string
		waiting []netip.Prefix // before
		arrives netip.Prefix
		want    int // index of the one dropped; len(waiting) is the one arriving
	}{
		{"one source", []netip.Prefix{source(0, 0), source(0, 0)}, source(0, 0), 2},
		{"longest network, newest request", []netip.Prefix{source(0, 0), source(0, 0), source(1, 0)}, source(2, 0), 1},
		{"longest source in the longest network", []netip.Prefix{source(0, 0), source(0, 0), source(0, 1), source(1, 0)}, source(1, 0), 1},
		{"network before source", []netip.Prefix{source(0, 0), source(0, 1), source(0, 2), source(1, 0)}, source(1, 0), 2},
		{"equal lengths", []netip.Prefix{source(0, 0), source(1, 0)}, source(2, 0), 2},
		{"equal lengths by arrival", []netip.Prefix{source(0, 0), source(0, 0), source(1, 0)}, source(1, 0), 3},
		{"no queue", nil, source(0, 0), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: len(tt.waiting), QueueTimeout: time.Minute})
				lease := admit(t, p, source(9, 9)).Admission.Lease
				var flows []*flow.Flow
				for _, s := range append(tt.waiting, tt.arrives) {
					flows = append(flows, begin(p, newFlow(s)))
				}
				for i, f := range flows {
					want := flow.NoReason
					if i == tt.want {
						want = flow.QueueFull
					}
					if got := reason(f); got != want {
						t.Errorf("request %d: got %v, want %v", i, got, want)
					}
					f.Abort.Fire()
				}
				lease.Release()
			})
		})
	}
}

// TestNoQueue needs no timeout, and refuses because there is no queue, not because time is up.
func TestNoQueue(t *testing.T) {
	p := compile(t, New(nil), spec.Budget{Concurrent: 1})
	lease := admit(t, p, source(0, 0)).Admission.Lease
	f := newFlow(source(1, 0))
	if p.Admit(f); reason(f) != flow.QueueFull {
		t.Errorf("got %v, want %v", reason(f), flow.QueueFull)
	}
	lease.Release()
	checkLoad(t, p, Load{})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Rate: perSecond(100, 0), Queue: 8, QueueTimeout: 10 * time.Second})
		first := admit(t, p, source(0, 0))
		second := begin(p, newFlow(source(0, 1)))
		time.Sleep(4 * time.Second)
		third := begin(p, newFlow(source(0, 2)))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got, want := reason(second), flow.QueueTimeout; got != want || second.Admission.Waited != 10*time.Second {
			t.Errorf("got %v after %v, want %v after 10s", got, second.Admission.Waited, want)
		}
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got, want := reason(third), flow.QueueTimeout; got != want || third.Admission.Waited != 10*time.Second {
			t.Errorf("got %v after %v, want %v after 10s", got, third.Admission.Waited, want)
		}
		first.Admission.Lease.Release()
		checkLoad(t, p, Load{})
	})
}

func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute})
		first := admit(t, p, source(0, 0))
		leaves := begin(p, newFlow(source(0, 1)))
		left := newFlow(source(0, 2))
		left.Abort.Fire()
		begin(p, left)
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		time.Sleep(time.Second)
		leaves.Abort.Fire()
		synctest.Wait()
		checkLoad(t, p, Load{Concurrent: 1})
		for _, f := range []*flow.Flow{leaves, left} {
			if r := f.Admission.Refusal; r == nil || r.Reason != flow.ClientGone || r.Status != 499 || r.RetryAfter != 0 {
				t.Errorf("got %+v, want the client gone", r)
			}
		}
		if got, want := leaves.Admission.Waited, time.Second; got != want {
			t.Errorf("waited %v, want %v", got, want)
		}
		first.Admission.Lease.Release()
		checkLoad(t, p, Load{})
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Rate: perSecond(10, 2), Queue: 100, QueueTimeout: time.Minute})
		start := time.Now()
		var got []time.Duration
		times := make(chan time.Duration, 6)
		for i := range cap(times) {
			f := newFlow(source(i, 0))
			if i >= 3 { // the burst is used up: one timer wakes all others, one by one
				go func() {
					p.Admit(f)
					times <- time.Since(start)
				}()
				synctest.Wait()
				continue
			}
			p.Admit(f)
			times <- time.Since(start)
		}
		for range cap(times) {
			got = append(got, <-times)
		}
		const ms = time.Millisecond
		if diff := cmp.Diff([]time.Duration{0, 0, 0, 100 * ms, 200 * ms, 300 * ms}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		checkLoad(t, p, Load{Concurrent: 6})
	})
}

func TestRetriesTakeFromTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 4, Rate: perSecond(1, 2), Queue: 8, QueueTimeout: time.Minute})
		lease := admit(t, p, source(0, 0)).Admission.Lease
		if !lease.Attempt() || !lease.Attempt() {
			t.Error("got no attempt within the burst")
		}
		if lease.Attempt() {
			t.Error("got an attempt beyond the burst")
		}
		checkLoad(t, p, Load{Concurrent: 1})
		waits := begin(p, newFlow(source(0, 0)))
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		time.Sleep(time.Second)
		synctest.Wait()
		if waits.Admission.Lease == nil {
			t.Error("got no lease after a second")
		}

		p = compile(t, New(nil), spec.Budget{Concurrent: 1})
		lease = admit(t, p, source(0, 0)).Admission.Lease
		for range 100 {
			if !lease.Attempt() {
				t.Fatal("got no attempt although the rate has no bound")
			}
		}
	})
}

// TestUpgrades (promise 1): a request for an upgrade is one of the concurrent requests until the origin agrees, and then a place
// under the cap.
func TestUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 2, Queue: 8, QueueTimeout: time.Minute, Upgrades: 1})
		first, second := begin(p, newUpgrade(source(0, 0))), begin(p, newUpgrade(source(0, 1)))
		third, fourth := begin(p, newUpgrade(source(0, 2))), begin(p, newFlow(source(0, 3)))
		checkLoad(t, p, Load{Concurrent: 2, Queued: 2})

		upgraded := first.Admission.Lease.Upgraded()
		synctest.Wait()
		checkLoad(t, p, Load{Concurrent: 2, Queued: 1, Upgrades: 1})
		if third.Admission.Lease == nil {
			t.Error("got no lease for the first in the queue, want the share given back")
		}
		if got := second.Admission.Lease.Upgraded(); got != nil {
			t.Errorf("got %v beyond the cap, want nil", got)
		}
		fifth := newUpgrade(source(0, 4))
		p.Admit(fifth)
		if r := fifth.Admission.Refusal; r == nil || r.Reason != flow.UpgradeCap || r.Status != 503 || r.RetryAfter < time.Second {
			t.Errorf("got %+v, want the cap's refusal", r)
		}
		if upgraded.Attempt() {
			t.Error("got an attempt on an upgraded connection, want none without a share of concurrency")
		}
		if got := upgraded.Upgraded(); got != upgraded {
			t.Errorf("got %v for an upgraded connection, want its own lease", got)
		}
		checkLoad(t, p, Load{Concurrent: 2, Queued: 1, Upgrades: 1})

		second.Admission.Lease.Release()
		synctest.Wait()
		checkLoad(t, p, Load{Concurrent: 2, Upgrades: 1})
		upgraded.Release()
		checkLoad(t, p, Load{Concurrent: 2})
		if upgraded = third.Admission.Lease.Upgraded(); upgraded == nil {
			t.Fatal("got nil, want the place given back")
		}
		upgraded.Release()
		fourth.Admission.Lease.Release()
		checkLoad(t, p, Load{})
	})
}

// TestATryLeavesNobodyBehind: a newcomer takes a share of concurrency and gives it back, as the rate has none for it. Whoever
// missed that share is served, even if the newcomer leaves before it stands in the queue.
func TestATryLeavesNobodyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute})
		p.budget.concurrent.Add(1) // the newcomer's
		misses := begin(p, newFlow(source(0, 0)))
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		p.budget.concurrent.Add(-1)
		newcomer := newFlow(source(1, 0))
		newcomer.Abort.Fire()
		begin(p, newcomer)
		if misses.Admission.Lease == nil || reason(newcomer) != flow.ClientGone {
			t.Errorf("got %+v and %v, want a lease and the newcomer gone", misses.Admission, reason(newcomer))
		}
		misses.Abort.Fire()
	})
}

// TestNewcomersDoNotOvertake: a share that is given back belongs to those who wait, even before they are served.
func TestNewcomersDoNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute})
		admit(t, p, source(0, 0))
		waits := begin(p, newFlow(source(0, 0)))
		p.budget.concurrent.Add(-1) // the first half of a release
		newcomer := begin(p, newFlow(source(1, 0)))
		if waits.Admission.Lease == nil {
			t.Fatal("got no lease for the first in the queue")
		}
		checkLoad(t, p, Load{Concurrent: 1, Queued: 1})
		newcomer.Abort.Fire()
	})
}

func TestRecompile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := New(nil)
		before := spec.Budget{Concurrent: 1, Queue: 8, QueueTimeout: time.Minute}
		old := compile(t, room, before)
		leases := []flow.Lease{admit(t, old, source(0, 0)).Admission.Lease}
		var waiting []*flow.Flow
		for i := range 6 {
			waiting = append(waiting, begin(old, newFlow(source(0, i))))
		}
		compile(t, room, spec.Budget{}) // never put in force
		checkLoad(t, old, Load{Concurrent: 1, Queued: 6})

		raised := compile(t, room, spec.Budget{Concurrent: 3, Queue: 8, QueueTimeout: time.Minute})
		checkLoad(t, raised, Load{Concurrent: 1, Queued: 6})
		waiting = append(waiting, begin(raised, newFlow(source(1, 0))))
		checkLoad(t, raised, Load{Concurrent: 3, Queued: 5})
		waiting = append(waiting, begin(old, newFlow(source(1, 1)))) // a late one does not bring the old numbers back
		checkLoad(t, old, Load{Concurrent: 3, Queued: 6})

		lowered := compile(t, room, spec.Budget{Concurrent: 1, Queue: 2, QueueTimeout: time.Minute})
		waiting = append(waiting, begin(lowered, newFlow(source(2, 0))))
		checkLoad(t, lowered, Load{Concurrent: 3, Queued: 2})
		dropped := 0
		for _, f := range waiting {
			if f.Admission.Lease != nil {
				leases = append(leases, f.Admission.Lease)
			}
			if reason(f) == flow.QueueFull {
				dropped++
			}
		}
		if dropped != 5 || len(leases) != 3 {
			t.Errorf("got %d dropped and %d leases, want 5 and 3", dropped, len(leases))
		}
		leases[0].Release()
		leases[1].Release()
		synctest.Wait()
		checkLoad(t, lowered, Load{Concurrent: 1, Queued: 2})
		leases[2].Release()
		synctest.Wait()
		checkLoad(t, lowered, Load{Concurrent: 1, Queued: 1})
		for _, f := range waiting {
			f.Abort.Fire()
		}
	})
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name   string
		budget spec.Budget
		want   string // "" if it compiles
	}{
		{"default", spec.DefaultZone().Budget, ""},
		{"zero", spec.Budget{}, ""},
		{"concurrent", spec.Budget{Concurrent: -1}, `budget.concurrent: -1 is negative: want 0 or more`},
		{"rate", spec.Budget{Rate: perSecond(-1, 0)}, `budget.rate: -1 is negative: want 0 or more`},
		{"burst", spec.Budget{Rate: perSecond(1, -1)}, `budget.rate: -1 is negative: want 0 or more`},
		{"queue", spec.Budget{Queue: -1}, `budget.queue: -1 is negative: want 0 or more`},
		{"upgrades", spec.Budget{Upgrades: -1}, `budget.upgrades: -1 is negative: want 0 or more`},
		{"timeout", spec.Budget{Queue: 1}, `budget.queue_timeout: 0s is too short: with a queue it must be longer than 0, such as 10s`},
		{"too fast", spec.Budget{Rate: perSecond(math.MaxInt, 0)}, `budget.rate: `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(nil).Compile(&spec.Zone{Name: "test", Budget: tt.budget})
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		backlog   time.Duration
		low, high time.Duration
	}{
		{0, time.Second, 2 * time.Second},
		{1500 * time.Millisecond, 2 * time.Second, 4 * time.Second},
		{10 * time.Second, 10 * time.Second, 20 * time.Second},
		{time.Hour, 15 * time.Second, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.backlog.String(), func(t *testing.T) {
			p := compile(t, New(nil), spec.Budget{})
			seen := make(map[time.Duration]int)
			for i := range 1000 {
				got := p.retryAfter(tt.backlog, source(i, 0))
				if again := p.retryAfter(tt.backlog, source(i, 0)); again != got {
					t.Fatalf("got %v, then %v for the same source", got, again)
				}
				if got < tt.low || got > tt.high || got%time.Second != 0 {
					t.Fatalf("got %v, want whole seconds from %v to %v", got, tt.low, tt.high)
				}
				seen[got]++
			}
			fair := 1000 / int((tt.high-tt.low)/time.Second+1)
			for s := tt.low; s <= tt.high; s += time.Second {
				if seen[s] < fair/3 {
					t.Errorf("got %v for %d of 1000 sources, want about %d", s, seen[s], fair)
				}
			}
		})
	}
}

func TestRefusalsExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Rate: perSecond(5, 4), Queue: 1, QueueTimeout: 7 * time.Second})
		admit(t, p, source(0, 0))
		late := begin(p, newFlow(source(0, 0)))
		time.Sleep(3 * time.Second)
		full := newFlow(source(0, 0))
		p.Admit(full)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		upgrade := newUpgrade(source(0, 0))
		p.Admit(upgrade)
		got := []*flow.Refusal{full.Admission.Refusal, late.Admission.Refusal, upgrade.Admission.Refusal}
		want := []*flow.Refusal{
			{Reason: flow.QueueFull, Status: 503, Rule: "budget.queue", RetryAfter: p.retryAfter(3*time.Second, source(0, 0)),
				Detail: "the origin's budget of 1 concurrent requests at 5/s burst 4 is used up and 1 requests wait for it"},
			{Reason: flow.QueueTimeout, Status: 503, Rule: "budget.queue_timeout", RetryAfter: p.retryAfter(7*time.Second, source(0, 0)),
				Detail: "waited 7s for the origin's budget of 1 concurrent requests at 5/s burst 4"},
			{Reason: flow.UpgradeCap, Status: 503, Rule: "budget.upgrades", RetryAfter: p.retryAfter(7*time.Second, source(0, 0)),
				Detail: "the cap of 0 upgraded connections is reached"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestBudgetsAreForgotten: a budget lives as long as a policy or a lease, and no longer.
func TestBudgetsAreForgotten(t *testing.T) {
	room := New(nil)
	budgets := func() int {
		runtime.GC()
		room.mu.Lock()
		defer room.mu.Unlock()
		return len(room.budgets)
	}
	lease := admit(t, compile(t, room, spec.Budget{Concurrent: 1}), source(0, 0)).Admission.Lease
	for range 3 {
		budgets()
	}
	checkLoad(t, compile(t, room, spec.Budget{Concurrent: 1}), Load{Concurrent: 1}) // the lease held it
	lease.Release()
	deadline := time.Now().Add(10 * time.Second)
	for budgets() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("got a budget that nobody uses")
		}
		runtime.Gosched()
	}
}

func TestFastPathAllocatesNothing(t *testing.T) {
	p := compile(t, New(nil), spec.Budget{Concurrent: 4, Rate: perSecond(1_000_000, 1_000_000), Queue: 8, QueueTimeout: time.Second})
	f := newFlow(source(0, 0))
	if got := testing.AllocsPerRun(100, func() {
		p.Admit(f)
		f.Admission.Lease.Release()
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkAdmit(b *testing.B) {
	tests := []struct {
		name   string
		budget spec.Budget
	}{
		{"concurrent", spec.Budget{Concurrent: 64}},
		{"concurrent and rate", spec.Budget{Concurrent: 64, Rate: perSecond(1_000_000, 1_000_000_000), Queue: 64, QueueTimeout: time.Second}},
	}
	for _, tt := range tests {
		p := compile(b, New(nil), tt.budget)
		loop := func(next func() bool) {
			f := newFlow(source(0, 0))
			for next() {
				p.Admit(f)
				f.Admission.Lease.Release()
			}
		}
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			loop(b.Loop)
		})
		b.Run(tt.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { loop(pb.Next) })
		})
	}
}

// BenchmarkAdmitFull is what a flood costs that finds the queue full with itself.
func BenchmarkAdmitFull(b *testing.B) {
	const queue = 2048
	p := compile(b, New(nil), spec.Budget{Concurrent: 1, Queue: queue, QueueTimeout: time.Hour})
	p.Admit(newFlow(source(0, 0)))
	waiting := make([]*flow.Flow, queue)
	for i := range waiting {
		waiting[i] = newFlow(source(0, i&255))
		go p.Admit(waiting[i])
	}
	for p.Load().Queued < queue {
		runtime.Gosched()
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		f := newFlow(source(0, 0))
		for pb.Next() {
			p.Admit(f)
		}
	})
	b.StopTimer()
	for _, f := range waiting {
		f.Abort.Fire()
	}
}

// TestSpare: what can as well come later gets nothing while anybody waits, or more than half of the budget is in use.
func TestSpare(t *testing.T) {
	tests := []struct {
		name   string
		budget spec.Budget
		under  int // shares that others have
		want   bool
	}{
		{"idle", spec.Budget{Concurrent: 4}, 0, true},
		{"one of four in use", spec.Budget{Concurrent: 4}, 1, true},
		{"half in use", spec.Budget{Concurrent: 4}, 2, false},
		{"a budget of one", spec.Budget{Concurrent: 1}, 0, true},
		{"a budget of one, in use", spec.Budget{Concurrent: 1}, 1, false},
		{"no bound", spec.Budget{}, 1000, true},
		{"no rate left", spec.Budget{Rate: perSecond(1, 0)}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, New(nil), tt.budget)
			for range tt.under {
				if p.Take() == nil {
					t.Fatal("got no share for others")
				}
			}
			lease := p.Spare()
			if got := lease != nil; got != tt.want {
				t.Errorf("got a share: %t, want %t", got, tt.want)
			}
			if lease != nil {
				lease.Release()
			}
			checkLoad(t, p, Load{Concurrent: tt.under})
		})
	}
}
