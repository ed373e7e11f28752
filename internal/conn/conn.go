package conn

import (
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// Conn is one client's connection. Its goroutine owns it; the sweeper reads what is atomic, and wire.
type Conn struct {
	room    *Room
	info    flow.Conn
	wire    transport // what was accepted
	t       transport // what the session speaks through: wire, or what is inside it
	session flow.Session
	abort   flow.Abort
	counted bool // among its source's

	state   atomic.Uint64 // phase, and since when its patience runs
	in, out pace
	notes   notes // the sweeper's own
	slot    slot

	work     *work       // buffers, while something goes on
	part     []byte      // what has arrived of a head, while parked
	rest     phase       // what a parked connection waits for: fresh, head or idle
	from     int64       // since when
	answered bool        // there was a request since it was parked last
	cut      atomic.Bool // for good: what the peer has not taken is not worth keeping
	next     flow.Next
	err      error // why the peer's bytes ended
}

// drive runs the session's turns until the connection ends. Waiting work that reads from the client leaves the transport's wait,
// because that holds the connection's reading side; all else happens inside it.
func (c *Conn) drive() {
	for c.next == flow.More || c.next == flow.Wait {
		if c.next == flow.More {
			if err := c.t.wait(c.turn); err != nil || c.err == errExpired {
				c.timeout()
				return
			}
			continue
		}
		c.next = c.session.Fulfil(&c.work.out)
		if c.flush() == nil && c.next == flow.More && !c.answer(time.Now()) {
			c.park()
		}
	}
	if c.err == nil && c.next != flow.Reset && (c.next == flow.Linger || c.work.used < len(c.work.in)) {
		c.linger()
	}
}

// turn reads what has arrived and lets the session answer. It reports true when the connection has to leave the wait, with next
// telling why.
func (c *Conn) turn() bool {
	now := time.Now()
	if !c.wake(c.room.clock(now)) {
		return c.fail(errExpired)
	}
	w := c.take()
	for {
		space := w.space(c.room.buffers.limit)
		if len(space) == 0 {
			return c.fail(io.ErrShortBuffer)
		}
		n, err := c.t.tryRead(space)
		if n > 0 {
			w.in = w.in[:len(w.in)+n]
			if c.answer(now) {
				return true
			}
		}
		switch {
		case err == errAgain:
			c.park()
			return false
		case err != nil:
			return c.fail(err)
		}
		now = time.Now()
	}
}

// fail ends the connection without a word.
func (c *Conn) fail(err error) bool {
	c.next, c.err = flow.Close, err
	return true
}

// answer gives the session what is buffered, turn by turn, until it wants more, and reports true when it wants something else.
func (c *Conn) answer(now time.Time) bool {
	w := c.work
	for {
		used, next := c.session.Turn(w.in[w.used:], &w.out, now)
		if used > 0 {
			w.discard(used)
			c.answered = true
			c.in.reset()
			c.out.reset()
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
		case c.next.Ends():
			return true
		case c.next == flow.More && (next == flow.More || w.used == len(w.in)):
			return false
		}
		now = time.Now()
	}
}

func (c *Conn) flush() error {
	out := &c.work.out
	if len(out.Head)+len(out.Tail) == 0 {
		return nil
	}
	if len(out.Tail) <= c.t.joins() {
		out.Head, out.Tail = append(out.Head, out.Tail...), nil
	}
	err := c.t.write(out.Head, out.Tail)
	out.Head, out.Tail = out.Head[:0], nil
	if err != nil {
		c.fail(err)
	}
	return err
}

// park gives the buffers back; what has arrived of a head is kept in a slice of its size. A head's time runs from its first byte, the
// first head's from accept, and the time between two requests from the answer: bytes that are no head's, as TLS has them, gain none.
func (c *Conn) park() {
	part := c.work.in[c.work.used:]
	now := c.now()
	switch {
	case len(part) == 0 && c.answered:
		c.rest, c.from = idle, now
	case len(part) > 0 && (c.answered || c.rest == idle):
		c.rest, c.from = head, now
	case len(part) > 0:
		c.rest = head
	}
	c.answered = false
	if len(part) == 0 {
		c.part = nil
	} else {
		c.part = append(c.part[:0], part...)
	}
	c.give()
	c.enter(c.rest, c.from)
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
	if c.phase() != expired || len(c.part) == 0 {
		return
	}
	c.t.allow(lastWords)
	w := c.take()
	c.session.Timeout(w.in, &w.out, time.Now())
	if c.flush() == nil {
		c.linger()
	}
}

// lastWords is how long what is said to a connection that is being cut may take.
const lastWords = time.Second

// linger lets the client, which may still be sending, read its answer before the close resets the connection (RFC 9112 §9.6).
func (c *Conn) linger() {
	c.enter(lingering, c.now())
	c.t.allow(lingerFor)
	if c.t.closeWrite() != nil {
		return
	}
	b := c.work.in[:cap(c.work.in)]
	for left := lingerBytes; left > 0; {
		n, err := c.t.read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

// lingerFor and lingerBytes bound a lingering close.
const (
	lingerFor   = 2 * time.Second
	lingerBytes = 16 << 20
)

// close ends the connection. After a fault something may still use what it holds: that is left to the collector.
func (c *Conn) close(faulty bool) {
	if c.session != nil {
		c.session.End()
	}
	c.abort.Fire()
	if c.next == flow.Reset || c.cut.Load() {
		c.wire.forget()
	}
	c.t.close()
	if !faulty {
		c.give()
	}
	if c.counted {
		c.room.sources.leave(c.info.Remote.Addr())
	}
	c.room.table.remove(c)
}

// identify reads the PROXY protocol header with which a proxy begins. The client that it names takes the proxy's place; a connection
// of the proxy's own stays what it is, and is under no cap but the node's.
func (c *Conn) identify() bool {
	var h proxyHeader
	var source, destination netip.AddrPort
	err := h.readFrom(c.wire)
	if err == nil {
		source, destination, err = h.addresses()
	}
	switch {
	case err != nil:
		// Who leaves without a word has only seen whether we listen, and the sweeper counts for itself.
		if h.size > 0 && c.phase() != expired {
			if n := c.refuse(ProxyHeader); n&(n-1) == 0 { // ever more seldom
				c.room.Log.Warn("refused a connection for its PROXY protocol header", "proxy", c.info.Remote.Addr(), "error", err, "count", n)
			}
		}
		return false
	case !source.IsValid():
		return true
	case c.room.denied.Load().Contains(source.Addr()):
		c.refuse(Denied)
	case !c.room.sources.enter(source.Addr(), c.room.limits.PerSource):
		c.refuse(SourceFull)
		return false
	}
	c.info.Remote, c.info.Local, c.counted = source, destination, true
	return true
}

// refuse lets the connection end in a reset, and returns how many had this cause.
func (c *Conn) refuse(cause Cause) int64 {
	c.next = flow.Reset
	return c.room.refused[cause].Add(1)
}

// secure shakes hands, and gives the first head its own time.
func (c *Conn) secure(handshake Handshake) bool {
	t, err := c.wire.secure(handshake)
	if err != nil {
		if c.phase() != expired {
			c.room.refused[HandshakeFailed].Add(1)
		}
		return false
	}
	c.t, c.from = t, c.now()
	c.enter(fresh, c.from)
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
	n, err := c.t.read(space)
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
	return c.t.read(p)
}

// Write implements [flow.Stream].
func (c *Conn) Write(head, tail []byte) error { return c.t.write(head, tail) }

// CloseWrite implements [flow.Stream].
func (c *Conn) CloseWrite() error { return c.t.closeWrite() }

// Abort implements [flow.Stream].
func (c *Conn) Abort() *flow.Abort { return &c.abort }

// Tunnel implements [flow.Stream].
func (c *Conn) Tunnel() { c.enter(tunnel, c.now()) }

// Draining implements [flow.Stream].
func (c *Conn) Draining() bool { return c.room.draining.Load() }
