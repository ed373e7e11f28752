package rules

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/rules"
)

// judge is what the judging of one flow needs for itself.
type judge struct {
	machine *rules.Machine
	source  source
	before  flow.Request // the request as rate limits see it, once the header has been changed
	key     []byte       // what it is counted by

	previews bool     // nothing is counted: see Preview
	held     []string // the rules that would have been
}

// Outcome is what firewall rules have come to.
type Outcome uint8

// A request passes, is refused, or is answered with a redirect.
const (
	Passed Outcome = iota
	Blocked
	Redirected
)

// Grace tells what is only noted: a rule that is about to block a request asks it, and it notes in the flow whom it spares.
type Grace interface {
	Spares(f *flow.Flow, rule string) bool
}

// Empty tells that no rule is judged by a request's head.
func (s *Ruleset) Empty() bool { return s == nil || !s.any }

// SparesLimits tells that a rule may spare a request the zone's limits.
func (s *Ruleset) SparesLimits() bool { return s != nil && s.spares }

// ReadsResponses tells that there are rules for the heads of responses.
func (s *Ruleset) ReadsResponses() bool { return s != nil && s.phases[ResponseHeaders].set != nil }

// Spared is what rules have spared a request.
type Spared struct {
	Limits bool
	rest   bool // of the firewall's rules
	phases [phases]bool
	rules  map[string]bool
}

// Judge judges a request's head, and writes the flow's Verdict. Grace tells what is not blocked, but only noted.
func (s *Ruleset) Judge(f *flow.Flow, grace Grace) (outcome Outcome, spared Spared) {
	outcome = s.judge(f, grace, &spared)
	return outcome, spared
}

// Guard judges a request's head by the node's own rules, before any of its zone's. What they spare it, they spare it of themselves.
func (s *Ruleset) Guard(f *flow.Flow, grace Grace) Outcome {
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.begin(f)
	var spared Spared
	if s.firewall(j, f, grace, &spared, &s.phases[Firewall]) || s.tooMany(j, f, grace, &spared) {
		return Blocked
	}
	return Passed
}

// tooMany holds the rate limits against a request's head, and counts it.
func (s *Ruleset) tooMany(j *judge, f *flow.Flow, grace Grace, spared *Spared) bool {
	return !spared.phases[RateLimit] && s.limit(j, f, &s.phases[RateLimit], aside, spared.rules, f.Request.Received, grace)
}

// Change judges the head of a request that nothing may refuse, for what rules change.
func (s *Ruleset) Change(f *flow.Flow) Outcome {
	spared := Spared{rest: true}
	spared.phases[RateLimit] = true
	return s.judge(f, nil, &spared)
}

func (s *Ruleset) judge(f *flow.Flow, grace Grace, spared *Spared) Outcome {
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.begin(f)
	if s.redirect(j, f) {
		return Redirected
	}
	s.transform(j, f)
	s.configure(j, f, &s.phases[Config], nil)
	s.route(j, f)
	if s.firewall(j, f, grace, spared, &s.phases[Firewall]) {
		return Blocked
	}
	if s.tooMany(j, f, grace, spared) {
		return Blocked
	}
	f.Verdict.Unjudged, f.Verdict.Unlimited, f.Verdict.Unchanged = spared.rest, spared.phases[RateLimit], spared.phases[ResponseHeaders]
	f.Verdict.Spared = spared.rules
	if !spared.phases[LateTransform] {
		s.lateTransform(j, f, spared)
	}
	if !spared.phases[CacheSettings] {
		s.configure(j, f, &s.phases[CacheSettings], spared.rules)
	}
	return Passed
}

// JudgeResponse judges a response's head before it is sent, and writes what is to be changed.
func (s *Ruleset) JudgeResponse(f *flow.Flow) {
	p := &s.phases[ResponseHeaders]
	message := f.Message()
	if p.set == nil || message == nil || f.Verdict.Unchanged {
		return
	}
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.begin(f)
	j.source.message = message
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if f.Verdict.Spared[r.short()] {
			continue
		}
		r.note(j, f)
		f.Verdict.Responding = r.rewrite.changes(j.machine, f.Verdict.Responding)
	}
}

func (j *judge) begin(f *flow.Flow) {
	j.source.reset(f)
	j.machine.Reset(&j.source)
}

// rest gives a judge back, which keeps nothing of the flow.
func (s *Ruleset) rest(j *judge) {
	j.machine.Reset(nil)
	j.source.forget()
	j.before = flow.Request{}
	j.previews, j.held = false, nil
	if cap(j.key) > maxKeptKey {
		j.key = nil
	}
	s.judges.Put(j)
}

// next returns the first rule, from a place on, that holds, or -1.
func (p *phase) next(j *judge, from int) int {
	if p.set == nil {
		return -1
	}
	return p.set.Next(j.machine, from)
}

// redirect answers with the first redirect that holds and can be computed.
func (s *Ruleset) redirect(j *judge, f *flow.Flow) bool {
	p := &s.phases[DynamicRedirect]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if m := r.redirect.message(j.machine, &f.Request); m != nil {
			r.note(j, f)
			f.Verdict.Rule, f.Verdict.Answer = r.name, m
			return true
		}
	}
	return false
}

// transform rewrites the target. A later rule sees, and overrides, what an earlier one has rewritten.
func (s *Ruleset) transform(j *judge, f *flow.Flow) {
	p := &s.phases[Transform]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		r.note(j, f)
		r.rewrite.target(j.machine, rewritten(f))
		j.begin(f)
	}
}

