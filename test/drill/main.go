package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
)

// mostFiles is how many files a process may have open, if the system allows.
const mostFiles = 20_000

// A plan is what the command line asks for.
type plan struct {
	seawall   string // the binary; built if empty
	out       string // folder of reports and pictures
	page      string // that the table goes to; empty for standard output
	cleartext bool
	add       bool // to what the folder has
	peers     []peer
	pieces    []piece
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

// run plays every scenario against every peer; progress goes to errw.
func run(ctx context.Context, w, errw io.Writer, args []string) error {
	p, err := parsePlan(errw, args)
	if err != nil {
		return err
	}
	if err := allowFiles(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "seawall-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if p.seawall == "" {
		p.seawall = filepath.Join(dir, "seawall.built")
		if err := attempt(ctx, "go", "build", "-o", p.seawall, "github.com/seawall/seawall/cmd/seawall"); err != nil {
			return fmt.Errorf("build seawall: %w", err)
		}
	}
	c, err := openContest(p, dir)
	if err != nil {
		return err
	}
	results, failures := c.playAll(ctx, errw)
	return errors.Join(append(failures, c.write(context.WithoutCancel(ctx), w, results))...)
}

// playAll has all peers play a scenario before the next, so that who is compared had the machine at about the same time.
func (c *contest) playAll(ctx context.Context, errw io.Writer) (map[string][]score.Result, []error) {
	results := map[string][]score.Result{}
	var failures []error
	for _, p := range c.plan.peers {
		if c.programs[p.name] == "" {
			failures = append(failures, fmt.Errorf("%s is not installed: apt-get install %s", p.name, p.program))
		}
	}
	for _, s := range c.plan.pieces {
		for _, p := range c.plan.peers {
			if c.programs[p.name] == "" || ctx.Err() != nil {
				continue
			}
			start := time.Now()
			r, err := c.play(ctx, p, s)
			took := time.Since(start).Round(time.Second)
			if err != nil {
				fmt.Fprintf(errw, "%-24s %-16s failed after %v: %v\n", s.Name, p.name, took, err)
				failures = append(failures, fmt.Errorf("%s: %s: %w", p.name, s.Name, err))
				continue
			}
			fmt.Fprintf(errw, "%-24s %-16s %5.1f in %v\n", s.Name, p.name, r.Total.Score, took)
			results[p.name] = append(results[p.name], r)
		}
	}
	return results, append(failures, ctx.Err())
}

// parsePlan reads the command line. Without names it plans every built-in scenario.
func parsePlan(errw io.Writer, args []string) (plan, error) {
	var p plan
	var names string
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	flags.SetOutput(errw)
	flags.StringVar(&p.seawall, "seawall", "", "play with and against this `file` instead of building one")
	flags.StringVar(&p.out, "out", filepath.Join(".build", "drill"), "`folder` of reports and pictures")
	flags.StringVar(&p.page, "page", "", "write the table into this `file`, where it has one already; else to standard output")
	flags.BoolVar(&p.add, "add", false, "keep what the folder has of other scenarios, and put all into the table")
	flags.BoolVar(&p.cleartext, "cleartext", false, "play without TLS")
	flags.StringVar(&names, "peers", strings.Join(peerNames(), ","), "who plays")
	flags.Usage = func() {
		fmt.Fprintf(errw, "usage: drill [flags] [scenario|file...]\n\nscenarios:\n")
		for _, s := range scenario.List() {
			fmt.Fprintf(errw, "  %-24s %s\n", s.Name, s.Title)
		}
		fmt.Fprintf(errw, "\nflags:\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		if i < 0 {
			return plan{}, fmt.Errorf("no peer is called %q: there are %s", name, strings.Join(peerNames(), ", "))
		}
		p.peers = append(p.peers, peers[i])
	}
	if err := p.checkPage(); err != nil {
		return plan{}, err
	}
	sources := flags.Args()
	if len(sources) == 0 {
		sources = scenario.Names()
	}
	for _, source := range sources {
		s, err := load(source)
		if err != nil {
			return plan{}, err
		}
		p.pieces = append(p.pieces, s)
	}
	return p, nil
}

// checkPage makes sure that there is a place for the table before hours have passed.
func (p plan) checkPage() error {
	if p.page == "" {
		return nil
	}
	page, err := os.ReadFile(p.page)
	if err == nil {
		_, err = score.Fill(page, "")
	}
	return err
}

func peerNames() []string {
	names := make([]string, 0, len(peers))
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// allowFiles lets the proxies and the drill open enough files.
func allowFiles() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	files.Cur = min(files.Max, mostFiles)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil { // Go hands it on to children only if it was set
		return fmt.Errorf("raise the limit of open files to %d: %w", files.Cur, err)
	}
	return nil
}
