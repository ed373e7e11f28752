package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/test/server"
)

// more than its length is what a scenario may take.
const more = time.Minute

// A piece is a scenario, and what the command line calls it: a built-in one's name, or a file.
type piece struct {
	*scenario.Scenario
	source string
}

// load finds a piece, as seawall drill does.
func load(source string) (piece, error) {
	read := scenario.Builtin
	if strings.ContainsAny(source, "./") {
		read = scenario.Load
	}
	s, err := read(source)
	return piece{s, source}, err
}

// A contest is scenarios that peers play in turn.
type contest struct {
	plan     plan
	dir      string            // for what proxies write
	geo      string            // file of networks
	programs map[string]string // by peer; without one it has no part

	// The proxy's cores, and those of who attacks it and of its origin, which are other machines' in life. Empty: everybody shares.
	proxyCores, otherCores string
}

// openContest finds the programs. dir holds what is written by the way.
func openContest(p plan, dir string) (*contest, error) {
	c := &contest{plan: p, dir: dir, geo: filepath.Join(dir, "places.mmdb"), programs: map[string]string{}}
	if err := writePlaces(c.geo); err != nil {
		return nil, fmt.Errorf("file of networks: %w", err)
	}
	var err error
	if c.proxyCores, c.otherCores, err = server.SplitCores(); err != nil {
		return nil, err
	}
	for _, peer := range peers {
		switch path, err := server.Find(peer.program); {
		case peer.program == "":
			c.programs[peer.name] = p.seawall
		case err == nil:
			c.programs[peer.name] = path
		}
	}
	return c, nil
}

// play has one peer play one scenario.
func (c *contest) play(ctx context.Context, p peer, s piece) (score.Result, error) {
	dir := filepath.Join(c.dir, p.name, s.Name)
	set, err := p.newSetting(dir, c.geo, s.Site)
	if err != nil {
		return score.Result{}, err
	}
	defer os.RemoveAll(dir)
	proxy, err := p.launch(ctx, c.proxyCores, c.programs[p.name], set)
	if err != nil {
		return score.Result{}, err
	}
	defer proxy.Stop()
	target := "https://" + set.HTTPS
	if c.plan.cleartext {
		target = "http://" + set.HTTP
	}
	file := filepath.Join(dir, "report.json")
	ctx, cancel := context.WithTimeout(ctx, s.Length+more)
	defer cancel()
	command := []string{c.plan.seawall, "drill", "--target", target, "--name", p.name, "--host", ourHost,
		"--origin", set.Sites[0].Origin, "--neighbour-origin", set.Sites[1].Origin, "--json", file, s.source}
	if c.otherCores != "" {
		command = append([]string{"taskset", "-c", c.otherCores}, command...)
	}
	err = attempt(ctx, command[0], command[1:]...)
	if err := errors.Join(err, proxy.Failure()); err != nil {
		return score.Result{}, err
	}
	return readResult(file)
}

// attempt runs a command to its end.
func attempt(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		text := bytes.TrimSpace(said.Bytes())
		return fmt.Errorf("%w: %s", err, text[max(0, len(text)-1000):])
	}
	return nil
}

// readReport reads a report that was written as JSON.
func readReport(file string) (score.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return score.Report{}, err
	}
	defer f.Close()
	return score.ReadJSON(f)
}

// readResult reads the report of one scenario.
func readResult(file string) (score.Result, error) {
	r, err := readReport(file)
	if err != nil {
		return score.Result{}, err
	}
	if len(r.Results) != 1 {
		return score.Result{}, fmt.Errorf("%d results of one scenario", len(r.Results))
	}
	return r.Results[0], nil
}
