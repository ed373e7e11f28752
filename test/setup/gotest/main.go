// Command gotest runs go test with the arguments it is given, prints what go test would print, and keeps account of what
// was skipped and why: a test that skips for ever looks like one that passes.
//
// Skipped tests are appended to the file that SEAWALL_SKIPPED names. With SEAWALL_NO_SKIP=1 a skip is a failure, unless its
// reason names a file under ../shared/data that is absent. It holds the output of a package's unfinished tests in memory,
// and fails with go test's exit status.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	status, err := run(os.Stdout, os.Args[1:], os.Getenv("SEAWALL_SKIPPED"), os.Getenv("SEAWALL_NO_SKIP") == "1")
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// run returns the exit status of go test, and an error if it did not run or something skipped that must not.
func run(w io.Writer, args []string, list string, noSkip bool) (status int, err error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("run go test: %w", err)
	}
	skips, err := relay(out, w)
	if waitErr := cmd.Wait(); err == nil {
		err = waitErr
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, err = exit.ExitCode(), nil
	}
	if err != nil {
		return status, fmt.Errorf("run go test: %w", err)
	}
	if err := record(list, skips); err != nil {
		return status, fmt.Errorf("list what was skipped: %w", err)
	}
	if bad := slices.DeleteFunc(skips, func(s skip) bool { return s.allowed(exists) }); noSkip && len(bad) > 0 {
		return status, fmt.Errorf("nothing may be skipped here, and this was:\n%s", lines(bad))
	}
	return status, nil
}

// An event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// A skip is a test that did not run.
type skip struct {
	test   string // package and name
	reason string
}

func (s skip) String() string { return s.test + ": " + s.reason }

func lines(skips []skip) string {
	var b strings.Builder
	for _, s := range skips {
		fmt.Fprintln(&b, " ", s)
	}
	return b.String()
}

// relay reads the events of one go test, and writes what it would have written without -json and -v.
func relay(r io.Reader, w io.Writer) ([]skip, error) {
	var skips []skip
	held := make(map[string][]string) // by package and test, the output of those that are running
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return skips, err
		}
		var e event
		if json.Unmarshal(line, &e) != nil { // the go command itself
			fmt.Fprintf(w, "%s", line)
			continue
		}
		test := e.Package + " " + e.Test
		switch {
		case e.Action == "output" && e.Test != "":
			held[test] = append(held[test], e.Output)
		case e.Action == "output" && e.Output != "PASS\n", e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Action == "skip" && e.Test != "":
			skips = append(skips, skip{test, reason(held[test])})
			delete(held, test)
		case e.Action == "fail":
			release(w, held, test)
		case e.Action == "pass":
			delete(held, test)
		}
	}
}

// release writes the output of a test that failed, or, when a package did, of all that it left running.
func release(w io.Writer, held map[string][]string, test string) {
	var tests []string
	for t := range held {
		if t == test || strings.HasSuffix(test, " ") && strings.HasPrefix(t, test) {
			tests = append(tests, t)
		}
	}
	slices.Sort(tests)
	for _, t := range tests {
		for _, line := range held[t] {
			if !strings.HasPrefix(line, "=== ") {
				fmt.Fprint(w, line)
			}
		}
		delete(held, t)
	}
}

// reason is what a test said when it skipped, on one line.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- SKIP") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// record appends to the list, if there is one.
func record(list string, skips []skip) error {
	if list == "" || len(skips) == 0 {
		return nil
	}
	f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines(skips))
	return errors.Join(err, f.Close())
}

var sharedData = regexp.MustCompile(`shared/data(/[\w./-]*\w)?`)

// allowed reports whether s skipped for lack of data that is kept beside the project, not in it.
func (s skip) allowed(exists func(path string) bool) bool {
	data := sharedData.FindString(s.reason)
	return data != "" && !exists(filepath.Join("..", data))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
