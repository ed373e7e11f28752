package admission

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
)

// Room keeps the budgets of all origins, one for each zone.
type Room struct {
	seed maphash.Seed
	held held

	mu         sync.Mutex
	generation uint64
	budgets    map[string]weak.Pointer[budget]
	suspended  bool
	lent       map[string]*budget // of which a predecessor has a part; nil without one
	grant      func(Change)
}

// New returns a room without budgets. Nothing of a node bounds it: each zone states its own budget.
func New(*spec.Node) *Room {
	return &Room{seed: maphash.MakeSeed(), budgets: make(map[string]weak.Pointer[budget])}
}

// Policy is how one zone's requests share its origin's budget.
type Policy struct {
	seed   maphash.Seed
	held   *held
	budget *budget
	terms  *terms
}

// terms are a budget's numbers.
type terms struct {
	generation           uint64 // newer terms have a higher one
	concurrent, upgrades int64
	rate                 limit.Rate
	metered              bool // rate bounds something
	burst                int
	interval             time.Duration // between two requests at the rate
	queue                int
	timeout              time.Duration

	full, late, capped string // details of refusals
}

// Compile returns the policy of a zone. If the room knows the zone, the policy continues its budget, and
// changes the budget's numbers with the first request that it admits. It fails if a number of z.Budget is out of bounds.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	t, err := compileTerms(&z.Budget)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	t.generation = r.generation
	return &Policy{seed: r.seed, held: &r.held, budget: r.budget(z.Name, t), terms: t}, nil
}

// budget returns a zone's budget, made with these terms if it is not there. It is called with mu held.
func (r *Room) budget(zone string, t *terms) *budget {
	b := r.budgets[zone].Value()
	if b == nil {
		b = newBudget(t)
		if r.suspended {
			pin(&b.concurrent)
			pin(&b.upgrades)
		}
		r.budgets[zone] = weak.Make(b)
		runtime.AddCleanup(b, r.forget, zone)
	}
	return b
}

// forget drops a budget that neither a policy nor a lease uses any more, unless the zone has come back since.
func (r *Room) forget(k string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.budgets[k].Value() == nil {
		delete(r.budgets, k)
	}
}

func compileTerms(s *spec.Budget) (*terms, error) {
	for _, bound := range [...]struct {
		key   string
		value int
	}{
		{"concurrent", s.Concurrent}, {"rate", s.Rate.Requests}, {"rate", s.Rate.Burst}, {"queue", s.Queue}, {"upgrades", s.Upgrades},
	} {
		if bound.value < 0 {
			return nil, fmt.Errorf("budget.%s: %d is negative: want 0 or more", bound.key, bound.value)
		}
	}
	if s.Queue > 0 && s.QueueTimeout <= 0 {
		return nil, fmt.Errorf("budget.queue_timeout: %v is too short: with a queue it must be longer than 0, such as 10s", s.QueueTimeout)
	}
	t := &terms{
		concurrent: int64(s.Concurrent),
		upgrades:   int64(s.Upgrades),
		metered:    s.Rate.Requests > 0,
		queue:      s.Queue,
		timeout:    s.QueueTimeout,
	}
	if t.concurrent == 0 {
		t.concurrent = math.MaxInt64
	}
	if t.metered {
		var err error
		t.burst, t.interval = s.Rate.Burst+1, s.Rate.Per/time.Duration(s.Rate.Requests)
		if t.rate, err = limit.NewRate(s.Rate.Requests, s.Rate.Per, t.burst); err != nil {
			return nil, fmt.Errorf("budget.rate: %w", err)
		}
	}
	t.describe(s)
	return t, nil
}

// describe prepares what refusals say.
func (t *terms) describe(s *spec.Budget) {
	budget := "the origin's budget"
	if s.Concurrent > 0 {
		budget += fmt.Sprintf(" of %d concurrent requests", s.Concurrent)
	}
	if s.Rate.Requests > 0 {
		budget += " at " + s.Rate.String()
	}
	t.full = fmt.Sprintf("%s is used up and %d requests wait for it", budget, s.Queue)
	t.late = fmt.Sprintf("waited %v for %s", s.QueueTimeout, budget)
	t.capped = fmt.Sprintf("the cap of %d upgraded connections is reached", s.Upgrades)
}

// Gauge writes whether the origin's budget is used up, or was within the last 10 seconds.
func (p *Policy) Gauge(f *flow.Flow) { f.Admission.Busy = p.budget.busy(f.Now()) }

