package score

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The comparing table stands in docs/drill.md between these lines.
const (
	TableBegin = "<!-- drill-peers: begin -->"
	TableEnd   = "<!-- drill-peers: end -->"
)

// limitMark is at a cell whose figures say little.
const limitMark = "(!)"

// Compare writes Markdown: a line a target with its totals, and a table with a line a scenario and a column a target.
// Scenarios come in the order of the report that has them first.
func Compare(w io.Writer, reports ...Report) error {
	var b strings.Builder
	b.WriteString("| target | drill | attacks | events | scenarios |\n|---|---:|---:|---:|---:|\n")
	for _, r := range reports {
		t := r.Totals
		fmt.Fprintf(&b, "| %s | **%.1f** ± %.1f | %s | %s | %d |\n", cell(r.Target), t.Drill.Score, t.Drill.Margin, t.Attacks.cell(), t.Events.cell(), t.Drill.Of)
	}
	for _, g := range []struct {
		group Group
		head  string
	}{
		{Attack, "Attacks: **total** · visitors served · refused · attack that reached the origin · mitigated"},
		{Event, "Events: **total** · people and programs served · refused"},
	} {
		compareGroup(&b, g.group, g.head, reports)
	}
	if strings.Contains(b.String(), limitMark) {
		b.WriteString("\n" + limitMark + ": the generator, not the target, was the limit.\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("comparing table: %w", err)
	}
	return nil
}

func compareGroup(b *strings.Builder, group Group, head string, reports []Report) {
	names := scenarioNames(group, reports)
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n\n| scenario |", head)
	for _, r := range reports {
		b.WriteString(" " + cell(r.Target) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(reports)) + "\n")
	for _, name := range names {
		b.WriteString("| " + cell(name) + " |")
		for _, r := range reports {
			b.WriteString(" " + r.cell(name) + " |")
		}
		b.WriteString("\n")
	}
}

// scenarioNames are those of a group, each once.
func scenarioNames(group Group, reports []Report) []string {
	var names []string
	seen := map[string]bool{}
	for _, report := range reports {
		for _, r := range report.Results {
			if r.Group == group && !seen[r.Scenario] {
				seen[r.Scenario] = true
				names = append(names, r.Scenario)
			}
		}
	}
	return names
}

func (m Mean) cell() string {
	if m.Of == 0 {
		return "–"
	}
	return m.String()
}

// cell is a scenario in the comparing table.
func (r Report) cell(scenario string) string {
	if s := r.find(scenario); s != nil {
		return s.cell()
	}
	return "–"
}

func (r Result) cell() string {
	f := r.Everyone.During
	out := fmt.Sprintf("**%.0f** · %s · %s", r.Total.Score, percent(f.Served.Value), percentUp(f.Refused.Value))
	if r.Group == Attack {
		out += " · " + percentUp(r.Attack.Reached.Value) + " · " + r.Attack.Mitigation.brief()
	}
	if r.Generator.Limit {
		out += " " + limitMark
	}
	return out
}

// brief is String in a narrow column.
func (m Mitigation) brief() string {
	if m.State == Mitigated {
		return short(time.Duration(m.After))
	}
	return m.String()
}

// cell keeps a text from ending a cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }

// Fill replaces what stands between TableBegin and TableEnd in a page.
func Fill(page []byte, table string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(TableBegin))
	_, after, ends := bytes.Cut(rest, []byte(TableEnd))
	if !found || !ends {
		return nil, errors.New("no place for the comparing table: want a line " + TableBegin + " and, below, one " + TableEnd)
	}
	var out bytes.Buffer
	for _, part := range []string{string(before), TableBegin, "\n\n", strings.TrimSpace(table), "\n\n", TableEnd, string(after)} {
		out.WriteString(part)
	}
	return out.Bytes(), nil
}
