package drill

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/score"
)

// WriteTable writes the comparison for people: visitors, flood, origin, refusals.
func (c Comparison) WriteTable(w io.Writer) error {
	t := &table{}
	t.row("", Bare, Shielded)
	t.visitors(c)
	t.row("")
	t.row("flood offered", c.each(func(r score.Result) string { return count(r.Attack.Offered) + " requests" })...)
	t.row("  answered", c.each(func(r score.Result) string { return count(r.Attack.Answered) })...)
	t.row("  refused", c.each(func(r score.Result) string { return count(r.Attack.Refused) })...)
	t.row("  failed", c.each(func(r score.Result) string { return count(r.Attack.Failed) })...)
	t.row("  that reached the site", c.each(func(r score.Result) string { return count(r.Attack.Reached.Count) })...)
	t.row("")
	t.row("origin: most at once", c.each(func(r score.Result) string { return count(r.Origin.Peak) })...)
	t.row("  that fit", fmt.Sprintf("%d", c.Bare.Site.Workers), c.budget())
	t.row("  turned away", c.each(func(r score.Result) string { return count(r.Origin.TurnedAway) })...)
	t.row("answered by cache", "-", count(int(c.Shield.CacheHits)))
	t.refusals(c.Shield.Refused)
	t.row("")
	t.row("score", c.each(func(r score.Result) string { return fmt.Sprintf("%.1f of 100", r.Total.Score) })...)
	if why, yes := c.Starved(); yes {
		fmt.Fprintf(&t.b, "\nThis machine was too busy for the drill: %s. Don't trust the figures.\n", why)
	}
	_, err := io.WriteString(w, t.b.String())
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}

// Starved reports whether the drill itself was the limit, so that the shares mean little, and why.
func (c Comparison) Starved() (why string, yes bool) {
	for _, r := range []score.Result{c.Bare, c.Shielded} {
		if r.Generator.Limit {
			return r.Generator.Why, true
		}
	}
	return "", false
}

// each describes both results.
func (c Comparison) each(f func(score.Result) string) []string {
	return []string{f(c.Bare), f(c.Shielded)}
}

func (c Comparison) budget() string {
	if c.Shield.Budget == 0 {
		return fmt.Sprintf("%d", c.Shielded.Site.Workers)
	}
	return fmt.Sprintf("%d, budget %d", c.Shielded.Site.Workers, c.Shield.Budget)
}

type table struct{ b strings.Builder }

func (t *table) row(label string, cells ...string) {
	var line strings.Builder
	fmt.Fprintf(&line, "%-24s", label)
	for _, cell := range cells {
		fmt.Fprintf(&line, "%-28s ", cell)
	}
	t.b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// visitors writes how they fared under attack.
func (t *table) visitors(c Comparison) {
	during := func(r score.Result) score.Figures { return r.Everyone.During }
	t.row("visitors served", c.each(func(r score.Result) string { return served(during(r)) })...)
	t.row("  at second try", c.each(func(r score.Result) string { return count(during(r).Late) })...)
	t.row("  refused", c.each(func(r score.Result) string { return count(during(r).Refused.Count) })...)
	t.row("  p50 / p95", c.each(func(r score.Result) string {
		return short(time.Duration(during(r).P50.Value)) + " / " + short(time.Duration(during(r).P95.Value))
	})...)
	for _, kind := range slices.Sorted(maps.Keys(c.Shielded.Kinds)) {
		t.row("  "+kind, c.each(func(r score.Result) string {
			f := r.Kinds[kind].During
			if f.Served.Count == 0 {
				return served(f)
			}
			return fmt.Sprintf("%-20s%s", served(f), short(time.Duration(f.P95.Value)))
		})...)
	}
}

func (t *table) refusals(refused map[string]int64) {
	total := 0
	for _, n := range refused {
		total += int(n)
	}
	t.row("refused, and why", "-", count(total))
	for i, name := range byCount(refused) {
		if i == 12 {
			break
		}
		t.row("", "", fmt.Sprintf("%-20s%8s", name, count(int(refused[name]))))
	}
}

func served(f score.Figures) string {
	if f.Steps == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d %s", f.Served.Count, f.Steps, percent(Steps{f.Served.Count, f.Steps - f.Served.Count}))
}

// short writes a latency with two or three digits.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
