package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	// maxActs bounds the requests and connections of a whole scenario's attacks, whatever it says.
	maxActs = 1_000_000
	// tick is what the generator rounds up to when it waits: what is due within one goes out together, for a timer each
	// would cost more than the request.
	tick = time.Millisecond
	// batch is how much of it does so before the generator lets its answers be read: it shares a processor with them, and
	// bots whose answers lie unread open connections that they don't need.
	batch = 128
)

// Streams of the seed, a block of them for each attack.
const (
	attackStreams   = uint64(5) << 32
	streamsEach     = 8
	streamSources   = 0
	streamLooks     = 1
	streamTimetable = 2
)

// battlefield is what all attacks of a scenario share.
type battlefield struct {
	content *site.Content
	clock   *clock
	truth   *truth
	account account
	pool    *pool
	visits  *visits
	acts    atomic.Int64
	buffers sync.Pool // *[]byte: a request being rendered
}

// assault is all attacks of a scenario.
type assault struct {
	field   *battlefield
	attacks []*attack
}

// newAssault draws who attacks. It claims their addresses at truth, and sends nothing.
func newAssault(s *scenario.Scenario, d *wire.Dialer, c *site.Content, clock *clock, truth *truth) (*assault, error) {
	f := &battlefield{
		content: c, clock: clock, truth: truth, account: account{clock: clock}, pool: newPool(maxLinks), visits: newVisits(),
	}
	f.buffers.New = func() any { return new([]byte) }
	a := &assault{field: f}
	for i, x := range s.Attacks {
		if x.Until == 0 || x.Until > s.Length {
			x.Until = s.Length
		}
		if x.Kind == scenario.Sessions {
			x.Rate /= sessionRequests
			f.pool.most = maxLinks - maxSessions - maxSessionSpare
		}
		one, err := newAttack(f, s, x, d, attackStreams+uint64(i)*streamsEach)
		if err != nil {
			return nil, fmt.Errorf("attack %q: %w", x.Name, err)
		}
		a.attacks = append(a.attacks, one)
	}
	return a, nil
}

// run plays the attacks until ctx or the last of them ends, and returns when nothing of them is left.
func (a *assault) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, x := range a.attacks {
		wg.Go(func() { x.run(ctx) })
	}
	wg.Wait()
}

// moments returns what became of the attacks, by quarters of a second.
func (a *assault) moments() []score.Moment { return a.field.account.moments() }

// totals returns how many requests and connections were begun, how many were not because all of their bot's connections
// or all attackers' were waiting, how long after it was due the latest began, and what became of them. Where withheld or
// lag are more than little, the generator or its bounds were the limit, not the target.
func (a *assault) totals() (offered, withheld int, lag time.Duration, outcomes map[string]int) {
	c := &a.field.account
	return int(c.offered.Load()), int(c.withheld.Load()), time.Duration(c.lag.Load()), c.outcomes()
}

// attack is one attack being played.
type attack struct {
	scenario.Attack
	field    *battlefield
	dialer   *wire.Dialer
	bots     []attacker
	wardrobe *wardrobe
	choice   *choice
	table    *timetable
	timeout  time.Duration // of a request
	act      func(context.Context, slot)
	hellos   [][]byte // of a flood of handshakes
	over     bool     // the pool's lock guards it
	crew     *crew
	wg       sync.WaitGroup // who does what the crew doesn't
}

func newAttack(f *battlefield, s *scenario.Scenario, x scenario.Attack, d *wire.Dialer, stream uint64) (*attack, error) {
	rng := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(s.Seed, stream+n)) }
	a := &attack{Attack: x, field: f, dialer: addressed(d, x.Host), timeout: s.Patience / 2}
	if err := a.prepare(); err != nil {
		return nil, err
	}
	sources, err := drawSources(rng(streamSources), x.Sources, f.truth)
	if err != nil {
		return nil, err
	}
	limit := a.limit()
	a.bots = make([]attacker, len(sources))
	for i, source := range sources {
		a.bots[i] = attacker{source: source, limit: limit}
	}
	if a.wardrobe, err = newWardrobe(rng(streamLooks), x); err != nil {
		return nil, err
	}
	a.choice = newChoice(a.asks(), len(a.wardrobe.looks))
	a.table = newTimetable(rng(streamTimetable), x)
	if x.Kind == scenario.Handshakes {
		return a, a.makeHellos()
	}
	return a, nil
}

