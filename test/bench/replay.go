package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

const (
	traceCache   = 32                       // MiB
	traceBytes   = traceCache << 20 * 3 / 4 // what Seawall has for objects whatever is being fetched; what is not, it lends them
	traceWarm    = traceRequests / 3        // requests before hits are counted
	traceTimeout = 30 * time.Second         // of one trace through one server
)

// A ratioRow is the share of hits in one trace, of the policies and then of the servers; negative where there is none.
type ratioRow struct {
	trace    trace
	policies []float64
	servers  []float64
}

// playTraces plays every trace with the policies and through the servers, and prints the table.
func playTraces(ctx context.Context, w io.Writer, s scenario, contenders []*contender) error {
	var rows []ratioRow
	for _, t := range traces() {
		row, requests := ratioRow{trace: t}, t.requests()
		for _, p := range policies {
			opened, err := p.open(traceBytes)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			ratio, err := play(ctx, opened, requests)
			if err != nil {
				return err
			}
			row.policies = append(row.policies, ratio)
		}
		for _, c := range contenders {
			ratio := -1.0
			err := c.attempt(ctx, func(ctx context.Context) (err error) {
				ratio, err = c.replay(ctx, requests)
				return err
			})
			if err != nil {
				return err
			}
			row.servers = append(row.servers, ratio)
		}
		rows = append(rows, row)
	}
	printRatios(w, s, contenders, rows)
	return nil
}

// replay starts the server and plays a trace through it.
func (c *contender) replay(ctx context.Context, requests []traced) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	if err := c.start(ctx); err != nil {
		return 0, err
	}
	defer c.stop()
	return c.walk(ctx, requests)
}

// walk asks for one thing after the other, in the order of the trace, and returns the share of hits once the cache is warm.
func (c *contender) walk(ctx context.Context, requests []traced) (float64, error) {
	v, conn, err := visit(ctx, c.setting.Address, traceTimeout)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	hits := 0
	for i, r := range requests {
		header, err := v.get("/cacheable/"+strconv.Itoa(r.size)+"?"+strconv.Itoa(r.object), r.size)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return 0, err
		}
		if i >= traceWarm && c.kind.hit(header) {
			hits++
		}
	}
	return float64(hits) / float64(len(requests)-traceWarm), nil
}

// printRatios prints what share of each trace was hits, and the lines for machines.
func printRatios(w io.Writer, s scenario, contenders []*contender, rows []ratioRow) {
	fmt.Fprintf(w, "\n%s: %s (%% of %d requests, after %d)\n", s.name, s.about, traceRequests-traceWarm, traceWarm)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "trace\t")
	for _, c := range contenders {
		if c.out == "" {
			fmt.Fprintf(t, "%s\t", c.kind.name)
		}
	}
	for _, p := range policies {
		fmt.Fprintf(t, "%s\t", p.name)
	}
	fmt.Fprintln(t)
	for _, row := range rows {
		fmt.Fprintf(t, "%s\t", row.trace.name)
		for i, c := range contenders {
			if c.out == "" {
				fmt.Fprintf(t, "%.2f\t", 100*row.servers[i])
			}
		}
		for _, ratio := range row.policies {
			fmt.Fprintf(t, "%.2f\t", 100*ratio)
		}
		fmt.Fprintln(t)
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	printNotes(w, s, contenders)
	if contenders[0].out != "" {
		return
	}
	for _, row := range rows {
		for i, p := range policies {
			fmt.Fprintf(w, "bench %s %s ratio-to-%s %.3f\n", s.name, row.trace.name, p.name, ratio(row.servers[0], row.policies[i]))
		}
	}
}