// Admit waits for a share of the origin's budget, and before that for a small body, so that a client who is slow to send one holds none. It
// writes flow.Admission: how long it waited for the budget, and a lease or a refusal. A
// request for an upgrade takes the share of an ordinary request, which it is until the origin agrees ([flow.Lease.Upgraded]); it
// is refused at once if the cap of upgrades is reached already.
func (p *Policy) Admit(f *flow.Flow) {
	b, t := p.budget, p.budget.terms(p.terms)
	if f.Request.Upgrade != "" && b.upgrades.Load() >= t.upgrades && !b.retired.Load() {
		f.Admission.Refusal = p.refuse(f, flow.UpgradeCap, "budget.upgrades", t.capped, t.timeout)
		return
	}
	if r := p.held.wait(f); r != nil {
		f.Admission.Refusal = r
		return
	}
	if b.try(t, f.Task.Now()) || p.wait(f, t) {
		f.Admission.Lease = (*requestLease)(b)
	}
}

// Take takes a share without waiting, for a request that is nobody's (a health check); nil if there is none.
func (p *Policy) Take() flow.Lease {
	b, t := p.budget, p.budget.terms(p.terms)
	if !b.try(t, time.Now()) {
		return nil
	}
	return (*requestLease)(b)
}

// Spare takes a share without waiting, for a request that can as well come later: only while nobody waits for the budget, and at most half of
// the concurrent requests are under way with it. It returns nil if there is none.
func (p *Policy) Spare() flow.Lease {
	b, t := p.budget, p.budget.terms(p.terms)
	if b.concurrent.Load() >= max(t.concurrent/2, 1) || !b.try(t, time.Now()) {
		return nil
	}
	return (*requestLease)(b)
}

// wait stands in the queue and reports whether that got a share; otherwise it writes the refusal.
func (p *Policy) wait(f *flow.Flow, t *terms) bool {
	f.Task.Leave()
	start := time.Now()
	p.budget.usedUp.Store(start.UnixNano())
	w := p.budget.waiter()
	if f.Abort.Watch(w) {
		p.budget.enqueue(w, f.Request.Source)
	} else {
		w.Interrupt()
	}
	<-w.done
	f.Abort.Unwatch() // from here on w is ours alone
	f.Admission.Waited = time.Since(start)
	outcome, backlog := w.outcome, w.backlog
	p.budget.waiters.Put(w)
	switch outcome {
	case dropped:
		f.Admission.Refusal = p.refuse(f, flow.QueueFull, "budget.queue", t.full, backlog)
	case expired:
		f.Admission.Refusal = p.refuse(f, flow.QueueTimeout, "budget.queue_timeout", t.late, backlog)
	case gone:
		f.Admission.Refusal = &flow.Refusal{
			Reason: flow.ClientGone, Status: 499, Rule: "budget.queue", Detail: "the client left the queue for the origin's budget",
		}
	}
	return outcome == admitted
}

func (p *Policy) refuse(f *flow.Flow, reason flow.Reason, rule, detail string, backlog time.Duration) *flow.Refusal {
	return &flow.Refusal{
		Reason: reason, Status: 503, Rule: rule, Detail: detail,
		RetryAfter: p.retryAfter(backlog, f.Request.Source),
	}
}

// maxBacklog bounds what is told of the backlog; with the spread on top, Retry-After is from 1 to 30 seconds.
const maxBacklog = 15

// retryAfter is the backlog, in whole seconds, and up to as much again: how much is the source's own constant share, so that
// those refused together do not come back together.
func (p *Policy) retryAfter(backlog time.Duration, source netip.Prefix) time.Duration {
	seconds := uint64(min(max(math.Ceil(backlog.Seconds()), 1), maxBacklog))
	b := source.Addr().As16()
	share := maphash.Bytes(p.seed, b[:]) % (seconds + 1)
	return time.Duration(seconds+share) * time.Second
}

// Load is how much of a budget is in use.
type Load struct {
	// Concurrent requests are at the origin, those for an upgrade among them; Queued ones wait. Upgrades are connections that the
	// origin has upgraded.
	Concurrent, Queued, Upgrades int
}

// Load returns the present load of the policy's budget. Its numbers are read one after another, not at one instant.
func (p *Policy) Load() Load {
	b := p.budget
	return Load{
		Concurrent: int(b.concurrent.Load()),
		Queued:     int(b.waiting.Load()),
		Upgrades:   int(b.upgrades.Load()),
	}
}
