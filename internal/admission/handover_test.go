package admission

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// process is one of several that follow each other, with a room of its own.
type process struct {
	room   *Room
	policy *Policy
	// What is on its way to the process before this one, and to this one from there.
	granted, returned []Change
	waiting, leased   []*handed
	instant           bool // nothing is on its way for long
}

// handed is a request in some process.
type handed struct {
	flow     *flow.Flow
	done     chan struct{}
	upgraded bool
	admitted time.Time
}

func newProcess(t *testing.T, b spec.Budget) *process {
	t.Helper()
	p := &process{room: New(nil)}
	p.policy = compile(t, p.room, b)
	return p
}

// succeed starts a process and hands over to it.
func (p *process) succeed(t *testing.T, b spec.Budget) *process {
	t.Helper()
	next := &process{room: New(nil), instant: p.instant}
	next.room.Suspend()
	next.policy = compile(t, next.room, b)
	if next.policy.Take() != nil {
		t.Fatal("got a share before the predecessor's are known")
	}
	if p.instant {
		held := p.room.Retire(func(c Change) { go next.room.Returned(c) })
		next.room.Resume(held, func(c Change) { go p.room.Granted(c) })
		return next
	}
	held := p.room.Retire(func(c Change) { next.returned = append(next.returned, c) })
	next.room.Resume(held, func(c Change) { next.granted = append(next.granted, c) })
	return next
}

// deliver delivers what is on its way between p and the process before it.
func (p *process) deliver(before *process) {
	for len(p.returned)+len(p.granted) > 0 {
		p.deliverReturned()
		p.deliverGranted(before)
	}
}

func (p *process) deliverReturned() {
	if len(p.returned) > 0 {
		c := p.returned[0]
		p.returned = p.returned[1:]
		p.room.Returned(c)
	}
}

func (p *process) deliverGranted(before *process) {
	if len(p.granted) > 0 {
		c := p.granted[0]
		p.granted = p.granted[1:]
		before.room.Granted(c)
	}
}

// arrive lets a request come.
func (p *process) arrive(f *flow.Flow) *handed {
	r := &handed{flow: f, done: make(chan struct{})}
	p.waiting = append(p.waiting, r)
	go func() {
		p.policy.Admit(f)
		r.admitted = time.Now()
		close(r.done)
	}()
	synctest.Wait()
	p.settle()
	return r
}

// settle notes who has been admitted.
func (p *process) settle() {
	synctest.Wait()
	p.waiting = slices.DeleteFunc(p.waiting, func(r *handed) bool {
		select {
		case <-r.done:
		default:
			return false
		}
		if r.flow.Admission.Lease != nil {
			p.leased = append(p.leased, r)
		}
		return true
	})
}

func (p *process) release(i int) {
	r := p.leased[i]
	p.leased = slices.Delete(p.leased, i, i+1)
	r.flow.Admission.Lease.Release()
	p.settle()
}

func (p *process) upgrade(r *handed) bool {
	lease := r.flow.Admission.Lease.Upgraded()
	if lease != nil {
		r.flow.Admission.Lease, r.upgraded = lease, true
	}
	p.settle()
	return lease != nil
}

// held is what of the budget the origin sees in use by p.
func (p *process) held() (l Load) {
	for _, r := range p.leased {
		if r.upgraded {
			l.Upgrades++
		} else {
			l.Concurrent++
		}
	}
	return l
}

var patient = spec.Budget{Concurrent: 2, Queue: 16, QueueTimeout: time.Hour, Upgrades: 2}

func TestUpgradeHoldsWhatIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newProcess(t, patient)
		old.arrive(newFlow(source(0, 0)))
		old.arrive(newUpgrade(source(0, 0)))
		old.upgrade(old.leased[1])
		old.arrive(newUpgrade(source(0, 0)))
		next := old.succeed(t, patient)
		checkLoad(t, next.policy, Load{Concurrent: 2, Upgrades: 2}) // one is upgraded, and one may be yet
		first := next.arrive(newFlow(source(1, 0)))
		if first.flow.Admission.Lease != nil {
			t.Fatal("got a share, and both are in use in the old process")
		}
		if !old.upgrade(old.leased[2]) {
			t.Error("got no upgrade in the old process for a request that was under way")
		}
		next.deliver(old)
		next.settle()
		if first.flow.Admission.Lease == nil {
			t.Error("got no share when one had been returned")
		}
		checkLoad(t, next.policy, Load{Concurrent: 2, Upgrades: 2})
		for range 3 {
			old.release(0)
		}
		next.deliver(old)
		checkLoad(t, next.policy, Load{Concurrent: 1})
	})
}

