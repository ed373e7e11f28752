package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A kind is one sort of visitor.
type kind struct {
	name    string
	share   float64 // of the visitors; browsers are the rest
	think   float64 // pause between steps, as a multiple of the story's
	stay    int     // steps until another person takes the seat; 0: the same one stays
	profile func(*rand.Rand) profile
	cookies bool
	caches  bool
	step    func(*person) step
}

// kinds returns the sorts of visitors in the order of the table.
func kinds() []kind {
	return []kind{
		{name: "browser", think: 1, stay: 3, profile: browserProfile, cookies: true, caches: true, step: (*person).browse},
		{name: "office", share: 0.10, think: 1, stay: 4, profile: browserProfile, cookies: true, caches: true, step: (*person).browse},
		{name: "text browser", share: 0.06, think: 1, stay: 3, profile: textProfile, cookies: true, step: (*person).readText},
		{name: "feed reader", share: 0.10, think: 1, stay: 2, profile: feedProfile, caches: true, step: (*person).poll},
		{name: "api client", share: 0.10, think: 0.5, stay: 0, profile: apiProfile, step: (*person).call},
		{name: "phone", share: 0.04, think: 0.5, stay: 1, profile: browserProfile, cookies: true, step: (*person).download},
		{name: "crawler", share: 0.01, think: 0.1, stay: 0, profile: crawlerProfile, step: (*person).crawl},
	}
}

// seats returns how many of n visitors are of each kind: at least one.
func seats(n int) []int {
	all := kinds()
	out := make([]int, len(all))
	out[0] = n
	for i := 1; i < len(all); i++ {
		out[i] = max(1, int(all[i].share*float64(n)))
		out[0] -= out[i]
	}
	out[0] = max(1, out[0])
	return out
}

// person is a visitor during one visit.
type person struct {
	agent
	rng     *rand.Rand
	content *content
	steps   int
	at      string // path of the page being read, for Referer
	user    string // once logged in
	pace    int    // bytes a second of a download
}

// A step is what a person set out to do. Done again, it is the same: a reload asks for the same page.
type step func(context.Context) error

// visit takes one step within patience. A person or program that is turned away comes back once: after Retry-After if
// there is one, else after a fifth of the patience; late says that the second try served.
func visit(ctx context.Context, do step, patience time.Duration) (late bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err = do(ctx); err == nil {
		return false, nil
	}
	pause := patience / 5
	if f := (*failure)(nil); errors.As(err, &f) && f.retryAfter > 0 {
		pause = f.retryAfter
	}
	if deadline, _ := ctx.Deadline(); time.Until(deadline) <= pause || !sleep(ctx, pause) {
		return false, err
	}
	return true, do(ctx)
}

// browse is a step of somebody with a browser: the front page first, then mostly articles.
func (p *person) browse() step {
	switch n := p.rng.IntN(20); {
	case p.steps == 0 || n < 2:
		return p.open(p.content.home)
	case n < 5:
		return p.search()
	case n < 7:
		return p.logIn()
	}
	return p.open(p.popular())
}

// popular draws an article, the first ones more often.
func (p *person) popular() *resource {
	u := p.rng.Float64()
	return p.content.articles[int(u*u*float64(len(p.content.articles)))]
}

// open loads a page and then what it shows.
func (p *person) open(r *resource) step {
	return func(ctx context.Context) error {
		if err := p.fetch(ctx, p.get(r)); err != nil {
			return err
		}
		p.at = r.path
		p.consent()
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(agentConns)
		for _, asset := range r.assets {
			if !p.loaded[asset.path] {
				p.loaded[asset.path] = true
				g.Go(func() error { return p.fetch(ctx, p.get(asset)) })
			}
		}
		err := g.Wait()
		if err != nil {
			clear(p.loaded) // a reload asks for all of it
		}
		return err
	}
}

// consent is the cookie that the page's script sets at the first page.
func (p *person) consent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cookies && p.caches { // runs scripts
		p.setCookie("consent", "1")
	}
}

