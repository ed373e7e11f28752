package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// An attackTable says how each server withstood each attack, one row an attack.
type attackTable struct {
	scenario   scenario
	contenders []*contender
	rows       []attackRow
}

type attackRow struct {
	attack    attack
	withstood []*withstood // by contender; nil if it had no part
}

// attackLegend says what the columns are, for each server.
const attackLegend = `end: how the server ended the attacker's first connection: GOAWAY with a code (calm is ENHANCE_YOUR_CALM), or closed, or reset;
  the streams reset, or answered, or each refused; else it took all, or the attack's time was over, or it did not read while it was
  not read; * if this or a later connection was not cut off within a second of breaking a budget
taken: units that it had read by then (of the attack's unit, 20,000 at most); ms: from the first unit to the end
again: connections that the attacker got from the same address after one was cut, of all that it tried
cpu: seconds of the server's processes for the whole attack, 1.3 s (the slow ones 4.3 s) on 4 connections at one time (50, where they cost a stream each)
MiB: most memory during the attack, less that before; p95 µs: of the neighbour, quiet and beside the attack`

func (t *attackTable) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s\n%s\n\n", t.scenario.name, t.scenario.about, attackLegend)
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	names, heads := "\t", "attack\t"
	for _, c := range t.parts() {
		names += "| " + t.contenders[c].kind.name + "\t\t\t\t\t\t\t"
		heads += "| end\ttaken\tms\tagain\tcpu\tMiB\tp95 µs\t"
	}
	fmt.Fprintln(tw, names)
	fmt.Fprintln(tw, heads)
	for _, row := range t.rows {
		fmt.Fprint(tw, row.attack.Name, "\t")
		for _, c := range t.parts() {
			fmt.Fprint(tw, row.withstood[c].cells())
		}
		fmt.Fprintln(tw)
	}
	tw.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	fmt.Fprintln(w)
	for _, row := range t.rows {
		fmt.Fprintf(w, "%s: %s\n", row.attack.Name, row.attack.About)
	}
	printNotes(w, t.scenario, t.contenders)
	t.printLines(w)
}

// parts are the contenders that had a part.
func (t *attackTable) parts() []int {
	var parts []int
	for i := range t.contenders {
		for _, row := range t.rows {
			if row.withstood[i] != nil {
				parts = append(parts, i)
				break
			}
		}
	}
	return parts
}

// cells are one server's part of a row.
func (w *withstood) cells() string {
	if w == nil {
		return "| –\t\t\t\t\t\t\t"
	}
	p95 := fmt.Sprintf("%.0f→%.0f", microseconds(w.quiet), microseconds(w.p95))
	if w.failed != "" {
		p95 += " failed"
	}
	end := shortEnd(w.First.End)
	if !w.Held {
		end += " *"
	}
	return fmt.Sprintf("| %s\t%d\t%s\t%d/%d\t%.2f\t%.1f\t%s\t", end, w.First.Taken, milliseconds(w.First.Took),
		w.Again, w.Connections+w.Unopened, w.cpu.Seconds(), float64(w.grown)/1024, p95)
}

// shortEnd abbreviates the code in a GOAWAY.
func shortEnd(end string) string {
	code, ok := strings.CutPrefix(end, "GOAWAY ")
	if !ok {
		return end
	}
	if code == "ENHANCE_YOUR_CALM" {
		return "goaway calm"
	}
	return "goaway " + strings.ToLower(strings.TrimSuffix(code, "_ERROR"))
}

func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f", d.Seconds()*1000)
}

// calm tells that the neighbour was served, and waited no more than twice as long as in quiet, or a little.
func (w *withstood) calm() bool { return w.failed == "" && w.p95 <= 2*w.quiet+attackNoise }

// printLines prints what a machine reads: of how many attacks a server cut the attacker off in time, in how many the neighbour hardly
// noticed, and the most that one cost.
func (t *attackTable) printLines(w io.Writer) {
	line := func(figure string, value any) { fmt.Fprintf(w, "bench %s %s %v\n", t.scenario.name, figure, value) }
	line("attacks", len(t.rows))
	for _, i := range t.parts() {
		var cut, calm int
		var cost time.Duration
		var grown int64
		for _, row := range t.rows {
			got := row.withstood[i]
			if got == nil {
				continue
			}
			if got.Held {
				cut++
			}
			if got.calm() {
				calm++
			}
			cost, grown = max(cost, got.cpu), max(grown, got.grown)
		}
		name := t.contenders[i].kind.name
		line("cut-within-a-second-"+name, cut)
		line("neighbour-within-twice-"+name, calm)
		line("most-cpu-seconds-"+name, fmt.Sprintf("%.2f", cost.Seconds()))
		line("most-mib-"+name, fmt.Sprintf("%.1f", float64(grown)/1024))
	}
}
