package drill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const frameInterval = 125 * time.Millisecond

// Frame is a run at one moment. Counts run from its beginning.
type Frame struct {
	Name      string        // of the run; set by Perform
	Elapsed   time.Duration // since it began
	Planned   time.Duration
	Attacking bool  // an attack or an event has begun
	Quiet     Steps // that ended before
	During    Steps
	Offered   int // requests of attackers
	Origin    site.Counts
	Workers   int    // requests that the origin works on at once
	Shield    *Facts // nil if nobody tells
}

// Steps is how many steps of visitors came right, and how many did not.
type Steps struct{ Served, Failed int }

// Share is the part of the steps that came right, 0 to 1; of none, 1.
func (s Steps) Share() float64 {
	if s == (Steps{}) {
		return 1
	}
	return float64(s.Served) / float64(s.Served+s.Failed)
}

// Play plays the stage's scenario against target, which has the stage's sites as its origins, and calls watch (if not nil) eight times a
// second, from one goroutine. name is what the result calls the target. It returns an error if ctx ends, or if this machine lacks
// descriptors or source addresses; a target that serves nobody is a result.
func (g *Stage) Play(ctx context.Context, name string, target wire.Target, watch func(Frame)) (score.Result, error) {
	return g.play(ctx, name, &wire.Dialer{Target: target}, watch)
}

func (g *Stage) play(ctx context.Context, name string, dialer *wire.Dialer, watch func(Frame)) (score.Result, error) {
	if g.scenario.NeedsTLS() && !dialer.Target.TLS {
		return score.Result{}, errNeedsTLS
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dialer.Fault = func(err error) { cancel(fmt.Errorf("this machine can't carry the drill: %w", err)) }
	if len(g.scenario.Site.Pages) > 0 {
		if err := g.learn(ctx, dialer); err != nil {
			return score.Result{}, err
		}
	}
	c := new(clock)
	p := &play{stage: g, clock: c, truth: newTruth(c)}
	p.crowd = newCrowd(g.scenario, dialer, g.content, &p.recorder, c, p.truth)
	var err error
	if p.assault, err = newAssault(g.scenario, dialer, g.content, c, p.truth); err != nil {
		return score.Result{}, err
	}
	c.start = time.Now()
	g.truth.Store(p.truth)
	if g.site != nil {
		g.site.Restart()
	}
	if err := p.run(ctx, watch); err != nil {
		return score.Result{}, err
	}
	return score.Judge(p.input(name)), nil
}

var errNeedsTLS = errors.New("this scenario attacks TLS: its target has to be https://")

// play is a scenario being played.
type play struct {
	stage    *Stage
	clock    *clock
	truth    *truth
	crowd    *crowd
	assault  *assault
	recorder score.Recorder
	quiet    Steps // as a frame saw them last before an attack
}

// run plays the crowd to its end. The attack outlasts it: nobody is served because it stopped before its time.
func (p *play) run(ctx context.Context, watch func(Frame)) error {
	attack, stop := context.WithCancel(ctx)
	defer stop()
	var rest sync.WaitGroup
	rest.Go(func() { p.assault.run(attack) })
	rest.Go(func() { p.watch(attack, watch) })
	err := p.crowd.run(ctx)
	stop()
	rest.Wait()
	return err
}

// watch calls f with a frame from time to time until ctx ends, and once more then.
func (p *play) watch(ctx context.Context, f func(Frame)) {
	if f == nil {
		return
	}
	tick := time.NewTicker(frameInterval)
	defer tick.Stop()
	for {
		f(p.frame())
		select {
		case <-tick.C:
		case <-ctx.Done():
			f(p.frame())
			return
		}
	}
}

// frame is called from one goroutine.
func (p *play) frame() Frame {
	s := p.stage.scenario
	f := Frame{Elapsed: p.clock.now(), Planned: s.Length, Workers: s.Site.Workers}
	if p.stage.site != nil {
		f.Origin = p.stage.site.Counts()
	}
	steps, served := p.recorder.Now()
	so := Steps{Served: served, Failed: steps - served}
	if f.Attacking = f.Elapsed >= begin(s); !f.Attacking {
		p.quiet = so
	}
	f.Quiet, f.During = p.quiet, Steps{Served: so.Served - p.quiet.Served, Failed: so.Failed - p.quiet.Failed}
	f.Offered, _, _, _ = p.assault.totals()
	return f
}

// begin is when the first attack or event does.
func begin(s *scenario.Scenario) time.Duration {
	at := s.Length
	for i := range s.Attacks {
		at = min(at, s.Attacks[i].From)
	}
	for i := range s.Events {
		at = min(at, s.Events[i].From)
	}
	return at
}

// input is all that is known of the run.
func (p *play) input(target string) score.Input {
	s := p.stage.scenario
	in := score.Input{
		Scenario: s.Name, Title: s.Title, Group: score.Group(s.Group), Target: target, Seed: s.Seed, Length: s.Length, Patience: s.Patience,
		Site:   score.Site{Workers: s.Site.Workers, Backlog: s.Site.Backlog, Capacity: capacity(s).Capacity()},
		Attack: p.assault.moments(),
	}
	for i := range s.Attacks {
		a := &s.Attacks[i]
		in.Spans = append(in.Spans, score.Span{Name: a.Name, From: score.Millis(a.From), Until: score.Millis(a.Until)})
	}
	for i := range s.Events {
		e := &s.Events[i]
		in.Spans = append(in.Spans, score.Span{Name: e.Name, Event: true, From: score.Millis(e.From), Until: score.Millis(e.Until)})
	}
	in.Samples, in.Dropped = p.recorder.Samples()
	_, in.Withheld, in.Lag, in.Outcomes = p.assault.totals()
	in.Missed, in.Failures, in.Unclear = p.crowd.missed(), p.crowd.complaints(), p.truth.ambiguous()
	if p.stage.site == nil {
		return in
	}
	for _, m := range p.stage.site.Moments() {
		in.Origin = append(in.Origin, score.Origin{
			Visitor: m.Visitor, Attacker: m.Attacker, Unknown: m.Unknown, Peak: m.Peak, Overloaded: m.Overloaded,
		})
	}
	return in
}
