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
// its own, are served within a round of turns of all networks, every time, which is at most twice as long as if each network had but one.
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
		time.Sleep(3 * time.Second)
		const bound = 2 * (networks + visitors + concurrent) * service / concurrent
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
						t.Errorf("visitor %d: waited %v, want at most %v", i, f.Admission.Waited, bound)
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

// TestConcurrencyUnderStress (promise 1): whatever the threads do, no more than the budget is in flight, requests for an upgrade
// included, no more than the cap is upgraded, and nobody is forgotten: the test would not end.
func TestConcurrencyUnderStress(t *testing.T) {
	tests := []struct {
		name           string
		threads, queue int
	}{
		{"queue overflows", 16, 8},
		{"queue comes and goes", 4, 4}, // so that newcomers compete for shares without the queue's lock
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stress{inFlight: gauge{limit: 3}, upgraded: gauge{limit: 1}}
			s.policy = compile(t, New(nil), spec.Budget{Concurrent: 3, Queue: tt.queue, QueueTimeout: time.Hour, Upgrades: 1})
			for i := range tt.threads {
				s.wg.Go(func() { s.run(t, rand.New(rand.NewPCG(2, uint64(i))), 16_000/tt.threads) })
			}
			s.wg.Wait()
			checkLoad(t, s.policy, Load{})
			if s.inFlight.most.Load() < s.inFlight.limit || s.upgraded.most.Load() < s.upgraded.limit {
				t.Errorf("got at most %d in flight and %d upgraded: no stress at all", s.inFlight.most.Load(), s.upgraded.most.Load())
			}
			if dropped := s.dropped.Load(); (dropped > 0) != (tt.threads > tt.queue+3) {
				t.Errorf("got %d requests dropped by %d threads from a queue of %d", dropped, tt.threads, tt.queue)
			}
		})
	}
}

// stress is what the threads of a stress test share.
type stress struct {
	policy             *Policy
	wg                 sync.WaitGroup
	inFlight, upgraded gauge
	dropped            atomic.Int64
}

// run sends requests one after another. Some want an upgrade, some are left by their client.
func (s *stress) run(t *testing.T, rng *rand.Rand, requests int) {
	for range requests {
		f := newFlow(source(rng.IntN(3), rng.IntN(3)))
		if rng.IntN(5) == 0 {
			f.Request.Upgrade = "websocket"
		}
		if rng.IntN(10) == 0 {
			s.wg.Go(f.Abort.Fire)
		}
		s.policy.Admit(f)
		if reason(f) == flow.QueueFull {
			s.dropped.Add(1)
		}
		lease := f.Admission.Lease
		if lease == nil {
			continue
		}
		s.inFlight.hold(t, rng.IntN(4))
		if f.Request.Upgrade != "" {
			if place := lease.Upgraded(); place != nil {
				s.upgraded.hold(t, rng.IntN(8))
				lease = place
			} else {
				s.inFlight.hold(t, 1) // the share stays
			}
		}
		lease.Release()
	}
}

// gauge counts what holds a part of a budget right now.
type gauge struct {
	limit     int64
	now, most atomic.Int64
}

// hold lets others come a few times while this one is counted.
func (g *gauge) hold(t *testing.T, turns int) {
	now := g.now.Add(1)
	if now > g.limit {
		t.Errorf("got %d at a time, want at most %d", now, g.limit)
	}
	g.most.Store(max(g.most.Load(), now))
	for range turns {
		runtime.Gosched()
	}
	g.now.Add(-1)
}

