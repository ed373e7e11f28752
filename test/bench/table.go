package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// printTable prints what each contender cost, and the lines for machines.
func printTable(w io.Writer, s scenario, contenders []*contender) {
	fmt.Fprintf(w, "\n%s: %s\n", s.name, s.about)
	ours := costs(contenders[slices.IndexFunc(contenders, func(c *contender) bool { return c.kind.name == seawall })])
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	cost := "µs CPU a request"
	if s.client == idling {
		cost = "KB a connection"
	}
	fmt.Fprintf(t, "server\t%s\tleast\trequests/s\tcore used\tlog lines a request\tseawall is\tin rounds\t\n", cost)
	best := 0.0
	for _, c := range contenders {
		if c.out != "" {
			continue
		}
		printRow(t, s, c)
		if c.kind.name == seawall {
			fmt.Fprintln(t, "\t\t")
			continue
		}
		r := ratios(ours, costs(c))
		best = max(best, median(r))
		fmt.Fprintf(t, "× %.2f\t%.2f–%.2f\t\n", median(r), slices.Min(r), slices.Max(r))
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	printNotes(w, s, contenders)
	if s.client == idling {
		fmt.Fprintf(w, "bench %s kb-per-connection %.2f\n", s.name, median(ours))
	}
	if best == 0 {
		fmt.Fprintf(w, "bench %s no peer to compare with\n", s.name)
		return
	}
	fmt.Fprintf(w, "bench %s ratio-to-best-peer %.2f\n", s.name, best)
}

// printRow prints what is known of a contender without the others.
func printRow(w io.Writer, s scenario, c *contender) {
	cost := costs(c)
	var rates, busy []float64
	for _, turn := range c.turns {
		rates = append(rates, turn.rate)
		busy = append(busy, 100*turn.busy)
	}
	used := "–"
	if s.client != idling {
		used = fmt.Sprintf("%.0f %%", median(busy))
	}
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%s\t%.2f\t", c.kind.name, median(cost), slices.Min(cost), median(rates), used,
		float64(c.lines)/float64(max(c.answers, 1)))
}

// printNotes says who was left out and why, and what else the table does not.
func printNotes(w io.Writer, s scenario, contenders []*contender) {
	for _, c := range contenders {
		switch {
		case c.out != "":
			fmt.Fprintf(w, "%s: left out: %s\n", c.kind.name, c.out)
		case c.kind.note != nil && c.kind.note(s) != "":
			fmt.Fprintf(w, "%s: %s\n", c.kind.name, c.kind.note(s))
		}
	}
}

func costs(c *contender) []float64 {
	out := make([]float64, len(c.turns))
	for i, t := range c.turns {
		out[i] = t.cost
	}
	return out
}

// ratios divides what we cost by what they cost, round by round. Memory that didn't grow by a page counts as none: the ratio is
// then beyond all bounds.
func ratios(ours, theirs []float64) []float64 {
	out := make([]float64, len(ours))
	for i := range ours {
		if out[i] = math.Inf(1); theirs[i] > 0 {
			out[i] = ours[i] / theirs[i]
		}
	}
	return out
}

// median is the middle value, or the mean of the two in the middle. There must be one value at least.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
