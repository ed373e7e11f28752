package origin

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/seawall/seawall/loop"
)

// errStale tells that a connection from the pool had ended, or had something to say, before anything was sent on it.
var errStale = errors.New("the idle connection is no longer usable")

// conn is a connection to an origin. One exchange owns it at a time; [conn.Interrupt] alone may come from outside.
type conn struct {
	nc      net.Conn
	sock    *loop.Conn      // what is under nc, if that is on a loop
	socket  syscall.RawConn // of one that is not, for a look at what has arrived; nil if there is none
	address string

	reused    bool
	idleUntil time.Time
	until     time.Time // the deadline in force for reading, and for writing unless that has its own
	sendUntil time.Time

	mu     sync.Mutex // guards the deadline against an interrupt
	broken bool       // interrupted, or its stream is not where the next response would begin
}

func newConn(nc net.Conn) *conn {
	c := &conn{nc: nc}
	if a := nc.RemoteAddr(); a != nil {
		c.address = a.String()
	}
	under := nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn()
	}
	switch s := under.(type) {
	case *loop.Conn:
		c.sock = s
	case syscall.Conn:
		if socket, err := s.SyscallConn(); err == nil {
			c.socket = socket
		}
	}
	return c
}

// attach lets waits be t's. Where the connection is not on a loop, t is a goroutine from here on.
func (c *conn) attach(t *loop.Task) {
	if c.sock == nil {
		t.Leave()
		return
	}
	c.sock.Attach(t)
}

// checkable tells whether there is a way to see if it has ended.
func (c *conn) checkable() bool { return c.sock != nil || c.socket != nil }

// exchange writes all of out, then waits until something arrives and reads it into in.
func (c *conn) exchange(out, in []byte) (n int, err error) {
	if err = c.write(out); isTimeout(err) {
		return 0, err
	}
	n, readErr := c.read(in) // an origin that refuses a request may have answered before it closed
	if n > 0 || err == nil {
		return n, readErr
	}
	return 0, err
}

// read waits for at least one byte. Bytes and an error together count as bytes: the next read has the error.
func (c *conn) read(in []byte) (n int, err error) {
	n, err = c.nc.Read(in)
	if n > 0 && err != nil {
		c.abandon()
		err = nil
	}
	return n, err
}

func (c *conn) write(out []byte) error {
	_, err := c.nc.Write(out)
	if err != nil {
		c.abandon()
	}
	return err
}

// stale looks whether anything came while the connection was idle, the end of its stream or a response that nobody asked for. TLS may have
// sent an alert: that is something, too. For a request that may be sent again it is enough that no event has told of it.
func (c *conn) stale(repeatable bool) bool {
	switch {
	case c.sock != nil && repeatable:
		return !c.sock.Still()
	case c.sock != nil:
		return !c.sock.Quiet()
	case c.socket == nil:
		return false
	}
	stale := true
	err := c.socket.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		stale = err != syscall.EAGAIN
	})
	return stale || err != nil
}

// arm lets waits end after d, or up to a quarter later: the deadline is renewed only when less than d is left of it.
func (c *conn) arm(now time.Time, d time.Duration) {
	if renew(&c.until, now, d) {
		c.sendUntil = c.until
		c.deadline(net.Conn.SetDeadline, c.until)
	}
}

// armRead and armWrite are arm for one direction, where two goroutines share the connection.
func (c *conn) armRead(now time.Time, d time.Duration) {
	if renew(&c.until, now, d) {
		c.deadline(net.Conn.SetReadDeadline, c.until)
	}
}

func (c *conn) armWrite(now time.Time, d time.Duration) {
	if renew(&c.sendUntil, now, d) {
		c.deadline(net.Conn.SetWriteDeadline, c.sendUntil)
	}
}

// renew moves a deadline unless it is between d and d and a quarter away.
func renew(until *time.Time, now time.Time, d time.Duration) bool {
	if left := until.Sub(now); left >= d && left <= d+d/4 {
		return false
	}
	*until = now.Add(d + d/4)
	return true
}

// deadline sets one of the connection's deadlines, unless an interrupt has set it for good.
func (c *conn) deadline(set func(net.Conn, time.Time) error, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken {
		_ = set(c.nc, t)
	}
}

// Interrupt ends whatever waits for the connection, and its use. It implements [flow.Interrupter].
func (c *conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = true
	c.nc.SetDeadline(time.Unix(1, 0))
}

// abandon lets the connection end with this exchange.
func (c *conn) abandon() {
	c.mu.Lock()
	c.broken = true
	c.mu.Unlock()
}

func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken
}

func (c *conn) close() { c.nc.Close() }

// closeWrite tells the origin that nothing more will come. A connection that cannot be closed one way only ends.
func (c *conn) closeWrite() {
	w, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || w.CloseWrite() != nil {
		c.Interrupt()
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
