package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// visitor is a person or a program during one stay. What they do next is drawn from their own random numbers, never from
// what they were answered.
type visitor struct {
	role    *role
	rng     *rand.Rand
	content *site.Content
	event   *scenario.Event
	agent   *userAgent
	user    string           // who they are where one signs in
	begun   int              // errands
	before  string           // path of the errand before
	links   []*site.Resource // of the page before, for browsers that fetch ahead
	order   []int            // in which a crawler visits articles

	// what answers have told, for those errands alone that need it
	at       string // the page being read
	signedIn bool
	ahead    map[string]bool // pages prefetched
	socket   *wire.WebSocket
}

// An errand is what a visitor set out to do. Done again, it is the same: a reload asks for the same page.
type errand struct {
	path  string // asked for first
	do    func(context.Context) error
	after func(context.Context) // what the software does by itself once that is done; nil: nothing
}

// newVisitor makes the person of a stay.
func (c *crowd) newVisitor(s *stay) *visitor {
	rng := rand.New(rand.NewPCG(c.scenario.Seed, s.stream))
	v := &visitor{role: s.role, rng: rng, content: c.content, event: s.event, ahead: map[string]bool{}}
	if s.event != nil {
		v.at = s.event.Referer
	}
	software := s.role.software(rng)
	if without := rng.Float64() >= s.http2; s.role.http1 || (without && s.role.window) {
		software = software.WithoutHTTP2()
	}
	v.user = fmt.Sprintf("%s%03d", c.content.Words.Draw(rng, 1)[0], rng.IntN(1000))
	lone := c.dialer.Target.TLS && software.HTTP2 != nil
	v.agent = newUserAgent(c.dialer.Target, c.truth, s.source, software,
		newConns(s.role.conns, lone, c.spare, func(ctx context.Context) (*wire.Conn, error) {
			return c.dialer.Dial(ctx, s.source, software)
		}))
	v.agent.cookies, v.agent.caches, v.agent.window = s.role.cookies, s.role.caches, s.role.window
	switch {
	case s.role.slowest > 0:
		v.agent.pace = s.role.slowest * (1 + rng.IntN(4))
	case s.role.lasting > 0:
		v.agent.pace = int(float64(len(c.content.Download.Body)) / (s.role.lasting * c.scenario.Patience.Seconds()))
	}
	return v
}

// leave ends what is open.
func (v *visitor) leave() {
	if v.socket != nil {
		_ = v.socket.Close()
	}
	v.agent.conns.leave()
}

// next draws an errand.
func (v *visitor) next() errand {
	n := v.begun
	v.begun++
	e := v.errand(n)
	v.before, _, _ = strings.Cut(e.path, "?")
	return e
}

func (v *visitor) errand(n int) errand {
	if v.event != nil && v.event.Entry != "" && (n == 0 || v.event.Reload) {
		return v.role.enter(v, strings.Replace(v.event.Entry, "{article}", v.content.Articles[0].Path, 1))
	}
	return v.role.next(v, n)
}

// run takes an errand within patience. A person or program that is turned away comes back once (a role may be more
// stubborn): after Retry-After if there is one, else after a fifth of the patience, and twice as long each time.
func (v *visitor) run(ctx context.Context, e errand, patience time.Duration) fate {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	v.agent.challenged.Store(false)
	var f fate
	for wait := patience / 5; ; wait *= 2 {
		f.tries++
		err := e.do(ctx)
		if f.err == nil || err == nil || ctx.Err() == nil {
			f.err = err // else the patience that was left did not do: what they met before decides
		}
		if f.err == nil || f.tries == v.role.tries || isLost(err) {
			break
		}
		d := comeBack(f.err)
		if d == 0 {
			d = wait
		}
		if time.Until(deadline) <= d || !pause(ctx, d) {
			break
		}
	}
	f.challenged = v.agent.challenged.Load()
	return f
}

func isLost(err error) bool {
	s, ok := errors.AsType[*severed](err)
	return ok && s.lost
}

// afterwards lets software do what it does by itself once an errand is done.
func (v *visitor) afterwards(ctx context.Context, e errand, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e.after(ctx)
}
