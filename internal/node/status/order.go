package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// list leaves out the reasons that never occurred and puts first what is refused most now.
func (s reasonSums) list() []Refused {
	list := []Refused{}
	for i, n := range s.total {
		if n > 0 {
			list = append(list, Refused{Reason: flow.Reason(i).String(), Total: n, Now: s.now[i]})
		}
	}
	slices.SortStableFunc(list, func(a, b Refused) int {
		return cmp.Or(cmp.Compare(b.Now, a.Now), cmp.Compare(b.Total, a.Total))
	})
	return list
}

// Level is how much something matters to the operator.
type Level string

// What is in order, what is worth a look, and what keeps visitors out.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Down    Level = "down"
)

// rank orders levels, the worst first.
func (l Level) rank() int { return slices.Index([]Level{Down, Warning, OK}, l) }

// Condition is one thing that an operator would want to know of a zone.
type Condition struct {
	Level Level
	Text  string
}

const (
	// fullAt is the part of a queue that is worth a word before requests are lost.
	fullAt = 0.8
	// endsSoon is when a certificate should have been renewed.
	endsSoon = 10 * 24 * time.Hour
)

// Conditions are what is to be said of a zone, the worst first; a zone of which nothing is to be said is OK.
func (z *Zone) Conditions(now time.Time) []Condition {
	var all []Condition
	say := func(l Level, format string, args ...any) {
		all = append(all, Condition{l, fmt.Sprintf(format, args...)})
	}
	up := 0
	for i := range z.Servers {
		if z.Servers[i].Up {
			up++
		}
	}
	switch n := len(z.Servers); {
	case n > 0 && up == 0:
		say(Down, "origin down")
	case up < n:
		say(Warning, "%d of %d servers down", n-up, n)
	}
	switch b := &z.Budget; {
	case b.Queued > 0 && float64(b.Queued) >= fullAt*float64(b.MaxQueued):
		say(Down, "queue full: %s wait", count(b.Queued))
	case b.Queued > 0:
		say(Warning, "%s wait for the origin", count(b.Queued))
	}
	for i := range z.Certificates {
		switch c := &z.Certificates[i]; {
		case c.NotAfter.IsZero():
			say(Warning, "no certificate yet")
		case !c.NotAfter.After(now):
			say(Down, "certificate ended %s ago", span(now.Sub(c.NotAfter)))
		case c.Problem != "":
			say(Warning, "certificate not renewed: ends in %s", span(c.NotAfter.Sub(now)))
		case c.NotAfter.Sub(now) < endsSoon:
			say(Warning, "certificate ends in %s", span(c.NotAfter.Sub(now)))
		}
	}
	if z.Now.Refused > 0 {
		say(Warning, "refusing %s/s", rate(z.Now.Refused))
	}
	if z.DryRun {
		say(OK, "dry run")
	}
	if len(all) == 0 {
		return []Condition{{OK, "ok"}}
	}
	slices.SortStableFunc(all, func(a, b Condition) int { return cmp.Compare(a.Level.rank(), b.Level.rank()) })
	return all
}

// row is a zone in a list, with what is to be said of it.
type row struct {
	*Zone
	Conditions []Condition
}

// Level is the worst that is to be said of the zone.
func (r row) Level() Level { return r.Conditions[0].Level }

// rows are the zones of which name or a host contains text, those first that need a look most.
func rows(zones []Zone, now time.Time, text string) []row {
	text = strings.ToLower(text)
	var list []row
	for i := range zones {
		if z := &zones[i]; z.matches(text) {
			list = append(list, row{z, z.Conditions(now)})
		}
	}
	slices.SortFunc(list, func(a, b row) int {
		return cmp.Or(
			cmp.Compare(a.Level().rank(), b.Level().rank()),
			cmp.Compare(b.Now.Refused, a.Now.Refused),
			cmp.Compare(b.Now.Requests, a.Now.Requests),
			strings.Compare(a.Name, b.Name),
		)
	})
	return list
}

func (z *Zone) matches(text string) bool {
	return text == "" || strings.Contains(strings.ToLower(z.Name), text) ||
		slices.ContainsFunc(z.Hosts, func(host string) bool { return strings.Contains(strings.ToLower(host), text) })
}

// shares is how many shares are kept.
const shares = 8

// Summarize fills in what refusals have in common and keeps the newest of them: all are those looked at, the newest first.
func (r *Report) Summarize(all []Refusal, newest int) {
	r.Looked = len(all)
	r.Sources = most(all, func(x *Refusal) string { return x.Client })
	r.Targets = most(all, func(x *Refusal) string {
		path, _, _ := strings.Cut(x.Target, "?") // a flood past the cache has a query of its own in each request
		return x.Host + path
	})
	r.Refusals = append([]Refusal{}, all[:min(len(all), newest)]...)
}

// most are the values that more than one refusal has, the most frequent first.
func most(all []Refusal, of func(*Refusal) string) []Share {
	counts := make(map[string]int, len(all))
	for i := range all {
		counts[of(&all[i])]++
	}
	list := []Share{}
	for name, n := range counts {
		if n > 1 {
			list = append(list, Share{name, n})
		}
	}
	slices.SortFunc(list, func(a, b Share) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name)) })
	return list[:min(len(list), shares)]
}