// TestUpgradeLendsInTurn: requests that still come to the old process take turns with the new one's queue.
func TestUpgradeLendsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		single := spec.Budget{Concurrent: 1, Queue: 16, QueueTimeout: time.Hour, Upgrades: 1}
		old := newProcess(t, single)
		for range 4 {
			old.arrive(newUpgrade(source(0, 0)))
		}
		next := old.succeed(t, single)
		for range 3 {
			next.arrive(newFlow(source(0, 0)))
		}
		var got []string
		for range 7 {
			next.deliver(old)
			old.settle()
			next.settle()
			switch {
			case len(old.leased) == 1 && len(next.leased) == 0:
				got = append(got, "old")
				old.release(0)
			case len(next.leased) == 1 && len(old.leased) == 0:
				got = append(got, "new")
				next.release(0)
			default:
				t.Fatalf("got %d at work in the old process and %d in the new one, want one at all", len(old.leased), len(next.leased))
			}
		}
		want := []string{"old", "new", "old", "new", "old", "new", "old"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		next.deliver(old)
		checkLoad(t, next.policy, Load{})
	})
}

func TestUpgradeReclaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newProcess(t, patient)
		for range 5 {
			old.arrive(newFlow(source(0, 0)))
		}
		next := old.succeed(t, patient)
		checkLoad(t, next.policy, Load{Concurrent: 2, Upgrades: 2, Queued: 3})
		next.room.Reclaim()
		checkLoad(t, next.policy, Load{})
		next.deliverReturned() // what comes late changes nothing
		next.room.Returned(Change{Zone: "test", Concurrent: 5, Wanted: 3})
		checkLoad(t, next.policy, Load{})
		for _, r := range old.waiting {
			r.flow.Abort.Fire()
		}
	})
}

// TestUpgradeOfAnotherZone: what a zone that is no more, or an unbounded one, has in use is in nobody's way.
func TestUpgradeOfAnotherZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := New(nil)
		room.Suspend()
		p := compile(t, room, spec.Budget{Queue: 1, QueueTimeout: time.Minute})
		room.Resume([]Change{{Zone: "gone", Concurrent: 3, Upgrades: 7}, {Zone: "test", Concurrent: 1000}}, func(Change) {})
		admit(t, p, source(0, 0))
		checkLoad(t, p, Load{Concurrent: 1001})
		room.Returned(Change{Zone: "gone", Concurrent: 3})
		room.Returned(Change{Zone: "test", Concurrent: 2000})
		checkLoad(t, p, Load{Concurrent: 1})
	})
}

// TestUpgradeKeepsTheRate (promise 1): bursts are not given again.
func TestUpgradeKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := spec.Budget{Concurrent: 100, Rate: perSecond(10, 9), Queue: 100, QueueTimeout: time.Hour}
		var times []time.Time
		p := newProcess(t, budget)
		p.instant = true
		all := []*process{p}
		begin := time.Now()
		for step := range 400 {
			if step%50 == 49 {
				all = append(all, all[len(all)-1].succeed(t, budget))
			}
			for range step % 3 {
				all[len(all)-1].arrive(newFlow(source(step, 0)))
			}
			for range step % 2 {
				all[max(len(all)-2, 0)].arrive(newFlow(source(step, 0)))
			}
			time.Sleep(50 * time.Millisecond)
			for i, p := range all {
				p.settle()
				for len(p.leased) > 0 {
					if i < len(all)-1 && p.leased[0].flow.Admission.Lease.Attempt() {
						t.Fatal("got a retry in an old process, whose rate is another's")
					}
					times = append(times, p.leased[0].admitted)
					p.release(0)
				}
			}
		}
		for _, p := range all {
			for _, r := range p.waiting {
				r.flow.Abort.Fire()
			}
		}
		checkRate(t, times, &budget)
		if got, want := len(times), int(time.Since(begin)/time.Second)*8; got < want {
			t.Errorf("got %d requests, want %d at least", got, want)
		}
	})
}

// TestUpgradesKeepTheBudget (promise 1): whatever happens in a row of processes that follow each other, and however late one learns it
// from the other, the origin never sees more than its budget of all together; and in the end nothing is lost.
func TestUpgradesKeepTheBudget(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			s := &schedule{rng: rand.New(rand.NewPCG(seed, 4))}
			s.budget = spec.Budget{Concurrent: 1 + s.rng.IntN(4), Queue: 1 + s.rng.IntN(8), QueueTimeout: time.Hour, Upgrades: s.rng.IntN(4)}
			s.processes = []*process{newProcess(t, s.budget)}
			for range 250 {
				s.step(t)
				s.check(t, seed)
			}
			s.finish(t, seed)
		})
		if t.Failed() {
			return
		}
	}
}

// schedule is a random one.
type schedule struct {
	rng       *rand.Rand
	budget    spec.Budget
	processes []*process // the newest last
}

