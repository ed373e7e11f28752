package drill

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteTable writes the comparison for people: visitors, flood, origin, refusals.
func (c Comparison) WriteTable(w io.Writer) error {
	t := &table{}
	t.row("", Bare, Shielded)
	t.visitors(c)
	t.row("")
	t.row("flood offered", c.each(func(r Result) string { return count(r.Attack.Offered) + " requests" })...)
	t.row("  answered", c.each(func(r Result) string { return count(r.Attack.Answered) })...)
	t.row("  outcomes", c.each(func(r Result) string { return reasons(r.Attack.Outcomes, 1) })...)
	t.row("")
	t.row("origin got", c.each(func(r Result) string { return count(r.Origin.Requests) + " requests" })...)
	t.row("  from bots", c.each(func(r Result) string { return count(r.Origin.ByClient["bot"]) })...)
	t.row("  most at once", c.each(func(r Result) string { return count(r.Origin.PeakConcurrent) })...)
	t.row("  that fit", fmt.Sprintf("%d", c.Story.Site.Workers), c.budget())
	t.row("  most in a second", c.each(func(r Result) string { return count(r.Origin.PeakRate) })...)
	t.row("  that fit", fmt.Sprintf("%.0f dynamic", c.Story.Site.Capacity()))
	t.row("answered by cache", "-", count(int(c.Shield.CacheHits)))
	t.refusals(c.Shield.Refused)
	if lag, yes := c.Starved(); yes {
		fmt.Fprintf(&t.b, "\nThis machine was too busy for the drill: requests were sent up to %s late. Don't trust the figures.\n", short(lag))
	}
	_, err := io.WriteString(w, t.b.String())
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}

// Starved reports whether the machine was too busy for the shares to mean anything, and how late the latest request was sent.
func (c Comparison) Starved() (lag time.Duration, yes bool) {
	lag = max(c.Bare.Attack.Lag, c.Shielded.Attack.Lag)
	return lag, lag > starved
}

// starved is the lag of the generator beyond which visitors suffer from this machine as much as from the flood.
const starved = 250 * time.Millisecond

// each describes both results.
func (c Comparison) each(f func(Result) string) []string { return []string{f(c.Bare), f(c.Shielded)} }

func (c Comparison) budget() string {
	if c.Shield.Budget == 0 {
		return fmt.Sprintf("%d", c.Story.Site.Workers)
	}
	return fmt.Sprintf("%d, budget %d", c.Story.Site.Workers, c.Shield.Budget)
}

type table struct{ b strings.Builder }

func (t *table) row(label string, cells ...string) {
	var line strings.Builder
	fmt.Fprintf(&line, "%-22s", label)
	for _, cell := range cells {
		fmt.Fprintf(&line, "%-28s ", cell)
	}
	t.b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// visitors writes how they fared in the flood.
func (t *table) visitors(c Comparison) {
	t.row("visitors served", c.each(func(r Result) string { return served(r.Flood.All) })...)
	t.row("  at second try", c.each(func(r Result) string { return count(r.Flood.All.Late) })...)
	t.row("  p50 / p95", c.each(func(r Result) string { return percentiles(r.Flood.All) })...)
	t.row("  failed because", c.each(func(r Result) string { return reasons(r.Flood.All.Failures, 2) })...)
	for _, k := range kinds() {
		t.row("  "+k.name, c.each(func(r Result) string {
			tally := r.Flood.ByKind[k.name]
			if tally.Served == 0 {
				return served(tally)
			}
			return fmt.Sprintf("%-20s%s", served(tally), short(tally.P95))
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

func served(t Tally) string {
	if t.Steps() == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d %s", t.Served, t.Steps(), percent(Steps{t.Served, t.Failed}))
}

// percentiles writes p50 / p95 of the steps served.
func percentiles(t Tally) string {
	if t.Served == 0 {
		return "-"
	}
	return short(t.P50) + " / " + short(t.P95)
}

// short writes a latency with two or three digits.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
