package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// printTable prints what each contender cost, and the line for machines.
func printTable(w io.Writer, s scenario, contenders []*contender) {
	fmt.Fprintf(w, "\n%s: %s\n", s.name, s.about)
	ours := costs(contenders[slices.IndexFunc(contenders, func(c *contender) bool { return c.kind.name == seawall })])
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\tµs CPU a request\tleast\trequests/s\tcore used\tlog B a request\tseawall is\tin rounds\t")
	best := 0.0
	for _, c := range contenders {
		cost := costs(c)
		var rates, busy []float64
		for _, turn := range c.turns {
			rates = append(rates, turn.rate())
			busy = append(busy, 100*turn.cpu.Seconds()/turn.elapsed.Seconds())
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.0f\t%.0f %%\t%d\t", c.kind.name, median(cost), slices.Min(cost), median(rates),
			median(busy), c.logged/int64(max(c.answers, 1)))
		if c.kind.name == seawall {
			fmt.Fprintln(t, "\t\t")
			continue
		}
		r := ratios(ours, cost)
		best = max(best, median(r))
		fmt.Fprintf(t, "× %.2f\t%.2f–%.2f\t\n", median(r), slices.Min(r), slices.Max(r))
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	if best == 0 {
		fmt.Fprintf(w, "bench %s no peer to compare with\n", s.name)
		return
	}
	fmt.Fprintf(w, "bench %s ratio-to-best-peer %.2f\n", s.name, best)
}

func costs(c *contender) []float64 {
	out := make([]float64, len(c.turns))
	for i, t := range c.turns {
		out[i] = t.cost()
	}
	return out
}

// ratios divides what we cost by what they cost, round by round.
func ratios(ours, theirs []float64) []float64 {
	out := make([]float64, len(ours))
	for i := range ours {
		out[i] = ours[i] / theirs[i]
	}
	return out
}

// median is the middle value, or the mean of the two in the middle. There must be one value at least.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
