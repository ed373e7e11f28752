package conn

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// Conn is one client's connection. Its goroutine owns it; the sweeper reads state and moved.
type Conn struct {
	room    *Room
	info    flow.Conn
	t       transport
	session flow.Session
	abort   flow.Abort

	state   atomic.Uint64 // phase, and when it began
	blocked atomic.Int64  // when a write began to wait for the peer, or 0
	got     atomic.Int64  // bytes read while waiting for them
	sent    atomic.Int64  // bytes written
	notes   notes         // the sweeper's own
	slot    slot

	work     *work     // buffers, while something goes on
	part     []byte    // what has arrived of a head, while parked
	partFrom time.Time // when its first byte came
	next     flow.Next
	err      error // why the peer's bytes ended
}

// drive runs the session's turns until the connection ends. Waiting work that reads from the client leaves the transport's wait,
// because that holds the connection's reading side; all else happens inside it.
func (c *Conn) drive() {
	for c.next == flow.More || c.next == flow.Wait {
		if c.next == flow.More {
			if err := c.t.wait(c.turn); err != nil {
				c.timeout()
				return
			}
			continue
		}
		c.next = c.session.Fulfil(&c.work.out)
		if c.flush() == nil && c.next == flow.More && !c.answer() {
			c.park()
		}
	}
	if c.next == flow.Linger && c.err == nil {
		c.linger()
	}
}

// turn reads what has arrived and lets the session answer. It reports true when the connection has to leave the wait, with next
// telling why.
func (c *Conn) turn() bool {
	if !c.wake(time.Now()) {
		c.next, c.err = flow.Close, errExpired
		return true
	}
	w := c.take()
	for {
		n, err := c.t.tryRead(w.space(c.room.buffers.limit))
		if n > 0 {
			w.in = w.in[:len(w.in)+n]
			if c.answer() {
				return true
			}
		}
		switch {
		case errors.Is(err, errAgain):
			c.park()
			return false
		case err != nil:
			c.next, c.err = flow.Close, err
			return true
		}
	}
}

// answer gives the session what is buffered, turn by turn, until it wants more, and reports true when it wants something else.
func (c *Conn) answer() bool {
	w := c.work
	for {
		used, next := c.session.Turn(w.in[w.used:], &w.out, time.Now())
		if used > 0 {
			w.discard(used)
			c.part = c.part[:0]
		}
		if c.next = next; c.flush() != nil {
			return true
		}
		if next == flow.Wait {
			if c.session.NeedsInput() {
				return true
			}
			if c.next = c.session.Fulfil(&w.out); c.flush() != nil {
				return true
			}
		}
		switch {
		case c.next == flow.Close || c.next == flow.Linger:
			return true
		case c.next == flow.More && (next == flow.More || w.used == len(w.in)):
			return false
		}
	}
}

func (c *Conn) flush() error {
	w := c.work
	if len(w.out.Head)+len(w.out.Tail) == 0 {
		return nil
	}
	err := c.Write(w.out.Head, w.out.Tail)
	w.out.Head, w.out.Tail = w.out.Head[:0], nil
	if err != nil {
		c.next, c.err = flow.Close, err
	}
	return err
}

// park gives the buffers back; what has arrived of a head is kept in a slice of its size. A head's time runs from its first byte.
func (c *Conn) park() {
	w := c.work
	if w.used == len(w.in) {
		c.part = nil
		c.enter(idle, time.Now())
	} else {
		if len(c.part) == 0 {
			c.partFrom = time.Now()
		}
		c.part = append(c.part[:0], w.in[w.used:]...)
		c.enter(head, c.partFrom)
	}
	c.give()
}

func (c *Conn) take() *work {
	if c.work == nil {
		c.work = c.room.buffers.get()
		c.work.in = append(c.work.in, c.part...)
	}
	return c.work
}

func (c *Conn) give() {
	if c.work != nil {
		c.room.buffers.put(c.work)
		c.work = nil
	}
}

