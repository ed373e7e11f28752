package score

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const tableWidth = 100

// WriteTable writes a line a scenario, the totals, and what to beware of, for people: 100 columns.
func (r Report) WriteTable(w io.Writer) error {
	t := &table{}
	seed := "each scenario's own seed"
	if r.Seed != 0 {
		seed = fmt.Sprintf("seed %d", r.Seed)
	}
	t.ends(r.Target, seed)
	for _, g := range []struct {
		group Group
		title string
		mean  Mean
	}{{Attack, "attacks", r.Totals.Attacks}, {Event, "events", r.Totals.Events}} {
		if g.mean.Of == 0 {
			continue
		}
		t.line("")
		t.scenarios(g.title, r.Results, g.group)
		t.summary("mean of "+plural(g.mean.Of, "scenario"), g.mean)
	}
	t.line("")
	t.summary("drill", r.Totals.Drill)
	t.notes(r.Results)
	return t.writeTo(w)
}

// WriteTable writes one scenario for people, by kind of visitor: 100 columns.
func (r Result) WriteTable(w io.Writer) error {
	t := &table{}
	t.ends(r.Scenario+": "+r.Title, fmt.Sprintf("%.1f ± %.1f of 100", r.Total.Score, r.Total.Margin))
	t.note("", fmt.Sprintf("%s, seed %d, %s", r.Target, r.Seed, spans(r.Spans)))
	t.line("")
	t.attack(r)
	t.line("")
	t.visitors(r)
	for i, f := range r.Failures[:min(len(r.Failures), shownFailures)] {
		t.line(cut([]string{"first       ", "            "}[min(i, 1)]+f, tableWidth))
	}
	for _, n := range r.Notes {
		t.note("! ", n)
	}
	return t.writeTo(w)
}

// shownFailures is how many failures a table shows word by word.
const shownFailures = 4

type table struct{ b strings.Builder }

func (t *table) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

// ends writes one text on the left and one on the right.
func (t *table) ends(left, right string) {
	left = cut(left, tableWidth-1-utf8.RuneCountInString(right))
	t.line(left + pad(right, tableWidth-utf8.RuneCountInString(left)))
}

// note breaks a text into lines, all but the first indented.
func (t *table) note(mark, text string) {
	line := mark
	for word := range strings.FieldsSeq(text) {
		if line != mark && utf8.RuneCountInString(line+word) > tableWidth {
			t.line(line)
			line = "  "
		}
		line += cut(word, tableWidth-len(mark)) + " "
	}
	t.line(line)
}

func (t *table) writeTo(w io.Writer) error {
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}

const nameWidth = 28

// columns are the widths of the line of a scenario, after its name.
func columns() []int { return []int{7, 8, 9, 12, 8, 9, 9, 10} }

func (t *table) scenario(name string, cells ...string) {
	var b strings.Builder
	b.WriteString(cut(name, nameWidth) + strings.Repeat(" ", max(0, nameWidth-utf8.RuneCountInString(name))))
	for i, c := range cells {
		b.WriteString(pad(c, columns()[i]))
	}
	t.line(b.String())
}

func (t *table) summary(name string, m Mean) {
	t.scenario(name, fmt.Sprintf("%.1f", m.Score), fmt.Sprintf(" ± %.1f", m.Margin))
}

func (t *table) scenarios(title string, results []Result, group Group) {
	heads := []string{"total", "served", "refused", "challenged", "failed", "+p99"}
	if group == Attack {
		heads = append(heads, "origin", "mitigated")
	}
	t.scenario(title, heads...)
	for _, r := range results {
		if r.Group != group {
			continue
		}
		f := r.Everyone.During
		cells := []string{
			fmt.Sprintf("%.1f", r.Total.Score), percent(f.Served.Value), percentUp(f.Refused.Value),
			percentUp(f.Challenged.Value), percentUp(f.Failed.Value), r.Everyone.Added.p99(),
		}
		if group == Attack {
			cells = append(cells, percentUp(r.Attack.Reached.Value), r.Attack.Mitigation.String())
		}
		name := r.Scenario
		if len(r.Notes) > 0 {
			name = cut(name, nameWidth-2) + " !"
		}
		t.scenario(name, cells...)
	}
}

// notes says of each scenario what to beware of.
func (t *table) notes(results []Result) {
	first := true
	for _, r := range results {
		for _, n := range r.Notes {
			if first {
				t.line("")
				first = false
			}
			t.note("! ", r.Scenario+": "+n)
		}
	}
}

