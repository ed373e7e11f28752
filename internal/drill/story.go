package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Story is what is played against a target: first a quiet phase, then a flood, with visitors all along.
type Story struct {
	Seed     uint64        // of everything that is drawn
	Site     SiteConfig    // what stands behind the target
	Quiet    time.Duration // before the flood
	Flood    time.Duration // until no visitor begins another step; the flood goes on until the last step is decided
	Patience time.Duration // of a visitor with one step
	Think    time.Duration // a browser user's mean pause between two steps
	Visitors int           // at any moment
	Bots     int
	BotRate  float64 // requests a second of one bot
}

const maxShots = 500_000 // requests of one flood

// Minute is the story of `seawall demo`: ten times the site's capacity, in under a minute for both halves.
func Minute() Story {
	return Story{
		Seed:  1,
		Site:  SiteConfig{Workers: 8, Backlog: 1024, Page: 20 * time.Millisecond, Asset: 2 * time.Millisecond},
		Quiet: 4 * time.Second, Flood: 16 * time.Second, Patience: 5 * time.Second, Think: 5 * time.Second,
		Visitors: 120, Bots: 500, BotRate: 8,
	}
}

// Quick is the same story in a few seconds, at half the size.
func Quick() Story {
	return Story{
		Seed:  1,
		Site:  SiteConfig{Workers: 4, Backlog: 256, Page: 20 * time.Millisecond, Asset: 2 * time.Millisecond},
		Quiet: time.Second, Flood: 3 * time.Second, Patience: 2500 * time.Millisecond, Think: 2 * time.Second,
		Visitors: 60, Bots: 250, BotRate: 8,
	}
}

// Validate reports what is out of bounds.
func (s Story) Validate() error {
	if err := s.Site.validate(); err != nil {
		return fmt.Errorf("story: %w", err)
	}
	switch {
	case s.Quiet < 0 || s.Flood <= 0 || s.Quiet+s.Flood > 10*time.Minute:
		return fmt.Errorf("story: phases of %v and %v, want up to 10m together", s.Quiet, s.Flood)
	case s.Patience <= 0 || s.Patience > time.Minute || s.Think <= 0:
		return fmt.Errorf("story: patience %v and think %v, want more than 0, and patience up to 1m", s.Patience, s.Think)
	case s.Visitors < 1 || s.Visitors > 2000:
		return fmt.Errorf("story: %d visitors, want 1 to 2000", s.Visitors)
	case s.Bots < 1 || s.Bots > 2000:
		return fmt.Errorf("story: %d bots, want 1 to 2000", s.Bots)
	case s.BotRate <= 0 || s.BotRate > 100:
		return fmt.Errorf("story: %v requests a second and bot, want more than 0 and up to 100", s.BotRate)
	case s.shots() > maxShots:
		return fmt.Errorf("story: a flood of %d requests, want up to %d", s.shots(), maxShots)
	}
	return nil
}

// shots bounds the requests of the flood: it may last until the last step begun in it is decided.
func (s Story) shots() int {
	return int(float64(s.Bots)*s.BotRate*(s.Flood+s.Patience).Seconds()) + s.Bots
}

// Result is the score of one run.
type Result struct {
	Target   string       `json:"target"`
	Quiet    Visitors     `json:"quiet"`
	Flood    Visitors     `json:"flood"`
	Attack   AttackCounts `json:"attack"`
	Origin   OriginCounts `json:"origin"`
	Examples []string     `json:"examples,omitempty"` // the first steps that failed
}

// Frame is a run at one moment. Counts run from its beginning.
type Frame struct {
	Name     string        // of the run; set by Perform
	Elapsed  time.Duration // since it began
	Planned  time.Duration // quiet and flood
	Flooding bool
	Quiet    Steps
	Flood    Steps
	Attack   AttackCounts
	Origin   OriginCounts
	Site     SiteConfig
	Shield   *Facts // nil if bare
}

// Steps is how many steps of visitors came right, and how many did not.
type Steps struct{ Served, Failed int }

const frameInterval = 125 * time.Millisecond

