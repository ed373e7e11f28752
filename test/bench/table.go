package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// A column of a table says the same of each contender's turns, of which it shows the median.
type column struct {
	title, format string
	of            func(turn) float64
}

// unit is what a turn's cost is.
func (s scenario) unit() string {
	switch s.client {
	case idling:
		return "KB a connection"
	case withholding:
		return "KB a stream"
	case pacing:
		return "p99 µs"
	case flooding:
		return "flooded p99 µs"
	case churning:
		return "memory ÷ cache"
	default:
		return "µs CPU a request"
	}
}

// columns are what a table says besides the cost.
func (s scenario) columns() []column {
	rate := column{"requests/s", "%.0f", func(t turn) float64 { return t.rate }}
	used := column{"core used", "%.0f %%", func(t turn) float64 { return 100 * t.busy }}
	p50 := column{"p50 µs", "%.0f", func(t turn) float64 { return microseconds(t.latency.p50) }}
	late := column{"client late p99 µs", "%.0f", func(t turn) float64 { return microseconds(t.latency.late) }}
	switch s.client {
	case idling:
		return []column{rate}
	case withholding:
		rate.title = "streams/s"
		return []column{rate}
	case multiplexing:
		return []column{rate, used, {"client used", "%.0f %%", func(t turn) float64 { return 100 * t.client }}}
	case pacing:
		return []column{p50, rate, used, late}
	case flooding:
		p50.title = "flooded p50 µs"
		return []column{
			{"quiet p99 µs", "%.0f", func(t turn) float64 { return microseconds(t.quiet.p99) }},
			{"flooded is", "× %.2f", flooded},
			{"quiet p50 µs", "%.0f", func(t turn) float64 { return microseconds(t.quiet.p50) }},
			p50,
			{"hellos answered/s", "%.0f", func(t turn) float64 { return t.hellos }},
			late,
		}
	case churning:
		mib := func(title string, of func(resident) int64) column {
			return column{title, "%.1f", func(t turn) float64 { return float64(of(t.memory)) / 1024 }}
		}
		return []column{
			mib("MiB at first", func(r resident) int64 { return r.first }),
			mib("at last", func(r resident) int64 { return r.last }),
			mib("at most", func(r resident) int64 { return r.most }),
			rate,
		}
	default:
		return []column{rate, used}
	}
}

// flooded is by how much a flood raises the p99.
func flooded(t turn) float64 { return ratio(microseconds(t.latency.p99), microseconds(t.quiet.p99)) }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// printTable prints what each contender cost, and the lines for machines.
func printTable(w io.Writer, s scenario, contenders []*contender) {
	fmt.Fprintf(w, "\n%s: %s\n", s.name, s.about)
	first := contenders[slices.IndexFunc(contenders, func(c *contender) bool { return c.kind.name == seawall })]
	ours := values(first, cost)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "server\t%s\tleast\t", s.unit())
	for _, column := range s.columns() {
		fmt.Fprintf(t, "%s\t", column.title)
	}
	fmt.Fprint(t, "log lines a request\tseawall is\tin rounds\t\n")
	best := 0.0
	for _, c := range contenders {
		if c.out != "" {
			continue
		}
		printRow(t, s, c)
		if c == first || first.out != "" {
			fmt.Fprintln(t, "\t\t")
			continue
		}
		r := ratios(ours, values(c, cost))
		best = max(best, median(r))
		fmt.Fprintf(t, "× %.2f\t%.2f–%.2f\t\n", median(r), slices.Min(r), slices.Max(r))
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	printNotes(w, s, contenders)
	printLines(w, s, first, best)
}

// printRow prints what is known of a contender without the others.
func printRow(w io.Writer, s scenario, c *contender) {
	costs := values(c, cost)
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t", c.kind.name, median(costs), slices.Min(costs))
	for _, column := range s.columns() {
		fmt.Fprintf(w, column.format+"\t", median(values(c, column.of)))
	}
	fmt.Fprintf(w, "%.2f\t", float64(c.lines)/float64(max(c.answers, 1)))
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

// printLines prints what a machine reads: Seawall's own figure where one is asked for, and its ratio to the best.
func printLines(w io.Writer, s scenario, ours *contender, best float64) {
	if ours.out != "" {
		return
	}
	line := func(figure string, value float64) { fmt.Fprintf(w, "bench %s %s %.2f\n", s.name, figure, value) }
	switch s.client {
	case idling:
		line("kb-per-connection", median(values(ours, cost)))
	case withholding:
		line("kb-per-stream", median(values(ours, cost)))
	case flooding:
		line("flooded-to-quiet", median(values(ours, flooded)))
	case churning:
		line("memory-to-cache", median(values(ours, cost)))
	}
	switch {
	case best == 0:
		fmt.Fprintf(w, "bench %s no peer to compare with\n", s.name)
	case s.loops > 0:
		line("ratio-to-one-core", best)
	default:
		line("ratio-to-best-peer", best)
	}
}

func cost(t turn) float64 { return t.cost }

// values are what of says of each turn.
func values(c *contender, of func(turn) float64) []float64 {
	out := make([]float64, len(c.turns))
	for i, t := range c.turns {
		out[i] = of(t)
	}
	return out
}

// ratios divides what we cost by what they cost, round by round.
func ratios(ours, theirs []float64) []float64 {
	out := make([]float64, len(ours))
	for i := range ours {
		out[i] = ratio(ours[i], theirs[i])
	}
	return out
}

// ratio divides. Memory that didn't grow by a page counts as none: the ratio is then beyond all bounds.
func ratio(ours, theirs float64) float64 {
	if theirs > 0 {
		return ours / theirs
	}
	return math.Inf(1)
}

// median is the middle value, or the mean of the two in the middle. There must be one value at least.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
