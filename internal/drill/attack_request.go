package drill

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// request begins one request of a bot's, on a connection that waits for one or on a new one: what came before it may
// still be waiting for an answer.
func (a *attack) request(_ context.Context, s slot) {
	l := a.wardrobe.of(s)
	k := a.field.pool.acquire(a, &a.bots[s.bot], l)
	if k == nil {
		a.withhold()
		return
	}
	a.crew.do(job{k, l, s})
}

// shoot draws a request, sends it, and counts what became of it.
func (a *attack) shoot(ctx context.Context, j job) {
	k, s := j.link, j.slot
	a.field.account.late(s.at)
	a.field.account.begin()
	rng := rand.New(rand.NewPCG(s.seed, 0))
	t := a.choice.draw(rng)
	buffer := a.field.buffers.Get().(*[]byte)
	defer a.field.buffers.Put(buffer)
	path := t.path.append((*buffer)[:0], rng, a.field.content)
	leave := a.field.truth.enter(k.bot.source, t.method, string(path), site.Attacker)
	defer leave()

	deadline := time.Now().Add(a.timeout)
	status, err := a.exchange(ctx, k, deadline, func(c *wire.Conn, r *wire.Response) error {
		if a.Kind != scenario.Resets && !c.HTTP2() {
			*buffer = t.appendHTTP1(path, j.look, a.dialer.Target, path, rng, a.field.content)
			return c.Shoot(deadline, (*buffer)[len(path):], r)
		}
		q := t.request(string(path), j.look, a.dialer.Target, rng, a.field.content)
		if a.Kind == scenario.Resets { // taken back at once (CVE-2023-44487)
			return c.Reset(&q)
		}
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return c.Do(ctx, &q, r, nil)
	})
	switch {
	case err != nil:
		a.field.account.fail(ctx, err, 1)
	case a.Kind == scenario.Resets:
		a.field.account.took("reset")
	default:
		a.field.account.answer(status, 1)
	}
}

// exchange has send use k, which it connects first if need be, and gives k back. A connection that has been closed while
// it was idle is replaced once.
func (a *attack) exchange(
	ctx context.Context, k *link, deadline time.Time, send func(*wire.Conn, *wire.Response) error,
) (status int, err error) {
	p := a.field.pool
	for {
		fresh := k.conn == nil
		if fresh {
			if err := a.connect(ctx, k, deadline); err != nil {
				p.release(k, false)
				return 0, err
			}
		}
		var r wire.Response
		if err = send(k.conn, &r); err == nil {
			p.release(k, k.conn.Reusable())
			return r.Status, nil
		}
		next := (*link)(nil)
		if p.release(k, false); !fresh && r.Status == 0 && wire.Why(err) == "closed" {
			next = p.acquire(a, k.bot, k.look)
		}
		if next == nil {
			return 0, err
		}
		k = next
	}
}

// connect dials k's connection.
func (a *attack) connect(ctx context.Context, k *link, deadline time.Time) error {
	dctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c, err := a.dialer.Dial(dctx, k.bot.source, k.look.Software)
	if err != nil {
		return err
	}
	if !a.field.pool.connected(k, c, c.Abandon) {
		return context.Canceled
	}
	return nil
}
