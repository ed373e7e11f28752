package cache

import (
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// Outcome is what Join found.
type Outcome uint8

const (
	// Pass sends the flow to the origin without the cache: its response is not kept.
	Pass Outcome = iota
	// Lead makes the flow fetch a whole response for the cache, and others may wait for it: Keep or Abandon must follow.
	Lead
	// Served means that flow.Cache has the answer, a Message or a Refusal.
	Served
)

// String is the outcome's name in tests and logs.
func (o Outcome) String() string { return [...]string{"pass", "lead", "served"}[o] }

// statusClientGone is what logs show for a client that left before its answer came; nobody receives it.
const statusClientGone = 499

// Join follows a Lookup that found no answer. It waits, at most [headWait], while another flow fetches the head of the same
// response, and no longer than its client is there. On Lead, the flow's Abort is the fetch's until Keep or Abandon: it tells that
// nobody wants the response any more.
func (p *Policy) Join(f *flow.Flow) Outcome {
	if _, ok := f.Cache.Fetch.(purging); ok {
		f.Cache.Fetch = nil
		p.obey(f)
		return Served
	}
	if f.Cache.Status == flow.Bypass {
		return Pass
	}
	if _, ok := f.Cache.Fetch.(onDisk); ok {
		switch answered := p.recallWaiting(f); {
		case answered:
			return Served
		case f.Cache.Status == flow.Bypass:
			return Pass
		}
	}
	j := join{policy: p, flow: f, deadline: f.Task.Now().Add(headWait)}
	for {
		if outcome, done := j.try(); done {
			return outcome
		}
	}
}

// join is one call of Join. It tries again when a fetch that it waited for came to nothing or turned out to be for another
// variant; all its waiting together ends at the deadline.
type join struct {
	policy   *Policy
	flow     *flow.Flow
	deadline time.Time
	// alone tells not to wait: the flow fetches on its own.
	alone bool
	spot  spot
}

// try finds the flow an answer or a part in a fetch. It is not done if it has to be called again.
func (j *join) try() (outcome Outcome, done bool) {
	q, r := j.flow.Effective(), j.policy.room
	now := j.flow.Task.Now()
	j.policy.locate(q, &j.spot)
	key := j.spot.key
	sh := r.fills.shard(key)
	sh.mu.Lock()
	// A fill is stored before it leaves the table, so what is neither here nor there has to be fetched.
	j.policy.locate(q, &j.spot)
	if j.spot.key != key {
		sh.mu.Unlock()
		return Pass, false
	}
	d := j.policy.decide(j.spot.entry, q, now)
	if d.Outcome == httpcache.Fresh {
		sh.mu.Unlock()
		serve(&j.flow.Cache, j.spot.entry, flow.Hit, &d)
		j.policy.encode(j.flow, j.spot.entry, key)
		return Served, true
	}
	if fl := sh.fills[key]; fl != nil && !j.alone {
		fl.mu.Lock()
		if fl.state <= complete {
			sh.mu.Unlock()
			return j.enter(fl, now, &d)
		}
		fl.mu.Unlock()
	}
	unshareable, pass := sh.remembered(key, now)
	switch {
	case pass:
		sh.mu.Unlock()
		return j.pass(tooLarge), true
	case unshareable && j.spot.entry == nil:
		sh.mu.Unlock()
		return j.single(), true
	}
	fl := r.newFill(key)
	// What a request with credentials gets is mostly its own: nobody waits for it, yet it is stored if it may be (RFC 9111 §3.5).
	if !unshareable && !j.alone && q.Get("authorization") == "" {
		sh.fills[key] = fl
	}
	sh.mu.Unlock()
	return j.lead(fl), true
}

// enter takes a part in a fill whose response others may share; fl.mu is held and given back. d judges what is stored.
func (j *join) enter(fl *fill, now time.Time, d *httpcache.Decision) (outcome Outcome, done bool) {
	switch {
	case fl.state < complete && d.Outcome == httpcache.Stale: // within stale-while-revalidate, and somebody revalidates
		fl.mu.Unlock()
		serve(&j.flow.Cache, j.spot.entry, flow.Stale, d)
		j.policy.encode(j.flow, j.spot.entry, j.spot.key)
		return Served, true
	case fl.state < complete && fl.interested > j.policy.waiters:
		fl.mu.Unlock()
		return j.pass("too many requests wait for this response"), true
	case fl.state == fetching:
		w := fl.enlist()
		fl.mu.Unlock()
		return j.wait(fl, w)
	}
	defer fl.mu.Unlock()
	return j.share(fl, now)
}

// wait waits for a fill's head.
func (j *join) wait(fl *fill, w *waiter) (outcome Outcome, done bool) {
	j.flow.Task.Leave()
	timer := time.NewTimer(time.Until(j.deadline))
	if j.flow.Abort.Watch(w) {
		select {
		case <-w.wake:
		case <-timer.C:
		}
		j.flow.Abort.Unwatch()
	} else {
		w.Interrupt()
	}
	timer.Stop()

	fl.mu.Lock()
	fl.unlist(w)
	switch {
	case w.leads: // even if its client is gone: then lead makes the next one lead
		fl.mu.Unlock()
		return j.lead(fl), true
	case w.aborted:
		outcome, done = j.gone(), true
	case fl.state == fetching:
		j.alone = true
	default:
		outcome, done = j.share(fl, time.Now())
	}
	fl.lose()
	return outcome, done
}

// share takes what a fill offers now that its head is known; fl.mu is held.
func (j *join) share(fl *fill, now time.Time) (outcome Outcome, done bool) {
	if fl.state != growing && fl.state != complete {
		j.alone = fl.state == refused || fl.state == window
		return Pass, false
	}
	a, q, c := &fl.answer, j.flow.Effective(), &j.flow.Cache
	if a.entry.target != j.spot.target || j.policy.purged(a.entry) {
		j.alone = true // two targets with one key, or a fetch that a purge or an invalidation came after
		return Pass, false
	}
	if a.vary != nil && string(j.policy.languages.AppendVaryKey(nil, a.vary, q.Fields)) != a.entry.variant {
		j.alone = fl.key == j.spot.key // else the fill has moved to its variant's key
		return Pass, false
	}
	d := j.policy.decide(a.entry, q, now)
	if a.status != flow.Stale && d.Outcome != httpcache.Fresh {
		j.alone = true
		return Pass, false
	}
	serve(c, a.entry, a.status, &d)
	c.Collapsed = true
	if fl.state == growing || fl.body.spool != nil {
		c.Message = fl.message(fl.attach(j.flow.Abort, j.flow.Task))
	}
	return Served, true
}

// lead makes the flow the leader of a fill.
func (j *join) lead(fl *fill) Outcome {
	f := j.flow
	l := &lead{fill: fl, client: f.Abort, spot: j.spot, begun: j.policy.room.tick()}
	f.Cache.Status, f.Cache.Whole, f.Cache.Fetch = flow.Miss, true, l
	f.Cache.Asked = j.policy.asked(&j.spot.target, f.Effective())
	f.Abort = &fl.abort
	if e := j.spot.entry; e != nil {
		f.Cache.Validators = e.meta.Validators(nil)
	}
	if !l.client.Watch(l) {
		f.Cache.Fetch = nil
		f.Abort = l.client
		fl.handOver(l)
		return j.gone()
	}
	return Lead
}

// single lets the flow fetch for itself alone: nothing is stored that could be validated, nobody can wait, so it needs no fill. That
// is the way of most requests for what a site makes anew for everybody.
func (j *join) single() Outcome {
	c := &j.flow.Cache
	l := &lead{spot: j.spot}
	if j.policy.survive > 0 {
		l.begun = j.policy.room.tick()
	}
	c.Status, c.Whole, c.Fetch = flow.Miss, true, l
	c.Asked = j.policy.asked(&j.spot.target, j.flow.Effective())
	return Lead
}

// normalEncodings is the Accept-Encoding that the origin is sent for all requests that a response stored for this one may answer.
func normalEncodings(q *flow.Request) string {
	accept := httpcache.ParseAcceptEncoding(q.Fields)
	return accept.Normal()
}

func (j *join) pass(reason string) Outcome {
	j.flow.Cache.Status, j.flow.Cache.Reason = flow.Bypass, reason
	return Pass
}

func (j *join) gone() Outcome {
	j.flow.Cache.Refusal = &flow.Refusal{Reason: flow.ClientGone, Status: statusClientGone, Rule: "cache.collapse"}
	return Served
}
