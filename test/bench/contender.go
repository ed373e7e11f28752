package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seawall/seawall/test/server"
)

// A contender is a server that takes turns.
type contender struct {
	kind    kind
	program string
	cores   string
	site    *site
	setting setting
	out     string // why it has no part, or none any more; empty if it has

	processes []*server.Process // none while it does not run
	sink      *sink             // nil if it writes its log itself
	full      float64           // most requests a second while it was warmed up
	turns     []turn            // one a round
	answers   int               // in turns, warming up included
	checked   bool              // its log has lines of turns, no longer of checks alone
	lines     int               // logged in those turns
}

// A turn is what one server did while it was its turn.
type turn struct {
	cost           float64 // what is compared (scenario.unit)
	rate           float64 // requests a second
	busy           float64 // share of a core
	client         float64 // the same of a client that is another process, as far as it is known
	latency, quiet latency // quiet: before the flood
	hellos         float64 // of the flood, answered in a second
	memory         resident
}

// newContender gives a server a folder, and in store another if that is not empty, and a part in the site's scenario, if it can have one.
func newContender(k kind, built, cores, dir, store string, site *site) *contender {
	c := &contender{kind: k, program: built, cores: cores, site: site}
	c.setting = setting{
		Dir: filepath.Join(dir, k.name), Files: site.files, Root: os.Geteuid() == 0, Origin: site.address,
		Size: site.scenario.size, Cacheable: site.scenario.cacheable, Cache: cmp.Or(site.scenario.cache, cacheSize), Disk: site.scenario.disk,
		Waits: site.scenario.client == collapsing,
		TLS:   site.scenario.tls, HTTP2: site.scenario.http2, Stall: site.scenario.stall, Resume: site.scenario.resume, Refuse: site.scenario.refuse,
	}
	c.setting.Log = filepath.Join(c.setting.Dir, "access.log")
	c.setting.Store = c.setting.Dir
	if store != "" {
		c.setting.Store = filepath.Join(store, k.name)
	}
	if k.cannot != nil {
		c.out = k.cannot(site.scenario)
	}
	if k.program != "" && c.out == "" {
		var err error
		if c.program, err = server.Find(k.program); err != nil {
			c.out = k.program + " is not installed"
		}
	}
	return c
}

// attempt does something with a contender that takes part. A peer that fails is out; Seawall's failure is everybody's, unless all that
// it lacks is the protocol.
func (c *contender) attempt(ctx context.Context, do func(context.Context) error) error {
	if c.out != "" {
		return nil
	}
	err := do(ctx)
	if err == nil {
		return nil
	}
	c.stop()
	if c.kind.name == seawall && !errors.Is(err, errNoHTTP2) || ctx.Err() != nil {
		return fmt.Errorf("%s: %w", c.kind.name, err)
	}
	c.out = "failed: " + strings.Join(strings.Fields(err.Error()), " ")
	return nil
}

// start starts the server and checks its answers.
func (c *contender) start(ctx context.Context) error {
	if err := c.launch(ctx); err != nil {
		return err
	}
	return c.site.check(ctx, c.kind, c.site.url(c.setting.Address))
}

// launch starts the server.
func (c *contender) launch(ctx context.Context) error {
	for _, dir := range []string{filepath.Join(c.setting.Dir, "temp"), c.setting.Store} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := server.WriteCertificate(c.setting.Dir, "localhost"); err != nil {
		return err
	}
	for _, address := range []*string{&c.setting.Address, &c.setting.Admin} {
		var err error
		if *address, err = server.FreeAddress(); err != nil {
			return err
		}
	}
	if c.kind.sink {
		var err error
		if c.sink, err = newSink(c.setting.Log); err != nil {
			return err
		}
		c.setting.Sink = c.sink.address()
	}
	var err error
	c.processes, err = c.kind.launch(ctx, c.program, c.cores, c.setting)
	return err
}

// stop ends the server; the second time it does nothing.
func (c *contender) stop() {
	if c.processes == nil && c.sink == nil {
		return
	}
	for _, p := range c.processes {
		p.Stop()
	}
	if c.sink != nil {
		c.sink.stop()
	}
	c.processes, c.sink = nil, nil
	c.cutLog()
}