// rewritten is the flow's request as rules change it.
func rewritten(f *flow.Flow) *flow.Request {
	if f.Verdict.Rewritten == nil {
		q := f.Request
		f.Verdict.Rewritten = &q
	}
	return f.Verdict.Rewritten
}

// configure takes the settings of all rules of a phase that hold and are not spared; of two that say the same, those of the later.
func (s *Ruleset) configure(j *judge, f *flow.Flow, p *phase, spared map[string]bool) {
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r, to := p.rules[i], &f.Verdict.Settings
		if spared[r.short()] {
			continue
		}
		r.note(j, f)
		to.Bypass = to.Bypass || r.settings.Bypass
		to.NoHTTPSRedirect = to.NoHTTPSRedirect || r.settings.NoHTTPSRedirect
		to.NoCompression = to.NoCompression || r.settings.NoCompression
		if r.settings.EdgeTTL > 0 {
			to.EdgeTTL = r.settings.EdgeTTL
		}
	}
}

// route chooses the origin and its Host; of two rules that say the same, the later counts.
func (s *Ruleset) route(j *judge, f *flow.Flow) {
	p := &s.phases[Origin]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r, q := p.rules[i], rewritten(f)
		r.note(j, f)
		q.Pool, q.HostHeader = cmp.Or(r.route.Pool, q.Pool), cmp.Or(r.route.HostHeader, q.HostHeader)
	}
}

// firewall reports whether a rule blocks the request.
func (s *Ruleset) firewall(j *judge, f *flow.Flow, grace Grace, spared *Spared, p *phase) bool {
	if spared.rest {
		return false
	}
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if spared.rules[r.short()] {
			continue
		}
		r.note(j, f)
		switch {
		case r.action == spec.RuleSkipping:
			spared.add(&r.skip)
			if spared.rest {
				return false
			}
		case r.action == spec.RuleLog:
			f.Verdict.Dry = append(f.Verdict.Dry, r.name)
		case !grace.Spares(f, r.name):
			s.block(j, f, r)
			return true
		}
	}
	return false
}

func (s *Spared) add(k *skip) {
	s.Limits, s.rest = s.Limits || k.limits, s.rest || k.rest
	for p, is := range k.phases {
		s.phases[p] = s.phases[p] || is
	}
	if len(k.rules) > 0 && s.rules == nil {
		s.rules = make(map[string]bool, len(k.rules))
	}
	for name := range k.rules {
		s.rules[name] = true
	}
}

// block refuses a request: with the rule's own answer, or with the page that explains itself.
func (s *Ruleset) block(j *judge, f *flow.Flow, r *rule) {
	f.Verdict.Action, f.Verdict.Rule = flow.Block, r.name
	f.Verdict.Refusal = &flow.Refusal{Reason: flow.RuleBlocked, Status: r.block.status, Rule: r.name, Detail: r.evidence(j, f)}
	f.Verdict.Answer = r.block.answer
}

// lateTransform changes the request's header, as the origin gets it.
func (s *Ruleset) lateTransform(j *judge, f *flow.Flow, spared *Spared) {
	p := &s.phases[LateTransform]
	var changes []flow.Change
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if spared.rules[r.short()] {
			continue
		}
		r.note(j, f)
		changes = r.rewrite.changes(j.machine, changes)
	}
	if len(changes) > 0 {
		q := rewritten(f)
		fields := make([]flow.Field, len(q.Fields), len(q.Fields)+len(changes))
		copy(fields, q.Fields)
		q.Fields = flow.Apply(fields, changes)
	}
}

// short is the rule's own name, without its phase.
func (r *rule) short() string {
	for i := len(r.name) - 1; i >= 0; i-- {
		if r.name[i] == '/' {
			return r.name[i+1:]
		}
	}
	return r.name
}

// note counts a match, and keeps a sample of it now and then.
func (r *rule) note(j *judge, f *flow.Flow) {
	if j.previews {
		j.held = append(j.held, r.name)
		return
	}
	r.tally.add(f.Conn.Shard)
	if second := f.Request.Received.Unix(); r.tally.due(second) {
		r.tally.keep(Sample{
			Time: f.Request.Received, ID: f.Request.ID, Client: f.Request.Client, Method: f.Request.Method,
			Host: clipped(f.Request.Host), Path: clipped(f.Request.Path), Agent: clipped(f.Request.Get("user-agent")),
			Evidence: r.filter.Explain(j.machine).String(),
		})
	}
}

// evidence is what a refusal says: the expression, and what it was about the request as often as that may cost something.
func (r *rule) evidence(j *judge, f *flow.Flow) string {
	if j.previews || !r.tally.afford(f.Request.Received.Unix()) {
		return r.detail
	}
	whole := r.filter.Explain(j.machine)
	return r.detail + ", where " + clippedTo(strings.Join(parts(&whole, nil), "; "), maxEvidence)
}

// parts are what each part of an expression was, as far as that may be written down: evidence gets into the log.
func parts(whole *rules.Explanation, to []string) []string {
	for i := range whole.Parts {
		p := &whole.Parts[i]
		text := strings.Join(strings.Fields(p.Text), " ")
		shown := clipped(p.Value)
		if addr, err := netip.ParseAddr(p.Value); err == nil {
			shown = prefixes.Network(addr).String()
		} else if secret(text) {
			shown = clippedTo(p.Value, maxShown)
		}
		to = parts(p, append(to, text+" = "+shown))
	}
	return to
}

// secret tells of a part that may hold what is nobody else's business: keys, cookies, forms, and addresses of visitors.
func secret(text string) bool {
	for _, of := range [...]string{"cookie", "headers", "body", "x_forwarded_for", "args"} {
		if strings.Contains(text, of) {
			return true
		}
	}
	return false
}
