package admission

import (
	"math"
	"sync/atomic"
	"time"
)

// At an upgrade two processes share each origin's budget for a while, and promise 1 holds for both together. The one that goes
// ([Room.Retire]) keeps what is in use there and nothing else; the one that comes ([Room.Suspend], [Room.Resume]) counts that as used and
// has the rest. From then on the former returns each share when its request is over, and asks for one for each request that still comes
// to it. The latter lends them in turn with its own queue, and takes them from the rate. A share is always counted in both processes or
// in the one that uses it; numbers are told as differences, so messages may cross.
//
// A room that lends may retire in its turn: what it has lent is in use, and what its predecessor asks for, it asks its successor for.

// Change is what of a zone's budget has gone from one of the two to the other, or is asked for.
type Change struct {
	Zone string `json:"zone"`
	// Concurrent are shares of the concurrent requests, Upgrades places under the cap of upgrades: one goes with each share, while there
	// are any, so that a request under way may become a WebSocket.
	Concurrent int `json:"concurrent,omitempty"`
	Upgrades   int `json:"upgrades,omitempty"`
	// Wanted is how many more shares are asked for than before, or fewer. A share that is lent is not asked for any more.
	Wanted int `json:"wanted,omitempty"`
	// Debt is how many requests of the rate's burst are used up.
	Debt int `json:"debt,omitempty"`
}

// Zero tells that nothing has changed.
func (c *Change) Zero() bool { return *c == Change{Zone: c.Zone} }

// Add adds what was told later of the same zone.
func (c *Change) Add(later *Change) {
	c.Concurrent += later.Concurrent
	c.Upgrades += later.Upgrades
	c.Wanted += later.Wanted
	c.Debt += later.Debt
}

// loan is what of a budget a predecessor has. It is guarded by the budget's mu.
type loan struct {
	concurrent, upgrades int64 // counted in the budget's own
	wanted               int64 // below 0 if what has been lent was not needed any more
	grant                func(Change)
	next                 bool // it is its turn, and not the queue's
}

// holding is what of a budget is left here after the room has retired. It is guarded by the budget's mu.
type holding struct {
	concurrent int64 // shares in use here, or lent
	places     int64 // under the cap of upgrades, which none uses yet
	asked      int64
	tell       func(Change)
}

// pinned is a count above every limit.
const pinned = math.MaxInt64

// pin raises n above every limit and returns what it was.
func pin(n *atomic.Int64) int64 { return n.Swap(pinned) }

// Retire hands all budgets over to a successor and returns what is held here. The successor is told of every change; tell must not wait.
// A room retires once, and compiles nothing after it.
func (r *Room) Retire(tell func(Change)) (held []Change) {
	r.each(func(zone string, b *budget) {
		if c := b.retire(zone, tell); !c.Zero() {
			held = append(held, c)
		}
	})
	return held
}

// Granted takes what the successor has lent.
func (r *Room) Granted(c Change) {
	r.mu.Lock()
	b := r.budgets[c.Zone].Value()
	r.mu.Unlock()
	if b != nil {
		b.granted(int64(c.Concurrent), int64(c.Upgrades))
	}
}

// Suspend keeps all shares from being given until Resume. It comes before the first Compile.
func (r *Room) Suspend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspended = true
}

// Resume begins to give shares: those that the predecessor does not hold. What it is lent later, grant is told, which must not wait.
func (r *Room) Resume(held []Change, grant func(Change)) {
	r.mu.Lock()
	r.suspended, r.grant, r.lent = false, grant, make(map[string]*budget)
	r.mu.Unlock()
	for i := range held {
		r.borrower(held[i].Zone)
	}
	r.each(func(zone string, b *budget) {
		hold := Change{Zone: zone}
		for i := range held {
			if held[i].Zone == zone {
				hold.Add(&held[i])
			}
		}
		b.resume(&hold)
	})
}

// Returned takes what the predecessor gives back, and what it asks for.
func (r *Room) Returned(c Change) {
	if b := r.borrower(c.Zone); b != nil {
		b.returned(int64(c.Concurrent), int64(c.Upgrades), int64(c.Wanted))
	}
}

// Reclaim takes back all that is lent: the predecessor is gone.
func (r *Room) Reclaim() {
	r.mu.Lock()
	lent := r.lent
	r.lent, r.grant = nil, nil
	r.mu.Unlock()
	for _, b := range lent {
		b.returned(math.MaxInt64, math.MaxInt64, math.MinInt64)
	}
}

// borrower is the budget that a predecessor has a part of, nil if there is none any more. It may be that of a zone that is not known here.
func (r *Room) borrower(zone string) *budget {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lent == nil {
		return nil
	}
	b := r.lent[zone]
	if b == nil {
		b = r.budget(zone, new(terms))
		r.lent[zone] = b
		grant := r.grant
		b.mu.Lock()
		b.loan.grant = func(c Change) {
			c.Zone = zone
			grant(c)
		}
		b.mu.Unlock()
	}
	return b
}

