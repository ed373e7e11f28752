package play

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// caching runs the npm package http-cache-tests, which test/setup/npm.sh has fetched: "caching start" runs its origin and sets
// $ORIGIN, "caching URL FILE" its tests through the URL. A line of the file is a test that fails, a colon and why; every other one,
// of those that are required or optimal, has to pass, and every one in the file to fail, so that the file stays true. "required N" and
// "optimal N" are how many pass.
func caching(p *play, args []string) error {
	if err := needs(p, []string{"node", "bash"}); err != nil {
		return err
	}
	if p.suite == "" {
		var told bytes.Buffer
		out, err := exec.Command("bash", "../setup/npm.sh").Output()
		if p.suite = strings.TrimSpace(string(out)); err != nil {
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				told.Write(exit.Stderr)
			}
			p.t.Skip(fmt.Sprintf("http-cache-tests could not be fetched from npm: %s", &told))
		}
	}
	switch {
	case len(args) == 1 && args[0] == "start":
		return p.startSuite()
	case len(args) == 2:
		return p.runSuite(args[0], p.ReadFile(args[1]))
	}
	return errUsage
}

// startSuite runs the suite's origin until the play ends.
func (p *play) startSuite() error {
	port, err := p.reserveEverywhere()
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + port
	server := exec.Command("node", "--no-warnings", "server/server.mjs")
	server.Dir = p.suite
	server.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port="+port, "npm_config_pidfile="+p.MkAbs("suite.pid"))
	p.Setenv("ORIGIN", "http://"+address)
	return p.serve(server, "tcp", address)
}

// suiteTest is one of the suite's, as it describes itself.
type suiteTest struct {
	ID, Kind string
	Browser  bool
}

// listSuite prints the tests of the suite but for those of Surrogate-Control, which it has apart as well.
const listSuite = `import tests from './tests/index.mjs'
console.log(JSON.stringify(tests.flatMap(s => s.tests).map(t => ({ID: t.id, Kind: t.kind || 'required', Browser: !!t.browser_only}))))`

// runSuite runs the tests, and compares what fails with what may.
func (p *play) runSuite(url, text string) error {
	excused, want, err := readExcuses(text)
	if err != nil {
		return err
	}
	var tests []suiteTest
	if err := p.script(&tests, nil, "--input-type=module", "--eval", listSuite); err != nil {
		return fmt.Errorf("listing the tests: %w", err)
	}
	// A test that has not run has no result: that is no pass.
	results := make(map[string]any)
	if err := p.script(&results, []string{"npm_config_base=" + url, "npm_config_id=", "npm_package_config_id="}, "cli.mjs"); err != nil {
		return fmt.Errorf("running the tests: %w", err)
	}
	passed := make(map[string]int)
	var wrong []string
	for _, t := range tests {
		excuse, ok := excused[t.ID]
		delete(excused, t.ID)
		switch pass := results[t.ID] == true; {
		case t.Browser || t.Kind == "check":
		case pass && ok:
			wrong = append(wrong, fmt.Sprintf("%s (%s) passes, and is not expected to: %s", t.ID, t.Kind, excuse))
			fallthrough
		case pass:
			passed[t.Kind]++
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s (%s) fails: %v", t.ID, t.Kind, results[t.ID]))
		}
	}
	for id := range excused {
		wrong = append(wrong, id+" is no test")
	}
	fmt.Fprintf(p.Stdout(), "required %d\noptimal %d\n", passed["required"], passed["optimal"])
	if !maps.Equal(passed, want) {
		wrong = append(wrong, fmt.Sprintf("%v pass, want %v", passed, want))
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

// readExcuses reads which tests may fail, and how many pass.
func readExcuses(text string) (excused map[string]string, passed map[string]int, err error) {
	excused, passed = make(map[string]string), make(map[string]int)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		var kind string
		var n int
		if _, err := fmt.Sscanf(line, "%s %d", &kind, &n); err == nil && (kind == "required" || kind == "optimal") {
			passed[kind] = n
			continue
		}
		id, why, ok := strings.Cut(line, ": ")
		switch {
		case line == "" || line[0] == '#':
		case !ok:
			return nil, nil, fmt.Errorf("%q: want a test, a colon and why it may fail", line)
		default:
			excused[id] = why
		}
	}
	return excused, passed, nil
}

// script runs a program of the suite's in its folder, and reads the JSON that it prints.
func (p *play) script(into any, env []string, args ...string) error {
	cmd := exec.Command("node", append([]string{"--no-warnings"}, args...)...)
	var out, told bytes.Buffer
	cmd.Dir, cmd.Env = p.suite, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &told
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, &told)
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("%w: %.200s", err, &out)
	}
	return nil
}
