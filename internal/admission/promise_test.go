package admission

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// TestVisitorsGetThroughAFlood (promise 2): 400 sources in 40 networks keep the queue full. Ten visitors, each in a network of
// its own, are served within one turn of all networks, every time.
func TestVisitorsGetThroughAFlood(t *testing.T) {
	const (
		networks, sources, each = 40, 10, 3 // of the flood; each source has so many requests under way
		visitors, visits        = 10, 5
		concurrent              = 4
		service                 = 100 * time.Millisecond
	)
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: concurrent, Queue: 500, QueueTimeout: time.Minute})
		var wg sync.WaitGroup
		var over atomic.Bool
		var refused, served atomic.Int64
		for i := range networks * sources * each {
			wg.Go(func() {
				for !over.Load() {
					f := newFlow(source(i%networks, i/networks%sources))
					if p.Admit(f); f.Admission.Lease == nil {
						refused.Add(1)
						time.Sleep(time.Second)
						continue
					}
					served.Add(1)
					time.Sleep(service)
					f.Admission.Lease.Release()
				}
			})
		}
		time.Sleep(10 * time.Second)
		const bound = (networks + visitors + concurrent) * service / concurrent
		var people sync.WaitGroup
		for i := range visitors {
			people.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(i)))
				for range visits {
					f := newFlow(source(1000+i, 0))
					if p.Admit(f); f.Admission.Lease == nil {
						t.Errorf("visitor %d: got %v, want a lease", i, reason(f))
						continue
					}
					if f.Admission.Waited > bound {
						t.Errorf("visitor %d: waited %v, want at most %v", i, f.Admission.Waited, time.Duration(bound))
					}
					time.Sleep(service)
					f.Admission.Lease.Release()
					time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
				}
			})
		}
		people.Wait()
		if refused.Load() == 0 || served.Load() == 0 || p.Load().Queued < 450 {
			t.Errorf("got a flood with %d refused, %d served, %d waiting: none at all", refused.Load(), served.Load(), p.Load().Queued)
		}
		over.Store(true)
		wg.Wait()
		checkLoad(t, p, Load{})
	})
}

// TestConcurrencyUnderStress (promise 1): whatever the threads do, no more than the budget is in flight, and nobody is
// forgotten: the test would not end.
func TestConcurrencyUnderStress(t *testing.T) {
	const concurrent, threads, requests = 3, 16, 2000
	p := compile(t, New(nil), spec.Budget{Concurrent: concurrent, Queue: threads / 2, QueueTimeout: time.Hour, Upgrades: 2})
	var inFlight, upgraded, most atomic.Int64
	var outcomes [flow.Reasons]atomic.Int64
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(i)))
			for range requests {
				f := newFlow(source(rng.IntN(3), rng.IntN(3)))
				n, limit := &inFlight, int64(concurrent)
				if rng.IntN(10) == 0 {
					f.Request.Upgrade = "websocket"
					n, limit = &upgraded, 2
				}
				if rng.IntN(10) == 0 {
					wg.Go(f.Abort.Fire)
				}
				p.Admit(f)
				outcomes[reason(f)].Add(1)
				if f.Admission.Lease == nil {
					continue
				}
				now := n.Add(1)
				if now > limit {
					t.Errorf("got %d in flight, want at most %d", now, limit)
				}
				most.Store(max(most.Load(), now))
				for range rng.IntN(4) {
					runtime.Gosched() // so that others come while this one is in flight
				}
				n.Add(-1)
				f.Admission.Lease.Release()
			}
		})
	}
	wg.Wait()
	checkLoad(t, p, Load{})
	if most.Load() < concurrent || outcomes[flow.NoReason].Load() == 0 || outcomes[flow.QueueFull].Load() == 0 {
		t.Errorf("got at most %d in flight, %d admitted, %d dropped: no stress at all",
			most.Load(), outcomes[flow.NoReason].Load(), outcomes[flow.QueueFull].Load())
	}
}

// TestNoWakeUpIsLost has a request arrive while the only share is given back, now a little earlier, now a little later. A lost
// wake-up shows as a timeout.
func TestNoWakeUpIsLost(t *testing.T) {
	const rounds = 4000
	p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 1, QueueTimeout: 2 * time.Second})
	lease := admit(t, p, source(0, 0)).Admission.Lease
	var round, released atomic.Int64
	go func() {
		for i := int64(1); i <= rounds; i++ {
			for round.Load() < i {
				runtime.Gosched()
			}
			for range i % 1000 { // some hundreds of nanoseconds at most
				round.Load()
			}
			lease.Release() // all leases of a budget are alike
			released.Store(i)
		}
	}()
	for i := int64(1); i <= rounds; i++ {
		f := newFlow(source(0, 0))
		round.Store(i)
		if p.Admit(f); f.Admission.Lease == nil {
			t.Errorf("round %d: got %v, want the share that was given back", i, reason(f))
			break
		}
		for released.Load() < i {
			runtime.Gosched()
		}
	}
	round.Store(rounds) // lets the goroutine end
	for released.Load() < rounds {
		runtime.Gosched()
	}
}