func (s *schedule) step(t *testing.T) {
	i := s.rng.IntN(len(s.processes))
	p := s.processes[i]
	switch s.rng.IntN(9) {
	case 0, 1:
		f := newFlow(source(s.rng.IntN(3), s.rng.IntN(2)))
		if s.rng.IntN(3) == 0 {
			f.Request.Upgrade = "websocket"
		}
		p.arrive(f)
	case 2, 3:
		if len(p.leased) > 0 {
			p.release(s.rng.IntN(len(p.leased)))
		}
	case 4:
		if k := slices.IndexFunc(p.leased, func(r *handed) bool { return r.flow.Request.Upgrade != "" && !r.upgraded }); k >= 0 {
			p.upgrade(p.leased[k])
		}
	case 5:
		if len(p.waiting) > 0 {
			p.waiting[s.rng.IntN(len(p.waiting))].flow.Abort.Fire()
			p.settle()
		}
	case 6:
		p.deliverReturned()
		p.settle()
	case 7:
		if i > 0 {
			p.deliverGranted(s.processes[i-1])
			s.processes[i-1].settle()
		}
	default:
		if len(s.processes) < 4 && s.rng.IntN(6) == 0 {
			s.processes = append(s.processes, s.processes[len(s.processes)-1].succeed(t, s.budget))
		}
	}
	for _, q := range s.processes {
		q.settle()
	}
}

func (s *schedule) check(t *testing.T, seed uint64) {
	t.Helper()
	var all Load
	for _, p := range s.processes {
		l := p.held()
		all.Concurrent += l.Concurrent
		all.Upgrades += l.Upgrades
	}
	if all.Concurrent > s.budget.Concurrent || all.Upgrades > s.budget.Upgrades {
		t.Fatalf("seed %d: got %+v of %+v in %d processes", seed, all, s.budget, len(s.processes))
	}
}

// finish lets all requests be served.
func (s *schedule) finish(t *testing.T, seed uint64) {
	t.Helper()
	for range 200 {
		for i, p := range s.processes {
			for len(p.leased) > 0 {
				p.release(0)
			}
			if i > 0 {
				p.deliver(s.processes[i-1])
			}
			p.settle()
		}
		s.check(t, seed)
	}
	for i, p := range s.processes {
		if len(p.waiting) > 0 {
			t.Fatalf("seed %d: %d still wait in process %d of %d", seed, len(p.waiting), i, len(s.processes))
		}
	}
	last := s.processes[len(s.processes)-1]
	if got, want := last.policy.Load(), (Load{}); got != want {
		t.Fatalf("seed %d: got %+v in the last of %d processes, want nothing", seed, got, len(s.processes))
	}
}

// TestUpgradeUnderStress has threads come and go in the old room while it retires.
func TestUpgradeUnderStress(t *testing.T) {
	budget := spec.Budget{Concurrent: 3, Queue: 8, QueueTimeout: time.Hour, Upgrades: 1}
	for round := range 50 {
		old := New(nil)
		s := stress{inFlight: gauge{limit: 3}, upgraded: gauge{limit: 1}, policy: compile(t, old, budget)}
		next := New(nil)
		next.Suspend()
		last := compile(t, next, budget)
		for i := range 4 {
			s.wg.Go(func() { s.run(t, rand.New(rand.NewPCG(uint64(round), uint64(i))), 100) })
		}
		grants := make(chan Change, 10_000)
		returns := make(chan Change, 10_000)
		next.Resume(old.Retire(func(c Change) { returns <- c }), func(c Change) { grants <- c })
		over := make(chan struct{})
		go func() {
			s.wg.Wait()
			close(over)
		}()
		for relaying := true; relaying; {
			select {
			case c := <-grants:
				old.Granted(c)
			case c := <-returns:
				next.Returned(c)
			case <-over:
				relaying = len(grants)+len(returns) > 0
			}
		}
		if got := last.Load(); got != (Load{}) {
			t.Fatalf("round %d: got %+v left, want nothing", round, got)
		}
	}
}

// TestUpgradeFindsStrays: a request that ends while the room retires has looked before, and counts down after: the share is returned all
// the same, with the queue's next turn.
func TestUpgradeFindsStrays(t *testing.T) {
	r := New(nil)
	p := compile(t, r, patient)
	admit(t, p, source(0, 0))
	var got Change
	held := r.Retire(func(c Change) { got.Add(&c) })
	if want := []Change{{Zone: "test", Concurrent: 1, Upgrades: 1}}; !cmp.Equal(want, held) {
		t.Errorf("held: got %+v, want %+v", held, want)
	}
	p.budget.concurrent.Add(-1)
	p.budget.mu.Lock()
	p.budget.serve(time.Now())
	p.budget.mu.Unlock()
	if want := (Change{Concurrent: 1, Upgrades: 1}); got != want {
		t.Errorf("returned: got %+v, want %+v", got, want)
	}
}
