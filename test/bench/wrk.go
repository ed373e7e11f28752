package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// connections is how many wrk keeps open and busy.
const connections = 64

// A load is what a client counted.
type load struct {
	requests int           // answered, or refused
	refused  int           // of these, by a status that is neither 2xx nor 3xx, or without an answer
	elapsed  time.Duration // of wrk in steps of 10 ms, as it prints it
	failures string        // wrk's line about errors; empty if there were none
	client   time.Duration // CPU time of h2load
	latency  latency       // of a client that paces
	quiet    latency       // the same before the flood that it paced beside
	hellos   float64       // of that flood, answered in a second
}

// inTurn has wrk ask for one object after the other (its argument says how many there are). It makes the requests beforehand, for its own
// cost is not to decide.
const inTurn = `
local requests, last = {}, 0
function init(args)
	for i = 1, tonumber(args[1]) do
		requests[i] = wrk.format("GET", wrk.path .. "?" .. (i - 1))
	end
end
function request()
	last = last % #requests + 1
	return requests[last]
end
`

// wrk asks for url over and over again, on keep-alive connections; or for so many objects in turn, by a query.
func wrk(ctx context.Context, url string, objects int, duration time.Duration) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, duration+20*time.Second)
	defer cancel()
	seconds := strconv.Itoa(int(duration/time.Second)) + "s"
	args := []string{"-t1", "-c" + strconv.Itoa(connections), "-d" + seconds, url}
	if objects > 0 {
		script, err := writeScript(inTurn)
		if err != nil {
			return load{}, err
		}
		defer os.Remove(script)
		args = append([]string{"-s", script}, append(args, "--", strconv.Itoa(objects))...)
	}
	out, err := exec.CommandContext(ctx, "wrk", args...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	l, err := parseWrk(string(out))
	if err == nil && l.failures != "" {
		err = errors.New(l.failures)
	}
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w", err)
	}
	return l, nil
}

// writeScript writes a script to a file, for wrk reads it more than once.
func writeScript(text string) (path string, err error) {
	f, err := os.CreateTemp("", "seawall-bench-*.lua")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	return f.Name(), errors.Join(err, f.Close())
}

// parseWrk reads wrk's report. It needs the line "N requests in TIME, …", with a time as Go writes it (812.00us, 3.10s, 1.00m),
// and takes those about errors and about responses that are refusals.
func parseWrk(report string) (load, error) {
	var l load
	var found bool
	var failures []string
	for line := range strings.Lines(report) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Socket errors:") {
			failures = append(failures, line)
			continue
		}
		if count, ok := strings.CutPrefix(line, "Non-2xx or 3xx responses: "); ok {
			var err error
			if l.refused, err = strconv.Atoi(count); err != nil {
				return load{}, fmt.Errorf("%q: how many: %w", line, err)
			}
			continue
		}
		count, rest, ok := strings.Cut(line, " requests in ")
		if !ok {
			continue
		}
		took, _, _ := strings.Cut(rest, ",")
		var err error
		if l.requests, err = strconv.Atoi(count); err != nil {
			return load{}, fmt.Errorf("%q: how many requests: %w", line, err)
		}
		if l.elapsed, err = time.ParseDuration(took); err != nil {
			return load{}, fmt.Errorf("%q: how long: %w", line, err)
		}
		found = true
	}
	if !found {
		return load{}, fmt.Errorf("no line \"N requests in TIME\" in %q", report)
	}
	if l.requests <= 0 || l.elapsed <= 0 || l.refused < 0 || l.refused > l.requests {
		return load{}, fmt.Errorf("%d requests in %v, %d refused", l.requests, l.elapsed, l.refused)
	}
	l.failures = strings.Join(failures, "; ")
	return l, nil
}
