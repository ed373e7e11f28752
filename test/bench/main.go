// Command bench measures Seawall side by side with its peers, nginx and HAProxy as Debian ships them:
//
//	go run ./test/bench [-rounds N] [-duration TIME] [-seawall FILE] [NAME...]
//
// Each name is a scenario (scenarios.go). What is compared is the CPU time of the server's processes per request, user and
// system, as the kernel's scheduler counts it in nanoseconds, for throughput on a shared machine says more about the
// neighbours. The servers take turns: a round is one turn of each, in an order that rotates, and Seawall's ratio to a peer
// is computed within each round, then the median of the rounds is taken. The last line for a scenario is
//
//	bench NAME ratio-to-best-peer R
//
// where R is the highest of these medians, so that less than 1 means cheaper than every peer.
//
// Every server has one core (core 0 if there are two), one thread that serves, an access log in JSON on the same file
// system, and the settings an expert would give it (peers/). Seawall also keeps metrics and evaluates limits, set above what
// the machine can do; its peers have neither. wrk with 64 keep-alive connections and the origin, an nginx with static files,
// share the other cores. With root everything runs in a network namespace of its own with congestion control reno, else on
// the machine's loopback. Before the turns each server's answers are checked, after each turn what the client and the origin
// counted: a hit never reaches the origin, a pass always does.
//
// A run is bounded in time (3 minutes a scenario), memory and disk: logs are cut before each turn. It fails on a wrong answer,
// an error the client saw, or a missing wrk or nginx; a peer that is not installed is left out, and named.
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
	if p.seawall == "" {
		dir, err := os.MkdirTemp("", "seawall-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		p.seawall = filepath.Join(dir, "seawall")
		build := exec.CommandContext(ctx, "go", "build", "-o", p.seawall, "github.com/seawall/seawall/cmd/seawall")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build seawall: %w", err)
		}
	}
	return enterStage(ctx, w, p)
}

// parsePlan reads the command line. Without names it plans every scenario.
func parsePlan(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.rounds, "rounds", 5, "turns of each server, 1 to 100")
	flags.DurationVar(&p.duration, "duration", 3*time.Second, "length of a turn, in whole seconds up to 1m")
	flags.StringVar(&p.seawall, "seawall", "", "measure this `file` instead of building one")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: bench [flags] [name...]\n\nnames:\n")
		for _, s := range scenarios {
			fmt.Fprintf(flags.Output(), "  %-10s %s\n", s.name, s.about)
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
	args := []string{"-rounds", strconv.Itoa(p.rounds), "-duration", p.duration.String(), "-seawall", p.seawall}
	for _, s := range p.scenarios {
		args = append(args, s.name)
	}
	return args
}
