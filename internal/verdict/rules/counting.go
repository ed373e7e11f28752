package rules

import (
	"net/netip"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/prefixes"
)

// maxKeptKey bounds the memory of a key that is kept for the next one.
const maxKeptKey = 16 << 10

// limit judges by rate limits that know a request when they see it, and reports whether one refuses it. The rules' expressions say which
// requests are refused; then come those that count by another expression, at a moment.
func (s *Ruleset) limit(j *judge, f *flow.Flow, p *phase, at moment, spared map[string]bool, now time.Time, grace Grace) bool {
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if spared[r.short()] {
			continue
		}
		if wait := r.limit.judge(j.keyOf(r.limit), now); wait > 0 && s.exceed(j, f, r, now.Add(wait), now, grace) {
			return true
		}
	}
	return s.count(j, f, at, spared, now, grace)
}

// JudgeBody counts a request that is bound for the origin.
func (s *Ruleset) JudgeBody(f *flow.Flow, grace Grace) {
	if s == nil || s.counts[bound].set == nil || f.Verdict.Unlimited {
		return
	}
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.beginBefore(f)
	f.Verdict.Counted = !s.count(j, f, bound, f.Verdict.Spared, f.Now(), grace)
}

// Settle counts responses, and takes back what was counted of a request that never reached the origin. What rules refused or answered
// themselves does not count, nor what nobody was answered.
func (s *Ruleset) Settle(f *flow.Flow) {
	if s == nil {
		return
	}
	refund := f.Verdict.Counted && f.Origin.Attempts == 0
	count := s.counts[answered].set != nil && f.Response.Status != 0 && f.Refusal() == nil && f.Message() != nil && f.Verdict.Answer == nil &&
		f.Verdict.Action != flow.Allow && !f.Verdict.Unlimited
	if !refund && !count {
		return
	}
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.beginBefore(f)
	if refund {
		s.refund(j, f)
	}
	if count {
		j.source.message = f.Message()
		s.settle(j, f)
	}
}

func (s *Ruleset) refund(j *judge, f *flow.Flow) {
	f.Verdict.Counted = false
	p := &s.counts[bound]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		if r := p.rules[i]; !f.Verdict.Spared[r.short()] {
			r.limit.counted.Refund(j.keyOf(r.limit), r.limit.rate, 1, f.Now())
		}
	}
}

func (s *Ruleset) settle(j *judge, f *flow.Flow) {
	p := &s.counts[answered]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if f.Verdict.Spared[r.short()] || r.limit.toOrigin && f.Origin.Attempts == 0 {
			continue
		}
		r.limit.charge(j.keyOf(r.limit), f.Response.Bytes, f.Now())
	}
}

// count counts what counts at a moment before the response, and reports whether a rule refuses it: one that is about what it counts.
func (s *Ruleset) count(j *judge, f *flow.Flow, at moment, spared map[string]bool, now time.Time, grace Grace) bool {
	p := &s.counts[at]
	for i := p.next(j, 0); i >= 0; i = p.next(j, i+1) {
		r := p.rules[i]
		if spared[r.short()] {
			continue
		}
		wait := r.limit.take(j.keyOf(r.limit), now)
		if wait > 0 && r.filter.Match(j.machine) && s.exceed(j, f, r, now.Add(wait), now, grace) {
			return true
		}
	}
	return false
}

// exceed refuses a request of which there are too many until a time, and reports whether it does: a rule that only logs does not, nor one
// that is to spare the request.
func (s *Ruleset) exceed(j *judge, f *flow.Flow, r *rule, until, now time.Time, grace Grace) bool {
	r.note(j, f)
	if r.action == spec.RuleLog {
		f.Verdict.Dry = append(f.Verdict.Dry, r.name)
		return false
	}
	if grace.Spares(f, r.name) {
		return false
	}
	f.Verdict.Action, f.Verdict.Rule = flow.Block, r.name
	f.Verdict.Refusal = &flow.Refusal{
		Reason: flow.RuleLimit, Status: r.block.status, Rule: r.name, Detail: r.excess(j, until, now), RetryAfter: until.Sub(now),
	}
	f.Verdict.Answer = r.block.answer
	return true
}

// excess is what a refusal says: the limit, and for whom until when as often as that may cost something.
func (r *rule) excess(j *judge, until, now time.Time) string {
	if !r.tally.afford(now.Unix()) {
		return r.limit.detail
	}
	values := make([]string, len(r.limit.keys))
	for i, k := range r.limit.keys {
		values[i] = k.String() + " = " + discreet(k.Show(j.machine))
	}
	text := r.limit.detail + "; refused until " + until.UTC().Format(time.RFC3339)
	if len(values) > 0 {
		text += ", where " + strings.Join(values, "; ")
	}
	return clippedTo(text, maxEvidence)
}

// maxShown is how much of a text is shown that may be a secret, such as an API's key.
const maxShown = 24

// discreet is what of a characteristic may be written down: of an address its network, of a text its beginning.
func discreet(value string) string {
	if addr, err := netip.ParseAddr(value); err == nil {
		return prefixes.Network(addr).String()
	}
	return clippedTo(value, maxShown)
}

// beginBefore begins with a flow whose header has been changed for the origin, and sees it as it was before.
func (j *judge) beginBefore(f *flow.Flow) {
	j.begin(f)
	j.before = *f.Effective()
	j.before.Fields = f.Request.Fields
	j.source.request = &j.before
}

// keyOf is what a request is counted by.
func (j *judge) keyOf(l *rateLimit) limit.Key {
	j.key = j.key[:0]
	for _, k := range l.keys {
		j.key = k.Append(j.key, j.machine)
	}
	return l.counted.KeyBytes(j.key)
}

// judge tells how long a request is refused for; 0 lets it pass. It counts the request if it counts at once, and else asks what has been
// counted. Of what counts on its way to the origin all else stays free, until there is a mitigation.
func (l *rateLimit) judge(key limit.Key, now time.Time) (wait time.Duration) {
	if l.mitigated != nil {
		if ok, wait := l.mitigated.Peek(key, l.mitigation, 1, now); !ok {
			return wait
		}
	}
	switch l.moment {
	case judged, read:
		return l.take(key, now)
	case bound:
		return 0
	}
	ok, wait := l.counted.Peek(key, l.rate, l.free, now)
	if !ok {
		return l.mitigate(key, wait, now)
	}
	return 0
}

// take counts a request, and tells how long those like it are refused for if it is one too many.
func (l *rateLimit) take(key limit.Key, now time.Time) (wait time.Duration) {
	ok, wait := l.counted.Take(key, l.rate, 1, now)
	if !ok {
		return l.mitigate(key, wait, now)
	}
	return 0
}

// mitigate begins a mitigation, unless there is one, and tells how long that, or at least the wait, takes.
func (l *rateLimit) mitigate(key limit.Key, wait time.Duration, now time.Time) time.Duration {
	if l.mitigated == nil {
		return wait
	}
	if ok, left := l.mitigated.Take(key, l.mitigation, 1, now); !ok {
		return max(wait, left)
	}
	return max(wait, l.mitigation.Drain())
}

// charge counts a response. A mitigation begins if there were too many by now.
func (l *rateLimit) charge(key limit.Key, bytes int64, now time.Time) {
	cost := int64(1)
	if l.unit > 0 {
		cost = (bytes + l.unit - 1) / l.unit
	}
	l.counted.Charge(key, l.rate, int(cost), now)
	if ok, wait := l.counted.Peek(key, l.rate, l.free-1, now); !ok {
		l.mitigate(key, wait, now)
	}
}
