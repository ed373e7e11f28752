package conn

import "time"

const (
	// sweepEvery is how often each connection is looked at: what deadlines are exact to.
	sweepEvery = time.Second
	sweepParts = 4
)

// notes is what the sweeper remembers of a connection between two looks.
type notes struct {
	in, out, tunnel progress
}

// noted is what the sweeper remembers of c.
func (c *Conn) noted() *notes {
	if c.notes == nil {
		c.notes = new(notes)
	}
	return c.notes
}

// sweep looks at every connection once in every, a part of them at a time, so that no request pays for a timer.
func (r *Room) sweep() {
	tick := time.NewTicker(r.every / sweepParts)
	defer tick.Stop()
	for part := 0; ; part = (part + 1) % sweepParts {
		select {
		case t := <-tick.C:
			now := r.clock(t)
			if part == 0 {
				r.hopeless.gauge(t, now)
			}
			for shard := part; shard < tableShards; shard += sweepParts {
				r.table.eachOf(shard, func(c *Conn) { r.look(c, now) })
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
	case fresh, head:
		switch {
		case lasted > r.limits.HeadTimeout && c.expire(p, since):
			r.refused[HeadSlow].Add(1)
			c.wire.interrupt()
		case c.marks.Load()&beside != 0:
			c.mind()
		}
	case idle:
		if lasted > r.limits.IdleTimeout && c.expire(p, since) {
			c.wire.interrupt()
		}
	case serving:
		c.mind()
	case waiting:
		r.lookAtWork(c, now, lasted)
	case told:
		if lasted > tellFor && c.expire(p, since) {
			c.wire.interrupt()
		}
	case tunnel:
		if c.noted().tunnel.still(since, now, c.in.moved.Load()+c.out.moved.Load()) > r.limits.TunnelTimeout {
			c.wire.interrupt()
		}
	}
	if p == head || p == idle || p == serving {
		c.notes = nil
		r.lookAtRest(c, p, since, lasted)
	}
	if p != tunnel && c.out.waiting() {
		// What the peer has acknowledged counts, not what the kernel took off our hands.
		if c.out.tooSlow(&c.noted().out, now, c.wire.unacked(), r.limits.StallTimeout, r.limits.MinRate) {
			r.refused[ReaderSlow].Add(1)
			c.marks.Or(cut)
			c.abort.Fire()
			c.wire.interrupt()
		}
	}
}

// mind lets a session have a turn, for the time of its requests.
func (c *Conn) mind() {
	c.marks.Or(woken)
	c.wire.tick()
}

// lookAtWork minds a client whose request is being answered: it has to send its body, and to be there. One that sends too slowly can
// still be told so.
func (r *Room) lookAtWork(c *Conn, now int64, lasted time.Duration) {
	switch {
	case c.in.waiting():
		if c.in.tooSlow(&c.noted().in, now, 0, r.limits.StallTimeout, r.limits.MinRate) {
			r.refused[BodySlow].Add(1)
			c.wire.interruptRead()
		}
	case lasted > r.every/sweepParts && c.wire.gone():
		c.abort.Fire()
	}
}

// lookAtRest asks once in each rest whether the peer has left. Mostly its leaving wakes the connection, but not if the news came with
// its last bytes and the driver, having read fewer than it had room for, asked no further.
func (r *Room) lookAtRest(c *Conn, p phase, since int64, lasted time.Duration) {
	if lasted <= r.every/sweepParts || c.asked == since {
		return
	}
	c.asked = since
	if c.wire.gone() && c.expire(p, since) {
		c.wire.interrupt()
	}
}
