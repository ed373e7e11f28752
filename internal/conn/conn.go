package conn

import (
	"io"
	"net/netip"
	"sync/atomic"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// Conn is one client's connection. It has one owner at a time, its loop, a task or a goroutine; the sweeper reads what is atomic, and wire.
type Conn struct {
	room    *Room
	info    flow.Conn
	wire    transport // what was accepted
	t       transport // what the session speaks through: wire, or what is inside it
	session flow.Session
	abort   flow.Abort
	task    *loop.Task // what waits for it, if that is not a goroutine

	state   atomic.Uint64 // phase, and since when its patience runs
	in, out pace
	notes   *notes // the sweeper's own, while somebody waits
	asked   int64  // the sweeper's, too: the rest for which the peer was last found to be there, by its beginning
	slot    slot

	// Side by side they take 8 bytes; see TestSize.
	counted  bool  // among its source's
	answered bool  // there was a request since it was parked last
	rest     phase // what a parked connection waits for: fresh, head or idle
	next     flow.Next
	marks    atomic.Uint32

	from int64  // since when a parked connection waits
	work *work  // buffers, while something goes on
	part []byte // what has arrived of a head, while parked
	err  error  // why the peer's bytes ended
}

// marks of a connection.
const (
	cut      = 1 << iota // for good: what the peer has not taken is not worth keeping
	woken                // the session wants a turn
	beside               // requests are at work while a head arrives
	breached             // the peer broke a bound that honest ones keep
)

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
			if n := c.refuse(c.info.Remote.Addr(), ProxyHeader); n&(n-1) == 0 { // ever more seldom
				c.room.Log.Warn("refused a connection for its PROXY protocol header", "proxy", c.info.Remote.Addr(), "error", err, "count", n)
			}
		}
		return false
	case !source.IsValid():
		return true
	case c.room.denies(source.Addr()):
		c.refuse(source.Addr(), Denied)
		return false
	case !c.room.enter(source.Addr()):
		c.next = flow.Reset
		return false
	}
	c.info.Remote, c.info.Local, c.counted = source, destination, true
	return true
}

// refuse lets the connection end in a reset, and returns how many had this cause.
func (c *Conn) refuse(of netip.Addr, cause Cause) int64 {
	c.next = flow.Reset
	return c.room.refuse(of, cause, "")
}

// secured goes on inside a handshake that is over, and gives the first head its own time; or it counts a handshake that failed.
func (c *Conn) secured(t transport, err error) bool {
	if err != nil {
		if c.phase() != expired {
			c.room.refuse(c.info.Remote.Addr(), HandshakeFailed, err.Error())
		}
		return false
	}
	c.t, c.from = t, c.now()
	c.enter(fresh, c.from)
	return true
}

// The rest is [flow.Connection], for the session: what is of [flow.Stream] while it waits.

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

// Task implements [flow.Stream].
func (c *Conn) Task() *loop.Task { return c.task }

// Tunnel implements [flow.Stream].
func (c *Conn) Tunnel() { c.enter(tunnel, c.now()) }

// Draining implements [flow.Stream].
func (c *Conn) Draining() bool { return c.room.draining.Load() }

// Start implements [flow.Connection].
func (c *Conn) Start(work loop.Runner) { c.wire.start(work) }

// Wake implements [flow.Connection].
func (c *Conn) Wake() {
	c.marks.Or(woken)
	c.wire.wake()
}

// Charge implements [flow.Connection].
func (c *Conn) Charge(n int) bool { return c.room.charge(c.info.Remote.Addr(), n) }

// Judged implements [flow.Connection].
func (c *Conn) Judged(refused bool) bool {
	return c.room.judged(c.info.Remote.Addr(), c.info.Shard, refused)
}

// Breach implements [flow.Connection].
func (c *Conn) Breach(reason string) {
	c.marks.Or(breached)
	c.room.breach(c.info.Remote.Addr(), reason)
}

// Fault implements [flow.Connection].
func (c *Conn) Fault(value any) { c.room.fault(value) }
