package score

import (
	"fmt"
	"slices"
	"time"
)

// maxKinds bounds a result whatever samples call themselves; the rest is one kind more, "other".
const maxKinds = 64

// Judge turns what is known of a run into its result.
func Judge(in Input) Result {
	r := Result{
		Scenario: in.Scenario, Title: in.Title, Group: in.Group, Target: in.Target, Seed: in.Seed,
		Length: Millis(in.Length), Patience: Millis(in.Patience), Site: in.Site, Spans: in.Spans, Failures: in.Failures,
	}
	j := newJudge(&in)
	r.Everyone, r.Kinds, r.Comers = j.phases(in.Samples, j.everyone), j.phasesOf(j.kinds), j.phasesOf(j.comers)
	r.Attack = j.attack()
	r.Origin = j.origin()
	r.Generator = generatorOf(&in, r.Attack.Offered)
	r.Timeline = j.timeline()
	r.Total = totalOf(&r)
	r.Notes = notes(&in, &r)
	return r
}

type judge struct {
	in         *Input
	begin, end time.Duration // of all attacks and events
	kinds      map[string][]Sample
	comers     map[string][]Sample
	everyone   []time.Duration // what they got in the quiet phase, sorted
	yardsticks map[string]yardstick
}

func newJudge(in *Input) *judge {
	j := &judge{
		in: in, begin: in.begin(), end: in.end(), kinds: map[string][]Sample{}, comers: map[string][]Sample{},
		yardsticks: map[string]yardstick{},
	}
	for _, s := range in.Samples {
		group := j.kinds
		if s.Event {
			group = j.comers
		}
		if _, known := group[s.Kind]; !known && len(group) >= maxKinds {
			s.Kind = "other"
		}
		group[s.Kind] = append(group[s.Kind], s)
	}
	j.everyone = j.served(in.Samples)
	for _, group := range []map[string][]Sample{j.kinds, j.comers} {
		for kind := range group {
			j.yardsticks[kind] = j.usual(j.served(j.kinds[kind]))
		}
	}
	return j
}

// quiet reports whether a step was over before anything began.
func (j *judge) quiet(s Sample) bool { return s.At < j.begin && s.At+s.Took <= j.begin }

// served are the latencies of the steps served in the quiet phase, sorted.
func (j *judge) served(samples []Sample) []time.Duration {
	var out []time.Duration
	for _, s := range samples {
		if j.quiet(s) && s.Outcome.got() {
			out = append(out, s.Took)
		}
	}
	slices.Sort(out)
	return out
}

// usual says what a kind is used to: what it got in the quiet phase, or, if that was next to nothing, what everyone got.
func (j *judge) usual(own []time.Duration) yardstick {
	y := yardstick{
		known: max(len(own), len(j.everyone)) >= minQuiet, patience: j.in.Patience,
		median: time.Duration(quantileOf(own, 0.5).Value), usual: time.Duration(quantileOf(own, 0.95).Value),
	}
	if len(own) < minQuiet {
		y.median = max(y.median, time.Duration(quantileOf(j.everyone, 0.5).Value))
		y.usual = max(y.usual, time.Duration(quantileOf(j.everyone, 0.95).Value))
	}
	return y
}

// phasesOf sums up each kind of a group.
func (j *judge) phasesOf(group map[string][]Sample) map[string]Phases {
	out := make(map[string]Phases, len(group))
	for kind, samples := range group {
		out[kind] = j.phases(samples, j.served(j.kinds[kind]))
	}
	return out
}

// phases sums samples up and compares them with the latencies of a quiet phase.
func (j *judge) phases(samples []Sample, usually []time.Duration) Phases {
	var quiet, during, after []Sample
	for _, s := range samples {
		if j.quiet(s) {
			quiet = append(quiet, s)
			continue
		}
		during = append(during, s)
		if s.At >= j.end {
			after = append(after, s)
		}
	}
	p := Phases{Quiet: figuresOf(quiet, j.worth), During: figuresOf(during, j.worth), After: figuresOf(after, j.worth)}
	p.Added = added(usually, j.everyone, p.During)
	return p
}

// yardstick is that of a step's kind.
func (j *judge) yardstick(s Sample) yardstick {
	if y, known := j.yardsticks[s.Kind]; known {
		return y
	}
	return j.yardsticks["other"]
}

// worth is that of a step by what its kind is used to.
func (j *judge) worth(s Sample) float64 { return j.yardstick(s).worth(s) }

// added compares with the kind's own quiet phase, or with everyone's if it served too few of the kind.
func added(own, everyone []time.Duration, during Figures) Added {
	var a Added
	if len(own) < minQuiet {
		own, a.Borrows = everyone, true
	}
	if len(own) < minQuiet || during.Served.Count == 0 {
		return Added{}
	}
	a.Quiet = len(own)
	a.P50 = during.P50.Value - quantileOf(own, 0.5).Value
	a.P99 = during.P99.Value - quantileOf(own, 0.99).Value
	return a
}

