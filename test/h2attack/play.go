package h2attack

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// blocked is how long a write may wait for a server before the attacker takes it that the server doesn't read.
const blocked = 300 * time.Millisecond

// play attacks on the connection until it is cut off, has sent everything, or its time is up.
func (c *conn) play(ctx context.Context, a *Attack, grace time.Duration) Cut {
	if over, ok := ctx.Deadline(); ok {
		c.SetWriteDeadline(over)
	}
	c.began = time.Now()
	var err error
	if a.begin != nil {
		err = a.begin(c)
	}
	c.first = c.id + 2
	if c.id == 0 {
		c.first = 1
	}
	if !a.unread {
		c.heard.complete()
	}
	switch {
	case err != nil:
	case a.slow():
		c.broke = c.began.Add(grace)
		err = c.linger(ctx, a)
	default:
		err = c.flood(ctx, a)
	}
	return c.conclude(ctx, a, grace, err)
}

// flood sends the units as fast as the server reads.
func (c *conn) flood(ctx context.Context, a *Attack) error {
	for c.sent < a.Most && !c.heard.over() && ctx.Err() == nil {
		if err := a.send(c, c.sent); err != nil {
			return err
		}
		c.sent++
		if c.sent > a.Budget && c.broke.IsZero() {
			if err := c.flush(a); err != nil {
				return err
			}
			c.broke = time.Now()
		}
		if c.sent%markEvery == 0 || c.sent < 2*markEvery && c.sent%4 == 0 {
			if err := c.mark(a); err != nil {
				return err
			}
		}
	}
	return c.mark(a)
}

// linger sends a unit now and then.
func (c *conn) linger(ctx context.Context, a *Attack) error {
	tick := time.NewTicker(a.Every)
	defer tick.Stop()
	for {
		if err := c.flush(a); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-c.heard.ended:
			return nil
		case <-ctx.Done():
			return nil
		}
		if c.sent == a.Most || a.unread {
			return nil
		}
		if a.send != nil {
			if err := a.send(c, c.sent); err != nil {
				return err
			}
		}
		c.sent++
	}
}

// flush sends what is buffered. Who doesn't read has little time for that: the server may not read either.
func (c *conn) flush(a *Attack) error {
	if a.unread {
		c.SetWriteDeadline(time.Now().Add(blocked))
	}
	return c.out.Flush()
}

// conclude waits for what the server still has to say to what was sent, and sums up.
func (c *conn) conclude(ctx context.Context, a *Attack, grace time.Duration, err error) Cut {
	if a.unread {
		c.watch(ctx, a, grace, err)
	}
	c.settle(ctx, a, err)
	end := Cut{Sent: c.sent, Taken: c.taken(a)}
	h := c.heard
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.at
	if end.End = h.end; end.End == "" {
		end.End, at = c.borne(a), time.Now()
	}
	end.Took = at.Sub(c.began)
	if !c.broke.IsZero() && end.End != endRefused {
		end.Beyond = max(at.Sub(c.broke), 0)
	}
	return end
}

// settle waits for the answers that are still to come.
func (c *conn) settle(ctx context.Context, a *Attack, err error) {
	h := c.heard
	switch {
	case a.slow(), a.section, c.deaf, err != nil, ctx.Err() != nil:
		h.wait(pause, func() bool { return false })
	case a.futile:
		h.wait(prompt, func() bool { return h.answered+h.refused+h.resets >= c.sent })
	default:
		h.wait(prompt, func() bool { return h.acked >= c.sent })
	}
}

// borne is the end of an attacker whom the server has not cut off; the mutex of what was heard is held.
func (c *conn) borne(a *Attack) string {
	switch h := c.heard; {
	case a.futile && h.answered == 0 && h.refused+h.resets > 0:
		return endRefused
	case a.unread && c.sent < a.Most:
		return endBlocked
	case c.sent == a.Most:
		return endTakenAll
	}
	return endOutlasted
}

// watch waits until a server that isn't read cuts the connection, and then reads what it has said. What the kernel has to tell comes
// behind all that waits to be read, unless it is a reset; so the attacker begins to read just before the server would be late.
func (c *conn) watch(ctx context.Context, a *Attack, grace time.Duration, err error) {
	if err != nil && c.broke.IsZero() {
		c.broke = time.Now().Add(grace)
	}
	until := time.Now().Add(prompt)
	if a.slow() || err != nil {
		until = c.broke.Add(prompt - 2*pause)
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for c.established() && ctx.Err() == nil && time.Now().Before(until) {
		<-tick.C
	}
	at := time.Now()
	go c.heard.listen(c.heard.reader, c.release)
	c.heard.wait(blocked, func() bool { return false })
	c.heard.mu.Lock()
	defer c.heard.mu.Unlock()
	if c.heard.end != "" {
		c.heard.at = at
	}
}

// established tells whether the server has neither closed nor reset the connection.
func (c *conn) established() bool {
	raw, err := c.socket().SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		ok = err == nil && info.State == unix.BPF_TCP_ESTABLISHED
	})
	return err == nil && ok
}

// socket is what the connection is below TLS.
func (c *conn) socket() *net.TCPConn {
	if t, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn().(*net.TCPConn)
	}
	return c.Conn.(*net.TCPConn)
}

// leave closes a connection. One that the server has said GOAWAY on has a moment to be closed by the server, as long as the attack
// goes on.
func (c *conn) leave(ctx context.Context) {
	c.heard.mu.Lock()
	said := c.heard.goAway
	c.heard.mu.Unlock()
	if said {
		select {
		case <-c.heard.closed:
		case <-time.After(2 * prompt):
		case <-ctx.Done():
		}
	}
	c.Close()
}
