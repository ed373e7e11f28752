package drill

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	maxVisitors     = 2000 // at once
	maxVisitorConns = 4000 // of all of them; everybody's first is kept free for them
	maxComplaints   = 16   // kept word by word
)

// presence is the truth as visitors tell it: which addresses are theirs, and which requests are under way.
type presence interface {
	claim(source netip.Addr, who site.Who)
	enter(source netip.Addr, method, target string, who site.Who) (leave func())
}

// crowd plays a scenario's visitors and events until its end. Every step of theirs is recorded.
type crowd struct {
	scenario *scenario.Scenario
	dialer   *wire.Dialer
	content  *site.Content
	recorder *score.Recorder
	clock    *clock
	truth    presence
	story    []stay
	places   chan struct{} // one for everybody who is there
	spare    chan struct{} // one for every connection beyond somebody's first
	unplayed atomic.Int64

	mu    sync.Mutex
	heard []string
}

// newCrowd plans who comes when, and claims their addresses in the truth.
func newCrowd(s *scenario.Scenario, d *wire.Dialer, c *site.Content, rec *score.Recorder, clock *clock, truth presence) *crowd {
	out := &crowd{
		scenario: s, dialer: d, content: c, recorder: rec, clock: clock, truth: truth, story: planStory(s),
		places: make(chan struct{}, maxVisitors), spare: make(chan struct{}, maxVisitorConns-maxVisitors),
	}
	for i := range out.story {
		truth.claim(out.story[i].source, site.Visitor)
	}
	return out
}

// run plays the story. It returns when the last step that was begun before the end is decided, with an error only if
// ctx ends before that.
func (c *crowd) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range c.story {
		s := &c.story[i]
		if !c.clock.wait(ctx, s.moments[0]) {
			break
		}
		select {
		case c.places <- struct{}{}:
			wg.Go(func() {
				c.play(ctx, s)
				<-c.places
			})
		default:
			c.unplayed.Add(1)
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// missed is how many people could not be played, because too many were there already.
func (c *crowd) missed() int { return int(c.unplayed.Load()) }

// complain keeps the first failures for whoever wants to know what they were.
func (c *crowd) complain(s *stay, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.heard) < maxComplaints {
		c.heard = append(c.heard, fmt.Sprintf("%s at %s: %v", s.role.name, s.source, err))
	}
}

// complaints are the first failures, word by word.
func (c *crowd) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clip(c.heard)
}

// play takes the errands of a stay one after another: each at its moment or, if the one before took that long, a
// little after it.
func (c *crowd) play(ctx context.Context, s *stay) {
	v := c.newVisitor(s)
	defer v.leave()
	var at time.Duration
	for n, planned := range s.moments {
		e := v.next()
		if at = max(at, planned); at >= c.scenario.Length || !c.clock.wait(ctx, at) {
			return
		}
		began := c.clock.now()
		f := v.run(ctx, e, time.Duration(s.role.patience)*c.scenario.Patience)
		if ctx.Err() != nil {
			return // cut off: nobody's fault
		}
		if f.err != nil {
			c.complain(s, f.err)
		}
		outcome, why := f.judge()
		c.recorder.Add(score.Sample{
			At: began, Kind: s.role.name, Event: s.event != nil, Outcome: outcome, Why: why, Took: c.clock.now() - began,
		})
		if e.after != nil && f.err == nil {
			v.afterwards(ctx, e, c.scenario.Patience)
		}
		if s.role.afresh {
			v.agent.conns.leave()
		}
		if n+1 < len(s.moments) {
			at = c.clock.now() + (s.moments[n+1]-planned)/4
		}
	}
}
