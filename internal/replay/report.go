package replay

import (
	"slices"
	"strings"
	"time"
)

// Report is what a replay has found.
type Report struct {
	Format      Format    `json:"format"`
	Lines       int       `json:"lines"`
	Broken      int       `json:"broken"`
	BrokenLines []Broken  `json:"broken_lines,omitempty"` // the first 10
	OtherZones  int       `json:"other_zones,omitempty"`  // lines of zones that were not asked for
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
	All         Count     `json:"all"`
	Rules       Outcome   `json:"rules"`
	Against     *Outcome  `json:"against,omitempty"`
	Diff        *Diff     `json:"diff,omitempty"`
}

// Broken is a line that can't be read.
type Broken struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// Count is how many requests, from how many different clients and of which kinds of visitors.
type Count struct {
	Requests int          `json:"requests"`
	Share    float64      `json:"share"` // of all requests of the log
	Clients  int          `json:"clients"`
	Kinds    map[Kind]int `json:"kinds,omitempty"`
}

// Outcome is what a set of rules has done.
type Outcome struct {
	Source  string `json:"source"` // a file, or a profile
	Refused Count  `json:"refused"`
	Rules   []Rule `json:"rules,omitempty"` // that have held, and all that there are
}

// Rule is what one has done. A rule that neither refuses nor redirects, nor would, is counted by its requests alone.
type Rule struct {
	Name   string `json:"name"`
	Action string `json:"action"`
	Count
	Samples []Sample `json:"samples,omitempty"`
}

// Diff is what becomes of requests with the rules, and not with those compared with.
type Diff struct {
	NewlyRefused    Change `json:"newly_refused"`
	NoLongerRefused Change `json:"no_longer_refused"`
}

// Change is requests that fare otherwise.
type Change struct {
	Count
	Samples []Sample `json:"samples,omitempty"`
}

// Sample is one request.
type Sample struct {
	Line   int       `json:"line"`
	Time   time.Time `json:"time"`
	Client string    `json:"client"`
	Kind   Kind      `json:"kind"`
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Target string    `json:"target"`
	Status int       `json:"status,omitempty"` // that the log has
	Agent  string    `json:"agent,omitempty"`
	Why    string    `json:"why,omitempty"`
}

// finish makes the report of what was counted.
func (r *run) finish() {
	p := r.report
	p.Lines = r.number
	p.All = r.count(r.all)
	p.Rules = r.outcome(r.rules)
	if r.against == nil {
		return
	}
	against := r.outcome(r.against)
	p.Against = &against
	p.Diff = &Diff{Change{r.count(r.newly), r.newly.samples}, Change{r.count(r.longer), r.longer.samples}}
}

func (r *run) count(t *tally) Count {
	c := Count{Requests: t.requests, Clients: t.clients.count()}
	if r.all.requests > 0 {
		c.Share = float64(t.requests) / float64(r.all.requests)
	}
	for kind, n := range t.kinds {
		if n > 0 {
			if c.Kinds == nil {
				c.Kinds = make(map[Kind]int)
			}
			c.Kinds[Kind(kind)] = n
		}
	}
	return c
}

// outcome lists lists and limits that have held, and all rules in their order.
func (r *run) outcome(s *side) Outcome {
	o := Outcome{Source: s.rules.name, Refused: r.count(s.refused)}
	listed := make(map[string]bool)
	for _, c := range s.rules.policy.Rules() {
		rule := Rule{Name: c.Rule, Action: s.actions[c.Rule]}
		if t := s.byRule[c.Rule]; t != nil {
			rule.Count, rule.Samples = r.count(t), t.samples
		} else {
			rule.Requests = int(c.Matches)
			rule.Share = float64(c.Matches) / float64(max(1, r.all.requests))
		}
		listed[c.Rule] = true
		o.Rules = append(o.Rules, rule)
	}
	var before []Rule
	for name, t := range s.byRule {
		if !listed[name] {
			before = append(before, Rule{Name: name, Action: s.action(name), Count: r.count(t), Samples: t.samples})
		}
	}
	slices.SortFunc(before, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	o.Rules = append(before, o.Rules...)
	return o
}

// action is what a list or a limit of the zone does.
func (s *side) action(name string) string {
	switch {
	case s.actions[name] != "":
		return s.actions[name]
	case name == "lists.allow":
		return "allow"
	case name == "https.redirect":
		return "redirect"
	}
	return string(s.rules.zone.Action)
}
