package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	dir, err := os.MkdirTemp(memoryFolder(), "seawall-bench-"+s.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	site, err := openSite(ctx, dir, s)
	if err != nil {
		return err
	}
	defer site.close()

	contenders := make([]*contender, len(kinds))
	for i, k := range kinds {
		contenders[i] = newContender(k, p.seawall, core, dir, site)
		defer contenders[i].stop()
	}
	for _, c := range contenders {
		if err := c.attempt(ctx, c.warmUp); err != nil {
			return err
		}
	}
	rounds := p.rounds
	if s.client == idling {
		rounds = min(rounds, idleRounds)
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
	printTable(w, s, contenders)
	fmt.Fprintf(w, "load average %s\n", loadAverage())
	return nil
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

// memoryFolder is a folder whose files are in memory, or empty for the system's folder of temporary files.
func memoryFolder() string {
	const shm = "/dev/shm"
	if dir, err := os.MkdirTemp(shm, "seawall-bench-"); err == nil && os.Remove(dir) == nil {
		return shm
	}
	return ""
}