// warmUp starts a server that goes on running, and puts the load on it for a moment.
func (c *contender) warmUp(ctx context.Context) error {
	if c.site.scenario.restarts() {
		return nil
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	if c.site.scenario.client == spreading {
		if err := c.site.spread(ctx, c.setting.Address); err != nil {
			return err
		}
	}
	c.cutLog()
	c.checked = true
	loads := 1
	if c.site.scenario.client == pacing { // the rate of everybody depends on it
		loads = 2
	}
	for range loads {
		t, err := c.work(ctx, warmUp)
		if err != nil {
			return err
		}
		c.full = max(c.full, t.rate)
	}
	return nil
}

// turn is one turn of the server.
func (c *contender) turn(ctx context.Context, duration time.Duration) error {
	var t turn
	var err error
	switch c.site.scenario.client {
	case idling:
		t, err = c.weigh(ctx)
	case withholding:
		t, err = c.weighStreams(ctx)
	case churning:
		t, err = c.churn(ctx, duration)
	default:
		t, err = c.work(ctx, duration)
	}
	c.turns = append(c.turns, t)
	return err
}

// work puts the load on the server, and checks what client and origin counted.
func (c *contender) work(ctx context.Context, duration time.Duration) (turn, error) {
	if c.kind.fill != nil {
		held, err := c.site.hold(ctx, c.setting.Address, c.kind.fill(c.site.scenario), 1)
		if err != nil {
			return turn{}, err
		}
		defer held.close()
		c.answers += len(held)
	}
	asked, err := c.site.asked(ctx)
	if err != nil {
		return turn{}, err
	}
	before, err := cpu(c.processes)
	if err != nil {
		return turn{}, err
	}
	l, err := c.site.load(ctx, c.setting.Address, duration)
	if err != nil {
		return turn{}, err
	}
	after, err := cpu(c.processes)
	if err != nil {
		return turn{}, err
	}
	reached, err := c.site.asked(ctx)
	if err != nil {
		return turn{}, err
	}
	c.cutLog()
	c.answers += l.requests
	used := after.since(before).Seconds()
	t := turn{
		cost: used * 1e6 / float64(l.requests), rate: float64(l.requests) / l.elapsed.Seconds(), busy: used / l.elapsed.Seconds(),
		client: l.client.Seconds() / l.elapsed.Seconds(), latency: l.latency, quiet: l.quiet, hellos: l.hellos,
	}
	if l.latency.p99 > 0 {
		t.cost = microseconds(l.latency.p99)
	}
	return t, c.site.scenario.plausible(l, reached-asked-1) // the second question counts itself
}

// mostWithin is how many requests of a turn a limit of one a minute lets through.
const mostWithin = 2

// plausible compares what the client got with what it should get, and with what the origin was asked.
func (s scenario) plausible(l load, asked int) error {
	switch {
	case s.refuse == refuseNothing && l.refused > 0:
		return fmt.Errorf("%d of %d requests were refused: want none", l.refused, l.requests)
	case s.refuse == refuseExcess && l.refused >= l.requests-mostWithin && asked <= mostWithin:
	case s.refuse != refuseNothing && l.refused < l.requests:
		return fmt.Errorf("%d of %d requests were refused: want all", l.refused, l.requests)
	case s.cacheable && asked > 0:
		return fmt.Errorf("%d of %d requests reached the origin: want none", asked, l.requests)
	case !s.cacheable && asked < l.requests:
		return fmt.Errorf("%d of %d requests reached the origin: want all", asked, l.requests)
	}
	return nil
}

// cutLog counts what was logged and cuts the file. What the server still holds back is counted the next time.
func (c *contender) cutLog() {
	f, err := os.OpenFile(c.setting.Log, os.O_RDWR, 0)
	if err != nil {
		return // nothing logged, as the table shows
	}
	defer f.Close()
	lines := 0
	buf := make([]byte, 256<<10)
	for err == nil {
		var n int
		n, err = f.Read(buf)
		lines += bytes.Count(buf[:n], []byte{'\n'})
	}
	if c.checked {
		c.lines += lines
	}
	if errors.Is(err, io.EOF) {
		f.Truncate(0) //nolint:errcheck // then it is cut the next time
	}
}