// each visits the budgets that are in use.
func (r *Room) each(visit func(zone string, b *budget)) {
	r.mu.Lock()
	all := make(map[string]*budget, len(r.budgets))
	for zone, weak := range r.budgets {
		if b := weak.Value(); b != nil {
			all[zone] = b
		}
	}
	r.mu.Unlock()
	for zone, b := range all {
		visit(zone, b)
	}
}

// retire pins both counts: whoever tries for a share the usual way finds none. It says that it has retired before it counts, and release
// looks for that after it has counted down, so nothing is given back unseen.
func (b *budget) retire(zone string, tell func(Change)) Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired.Store(true)
	t, h := b.current.Load(), &b.holding
	h.tell = func(c Change) {
		c.Zone = zone
		tell(c)
	}
	h.concurrent = pin(&b.concurrent)
	upgrades := pin(&b.upgrades)
	h.places = max(min(t.upgrades-upgrades, h.concurrent-b.loan.concurrent), 0)
	h.asked = b.wanting()
	return Change{
		Zone: zone, Concurrent: int(h.concurrent), Upgrades: int(upgrades + h.places),
		Wanted: int(h.asked), Debt: b.debt(t),
	}
}

// debt is how many requests the rate has to make good before a whole burst may come again. It leaves the meter of no use.
func (b *budget) debt(t *terms) int {
	if !t.metered {
		return 0
	}
	ok, wait := b.meter.Take(t.burst, time.Now())
	if ok {
		return 0
	}
	return int(min((wait+t.interval-1)/max(t.interval, 1), time.Duration(t.burst)))
}

// resume counts what the predecessor has as used.
func (b *budget) resume(hold *Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, now := b.current.Load(), time.Now()
	l := &b.loan
	l.concurrent, l.upgrades, l.wanted = int64(max(hold.Concurrent, 0)), int64(max(hold.Upgrades, 0)), int64(hold.Wanted)
	b.concurrent.Store(l.concurrent)
	b.upgrades.Store(l.upgrades)
	if t.metered {
		b.meter.Take(min(hold.Debt, t.burst), now)
	}
	b.waiting.Store(b.wanting())
	b.serve(now)
}

// wanting is how many shares could be used now, in the queue and by the predecessor. It is called with mu held.
func (b *budget) wanting() int64 { return int64(b.queue.len()) + max(b.loan.wanted, 0) }

// hand gives a share that has been taken to whose turn it is: the predecessor and the queue take turns while both want one. It is called
// with mu held.
func (b *budget) hand(place func() bool) {
	l := &b.loan
	if b.queue.len() > 0 && (l.wanted <= 0 || !l.next) {
		l.next = true
		b.settle(b.queue.pop(), admitted, 0)
		return
	}
	l.next = false
	l.wanted--
	l.concurrent++
	c := Change{Concurrent: 1}
	if place() {
		l.upgrades++
		c.Upgrades = 1
	}
	b.waiting.Store(b.wanting())
	l.grant(c)
}

// returned takes from the predecessor's loan what it gives back, as far as it had it.
func (b *budget) returned(concurrent, upgrades, wanted int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.loan
	concurrent, upgrades = min(max(concurrent, 0), l.concurrent), min(max(upgrades, 0), l.upgrades)
	l.concurrent -= concurrent
	l.upgrades -= upgrades
	if wanted == math.MinInt64 {
		l.wanted = 0
	} else {
		l.wanted += wanted
	}
	b.waiting.Store(b.wanting())
	if b.retired.Load() {
		b.giveBack(concurrent, upgrades)
		return
	}
	b.concurrent.Add(-concurrent)
	b.upgrades.Add(-upgrades)
	b.serve(time.Now())
}

// granted hands out what the successor has lent and returns what nobody wants any more.
func (b *budget) granted(concurrent, places int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &b.holding
	h.concurrent += concurrent
	h.places += places
	h.asked -= concurrent
	for ; concurrent > 0 && b.wanting() > 0; concurrent-- {
		b.hand(func() bool {
			ok := h.places > 0
			if ok {
				h.places--
			}
			return ok
		})
	}
	b.giveBack(concurrent, 0)
}

// giveBack returns shares and places to the successor, with the places that no request here could use any more, and asks for what is
// wanted. It is called with mu held, after the room has retired.
func (b *budget) giveBack(concurrent, upgrades int64) {
	h := &b.holding
	concurrent += pinned - pin(&b.concurrent) // what came back while the room retired
	upgrades += pinned - pin(&b.upgrades)
	h.concurrent -= concurrent
	if spare := h.places - (h.concurrent - b.loan.concurrent); spare > 0 {
		h.places -= spare
		upgrades += spare
	}
	c := Change{Concurrent: int(concurrent), Upgrades: int(upgrades), Wanted: int(b.wanting() - h.asked)}
	h.asked = b.wanting()
	if !c.Zero() {
		h.tell(c)
	}
}

// place takes a place under the cap of upgrades that came with a share, after the room has retired.
func (b *budget) place() bool {
	if !b.retired.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holding.places == 0 {
		return false
	}
	b.holding.places--
	return true
}
