package conn

import "time"

const (
	// sweepEvery is how often each connection is looked at: what deadlines are exact to.
	sweepEvery = time.Second
	sweepParts = 4
	// lingerFor bounds a lingering close.
	lingerFor = 2 * time.Second
)

// notes is what the sweeper remembers of a connection between two looks.
type notes struct {
	in, out progress
}

// progress watches bytes that move while somebody waits for them.
type progress struct {
	from         int64 // when this wait began, in ms
	base         int64 // what had moved by then
	last, lastAt int64 // what had moved when it last moved
}

// sweep looks at every connection once in sweepEvery, a part of them at a time, so that no request pays for a timer.
func (r *Room) sweep() {
	tick := time.NewTicker(sweepEvery / sweepParts)
	defer tick.Stop()
	for part := 0; ; part = (part + 1) % sweepParts {
		select {
		case now := <-tick.C:
			ms := now.UnixMilli()
			for shard := part; shard < tableShards; shard += sweepParts {
				r.table.eachOf(shard, func(c *Conn) { r.look(c, ms) })
			}
		case <-r.stop:
			return
		}
	}
}

// look cuts a connection that has used up the patience of its phase.
func (r *Room) look(c *Conn, now int64) {
	p, since := c.since()
	lasted := time.Duration(now-since) * time.Millisecond
	switch p {
	case idle:
		if lasted > r.limits.IdleTimeout && c.expire(idle) {
			c.t.interrupt()
		}
	case head:
		if lasted > r.limits.HeadTimeout && c.expire(head) {
			r.cut(c, HeadSlow)
		}
	case waiting:
		if lasted > sweepEvery/sweepParts && c.t.gone() {
			c.abort.Fire()
		}
	case reading:
		if r.tooSlow(&c.notes.in, since, now, c.got.Load()) {
			r.cut(c, BodySlow)
		}
	case tunnel:
		if c.notes.in.still(since, now, c.got.Load()+c.sent.Load()) > r.limits.TunnelTimeout {
			c.t.interrupt()
		}
	case lingering:
		if lasted > lingerFor {
			c.t.interrupt()
		}
	}
	if blocked := c.blocked.Load(); blocked != 0 && p != tunnel {
		// What the peer has acknowledged counts, not what the kernel took off our hands.
		if r.tooSlow(&c.notes.out, blocked, now, c.sent.Load()-c.t.unacked()) {
			r.cut(c, ReaderSlow)
		}
	}
}

func (r *Room) cut(c *Conn, cause Cause) {
	r.refused[cause].Add(1)
	c.abort.Fire()
	c.t.interrupt()
}

// tooSlow judges a wait: nothing may stand still for StallTimeout, and after that the average since the wait began must reach MinRate.
func (r *Room) tooSlow(p *progress, since, now, moved int64) bool {
	if p.still(since, now, moved) > r.limits.StallTimeout {
		return true
	}
	over := time.Duration(now-p.from)*time.Millisecond - r.limits.StallTimeout
	return over > 0 && float64(p.last-p.base) < float64(r.limits.MinRate)*over.Seconds()
}

// still notes what has moved and returns for how long nothing has.
func (p *progress) still(since, now, moved int64) time.Duration {
	if p.from != since {
		*p = progress{from: since, base: moved, last: moved, lastAt: now}
	}
	if moved != p.last {
		p.last, p.lastAt = moved, now
	}
	return time.Duration(now-p.lastAt) * time.Millisecond
}
