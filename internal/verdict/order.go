package verdict

import (
	"sync/atomic"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/verdict/bots"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/verdict/lists"
	"github.com/seawall/seawall/internal/verdict/rules"
)

// Policy is how one zone's requests are judged.
type Policy struct {
	lists    *lists.Lists
	bounds   bounds
	redirect *redirect
	bots     *bots.Room
	guard    *atomic.Pointer[guard] // the node's own rules; nil if there are none
	rules    *rules.Ruleset
	grace    exceptions.Grace // what lists, limits and rules only say that they would have refused
	counts   *counts
}

// Judge gives the verdict on a request's head; it never waits. The node's own rules come before all that a zone has a say in, then the lists: an
// allowed client is spared every further check, though not what rules change, as the site would be another one without that; a denied one is
// refused at no further cost. Then come the zone's limits, which cost the least, unless a rule may spare a request them; then its rules. Who passes
// is sent to HTTPS last.
func (p *Policy) Judge(f *flow.Flow) {
	p.bots.Judge(f)
	if g := p.guard.Load(); g != nil && g.rules.Guard(f, &g.grace) == rules.Blocked {
		return
	}
	switch listing, prefix, name := p.lists.Find(f.Request.Client); listing {
	case lists.Allowed:
		p.allow(f)
		if p.rules.Empty() || p.rules.Change(f) == rules.Passed {
			p.send(f)
		}
		return
	case lists.Denied:
		if p.deny(f, prefix, name); f.Verdict.Refusal != nil {
			return
		}
	}
	if !p.rules.SparesLimits() && !p.within(f) {
		return
	}
	if !p.rules.Empty() {
		outcome, spared := p.rules.Judge(f, &p.grace)
		f.Verdict.Unbounded = spared.Limits
		if outcome != rules.Passed || p.rules.SparesLimits() && !spared.Limits && !p.within(f) {
			return
		}
	}
	p.send(f)
}

// within reports whether a source keeps within its limit of requests.
func (p *Policy) within(f *flow.Flow) bool {
	ok, wait, detail := p.bounds.of(limitsRequests).Take(f.Request.Source, f.Request.Received)
	if !ok {
		p.limit(f, limitsRequests, flow.RequestLimit, detail, wait)
	}
	return f.Verdict.Refusal == nil
}

// send answers who is to come again over HTTPS.
func (p *Policy) send(f *flow.Flow) {
	if !f.Verdict.Settings.NoHTTPSRedirect && p.redirect.needed(&f.Request) {
		p.counts.add(httpsRedirect, f.Conn.Shard)
		f.Verdict.Rule, f.Verdict.Answer = httpsRedirect.String(), p.redirect.message(&f.Request)
	}
}

// Preview tells what the node's rules, the zone's and its redirect to HTTPS would make of a request that nobody has made. It writes the flow's verdict and
// counts nothing. It knows of no client, so lists and limits are left out.
func (p *Policy) Preview(f *flow.Flow) (outcome rules.Outcome, effects []rules.Effect) {
	if g := p.guard.Load(); g != nil {
		if outcome, effects = g.rules.Preview(f, &g.grace); outcome == rules.Blocked {
			return outcome, effects
		}
	}
	if !p.rules.Empty() {
		var ofZone []rules.Effect
		outcome, ofZone = p.rules.Preview(f, &p.grace)
		effects = append(effects, ofZone...)
	}
	if outcome == rules.Passed && !f.Verdict.Settings.NoHTTPSRedirect && p.redirect.needed(&f.Request) {
		f.Verdict.Answer = p.redirect.message(&f.Request)
		does := "redirects with 308 to " + flow.Get(f.Verdict.Answer.Fields, "location")
		return rules.Redirected, append(effects, rules.Effect{Rules: httpsRedirect.String(), Does: does})
	}
	return outcome, effects
}

// JudgeResponse gives the verdict on a response's head, before it is sent: what of it is to be changed.
func (p *Policy) JudgeResponse(f *flow.Flow) {
	if p.rules.ReadsResponses() {
		p.rules.JudgeResponse(f)
	}
}

// JudgeBody gives the verdict on a request that the cache cannot answer: it is bound for the origin, and its source pays for
// that. Then rules count it that limit such requests.
func (p *Policy) JudgeBody(f *flow.Flow) {
	if f.Verdict.Action == flow.Allow {
		return
	}
	if !f.Verdict.Unbounded && (!p.charge(f, limitsOriginRequests, true) || !p.charge(f, limitsOriginRequestsBusy, f.Admission.Busy)) {
		return
	}
	p.rules.JudgeBody(f, &p.grace)
}

// charge has a source pay for a request to the origin, and reports whether it may have that: a limit that is not in force is none.
func (p *Policy) charge(f *flow.Flow, r rule, inForce bool) bool {
	limit := p.bounds.of(r)
	if !limit.Set() {
		return true
	}
	ok, wait, detail := limit.Take(f.Request.Source, f.Now())
	switch {
	case ok:
		f.Verdict.Charged |= 1 << r
	case inForce:
		p.limit(f, r, flow.OriginLimit, detail, wait)
	}
	return f.Verdict.Refusal == nil
}

// JudgeContent gives the verdict on the beginning of a request's body, which has a share of the origin's budget by now: it waits for the client.
func (p *Policy) JudgeContent(f *flow.Flow) {
	if f.Verdict.Action != flow.Allow && p.rules.ReadsBodies() {
		p.rules.JudgeContent(f, &p.grace)
	}
}

// Settle gives back, after the response, what a source paid for a request that never reached the origin: a visitor who met a
// full queue is not counted against. Then rules count responses.
func (p *Policy) Settle(f *flow.Flow) {
	if f.Verdict.Charged != 0 && f.Origin.Attempts == 0 {
		for r := limitsOriginRequests; r <= limitsOriginRequestsBusy; r++ {
			if f.Verdict.Charged&(1<<r) != 0 {
				p.bounds.of(r).Refund(f.Request.Source, f.Now())
			}
		}
		f.Verdict.Charged = 0
	}
	p.rules.Settle(f)
}
