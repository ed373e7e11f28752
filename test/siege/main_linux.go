package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	switch args := os.Args[1:]; {
	case len(args) > 1 && args[0] == serving:
		err = serve(ctx, args[1])
	case len(args) > 0 && args[0] == attacking:
		err = flood.Program(ctx, os.Stdout, args[1:])
	default:
		err = run(ctx, os.Stdout, args)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
		os.Exit(1)
	}
}

const longest = 10 * time.Second // part of a play

func run(ctx context.Context, w io.Writer, args []string) error {
	s, chosen, kinds, err := parse(args)
	if err != nil {
		return err
	}
	if err := lab.Unavailable(); err != nil {
		return err
	}
	if s.server, s.others, err = lab.Cores(); err != nil {
		return err
	}
	if s.folder, err = os.MkdirTemp("", "siege-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.folder)
	if s.program == "" && slices.ContainsFunc(chosen, func(c contender) bool { return c.mode != "" }) {
		if s.program, err = build(ctx, s.folder); err != nil {
			return err
		}
	}
	if err := keepTo(s.others); err != nil {
		return err
	}
	return s.all(ctx, w, chosen, kinds)
}

// parse reads the command line.
func parse(args []string) (s siege, chosen []contender, kinds []flood.Kind, err error) {
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	var names string
	flags.IntVar(&s.rounds, "rounds", 3, "how often each play is repeated; figures are medians")
	flags.IntVar(&s.rate, "rate", 70_000, "the flood's `packets` a second; 0 for as fast as it goes")
	flags.DurationVar(&s.lasting, "lasting", time.Second, "how long each part of a play takes")
	flags.BoolVar(&s.ipv6, "ipv6", false, "play over IPv6")
	flags.StringVar(&s.program, "seawall", "", "Seawall's program, for contenders that are nodes; built if empty")
	flags.StringVar(&names, "floods", "", "`names` of floods, with commas between them; all if empty")
	if err := flags.Parse(args); err != nil {
		return s, nil, nil, err
	}
	switch {
	case s.lasting < 100*time.Millisecond || s.lasting > longest:
		return s, nil, nil, fmt.Errorf("-lasting %v: want 100ms to %v", s.lasting, longest)
	case s.rounds < 1 || s.rounds > 9:
		return s, nil, nil, fmt.Errorf("-rounds %d: want 1 to 9", s.rounds)
	}
	if chosen, err = choose(flags.Args()); err == nil {
		kinds, err = floods(names)
	}
	return s, chosen, kinds, err
}

// floods returns the kinds of these names, or all.
func floods(names string) ([]flood.Kind, error) {
	if names == "" {
		return flood.Kinds(), nil
	}
	var kinds []flood.Kind
	for name := range strings.SplitSeq(names, ",") {
		kind, ok := flood.Find(name)
		if !ok {
			return nil, fmt.Errorf("no flood is called %q", name)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// all plays every flood to every contender, and writes a table for each flood.
func (s siege) all(ctx context.Context, w io.Writer, chosen []contender, kinds []flood.Kind) error {
	for _, kind := range kinds {
		outcomes := make([][]outcome, len(chosen))
		for range s.rounds {
			for i, c := range chosen {
				o, err := s.play(ctx, c, kind)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, kind.Name, err)
				}
				outcomes[i] = append(outcomes[i], o)
			}
		}
		fmt.Fprintf(w, "%s: %s\n", kind.Name, kind.About)
		if err := write(w, kind, chosen, outcomes); err != nil {
			return err
		}
	}
	return nil
}

// A column of the table is a figure of an outcome.
type column struct {
	title, format string
	of            func(outcome) float64
}

func columns() []column {
	return []column{
		{"quiet", "%.0f", func(o outcome) float64 { return float64(o.quiet.Kept) }},
		{"kept", "%.0f", func(o outcome) float64 { return float64(o.flooded.Kept) }},
		{"of quiet", "%.2f", outcome.share},
		{"failed", "%.0f", func(o outcome) float64 { return float64(o.flooded.Failed) }},
		{"paced p50 µs", "%.0f", func(o outcome) float64 { return float64(o.paced.P50.Microseconds()) }},
		{"p99 µs", "%.0f", outcome.late},
		{"failed", "%.0f", func(o outcome) float64 { return float64(o.paced.Failed) }},
		{"ns a packet", "%.0f", outcome.each},
		{"arrived/s", "%.0f", outcome.rate},
		{"programs %", "%.1f", outcome.load},
		{"first drop ms", "%.1f", outcome.reaction},
		{"operator", "%.0f", func(o outcome) float64 { return float64(o.operator.echoes) }},
		{"failed", "%.0f", outcome.bothered},
	}
}

// write writes the medians of all contenders' outcomes.
func write(w io.Writer, kind flood.Kind, chosen []contender, outcomes [][]outcome) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "contender\t")
	for _, column := range columns() {
		fmt.Fprint(table, column.title, "\t")
	}
	fmt.Fprintln(table)
	var lines strings.Builder
	for i, c := range chosen {
		fmt.Fprint(table, c.name, "\t")
		for _, column := range columns() {
			fmt.Fprint(table, figure(column.format, median(outcomes[i], column.of)), "\t")
		}
		fmt.Fprintln(table)
		fmt.Fprintf(&lines, "siege %s %s kept %.3f failed %.0f p99-us %.0f ns-a-packet %.0f programs-percent %.1f first-ms %s operator-failed %.0f\n", c.name, kind.Name,
			median(outcomes[i], outcome.share), median(outcomes[i], outcome.failed), median(outcomes[i], outcome.late), median(outcomes[i], outcome.each),
			median(outcomes[i], outcome.load), figure("%.1f", median(outcomes[i], outcome.reaction)), median(outcomes[i], outcome.bothered))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, lines.String())
	return err
}

// figure is a number, or a dash if there is none.
func figure(format string, n float64) string {
	if math.IsNaN(n) {
		return "-"
	}
	return fmt.Sprintf(format, n)
}

// median of a figure; of an even number, the higher of two.
func median(outcomes []outcome, of func(outcome) float64) float64 {
	var figures []float64
	for _, o := range outcomes {
		figures = append(figures, of(o))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