// get is the query for a resource, coming from the page being read.
func (p *person) get(r *resource) query {
	q := query{method: "GET", path: r.path, status: 200, want: r.body}
	if p.at != "" && p.cookies {
		q.fields = referer(p.host, p.at)
	}
	return q
}

func referer(host, path string) string { return "Referer: http://" + host + path + "\r\n" }

// one is a step of a single request.
func (p *person) one(q query) step {
	return func(ctx context.Context) error { return p.fetch(ctx, q) }
}

// search asks for one to three words, and expects the results to be of these.
func (p *person) search() step {
	asked := p.content.words.draw(p.rng, 1+p.rng.IntN(3))
	q := query{method: "GET", path: "/search?q=" + strings.Join(asked, "+"), status: 200,
		contains: resultsFor(strings.Join(asked, " "))}
	if p.at != "" {
		q.fields = referer(p.host, p.at)
	}
	return p.one(q)
}

// logIn posts name and password, follows the redirect, and expects to be greeted by name.
func (p *person) logIn() step {
	if p.user != "" {
		return p.one(query{method: "GET", path: "/account", status: 200, contains: greeting(p.user)})
	}
	user := fmt.Sprintf("%s%03d", p.content.words.draw(p.rng, 1)[0], p.rng.IntN(1000))
	post := query{method: "POST", path: "/login", status: 303, body: "user=" + user + "&password=" + passwordOf(user)}
	if p.at != "" {
		post.fields = referer(p.host, p.at)
	}
	return func(ctx context.Context) error {
		if err := p.fetch(ctx, post); err != nil {
			return err
		}
		p.user = user
		return p.fetch(ctx, query{method: "GET", path: "/account", status: 200, contains: greeting(user)})
	}
}

// readText is a step of somebody whose browser shows text only.
func (p *person) readText() step {
	switch {
	case p.steps == 0:
		return p.one(p.get(p.content.home))
	case p.rng.IntN(4) == 0:
		return p.search()
	}
	return p.one(p.get(p.popular()))
}

func (p *person) poll() step { return p.one(p.get(p.content.feed)) }

func (p *person) call() step {
	station := p.rng.IntN(stations)
	return p.one(query{method: "GET", path: fmt.Sprintf("/api/v1/tides?station=%d", station), status: 200,
		contains: tidesAt(station)})
}

func (p *person) download() step {
	q := p.get(p.content.download)
	q.pace = p.pace
	return p.one(q)
}

func (p *person) crawl() step {
	if p.steps == 0 {
		return p.one(p.get(p.content.byPath["/robots.txt"]))
	}
	return p.one(p.get(p.content.articles[p.steps%articleCount]))
}

// seat is a place that visitors of one kind take one after another.
type seat struct {
	kind   kind
	rng    *rand.Rand
	source netip.Addr // of everybody who sits here; invalid: each brings their own
}

// sit plays persons in turn until done is closed, and finishes the step it is in.
func (s *seat) sit(ctx context.Context, r *run) {
	think := time.Duration(s.kind.think * float64(r.story.Think))
	pause := time.Duration(s.rng.Float64() * float64(think)) // not all at once
	p := s.newcomer(r)
	defer func() { p.leave() }()
	for r.idle(ctx, pause) {
		if s.kind.stay > 0 && p.steps == s.kind.stay {
			p.leave()
			p = s.newcomer(r)
		}
		began := time.Now()
		late, err := visit(ctx, s.kind.step(p), r.story.Patience)
		r.score.step(s.kind.name, p.source, r.flooding.Load(), time.Since(began), late, err)
		p.steps++
		pause = time.Duration((0.5 + s.rng.Float64()) * float64(think))
	}
}

// newcomer is the next person in the seat.
func (s *seat) newcomer(r *run) *person {
	source := s.source
	if !source.IsValid() {
		source = r.people.visitor(s.rng)
	}
	return &person{
		agent: agent{
			dial: r.dial, source: source, host: r.host, profile: s.kind.profile(s.rng),
			cookies: s.kind.cookies, caches: s.kind.caches, kept: map[string]string{}, loaded: map[string]bool{},
		},
		rng: s.rng, content: r.content, pace: int(downloadSize / (0.4 * r.story.Patience.Seconds())),
	}
}
