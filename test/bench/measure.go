package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

const (
	warmUp          = time.Second
	fewRounds       = 3               // at most, where that is enough
	scenarioTimeout = 3 * time.Minute // beyond the turns themselves
	longTimeout     = 2 * time.Minute // of what has no turns
)

// measureAll runs the scenarios one after the other, and returns what went wrong in any.
func measureAll(ctx context.Context, w io.Writer, p plan) error {
	if err := setStage(ctx); err != nil {
		return err
	}
	runtime.GOMAXPROCS(4) // on what is mostly one core: a client that is a thread of its own never waits for the log daemon's
	pinned := "servers share their core with the client"
	if core := os.Getenv(serverCore); core != "" {
		pinned = "servers on core " + core + ", client and origin on the others"
	}
	fmt.Fprintf(w, "%s; %s; %d rounds of %v, %d connections; load average %s\n",
		os.Getenv(onStage), pinned, p.rounds, p.duration, connections, loadAverage())
	var problems []error
	for _, s := range p.scenarios {
		if err := measure(ctx, w, p, s); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(problems...)
}

// measure runs one scenario and prints its table.
func measure(ctx context.Context, w io.Writer, p plan, s scenario) error {
	if s.loops > 0 && os.Getenv(serverCore) == "" {
		fmt.Fprintf(w, "\n%s: left out: there is one core\n", s.name)
		return nil
	}
	began, err := readMachineTime()
	if err != nil {
		return err
	}
	turns := time.Duration(p.rounds*len(kinds)) * p.duration
	switch s.client {
	case attacking:
		turns = attackTimeout
	case playing, purging:
		turns = longTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, turns+scenarioTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(memoryFolder(), "seawall-bench-"+s.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store := ""
	if s.disk > 0 {
		if store, err = os.MkdirTemp(diskFolder, "seawall-bench-"+s.name+"-"); err != nil {
			return err
		}
		defer os.RemoveAll(store)
	}
	site, err := openSite(ctx, dir, s)
	if err != nil {
		return err
	}
	defer site.close()
	var contenders []*contender
	for _, k := range s.kinds() {
		cores, err := serverCores(s, k)
		if err != nil {
			return err
		}
		c := newContender(k, p.seawall, cores, dir, store, site)
		defer c.stop()
		contenders = append(contenders, c)
	}
	switch s.client {
	case attacking:
		err = withstandAttacks(ctx, w, p.attacker, s, contenders)
	case playing:
		err = playTraces(ctx, w, s, contenders)
	case purging:
		err = purgeTags(ctx, w, s, site, contenders[0])
	case collapsing:
		err = collapse(ctx, w, s, contenders)
	default:
		if err = compete(ctx, p, s, site, contenders); err == nil {
			printTable(w, s, contenders)
		}
	}
	if err != nil {
		return err
	}
	ended, err := readMachineTime()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "load average %s, %.1f %% of the cores' time stolen\n", loadAverage(), ended.stolenSince(began))
	if ours := contenders[0]; ours.out != "" { // the peers' figures are worth having, but this is no success
		return errors.New(ours.kind.name + ": " + ours.out)
	}
	return nil
}

// compete gives the contenders their turns.
func compete(ctx context.Context, p plan, s scenario, site *site, contenders []*contender) error {
	for _, c := range contenders {
		if err := c.attempt(ctx, c.warmUp); err != nil {
			return err
		}
	}
	if s.client == pacing {
		site.rate = halfLoad(contenders)
	}
	for _, c := range contenders {
		if c.out != "" {
			c.stop()
		}
	}
	rounds := p.rounds
	if s.few() {
		rounds = min(rounds, fewRounds)
	}
	for round := range rounds {
		for i := range contenders {
			c := contenders[(round+i)%len(contenders)]
			if err := c.attempt(ctx, func(ctx context.Context) error { return c.turn(ctx, p.duration) }); err != nil {
				return err
			}
		}
	}
	for _, c := range contenders {
		c.stop() // flushes its log
	}
	return nil
}

// halfLoad is the rate for everybody: half of HAProxy's full load, or of the slowest peer's where HAProxy has no part, or of
// Seawall's own. A peer that can't take it has no part.
func halfLoad(contenders []*contender) int {
	slowest := contenders[0]
	for _, c := range contenders {
		if c.out != "" || c.kind.name == seawall {
			continue
		}
		if c.kind.name == "haproxy" {
			slowest = c
			break
		}
		if slowest.kind.name == seawall || c.full < slowest.full {
			slowest = c
		}
	}
	rate := max(int(slowest.full/2), 1)
	for _, c := range contenders {
		if c.out == "" && c.kind.name != seawall && c.full < float64(rate) {
			c.out = fmt.Sprintf("its full load is %.0f requests/s, the rate is %d", c.full, rate)
		}
	}
	return rate
}
