package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

const (
	atOnce   = 8               // visitors
	pace     = 500             // of paced visits, a second
	patience = 3 * time.Second // theirs
	port     = 8080            // of the server

	warmUp = 100 * time.Millisecond // of visits that do not count: a new interface may lose its first packets, and a visitor a second
)

// A siege is what is the same for all plays.
type siege struct {
	rate    int
	lasting time.Duration // of each part
	ipv6    bool
	rounds  int

	server, others int // their cores
}

// An outcome is what a play came to.
type outcome struct {
	quiet, flooded, paced lab.Visited
	alone                 lab.Received // in the flood without visitors
	sent                  flood.Sent   // then
}

// share of the visits that were kept in the flood.
func (o outcome) share() float64 {
	return float64(o.flooded.Kept) / float64(max(o.quiet.Kept, 1))
}

// each is what a packet of the flood cost the receiver, in nanoseconds.
func (o outcome) each() float64 {
	return float64(o.alone.CPU) / float64(max(o.alone.Packets, 1))
}

// rate is what of the flood arrived, a second.
func (o outcome) rate() float64 { return float64(o.alone.Packets) / o.sent.Elapsed.Seconds() }

// late is the p99 of paced visits, in microseconds.
func (o outcome) late() float64 { return float64(o.paced.P99.Microseconds()) }

// failed are visits in the flood.
func (o outcome) failed() float64 { return float64(o.flooded.Failed + o.paced.Failed) }

// sources are five prefixes each, and no visitor's.
func (s siege) sources() []netip.Prefix {
	prefixes := []string{"16.0.0.0/5", "32.0.0.0/4", "64.0.0.0/5", "80.0.0.0/5", "128.0.0.0/5"}
	if s.ipv6 {
		prefixes = []string{"2400::/12", "2600::/12", "2800::/12", "2a00::/12", "2c00::/12"}
	}
	var parsed []netip.Prefix
	for _, p := range prefixes {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return parsed
}

// play plays a flood to a contender.
func (s siege) play(ctx context.Context, c contender, kind flood.Kind) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second+4*s.lasting)
	defer cancel()
	l, err := lab.New(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer l.Close()
	if err := l.Separate(s.server, s.others); err != nil {
		return outcome{}, err
	}
	if err := l.Server.Set("ipv4/tcp_no_metrics_save", "1"); err != nil {
		return outcome{}, err
	}
	if err := c.prepare(ctx, l, s.sources()); err != nil {
		return outcome{}, fmt.Errorf("prepare %s: %w", c.name, err)
	}
	stop, err := launch(ctx, l, s.server)
	if err != nil {
		return outcome{}, fmt.Errorf("start the server: %w", err)
	}
	defer stop()
	return s.parts(ctx, l, kind)
}

// parts of a play.
func (s siege) parts(ctx context.Context, l *lab.Lab, kind flood.Kind) (o outcome, err error) {
	target := netip.AddrPortFrom(l.Server.IPv4[0], port)
	if s.ipv6 {
		target = netip.AddrPortFrom(l.Server.IPv6[0], port)
	}
	visits := lab.Visits{URL: "http://" + target.String() + "/", Workers: atOnce, Lasting: s.lasting, Timeout: patience}
	first := visits
	first.Lasting = warmUp
	for _, part := range []lab.Visits{first, visits} {
		if o.quiet, err = l.Visit(ctx, part); err != nil {
			return o, err
		}
	}
	if o.quiet.Kept == 0 {
		return o, fmt.Errorf("no visitor gets through before the flood: %w", o.quiet.Failure)
	}
	plan := flood.Plan{Kind: kind.Name, Target: target, Sources: s.sources(), Rate: s.rate}
	err = s.during(ctx, l, plan, func() error {
		if o.flooded, err = l.Visit(ctx, visits); err != nil {
			return err
		}
		visits.Rate, visits.Workers = pace, pace
		o.paced, err = l.Visit(ctx, visits)
		return err
	})
	if err != nil {
		return o, err
	}
	plan.Lasting = s.lasting
	return o, o.measure(l, func() (flood.Sent, error) { return s.attack(ctx, l, plan) })
}

// measure plays the flood alone.
func (o *outcome) measure(l *lab.Lab, attack func() (flood.Sent, error)) error {
	r, err := l.Receiver()
	if err != nil {
		return err
	}
	before, err := r.Read()
	if err != nil {
		return err
	}
	if o.sent, err = attack(); err != nil {
		return err
	}
	after, err := r.Read()
	o.alone = after.Since(before)
	return err
}

// during does something while a flood goes on.
func (s siege) during(ctx context.Context, l *lab.Lab, plan flood.Plan, do func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := s.attack(ctx, l, plan)
		ended <- err
	}()
	err := do()
	stop()
	if floodErr := <-ended; err == nil {
		err = floodErr
	}
	return err
}
