package drill

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	maxSessions     = 1000 // under way at once; beyond, who has been idle for longest leaves
	maxSessionSpare = 2000 // connections beyond the first of each, of all together
	sessionLinks    = 6    // connections of one over HTTP/1.1, as browsers have
	sessionPages    = 8    // of a visit, at most; then the bot comes again as somebody else
	// sessionRequests is how many requests a page of a visit takes on average, most files being kept after the first.
	sessionRequests = 3
)

// visits is the headless browsers that are on the site.
type visits struct {
	spare chan struct{}

	mu    sync.Mutex
	byBot map[*attacker]*session
	idle  *list.List // of *session, idle for longest first
}

// session is one visit of a headless browser: what any browser does, by the same code as visitors' browsers, at the pace
// of the attack.
type session struct {
	attack *attack
	bot    *attacker
	agent  *userAgent
	begun  atomic.Int64 // requests
	pages  int          // left
	at     string       // the page that is shown
	idle   *list.Element
}

func newVisits() *visits {
	return &visits{spare: make(chan struct{}, maxSessionSpare), byBot: map[*attacker]*session{}, idle: list.New()}
}

// presence is the truth as a bot's browser tells it, which takes itself for a visitor's.

func (s *session) claim(netip.Addr, site.Who) {}

func (s *session) enter(source netip.Addr, method, target string, _ site.Who) (leave func()) {
	s.begun.Add(1)
	s.attack.field.account.begin()
	return s.attack.field.truth.enter(source, method, target, site.Attacker)
}

// take returns the session of a bot for one page, beginning it if there is none; nil if its last page is still loading, or
// so many bots' are that there is no room.
func (v *visits) take(a *attack, b *attacker, software *wire.Software, pages int) *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.byBot[b]
	switch {
	case s != nil && s.idle == nil:
		return nil
	case s != nil:
		v.idle.Remove(s.idle)
		s.idle = nil
		return s
	case len(v.byBot) >= maxSessions:
		oldest := v.idle.Front()
		if oldest == nil {
			return nil
		}
		v.end(oldest.Value.(*session))
	}
	s = &session{attack: a, bot: b, pages: pages}
	s.agent = newUserAgent(a.dialer.Target, s, b.source, software, newConns(sessionLinks, software.HTTP2 != nil, v.spare,
		func(ctx context.Context) (*wire.Conn, error) { return a.dialer.Dial(ctx, b.source, software) }))
	s.agent.cookies, s.agent.caches, s.agent.window = true, true, true
	v.byBot[b] = s
	return s
}

// give takes a session back after a page, and ends it with its last.
func (v *visits) give(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.idle = v.idle.PushBack(s)
	if s.pages--; s.pages <= 0 {
		v.end(s)
	}
}

func (v *visits) end(s *session) {
	v.idle.Remove(s.idle)
	delete(v.byBot, s.bot)
	s.agent.conns.leave()
}

// endAll ends what an attack has left.
func (v *visits) endAll(a *attack) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.byBot {
		if s.attack == a {
			v.end(s)
		}
	}
}

// browse has a bot open its next page, and load what it shows.
func (a *attack) browse(ctx context.Context, s slot) {
	rng := rand.New(rand.NewPCG(s.seed, 0))
	v := a.field.visits.take(a, &a.bots[s.bot], a.wardrobe.of(s).Software, 2+rng.IntN(sessionPages-1))
	if v == nil {
		a.withhold()
		return
	}
	a.wg.Go(func() {
		a.field.account.late(s.at)
		a.open(ctx, v, rng)
		a.field.visits.give(v)
	})
}

// open loads a page. Of the requests that takes, each counts as what became of the page.
func (a *attack) open(ctx context.Context, v *session, rng *rand.Rand) {
	t := a.choice.draw(rng)
	path := string(t.path.append(nil, rng, a.field.content))
	q := t.request(path, &look{Software: v.agent.software}, a.dialer.Target, rng, a.field.content)
	page := ask{method: q.Method, path: path, fields: q.Fields, body: q.Body}
	if v.at != "" {
		page.fields = append(page.fields, wire.Field{Name: "Referer", Value: v.at})
	}
	var files []*site.Resource
	if r := a.field.content.Resource(path); r != nil {
		page.want, files = r.Body, r.Assets
	}
	pctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	at := v.agent.target.Origin() + path
	before := v.begun.Load()
	err := v.agent.load(pctx, page, files, at)
	n := int(v.begun.Load() - before)
	var r *rebuff
	switch {
	case err == nil:
		v.at = at
		v.agent.consent()
		a.field.account.answer(http.StatusOK, n)
	case errors.As(err, &r):
		a.field.account.answer(r.status, n)
	default:
		a.field.account.fail(ctx, err, n)
	}
}
