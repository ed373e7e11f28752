package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	warmUp          = time.Second
	scenarioTimeout = 3 * time.Minute // beyond the turns themselves
)

// measureAll runs the scenarios one after the other, and returns what went wrong in any.
func measureAll(ctx context.Context, w io.Writer, p plan) error {
	if err := setStage(ctx); err != nil {
		return err
	}
	pinned := "servers share their core with the client"
	core := os.Getenv(serverCore)
	if core != "" {
		pinned = "servers on core " + core + ", client and origin on the others"
	}
	fmt.Fprintf(w, "%s; %s; %d rounds of %v, %d connections; load average %s\n",
		os.Getenv(onStage), pinned, p.rounds, p.duration, connections, loadAverage())
	var problems []error
	for _, s := range p.scenarios {
		if err := measure(ctx, w, p, s, core); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(problems...)
}

// measure runs one scenario and prints its table.
func measure(ctx context.Context, w io.Writer, p plan, s scenario, core string) error {
	turns := time.Duration(p.rounds*len(kinds)) * p.duration
	ctx, cancel := context.WithTimeout(ctx, turns+scenarioTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "seawall-bench-"+s.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	site, err := openSite(ctx, dir, s)
	if err != nil {
		return err
	}
	defer site.close()

	var contenders []*contender
	defer func() {
		for _, c := range contenders {
			c.stop()
		}
	}()
	for _, k := range kinds {
		program := p.seawall
		if k.program != "" {
			if program, err = find(k.program); err != nil {
				fmt.Fprintf(w, "%s: left out: %s is not installed\n", s.name, k.program)
				continue
			}
		}
		c, err := enter(ctx, k, program, core, dir, site)
		if err != nil {
			return err
		}
		contenders = append(contenders, c)
	}
	if err := compete(ctx, contenders, site, p); err != nil {
		return err
	}
	for _, c := range contenders {
		c.stop() // flushes its log
	}
	printTable(w, s, contenders)
	fmt.Fprintf(w, "load average %s\n", loadAverage())
	return nil
}

// compete gives every contender its turns.
func compete(ctx context.Context, contenders []*contender, site *site, p plan) error {
	for _, c := range contenders {
		if _, err := c.turn(ctx, site, warmUp); err != nil {
			return fmt.Errorf("%s: %w", c.kind.name, err)
		}
	}
	for round := range p.rounds {
		for i := range contenders {
			c := contenders[(round+i)%len(contenders)]
			t, err := c.turn(ctx, site, p.duration)
			if err != nil {
				return fmt.Errorf("%s: %w", c.kind.name, err)
			}
			c.turns = append(c.turns, t)
		}
	}
	return nil
}

// A contender is a server that runs.
type contender struct {
	kind    kind
	process *process
	sink    *sink // nil if it writes its log itself
	url     string
	log     string // path
	turns   []turn // one a round
	answers int    // in turns, warming up included
	logged  int64  // bytes in those turns
}

// A turn is what one server did while it was its turn.
type turn struct {
	load
	cpu time.Duration // of the server
}

// cost is the CPU time per request in microseconds.
func (t turn) cost() float64 { return float64(t.cpu.Nanoseconds()) / float64(t.requests) / 1e3 }

// rate is in requests per second.
func (t turn) rate() float64 { return float64(t.requests) / t.elapsed.Seconds() }

// enter starts a server and checks its answers.
func enter(ctx context.Context, k kind, program, core, dir string, site *site) (c *contender, err error) {
	s := setting{
		Dir: filepath.Join(dir, k.name), Root: os.Geteuid() == 0, Origin: site.address,
		Size: site.scenario.size, Cacheable: site.scenario.cacheable, TLS: site.scenario.tls,
	}
	s.Log = filepath.Join(s.Dir, "access.log")
	if err := os.MkdirAll(filepath.Join(s.Dir, "temp"), 0o700); err != nil {
		return nil, err
	}
	if err := writeCertificate(s.Dir); err != nil {
		return nil, err
	}
	for _, address := range []*string{&s.Address, &s.Admin} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	c = &contender{kind: k, log: s.Log}
	if k.sink {
		if c.sink, err = newSink(s.Log); err != nil {
			return nil, err
		}
		s.Sink = c.sink.address()
	}
	if c.process, err = k.launch(ctx, program, core, s.Address, s); err != nil {
		c.stop()
		return nil, err
	}
	c.url = site.url(s.Address)
	if err := site.check(ctx, k, c.url); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	return c, nil
}

// stop ends the server; the second time it does nothing.
func (c *contender) stop() {
	if c.process != nil {
		c.process.stop()
		c.process = nil
		c.closeLog()
	}
	if c.sink != nil {
		c.sink.stop()
		c.sink = nil
	}
}

// turn puts the load on the server, and checks what client and origin counted.
func (c *contender) turn(ctx context.Context, site *site, duration time.Duration) (turn, error) {
	c.closeLog()
	asked, err := site.asked(ctx)
	if err != nil {
		return turn{}, err
	}
	before, err := c.process.cpu()
	if err != nil {
		return turn{}, err
	}
	l, err := wrk(ctx, c.url, duration)
	if err != nil {
		return turn{}, err
	}
	after, err := c.process.cpu()
	if err != nil {
		return turn{}, err
	}
	reached, err := site.asked(ctx)
	if err != nil {
		return turn{}, err
	}
	c.answers += l.requests
	return turn{l, after.since(before)}, site.scenario.plausible(l.requests, reached-asked-1) // the second question counts itself
}

// plausible compares what the client got with what the origin was asked.
func (s scenario) plausible(answered, asked int) error {
	switch {
	case s.cacheable && asked > 0:
		return fmt.Errorf("%d of %d requests reached the origin: want none", asked, answered)
	case !s.cacheable && asked < answered:
		return fmt.Errorf("%d of %d requests reached the origin: want all", asked, answered)
	}
	return nil
}

// closeLog adds up what was logged and cuts the file. Before the first turn the log has only the checks' lines.
func (c *contender) closeLog() {
	info, err := os.Stat(c.log)
	if err != nil {
		return // nothing logged, as the table shows
	}
	if c.answers > 0 {
		c.logged += info.Size()
	}
	os.Truncate(c.log, 0) //nolint:errcheck // then it is cut the next time
}

// loadAverage is the machine's, over 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}