// attack writes what became of the attack, and what the origin carried.
func (t *table) attack(r Result) {
	a, o := r.Attack, r.Origin
	if r.Group == Attack {
		t.line(fmt.Sprintf("attack      %s offered, %s answered, %s refused, %s failed",
			count(a.Offered), count(a.Answered), count(a.Refused), count(a.Failed)))
		if len(a.Outcomes) > 0 {
			t.line("            " + reasons(a.Outcomes, 5))
		}
		t.line(fmt.Sprintf("at origin   %s of it, %s (%s), mitigated: %s",
			count(a.Reached.Count), percentUp(a.Reached.Value), bounds(a.Reached), a.Mitigation))
	}
	if o.NotMeasured {
		t.line("origin      not measured")
	} else {
		t.line(fmt.Sprintf("origin got  %s from visitors, %s from attackers, %s from others",
			count(o.Visitor), count(o.Attacker), count(o.Unknown)))
		t.line(fmt.Sprintf("            at most %s at once, %d fit: more in %s of the time; turned %s away",
			count(o.Peak), r.Site.Workers, percentUp(o.Busy.Value), count(o.TurnedAway)))
	}
	formula := fmt.Sprintf("total       %.1f = 100 × people %.3f", r.Total.Score, r.Total.People)
	if r.Group == Attack {
		formula += fmt.Sprintf(" × (1 + kept %.3f) / 2, kept = (less %.3f + soon %.3f) / 2", r.Total.Kept, r.Total.Less, r.Total.Soon)
	}
	t.line(formula)
}

// kindColumns are the widths of the line of a kind.
func kindColumns() []int { return []int{8, 8, 13, 9, 11, 8, 9, 9, 9} }

func (t *table) kind(name string, cells ...string) {
	const width = 16
	var b strings.Builder
	b.WriteString(cut(name, width) + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(name))))
	for i, c := range cells {
		b.WriteString(pad(c, kindColumns()[i]))
	}
	t.line(b.String())
}

func (t *table) visitors(r Result) {
	t.kind("visitors", "steps", "served", "95 %", "refused", "challenged", "failed", "p50", "+p50", "+p99")
	t.person("everyone", r.Everyone)
	t.people("  ", r.Kinds)
	if len(r.Comers) > 0 {
		t.line("who came")
		t.people("  ", r.Comers)
	}
	if why := r.Everyone.During.Why; len(why) > 0 {
		t.line("because     " + reasons(why, 5))
	}
}

func (t *table) people(indent string, kinds map[string]Phases) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.person(indent+name, kinds[name])
	}
}

func (t *table) person(name string, p Phases) {
	f := p.During
	if f.Steps == 0 {
		t.kind(name, "-")
		return
	}
	p50 := "-"
	if f.Served.Count > 0 {
		p50 = short(time.Duration(f.P50.Value))
	}
	t.kind(name, count(f.Steps), percent(f.Served.Value), bounds(f.Served), percentUp(f.Refused.Value),
		percentUp(f.Challenged.Value), percentUp(f.Failed.Value), p50, p.Added.p50(), p.Added.p99())
}

// p50 and p99 write the added latencies; those that are compared with everyone's have a tilde.
func (a Added) p50() string { return a.write(a.P50) }
func (a Added) p99() string { return a.write(a.P99) }

func (a Added) write(m Millis) string {
	if a.Quiet == 0 {
		return "-"
	}
	d := time.Duration(m).Round(time.Millisecond)
	s := short(d)
	if d > 0 {
		s = "+" + s
	}
	if a.Borrows {
		s = "~" + s
	}
	return s
}

func (m Mitigation) String() string {
	switch m.State {
	case Mitigated:
		return "in " + short(time.Duration(m.After))
	case Unneeded:
		return "no need"
	case Never:
		return "never"
	}
	return "-"
}

// bounds writes the confidence bounds of a share, in percent.
func bounds(s Share) string { return fmt.Sprintf("%.1f–%.1f %%", 100*s.Low, 100*s.High) }

func spans(all []Span) string {
	parts := make([]string, 0, len(all))
	for _, s := range all {
		parts = append(parts, fmt.Sprintf("%s from %s to %s", s.Name, seconds(s.From), seconds(s.Until)))
	}
	return strings.Join(parts, ", ")
}

func seconds(m Millis) string {
	return fmt.Sprintf("%g s", time.Duration(m).Round(time.Millisecond).Seconds())
}

// pad fills up on the left.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}

// cut shortens with an ellipsis.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
