package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

const (
	atOnce   = 8               // visitors
	pace     = 500             // of paced visits, a second
	patience = 3 * time.Second // theirs
	port     = 8080            // of the server, or the node before it
	sitePort = 9080            // of the server behind a node
	echoPort = 2222            // of what is not for visitors

	startPatience = 20 * time.Second // with a node that starts or ends, and until what it has seen shows

	warmUp = 100 * time.Millisecond // of visits that do not count: a new interface may lose its first packets, and a visitor a second
)

// A siege is what is the same for all plays.
type siege struct {
	rate    int
	lasting time.Duration // of each part
	ipv6    bool
	rounds  int

	server, others int // their cores

	program string // Seawall's, for contenders that are nodes
	folder  string // of the nodes' folders
}

// An outcome is what a play came to.
type outcome struct {
	quiet, flooded, paced lab.Visited
	operator              worked        // while flooded
	alone                 lab.Received  // in the flood without visitors
	sent                  flood.Sent    // then
	busy                  time.Duration // that processes of the server and the node had of a core then
	first                 time.Duration // after the flood's first packet, when one was seen to be kept from the kernel; never if none was
}

const never = time.Duration(-1)

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

// load is the share of a core that the server's programs took while there was nothing but the flood, in percent.
func (o outcome) load() float64 { return 100 * o.busy.Seconds() / o.sent.Elapsed.Seconds() }

// reaction is the time of the first packet that was stopped, in milliseconds.
func (o outcome) reaction() float64 {
	if o.first == never {
		return math.NaN()
	}
	return o.first.Seconds() * 1000
}

// bothered are the operator's echoes that failed.
func (o outcome) bothered() float64 { return float64(o.operator.failed) }

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

// A scene is a play under way.
type scene struct {
	siege
	lab       *lab.Lab
	plan      flood.Plan // without an end
	processes []int      // that serve
	shield    *shield    // nil if there is no node
}

// play plays a flood to a contender.
func (s siege) play(ctx context.Context, c contender, kind flood.Kind) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second+5*s.lasting)
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
	target := netip.AddrPortFrom(l.Server.IPv4[0], port)
	if s.ipv6 {
		target = netip.AddrPortFrom(l.Server.IPv6[0], port)
	}
	p := scene{siege: s, lab: l, plan: flood.Plan{Kind: kind.Name, Target: target, Sources: s.sources(), Rate: s.rate}}
	end, err := p.serve(ctx, c.mode)
	if err != nil {
		return outcome{}, fmt.Errorf("start the server: %w", err)
	}
	defer end()
	return p.parts(ctx)
}

// serve starts the server, and a node before it if that has a mode.
func (p *scene) serve(ctx context.Context, mode string) (end func(), err error) {
	at, cores := port, strconv.Itoa(p.server)
	if mode != "" {
		at = sitePort
	}
	process, stop, err := launch(ctx, p.lab, cores, at)
	if err != nil || mode == "" {
		p.processes = []int{process}
		return stop, err
	}
	folder, err := os.MkdirTemp(p.folder, "node-")
	if err == nil {
		p.shield, err = newShield(p.lab, p.program, folder, mode, "")
	}
	if err == nil {
		p.shield.cores = cores
		err = p.shield.start(ctx)
	}
	if err != nil {
		stop()
		return nil, err
	}
	p.processes = []int{process, p.shield.main}
	return func() {
		// It is nothing to the table if pins of a namespace that ends stay; whoever runs it is told.
		if err := errors.Join(p.shield.end(ctx, syscall.SIGTERM), p.shield.detach(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, "siege: end the node:", err)
		}
		stop()
	}, nil
}

// parts of a play.
func (p *scene) parts(ctx context.Context) (o outcome, err error) {
	visits := lab.Visits{URL: "http://" + p.plan.Target.String() + "/", Workers: atOnce, Lasting: p.lasting, Timeout: patience}
	first := visits
	first.Lasting = warmUp
	for _, part := range []lab.Visits{first, visits} {
		if o.quiet, err = p.lab.Visit(ctx, part); err != nil {
			return o, err
		}
	}
	if o.quiet.Kept == 0 {
		return o, fmt.Errorf("no visitor gets through before the flood: %w", o.quiet.Failure)
	}
	operator, err := newOperator(ctx, p.lab, p.plan.Target.Addr())
	if err != nil {
		return o, fmt.Errorf("the operator does not get through before the flood: %w", err)
	}
	defer operator.close()
	err = p.during(ctx, func() error {
		ended := operator.start(ctx)
		if o.flooded, err = p.lab.Visit(ctx, visits); err != nil {
			return err
		}
		o.operator = ended()
		visits.Rate, visits.Workers = pace, pace
		o.paced, err = p.lab.Visit(ctx, visits)
		return err
	})
	if err != nil {
		return o, err
	}
	if o.first, err = p.notice(ctx); err != nil {
		return o, err
	}
	return o, p.measure(ctx, &o)
}

// notice is when the node first tells of packets that it has kept from the kernel, after the first of a flood without visitors. The node is
// asked as often as it answers.
func (p *scene) notice(ctx context.Context) (time.Duration, error) {
	if p.shield == nil {
		return never, nil
	}
	before, err := p.shield.stopped(ctx)
	if err != nil {
		return never, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	plan := p.plan
	plan.Lasting = p.lasting
	var seen time.Time
	watched := make(chan error, 1)
	go func() {
		defer stop() // the flood
		for ctx.Err() == nil && seen.IsZero() {
			now, err := p.shield.stopped(ctx)
			if err != nil {
				watched <- err
				return
			}
			if now > before {
				seen = time.Now()
			}
		}
		watched <- nil
	}()
	sent, err := p.attack(ctx, p.lab, plan)
	stop()
	if err := errors.Join(err, ignore(<-watched, context.Canceled)); err != nil || seen.IsZero() {
		return never, err
	}
	return seen.Sub(sent.Began), nil
}

// ignore is an error, unless it is one that was to be expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// measure plays the flood alone.
func (p *scene) measure(ctx context.Context, o *outcome) error {
	r, err := p.lab.Receiver()
	if err != nil {
		return err
	}
	before, err := r.Read()
	if err != nil {
		return err
	}
	busy, err := p.used()
	if err != nil {
		return err
	}
	plan := p.plan
	plan.Lasting = p.lasting
	if o.sent, err = p.attack(ctx, p.lab, plan); err != nil {
		return err
	}
	after, err1 := r.Read()
	o.alone = after.Since(before)
	now, err2 := p.used()
	o.busy = now - busy
	return errors.Join(err1, err2)
}

// used is what the processes that serve have had of all cores.
func (p *scene) used() (sum time.Duration, err error) {
	for _, process := range p.processes {
		of, err := used(process)
		if err != nil {
			return 0, err
		}
		sum += of
	}
	return sum, nil
}

// during does something while the flood goes on.
func (p *scene) during(ctx context.Context, do func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := p.attack(ctx, p.lab, p.plan)
		ended <- err
	}()
	err := do()
	stop()
	if floodErr := <-ended; err == nil {
		err = floodErr
	}
	return err
}