func (j *judge) attack() Assault {
	if j.in.Group == Event {
		return Assault{}
	}
	a := Assault{Outcomes: j.in.Outcomes}
	for _, m := range j.in.Attack {
		a.Offered, a.Answered, a.Refused, a.Failed = a.Offered+m.Offered, a.Answered+m.Answered, a.Refused+m.Refused, a.Failed+m.Failed
	}
	origin := j.in.Origin
	if origin == nil {
		origin = answered(j.in.Attack)
	}
	reached := 0
	for _, o := range origin {
		reached += o.Attacker
	}
	a.Reached = reachedOf(reached, a.Offered)
	from, until := j.in.attack()
	a.Mitigation = mitigationOf(j.in.Attack, origin, from, until)
	return a
}

// reachedOf is a share that can exceed 1; the bounds of such a one are itself.
func reachedOf(reached, offered int) Share {
	if reached <= offered {
		s := shareOf(reached, offered)
		if offered == 0 {
			s.High = 0
		}
		return s
	}
	v := float64(reached) / float64(max(1, offered))
	return Share{Count: reached, Of: offered, Value: v, Low: v, High: v}
}

// answered stands in for an origin that was not measured: whatever was answered may have come from there.
func answered(attack []Moment) []Origin {
	out := make([]Origin, len(attack))
	for i, m := range attack {
		out[i].Attacker = m.Answered
	}
	return out
}

func (j *judge) origin() Load {
	l := Load{NotMeasured: j.in.Origin == nil, Unclear: j.in.Unclear}
	moments, busy, overloaded := 0, 0, 0
	for i, o := range j.in.Origin {
		if time.Duration(i+1)*Step <= j.begin {
			continue
		}
		moments++
		l.Visitor, l.Attacker, l.Unknown = l.Visitor+o.Visitor, l.Attacker+o.Attacker, l.Unknown+o.Unknown
		l.Peak, l.TurnedAway = max(l.Peak, o.Peak), l.TurnedAway+o.Overloaded
		if o.Peak > j.in.Site.Workers {
			busy++
		}
		if o.Overloaded > 0 {
			overloaded++
		}
	}
	l.Busy, l.Overloaded = shareOf(busy, moments), shareOf(overloaded, moments)
	return l
}

const (
	maxLag      = 250 * time.Millisecond
	maxWithheld = 0.01
)

// generatorOf says whether the generator was the limit: it was if a shot left more than 250 ms late, or if more than one
// of a hundred that were due did not leave at all.
func generatorOf(in *Input, offered int) Generator {
	g := Generator{Lag: Millis(in.Lag), Withheld: in.Withheld, Missed: in.Missed}
	due := float64(offered + in.Withheld)
	switch {
	case in.Lag > maxLag:
		g.Limit, g.Why = true, fmt.Sprintf("requests were sent up to %s late", short(in.Lag))
	case float64(in.Withheld) > maxWithheld*due:
		g.Limit, g.Why = true, fmt.Sprintf("%s of the attack's requests that were due were not sent", percent(float64(in.Withheld)/due))
	}
	return g
}

// maxUnknown is how much of what the origin gets may be nobody's before the attack's share there is in doubt.
const maxUnknown = 0.1

// maxUnclear is how much of the attack's share at the origin may be a guess.
const maxUnclear = 0.1

// minQuietShare is what a target that works serves when nothing happens.
const minQuietShare = 0.95

func notes(in *Input, r *Result) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Generator.Limit {
		add("the generator, not the target, was the limit: %s", r.Generator.Why)
	}
	if q := r.Everyone.Quiet; q.Steps == 0 {
		add("no quiet phase: latencies are compared with nothing")
	} else if q.Served.Value < minQuietShare {
		add("only %s of steps were served before anything happened", percent(q.Served.Value))
	}
	if all := r.Origin.Visitor + r.Origin.Attacker + r.Origin.Unknown; float64(r.Origin.Unknown) > maxUnknown*float64(all) {
		add("of %s requests at the origin nobody knows who sent them: does the target forward its clients' addresses?", count(r.Origin.Unknown))
	}
	if r.Origin.NotMeasured && in.Group == Attack {
		add("the origin was not measured: all of the attack that was answered counts as if it had reached it")
	}
	if r.Origin.Unclear > 0 && float64(r.Origin.Unclear) > maxUnclear*float64(r.Attack.Reached.Count) {
		add("%s requests at the origin may have been a visitor's or an attacker's", count(r.Origin.Unclear))
	}
	if in.Missed > 0 {
		add("%s people more would have come than the generator had room for", count(in.Missed))
	}
	if in.Dropped > 0 {
		add("%s steps at the end of the run were not kept", count(in.Dropped))
	}
	if r.Everyone.During.Steps == 0 {
		add("no visitor took a step: there is nothing to score")
	}
	return out
}