// checkRate reports an error if any window of the times holds more than the rate and its burst allow.
func checkRate(tb rapid.TB, times []time.Time, s *spec.Budget) {
	tb.Helper()
	interval := time.Second / time.Duration(s.Rate)
	slices.SortFunc(times, time.Time.Compare)
	for i := range times {
		for j := i; j < len(times); j++ {
			got, most := j-i+1, s.Burst+1+int(times[j].Sub(times[i])/interval)
			if got > most {
				tb.Fatalf("got %d requests within %v, want at most %d", got, times[j].Sub(times[i]), most)
			}
		}
	}
}

// TestRateUnderStress (promise 1): first requests and retries of many threads stay within the rate, and use it up.
func TestRateUnderStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := spec.Budget{Concurrent: 5, Rate: 50, Burst: 5, Queue: 100, QueueTimeout: time.Hour}
		p := compile(t, New(nil), budget)
		var mu sync.Mutex
		var times []time.Time
		took := func() {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(3, uint64(i)))
				for time.Since(start) < 10*time.Second {
					f := newFlow(source(i, 0))
					p.Admit(f)
					took()
					time.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
					if rng.IntN(3) == 0 && f.Admission.Lease.Attempt() {
						took()
					}
					f.Admission.Lease.Release()
				}
			})
		}
		wg.Wait()
		checkRate(t, times, &budget)
		if got, want := len(times), 10*budget.Rate; got < want {
			t.Errorf("got %d requests in 10s, want at least %d", got, want)
		}
	})
}

// machine drives a room in all ways that there are, one at a time, and knows what may come of it.
type machine struct {
	room            *Room
	policy          *Policy
	budget          spec.Budget
	waiting, leased []*request
	times           []time.Time // what the rate in force has been taken for
}

type request struct {
	flow          *flow.Flow
	arrived, done time.Time
	returned      chan time.Time // tells done when Admit has returned
	fired         bool
}

func (r *request) upgrade() bool { return r.flow.Request.Upgrade != "" }

func (m *machine) recompile(t *rapid.T) {
	m.budget = spec.Budget{
		Concurrent:   rapid.IntRange(0, 4).Draw(t, "concurrent"),
		Rate:         rapid.SampledFrom([]int{0, 1, 10}).Draw(t, "rate"),
		Burst:        rapid.IntRange(0, 3).Draw(t, "burst"),
		Queue:        rapid.IntRange(0, 6).Draw(t, "queue"),
		QueueTimeout: rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second}).Draw(t, "timeout"),
		Upgrades:     rapid.IntRange(0, 3).Draw(t, "upgrades"),
	}
	var err error
	m.policy, err = m.room.Compile(&spec.Zone{Name: "test", Budget: m.budget})
	if err != nil {
		t.Fatal(err)
	}
	m.times = nil
	m.arrive(t) // puts the new numbers in force
}

func (m *machine) arrive(t *rapid.T) {
	r := &request{flow: newFlow(prefixes.Source(address(t))), arrived: time.Now(), returned: make(chan time.Time, 1)}
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		r.flow.Request.Upgrade = "websocket"
	}
	if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
		r.fired = true
		r.flow.Abort.Fire()
	}
	m.waiting = append(m.waiting, r)
	p := m.policy
	go func() {
		p.Admit(r.flow)
		r.returned <- time.Now()
	}()
}

func (m *machine) leave(t *rapid.T) {
	if len(m.waiting) == 0 {
		t.Skip("nobody waits")
	}
	r := rapid.SampledFrom(m.waiting).Draw(t, "who")
	r.fired = true
	r.flow.Abort.Fire()
}

func (m *machine) release(t *rapid.T) {
	if len(m.leased) == 0 {
		t.Skip("no leases")
	}
	i := rapid.IntRange(0, len(m.leased)-1).Draw(t, "which")
	r := m.leased[i]
	m.leased = slices.Delete(m.leased, i, i+1)
	r.flow.Admission.Lease.Release()
}

func (m *machine) attempt(t *rapid.T) {
	if len(m.leased) == 0 {
		t.Skip("no leases")
	}
	if rapid.SampledFrom(m.leased).Draw(t, "who").flow.Admission.Lease.Attempt() {
		m.times = append(m.times, time.Now())
	}
}

// count is how many of the requests are upgrades, and how many are not.
func count(requests []*request) (plain, upgrades int) {
	for _, r := range requests {
		if r.upgrade() {
			upgrades++
		} else {
			plain++
		}
	}
	return plain, upgrades
}

