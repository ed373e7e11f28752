package drill

import (
	"bufio"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A shot is one request of a bot, due at a moment of the flood.
type shot struct {
	at   time.Duration
	bot  int
	line string // method and target
	form string // of a POST
}

// schedule is the flood as planned: every bot at its own rate, with jitter, from its own moment on. It depends on
// nothing but its seed.
type schedule struct {
	interval time.Duration
	content  *content
	bots     []botPlan
	due      dueHeap
}

type botPlan struct {
	rng   *rand.Rand
	first time.Duration
	sent  int
}

// newSchedule lets every bot begin within ramp.
func newSchedule(seed uint64, bots int, rate float64, ramp time.Duration, c *content) *schedule {
	s := &schedule{interval: time.Duration(float64(time.Second) / rate), content: c, bots: make([]botPlan, bots)}
	for i := range s.bots {
		rng := rand.New(rand.NewPCG(seed, uint64(i)|1<<32))
		s.bots[i] = botPlan{rng: rng, first: time.Duration(rng.Float64() * float64(ramp))}
		s.due = append(s.due, due{s.bots[i].first, i})
	}
	heap.Init(&s.due)
	return s
}

// next returns the shots in the order of time. The k-th of a bot falls into the k-th interval after its first moment,
// so that no bot exceeds its rate but for one request.
func (s *schedule) next() shot {
	d := s.due[0]
	b := &s.bots[d.bot]
	out := shot{at: d.at, bot: d.bot}
	out.line, out.form = s.attack(b.rng)
	b.sent++
	s.due[0].at = b.first + time.Duration((float64(b.sent)+b.rng.Float64())*float64(s.interval))
	heap.Fix(&s.due, 0)
	return out
}

// attack draws what hurts a site: searches that no cache knows, articles (half of them past the cache), logins.
func (s *schedule) attack(rng *rand.Rand) (line, form string) {
	switch n := rng.IntN(10); {
	case n < 6:
		return "GET /search?q=" + strings.Join(s.content.words.draw(rng, 2+rng.IntN(3)), "+"), ""
	case n < 8:
		line = "GET " + s.content.articles[rng.IntN(articleCount)].path
		if n == 7 {
			line += fmt.Sprintf("?v=%d", rng.IntN(1e9))
		}
		return line, ""
	}
	return "POST /login", fmt.Sprintf("user=%s%03d&password=%08x", s.content.words.draw(rng, 1)[0], rng.IntN(1000), rng.Uint32())
}

type due struct {
	at  time.Duration
	bot int
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || (h[i].at == h[j].at && h[i].bot < h[j].bot)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any     { panic("drill: bots never leave the schedule") }

// flood sends a schedule from its bots' addresses. It is open loop: a shot is sent when it is due, on another
// connection if the bot's others still wait for answers, which a bot does for no longer than timeout.
type flood struct {
	dial     dialer
	bots     []*bot
	schedule *schedule
	timeout  time.Duration
	limit    int // of connections a bot
	most     int // shots
	tally    attackTally
	wg       sync.WaitGroup
}

// bot is one source of the flood. Only the dispatching goroutine touches open.
type bot struct {
	source netip.Addr
	tail   string // what follows the request line
	work   chan shot
	open   int
}

func newFlood(story Story, dial dialer, host string, people *population, c *content) *flood {
	f := &flood{
		dial:     dial,
		schedule: newSchedule(story.Seed, story.Bots, story.BotRate, story.Flood/16, c),
		timeout:  story.Patience / 5,
		most:     story.shots(),
	}
	f.limit = int(story.BotRate*f.timeout.Seconds()) + 2
	for i, source := range people.bots {
		rng := rand.New(rand.NewPCG(story.Seed, uint64(i)|2<<32))
		tail := " HTTP/1.1\r\nHost: " + host + "\r\n" + string(browserProfile(rng))
		if rng.IntN(3) > 0 {
			tail += referer(host, "/")
		}
		f.bots = append(f.bots, &bot{source: source, tail: tail, work: make(chan shot)})
	}
	return f
}

// run sends the schedule until ctx ends, and returns when the last bot has stopped.
func (f *flood) run(ctx context.Context) {
	defer f.wg.Wait()
	start := time.Now()
	for range f.most {
		s := f.schedule.next()
		if wait := time.Until(start.Add(s.at)); wait > 0 && !sleep(ctx, max(wait, time.Millisecond)) {
			return // a millisecond's shots go out together: a timer each would cost more than the shot
		}
		if ctx.Err() != nil {
			return
		}
		if lag := int64(time.Since(start.Add(s.at))); lag > f.tally.lag.Load() {
			f.tally.lag.Store(lag) // the only writer
		}
		f.send(ctx, f.bots[s.bot], s)
	}
	<-ctx.Done()
}

// send hands a shot to a connection of the bot that waits for work, or to a new one.
func (f *flood) send(ctx context.Context, b *bot, s shot) {
	select {
	case b.work <- s:
		f.tally.offered.Add(1)
		return
	default:
	}
	if b.open >= f.limit {
		f.tally.withheld.Add(1)
		return
	}
	b.open++
	f.tally.offered.Add(1)
	f.wg.Go(func() { f.connection(ctx, b, s) })
}

// connection sends s and then what else it is handed, over one connection at a time.
func (f *flood) connection(ctx context.Context, b *bot, s shot) {
	var c *conn
	buf := make([]byte, 0, 1024)
	for {
		buf = b.render(buf[:0], s)
		c = f.exchange(ctx, b, c, buf)
		select {
		case s = <-b.work:
		case <-ctx.Done():
			if c != nil {
				c.abandon()
			}
			return
		}
	}
}

func (b *bot) render(buf []byte, s shot) []byte {
	buf = append(append(buf, s.line...), b.tail...)
	if s.form != "" {
		return appendForm(buf, s.form)
	}
	return append(buf, "\r\n"...)
}

// exchange sends one request and returns the connection if it carries another. An idle connection that has been
// closed meanwhile is replaced once.
func (f *flood) exchange(ctx context.Context, b *bot, c *conn, request []byte) *conn {
	deadline := time.Now().Add(f.timeout)
	for {
		if c == nil {
			dctx, cancel := context.WithDeadline(ctx, deadline)
			nc, err := f.dial(dctx, b.source)
			cancel()
			if err != nil {
				f.tally.fail(ctx, why(err))
				return nil
			}
			c = &conn{Conn: nc, br: bufio.NewReaderSize(nc, 2<<10)}
		}
		_ = c.SetDeadline(deadline)
		var r response
		reuse, err := c.exchange(request, &r, nil)
		if err == nil {
			f.tally.answers[r.status].Add(1)
		}
		if err == nil && reuse {
			return c
		}
		stale := c.used && r.status == 0 && err != nil && why(err) == "closed"
		c.abandon()
		c = nil
		if !stale {
			if err != nil {
				f.tally.fail(ctx, why(err))
			}
			return nil
		}
	}
}

// attackTally counts what became of the flood.
type attackTally struct {
	offered, withheld atomic.Int64
	lag               atomic.Int64      // nanoseconds
	answers           [600]atomic.Int64 // by status

	mu       sync.Mutex
	failures map[string]int
}

func (t *attackTally) fail(ctx context.Context, why string) {
	if ctx.Err() != nil {
		return // cut off by the end of the flood
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == nil {
		t.failures = map[string]int{}
	}
	t.failures[why]++
}

// AttackCounts is what became of the flood's requests.
type AttackCounts struct {
	Offered  int            `json:"offered"`
	Withheld int            `json:"withheld"` // not sent: all of the bot's connections waited for answers
	Answered int            `json:"answered"` // by 2xx and 3xx, and the site's own 401
	Outcomes map[string]int `json:"outcomes"` // by status, and timeout, refused, closed, malformed
	Lag      time.Duration  `json:"lag_ns"`   // of the shot sent latest after it was due: how starved the generator was
}

func (t *attackTally) snapshot() AttackCounts {
	c := AttackCounts{Offered: int(t.offered.Load()), Withheld: int(t.withheld.Load()),
		Lag: time.Duration(t.lag.Load()), Outcomes: map[string]int{}}
	for status := range t.answers {
		if n := int(t.answers[status].Load()); n > 0 {
			c.Outcomes[fmt.Sprint(status)] = n
			if status < 400 || status == 401 {
				c.Answered += n
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(c.Outcomes, t.failures)
	return c
}