// TestNoWakeUpIsLost has a request arrive while the only share is given back, now a little earlier, now a little later. A lost
// wake-up would leave it in the queue until its client goes.
func TestNoWakeUpIsLost(t *testing.T) {
	const rounds = 3000
	p := compile(t, New(nil), spec.Budget{Concurrent: 1, Queue: 1, QueueTimeout: time.Hour})
	lease := admit(t, p, source(0, 0)).Admission.Lease
	var round, released atomic.Int64
	go func() {
		for i := int64(1); i <= rounds; i++ {
			for round.Load() < i {
				runtime.Gosched()
			}
			for range i % 400 { // some hundreds of nanoseconds at most
				round.Load()
			}
			lease.Release() // all leases of a budget are alike
			released.Store(i)
		}
	}()
	f := newFlow(source(0, 0))
	patience := time.AfterFunc(time.Hour, f.Abort.Fire)
	defer patience.Stop()
	for i := int64(1); i <= rounds; i++ {
		f.Admission = flow.Admission{}
		patience.Reset(10 * time.Second)
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
	interval := time.Second / time.Duration(s.Rate.Requests)
	slices.SortFunc(times, time.Time.Compare)
	for i := range times {
		for j := i; j < len(times); j++ {
			got, most := j-i+1, s.Rate.Burst+1+int(times[j].Sub(times[i])/interval)
			if got > most {
				tb.Fatalf("got %d requests within %v, want at most %d", got, times[j].Sub(times[i]), most)
			}
		}
	}
}

// TestRateUnderStress (promise 1): first requests and retries of many threads stay within the rate, and use it up.
func TestRateUnderStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := spec.Budget{Concurrent: 5, Rate: perSecond(50, 5), Queue: 100, QueueTimeout: time.Hour}
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
		if got, want := len(times), 10*budget.Rate.Requests; got < want {
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
	capped        bool // wants an upgrade although the cap is reached
	upgraded      bool
}

func (m *machine) recompile(t *rapid.T) {
	m.budget = spec.Budget{
		Concurrent:   rapid.IntRange(0, 4).Draw(t, "concurrent"),
		Rate:         perSecond(rapid.SampledFrom([]int{0, 1, 10}).Draw(t, "rate"), rapid.IntRange(0, 3).Draw(t, "burst")),
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
		_, upgraded := m.held()
		r.flow.Request.Upgrade, r.capped = "websocket", upgraded >= m.budget.Upgrades
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
	r := rapid.SampledFrom(m.leased).Draw(t, "who")
	if !r.flow.Admission.Lease.Attempt() {
		return
	}
	if r.upgraded {
		t.Fatal("got an attempt on an upgraded connection")
	}
	m.times = append(m.times, time.Now())
}

// agree has the origin agree to an upgrade.
func (m *machine) agree(t *rapid.T) {
	i := slices.IndexFunc(m.leased, func(r *request) bool { return r.flow.Request.Upgrade != "" && !r.upgraded })
	if i < 0 {
		t.Skip("no request for an upgrade")
	}
	r := m.leased[i]
	_, upgraded := m.held()
	lease := r.flow.Admission.Lease.Upgraded()
	if got, want := lease != nil, upgraded < m.budget.Upgrades; got != want {
		t.Fatalf("got an upgrade: %v, want %v with %d of %d", got, want, upgraded, m.budget.Upgrades)
	}
	if lease != nil {
		r.flow.Admission.Lease, r.upgraded = lease, true
	}
}

// held is how many requests are at the origin, and how many connections upgraded.
func (m *machine) held() (requests, upgraded int) {
	for _, r := range m.leased {
		if r.upgraded {
			upgraded++
		} else {
			requests++
		}
	}
	return requests, upgraded
}

// check holds what came of the last action against what may.
func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	before, _ := m.held()
	var waiting, refused []*request
	for _, r := range m.waiting {
		select {
		case r.done = <-r.returned:
		default:
			waiting = append(waiting, r)
			continue
		}
		if r.capped != (reason(r.flow) == flow.UpgradeCap) {
			t.Fatalf("got %+v, the cap reached: %v", r.flow.Admission, r.capped)
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

	running, upgraded := m.held()
	want := Load{Concurrent: running, Queued: len(m.waiting), Upgrades: upgraded}
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
		if time.Since(r.arrived) >= m.budget.QueueTimeout || r.fired || r.capped {
			t.Fatalf("got a request waiting since %v, its client gone %v, the cap reached %v", time.Since(r.arrived), r.fired, r.capped)
		}
	}
	if m.budget.Rate.Requests > 0 {
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
		ok = m.policy.Load().Queued == m.budget.Queue
	case flow.QueueTimeout:
		ok = r.flow.Admission.Waited >= m.budget.QueueTimeout && r.flow.Admission.Waited == r.done.Sub(r.arrived)
	case flow.ClientGone:
		ok = r.fired
	case flow.UpgradeCap:
		ok = r.capped && r.flow.Admission.Waited == 0
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

// TestBudgetIsKept (promise 1): in any order of arrivals, departures, retries, upgrades and new numbers, the budget is kept, the queue
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
				"agree":     m.agree,
				"recompile": m.recompile,
				"sleep": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
				},
				"": m.check,
			})
		})
	})
}

// TestOfficeAmongBots (promise 2): 200 bots, each in a network of its own, ask for one thing at a time, and so do 30 people of an office behind one
// address, and as many who have an address each. The office is served as the others are, also where the queue is full all the time.
func TestOfficeAmongBots(t *testing.T) {
	const bots, people, service = 200, 30, 100 * time.Millisecond
	tests := []struct {
		name  string
		queue int
		least float64 // of what people with an address each get, for the office
	}{
		{"room for all", 400, 0.9},
		{"full", 150, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), spec.Budget{Concurrent: 4, Queue: tt.queue, QueueTimeout: time.Minute})
				var wg sync.WaitGroup
				var over atomic.Bool
				ask := func(s netip.Prefix, pause time.Duration, served *atomic.Int64) {
					wg.Go(func() {
						for !over.Load() {
							f := newFlow(s)
							if p.Admit(f); f.Admission.Lease != nil {
								served.Add(1)
								time.Sleep(service)
								f.Admission.Lease.Release()
							}
							time.Sleep(pause)
						}
					})
				}
				var flood, office, homes atomic.Int64
				for i := range bots {
					ask(source(i, 0), time.Second+time.Duration(i)*time.Millisecond, &flood)
				}
				for i := range people {
					ask(source(1000, 0), 2*time.Second+time.Duration(i)*time.Millisecond, &office)
					ask(source(2000+i, 0), 2*time.Second+time.Duration(i)*time.Millisecond, &homes)
				}
				time.Sleep(5 * time.Minute)
				over.Store(true)
				wg.Wait()
				if got, want := float64(office.Load()), tt.least*float64(homes.Load()); got < want || flood.Load() == 0 {
					t.Errorf("got %v for the office, %d for people at home, %d for bots, want at least %v for the office",
						got, homes.Load(), flood.Load(), want)
				}
				checkLoad(t, p, Load{})
			})
		})
	}
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
		for range 8 { // two of each in turn
			lease.Release()
			f := <-next
			lease = f.Admission.Lease
			if f.Request.Source == source(0, 2) {
				got++
			}
		}
		if got != 3 {
			t.Errorf("got %d of 8 turns for the quiet source, want its 3", got)
		}
		for p.Load().Queued > 0 {
			lease.Release()
			lease = (<-next).Admission.Lease
		}
	})
}