// timeout tells a client whose head began to arrive and did not end in time.
func (c *Conn) timeout() {
	if c.phase() != expired || len(c.part) == 0 || c.t.allow(lastWords) != nil {
		return
	}
	w := c.take()
	c.session.Timeout(w.in, &w.out, time.Now())
	c.flush()
}

// lastWords is how long the answer to a connection that is being cut may take.
const lastWords = time.Second

// linger lets the client, which may still be sending, read its answer before the close resets the connection (RFC 9112 §9.6).
func (c *Conn) linger() {
	c.enter(lingering, time.Now())
	if c.t.closeWrite() != nil {
		return
	}
	w := c.take()
	for left := lingerBytes; left > 0; {
		n, err := c.t.read(w.in[:cap(w.in)])
		if err != nil {
			return
		}
		left -= n
	}
}

const lingerBytes = 1 << 20

func (c *Conn) close() {
	if c.session != nil {
		c.session.End()
	}
	c.abort.Fire()
	c.t.close()
	c.give()
	c.room.table.remove(c)
	c.room.sources.leave(c.info.Remote.Addr())
}

// secure shakes hands within the time that a head has.
func (c *Conn) secure(handshake Handshake) bool {
	t, err := c.t.secure(handshake, c)
	if err != nil {
		c.room.refused[HandshakeFailed].Add(1)
		return false
	}
	c.t = t
	c.enter(head, time.Now())
	return true
}

// The rest is [flow.Stream], for the session while it waits.

// Buffered implements [flow.Stream].
func (c *Conn) Buffered() []byte { return c.work.in[c.work.used:] }

// Discard implements [flow.Stream].
func (c *Conn) Discard(n int) { c.work.discard(n) }

// Fill implements [flow.Stream].
func (c *Conn) Fill() error {
	w := c.work
	space := w.space(c.room.buffers.limit)
	if len(space) == 0 {
		return io.ErrShortBuffer
	}
	n, err := c.receive(space)
	w.in = w.in[:len(w.in)+n]
	return err
}

// Read implements [flow.Stream].
func (c *Conn) Read(p []byte) (int, error) {
	if b := c.Buffered(); len(b) > 0 {
		n := copy(p, b)
		c.Discard(n)
		return n, nil
	}
	return c.receive(p)
}

func (c *Conn) receive(p []byte) (int, error) {
	resume := c.phase()
	if resume == waiting {
		c.enter(reading, time.Now())
		defer func() { c.enter(waiting, time.Now()) }()
	}
	n, err := c.t.read(p)
	c.got.Add(int64(n))
	return n, err
}

// Write implements [flow.Stream].
func (c *Conn) Write(head, tail []byte) error {
	done, err := c.t.tryWrite(head, tail)
	c.sent.Add(int64(done))
	if err != nil || done == len(head)+len(tail) {
		return err
	}
	if done < len(head) {
		_, err = c.push(c.t, head[done:], tail)
	} else {
		_, err = c.push(c.t, nil, tail[done-len(head):])
	}
	return err
}

// push writes to a peer that does not take all at once, in pieces, so that the sweeper sees how fast it reads.
func (c *Conn) push(t transport, head, tail []byte) (done int, err error) {
	const piece = 64 << 10
	c.blocked.Store(time.Now().UnixMilli())
	defer c.blocked.Store(0)
	for _, p := range [...][]byte{head, tail} {
		for len(p) > 0 {
			n, err := t.write(p[:min(len(p), piece)])
			c.sent.Add(int64(n))
			if done += n; err != nil {
				return done, err
			}
			p = p[n:]
		}
	}
	return done, nil
}

// CloseWrite implements [flow.Stream].
func (c *Conn) CloseWrite() error { return c.t.closeWrite() }

// Abort implements [flow.Stream].
func (c *Conn) Abort() *flow.Abort { return &c.abort }

// Tunnel implements [flow.Stream].
func (c *Conn) Tunnel() { c.enter(tunnel, time.Now()) }

// Draining implements [flow.Stream].
func (c *Conn) Draining() bool { return c.room.draining.Load() }
