package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A plan is what the command line asks for.
type plan struct {
	rounds    int           // turns of each server
	duration  time.Duration // of a turn, in whole seconds: wrk takes no others
	seawall   string        // the binary; built if empty
	attacker  string        // test/h2attack/cmd; built if empty and needed
	scenarios []scenario
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(1)
}

func run(ctx context.Context, w io.Writer, args []string) error {
	p, err := parsePlan(args)
	if err != nil {
		return err
	}
	if os.Getenv(onStage) != "" {
		return measureAll(ctx, w, p)
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("%w: it is the client: apt-get install wrk", err)
	}
	multiplexes := func(s scenario) bool { return s.client == multiplexing }
	if _, err := exec.LookPath("h2load"); err != nil && slices.ContainsFunc(p.scenarios, multiplexes) {
		return fmt.Errorf("%w: it is the client: apt-get install nghttp2-client", err)
	}
	dir, err := os.MkdirTemp("", "seawall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if p.seawall == "" {
		if p.seawall, err = build(ctx, dir, "cmd/seawall"); err != nil {
			return err
		}
	}
	attacks := func(s scenario) bool { return s.client == attacking }
	if p.attacker == "" && slices.ContainsFunc(p.scenarios, attacks) {
		if p.attacker, err = build(ctx, dir, "test/h2attack/cmd"); err != nil {
			return err
		}
	}
	return enterStage(ctx, w, p)
}

// build builds a program of the house into a folder.
func build(ctx context.Context, dir, program string) (path string, err error) {
	path = filepath.Join(dir, strings.ReplaceAll(program, "/", "-"))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/seawall/seawall/"+program)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w", program, err)
	}
	return path, nil
}

// parsePlan reads the command line. Without names it plans every scenario.
func parsePlan(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.rounds, "rounds", 5, "turns of each server, 1 to 100")
	flags.DurationVar(&p.duration, "duration", 3*time.Second, "length of a turn, in whole seconds up to 1m")
	flags.StringVar(&p.seawall, "seawall", "", "measure this `file` instead of building one")
	flags.StringVar(&p.attacker, "attacker", "", "attack with this `file` instead of building one")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: bench [flags] [name...]\n\nnames:\n")
		for _, s := range scenarios {
			fmt.Fprintf(flags.Output(), "  %-20s %s\n", s.name, s.about)
		}
		fmt.Fprintf(flags.Output(), "\nflags:\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if p.rounds < 1 || p.rounds > 100 {
		return plan{}, fmt.Errorf("-rounds %d: want 1 to 100", p.rounds)
	}
	if p.duration < time.Second || p.duration > time.Minute || p.duration%time.Second != 0 {
		return plan{}, fmt.Errorf("-duration %v: want whole seconds, 1s to 1m", p.duration)
	}
	if flags.NArg() == 0 {
		p.scenarios = scenarios
		return p, nil
	}
	for _, name := range flags.Args() {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return plan{}, fmt.Errorf("no scenario is called %q: there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		p.scenarios = append(p.scenarios, scenarios[i])
	}
	return p, nil
}

// args is the command line that parsePlan reads as p.
func (p plan) args() []string {
	args := []string{"-rounds", strconv.Itoa(p.rounds), "-duration", p.duration.String(), "-seawall", p.seawall, "-attacker", p.attacker}
	for _, s := range p.scenarios {
		args = append(args, s.name)
	}
	return args
}