// Run plays story against target, behind which site stands, and calls watch (if not nil) eight times a second, from one
// goroutine. Before the first packet it refuses a target that is not a loopback address. It returns an error if the
// story is out of bounds, if ctx ends, or if the machine lacks descriptors or source addresses; a target that serves
// nobody is a result.
func Run(ctx context.Context, story Story, targetURL string, site *Site, watch func(Frame)) (Result, error) {
	if err := story.Validate(); err != nil {
		return Result{}, err
	}
	t, err := resolve(ctx, targetURL)
	if err != nil {
		return Result{}, err
	}
	r := newRun(story, dialFrom(t), t.host, site)
	if err := canBind(r.people.bots[0]); err != nil {
		return Result{}, err
	}
	if err := r.play(ctx, watch); err != nil {
		return Result{}, err
	}
	return r.result(targetURL), nil
}

// canBind checks that the whole of 127.0.0.0/8 is this machine's.
func canBind(a netip.Addr) error {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		return fmt.Errorf("the drill needs all of 127.0.0.0/8 as source addresses, as Linux has it: %w", err)
	}
	return l.Close()
}

// run is a story being played.
type run struct {
	story    Story
	dial     dialer
	host     string
	site     *Site
	content  *content
	people   *population
	score    *score
	flood    *flood
	flooding atomic.Bool
	closing  chan struct{} // no more steps
	fault    func(error)   // ends the run
}

func newRun(story Story, dial dialer, host string, site *Site) *run {
	r := &run{
		story: story, host: host, site: site, content: site.content, score: newScore(), closing: make(chan struct{}),
		people: newPopulation(rand.New(rand.NewPCG(story.Seed, 0)), story.Bots),
	}
	r.dial = func(ctx context.Context, source netip.Addr) (net.Conn, error) {
		c, err := dial(ctx, source)
		if err != nil && machineFault(err) {
			r.fault(fmt.Errorf("this machine can't carry the drill: %w", err))
		}
		return c, err
	}
	r.flood = newFlood(story, r.dial, host, r.people, r.content)
	site.counts.attribute(r.people.isBot)
	return r
}

// play runs both phases. The flood outlasts them until every step begun is decided: nobody is served by its end.
func (r *run) play(ctx context.Context, watch func(Frame)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.fault = func(err error) { cancel(err) }
	var visitors, rest sync.WaitGroup
	for _, s := range r.seats() {
		visitors.Go(func() { s.sit(ctx, r) })
	}
	floodCtx, stop := context.WithCancel(ctx)
	defer stop()
	rest.Go(func() { r.watch(floodCtx, watch) })
	if sleep(ctx, r.story.Quiet) {
		r.flooding.Store(true)
		rest.Go(func() { r.flood.run(floodCtx) })
		sleep(ctx, r.story.Flood)
	}
	close(r.closing)
	visitors.Wait()
	stop()
	rest.Wait()
	return context.Cause(ctx)
}

// seats places the visitors; an office's share one address.
func (r *run) seats() []*seat {
	var out []*seat
	all := kinds()
	for i, n := range seats(r.story.Visitors) {
		office := r.people.visitor(rand.New(rand.NewPCG(r.story.Seed, 3<<32)))
		for range n {
			s := &seat{kind: all[i], rng: rand.New(rand.NewPCG(r.story.Seed, uint64(len(out))|4<<32))}
			if s.kind.name == "office" {
				s.source = office
			}
			out = append(out, s)
		}
	}
	return out
}

// idle pauses a visitor and reports whether another step may begin.
func (r *run) idle(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-r.closing:
	case <-ctx.Done():
	}
	return false
}

// watch calls f with a frame from time to time until ctx ends, and once more then.
func (r *run) watch(ctx context.Context, f func(Frame)) {
	if f == nil {
		return
	}
	start := time.Now()
	f(r.frame(0))
	for sleep(ctx, frameInterval) {
		f(r.frame(time.Since(start)))
	}
	f(r.frame(time.Since(start)))
}

func (r *run) frame(elapsed time.Duration) Frame {
	f := Frame{
		Elapsed: elapsed, Planned: r.story.Quiet + r.story.Flood, Flooding: r.flooding.Load(),
		Attack: r.flood.tally.snapshot(), Origin: r.site.Counts(), Site: r.site.config,
	}
	f.Quiet, f.Flood = r.score.now()
	return f
}

func (r *run) result(target string) Result {
	return Result{
		Target: target, Quiet: r.score.visitors(false), Flood: r.score.visitors(true),
		Attack: r.flood.tally.snapshot(), Origin: r.site.Counts(), Examples: r.score.examples,
	}
}

// sleep waits for d and reports true, or false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