// prepare finds what the attack does when it is a bot's turn.
func (a *attack) prepare() error {
	acts := map[scenario.AttackKind]func(context.Context, slot){
		scenario.Requests: a.request, scenario.Sessions: a.browse, scenario.Handshakes: a.handshake, scenario.Resets: a.request,
		scenario.SlowHead: a.slow, scenario.SlowBody: a.slow, scenario.SlowRead: a.slow,
	}
	a.act = acts[a.Kind]
	if a.act == nil {
		return fmt.Errorf("kind %q is none that the drill has", a.Kind)
	}
	if (a.Kind == scenario.Handshakes || a.Kind == scenario.Resets) && !a.dialer.Target.TLS {
		return fmt.Errorf("%s need a target that speaks TLS (https)", a.Kind)
	}
	if a.Rate <= 0 || a.Sources.Count <= 0 || a.Until <= a.From {
		return fmt.Errorf("rate %v of %d sources from %v to %v is nothing", a.Rate, a.Sources.Count, a.From, a.Until)
	}
	return nil
}

// limit is how many connections a bot may have: as many as its share of the rate needs while nothing is answered or, if
// connections are what the attack is about, all of its share.
func (a *attack) limit() int {
	switch a.Kind {
	case scenario.Handshakes, scenario.SlowHead, scenario.SlowBody, scenario.SlowRead:
		return int(a.Rate/float64(a.Sources.Count)*(a.Until-a.From).Seconds()) + 2
	}
	return int(a.Rate/float64(acting(a.Attack))*a.timeout.Seconds()) + 2
}

// asks is what the attack asks for; where the scenario does not say, what visitors do.
func (a *attack) asks() []scenario.Request {
	switch {
	case len(a.Requests) > 0:
		return a.Requests
	case a.Kind == scenario.SlowRead:
		return []scenario.Request{{Path: a.field.content.Download.Path}}
	}
	return []scenario.Request{{Path: "/", Weight: 2}, {Path: "{article}", Weight: 6}, {Path: "/search?q={words}", Weight: 2}}
}

// addressed is d for requests to another host: they name it, and so does their hello.
func addressed(d *wire.Dialer, host string) *wire.Dialer {
	to := d.Target
	switch host {
	case "":
		return d
	case "address":
		to.Host = to.Addr.Addr().String()
	default:
		to.Host = host
	}
	return &wire.Dialer{Target: to, Fault: d.Fault, Connect: d.Connect}
}

// run plays the attack, and leaves nothing of it behind.
func (a *attack) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	a.crew = &crew{send: func(j job) { a.shoot(ctx, j) }}
	if a.field.clock.wait(ctx, a.From) && a.dispatch(ctx) {
		a.field.clock.wait(ctx, a.Until)
	}
	cancel()
	a.field.pool.end(a)
	a.crew.dismiss()
	a.wg.Wait()
	a.field.visits.endAll(a)
}

// dispatch begins each act when it is due, and reports false if ctx ended before the last.
func (a *attack) dispatch(ctx context.Context) bool {
	for atOnce := 0; ; atOnce++ {
		s, ok := a.table.slot()
		if !ok {
			return true
		}
		wait := s.at - a.field.clock.now()
		if wait > 0 || atOnce == batch {
			if atOnce = 0; !pause(ctx, max(wait, tick)) {
				return false
			}
		}
		if a.field.acts.Add(1) > maxActs {
			return true
		}
		a.act(ctx, s)
	}
}

// suits reports whether a request of a client that looks like that may go over s.
func (a *attack) suits(s *link, l *look) bool {
	return s.look == l || a.Agent == "tools"
}

// withhold counts what there was no connection for.
func (a *attack) withhold() { a.field.account.withheld.Add(1) }
