package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// h2load asks for url over and over again over HTTP/2, with so many streams at one time on each of so many connections.
func h2load(ctx context.Context, url string, connections, streams int, duration time.Duration) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, duration+20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "h2load", "-t1", "-c"+strconv.Itoa(connections), "-m"+strconv.Itoa(streams),
		"-D"+strconv.Itoa(int(duration/time.Second)), "--npn-list=h2", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519", url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("h2load: %w: %s", err, out)
	}
	l, err := parseH2load(string(out), connections*streams)
	if err == nil && l.failures != "" {
		err = errors.New(l.failures)
	}
	if err != nil {
		return load{}, fmt.Errorf("h2load: %w", err)
	}
	l.client = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return l, nil
}

// h2loadSecured are the lines by which h2load says, once, what it agreed on with the server.
var h2loadSecured = regexp.MustCompile(`(?m)^TLS Protocol: TLSv1\.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2$`)

// h2loadCounts are the lines with its counts. What it calls failed are the errored and timed out requests, and those with status 4xx
// or 5xx.
var h2loadCounts = regexp.MustCompile(`(?m)^finished in (\S+), .*
requests: \d+ total, (\d+) started, (\d+) done, \d+ succeeded, \d+ failed, (\d+) errored, (\d+) timeout
status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx, (\d+) 5xx$`)

// parseH2load reads h2load's report of a run that was bounded in time, with so many requests under way at every moment. A connection
// that the server closes meanwhile is not replaced: it takes requests with it, or has none under way at the end.
func parseH2load(report string, width int) (load, error) {
	if !h2loadSecured.MatchString(report) {
		return load{}, fmt.Errorf("no HTTP/2 over TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519 in %q", report)
	}
	counts := h2loadCounts.FindStringSubmatch(report)
	if counts == nil {
		return load{}, fmt.Errorf("no counts in %q", report)
	}
	elapsed, err := time.ParseDuration(counts[1])
	if err != nil {
		return load{}, fmt.Errorf("%q: how long: %w", counts[0], err)
	}
	var n [6]int
	for i := range n {
		if n[i], err = strconv.Atoi(counts[2+i]); err != nil {
			return load{}, fmt.Errorf("%q: how many: %w", counts[0], err)
		}
	}
	started, done, errored, late := n[0], n[1], n[2], n[3]
	l := load{requests: done, refused: n[4] + n[5], elapsed: elapsed}
	if l.requests <= 0 || l.elapsed <= 0 || l.refused > l.requests {
		return load{}, fmt.Errorf("%d requests in %v, %d refused", l.requests, l.elapsed, l.refused)
	}
	if errored > 0 || late > 0 || started-done < width {
		l.failures = fmt.Sprintf("of %d requests %d errored, %d timed out, and %d were under way at the end: want %d",
			done, errored, late, started-done, width)
	}
	return l, nil
}