// check holds what came of the last action against what may.
func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	before, _ := count(m.leased)
	var waiting, refused []*request
	for _, r := range m.waiting {
		select {
		case r.done = <-r.returned:
		default:
			waiting = append(waiting, r)
			continue
		}
		if r.flow.Admission.Lease != nil {
			m.leased = append(m.leased, r)
			m.times = append(m.times, r.done)
		} else {
			refused = append(refused, r)
		}
	}
	m.waiting = waiting
	for _, r := range refused {
		m.checkRefusal(t, r)
	}

	running, upgraded := count(m.leased)
	plain, upgrading := count(m.waiting)
	want := Load{Concurrent: running, Queued: plain + upgrading, Upgrades: upgraded + upgrading}
	if got := m.policy.Load(); got != want {
		t.Fatalf("got load %+v, want %+v", got, want)
	}
	if m.budget.Concurrent > 0 && running > max(before, m.budget.Concurrent) {
		t.Fatalf("got %d concurrent requests, want at most %d", running, m.budget.Concurrent)
	}
	if len(m.waiting) > m.budget.Queue {
		t.Fatalf("got %d waiting, want at most %d", len(m.waiting), m.budget.Queue)
	}
	for _, r := range m.waiting {
		if time.Since(r.arrived) >= m.budget.QueueTimeout || r.fired {
			t.Fatalf("got a request waiting since %v, its client gone %v", time.Since(r.arrived), r.fired)
		}
	}
	if m.budget.Rate > 0 {
		checkRate(t, slices.Clone(m.times), &m.budget)
	}
	if room := m.budget.Concurrent == 0 || running < m.budget.Concurrent; room && len(m.waiting) > 0 {
		if ok, _ := m.policy.budget.meter.Take(1, time.Now()); ok {
			t.Fatalf("got %d waiting although the budget has room for one", len(m.waiting))
		}
	}
}

func (m *machine) checkRefusal(t *rapid.T, r *request) {
	ok := false
	switch reason(r.flow) {
	case flow.QueueFull:
		// An upgrade that wants no share of concurrency may have left its place since.
		load := m.policy.Load()
		ok = load.Queued == m.budget.Queue || load.Upgrades > 0 && load.Queued < m.budget.Queue
	case flow.QueueTimeout:
		ok = r.flow.Admission.Waited >= m.budget.QueueTimeout && r.flow.Admission.Waited == r.done.Sub(r.arrived)
	case flow.ClientGone:
		ok = r.fired
	case flow.UpgradeCap:
		ok = r.upgrade() && m.policy.Load().Upgrades >= m.budget.Upgrades
	}
	if !ok {
		t.Fatalf("got %+v after %v, with load %+v", r.flow.Admission.Refusal, r.done.Sub(r.arrived), m.policy.Load())
	}
}

// close lets go of all that waits or is leased.
func (m *machine) close() {
	for _, r := range m.waiting {
		r.flow.Abort.Fire()
	}
	synctest.Wait()
	for _, r := range append(m.leased, m.waiting...) {
		if lease := r.flow.Admission.Lease; lease != nil {
			lease.Release()
		}
	}
}

// TestBudgetIsKept (promise 1): in any order of arrivals, departures, retries and new numbers, the budget is kept, the queue
// bounded, and nobody waits for what is there.
func TestBudgetIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := &machine{room: New(nil)}
			defer m.close()
			m.recompile(t)
			m.check(t)
			t.Repeat(map[string]func(*rapid.T){
				"arrive":    m.arrive,
				"arrive 2":  m.arrive, // more often than the others
				"arrive 3":  m.arrive,
				"leave":     m.leave,
				"release":   m.release,
				"attempt":   m.attempt,
				"recompile": m.recompile,
				"sleep": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
				},
				"": m.check,
			})
		})
	})
}

// TestSourcesShareANetwork: within one network, sources take turns too.
func TestSourcesShareANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 200, QueueTimeout: time.Hour})
		lease := admit(t, p, source(0, 0)).Admission.Lease
		next := make(chan *flow.Flow)
		wait := func(s netip.Prefix) {
			f := newFlow(s)
			if p.Admit(f); f.Admission.Lease != nil {
				next <- f
			}
		}
		for range 100 {
			go wait(source(0, 1))
		}
		synctest.Wait()
		for range 3 {
			go wait(source(0, 2))
		}
		synctest.Wait()
		got := 0
		for range 6 {
			lease.Release()
			f := <-next
			lease = f.Admission.Lease
			if f.Request.Source == source(0, 2) {
				got++
			}
		}
		if got != 3 {
			t.Errorf("got %d of 6 turns for the quiet source, want 3", got)
		}
		for p.Load().Queued > 0 {
			lease.Release()
			lease = (<-next).Admission.Lease
		}
	})
}
