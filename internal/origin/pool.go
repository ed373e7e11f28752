package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/origin/h2client"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
)

// sweepEvery is the least time between two looks for connections that have been idle too long.
const sweepEvery = time.Second

// endpoint is one server as one zone reaches it: the connections to it that wait for work, and what is known of its health.
type endpoint struct {
	room     *Room
	group    *group
	settings settings
	tls      *tls.Config
	health   health
	streams  h2client.Pool // connections of HTTP/2

	mu      sync.Mutex
	idle    []*conn // the longest idle first; taken from the end, so that a lull lets the others time out
	timer   *time.Timer
	sweepAt time.Time // when timer fires; zero if it does not
	closed  bool
}

// get takes the connection that was used last, or returns nil.
func (e *endpoint) get() *conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.idle) - 1
	if n < 0 {
		return nil
	}
	c := e.idle[n]
	e.idle[n] = nil
	e.idle = e.idle[:n]
	return c
}

// put keeps a connection for later, until the time given, if no more than most wait already.
func (e *endpoint) put(c *conn, until time.Time, most int) {
	c.idleUntil = until
	if !e.keep(c, most) {
		c.close()
	}
}

func (e *endpoint) keep(c *conn, most int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.idle) >= most {
		return false
	}
	e.idle = append(e.idle, c)
	if e.sweepAt.IsZero() || c.idleUntil.Before(e.sweepAt) {
		e.arm(c.idleUntil)
	}
	return true
}

// arm asks for a sweep; the timer keeps e alive as long as connections wait in it.
func (e *endpoint) arm(at time.Time) {
	e.sweepAt = at
	if after := max(time.Until(at), sweepEvery); e.timer == nil {
		e.timer = time.AfterFunc(after, e.sweep)
	} else {
		e.timer.Reset(after)
	}
}

// sweep closes what has been idle too long.
func (e *endpoint) sweep() {
	for _, c := range e.expired(time.Now()) {
		c.close()
	}
}

// expired takes out the connections whose time is over. Policies differ in how long they keep one, so all are looked at.
func (e *endpoint) expired(now time.Time) (old []*conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rest, next := e.idle[:0], time.Time{}
	for _, c := range e.idle {
		if !c.idleUntil.After(now) {
			old = append(old, c)
			continue
		}
		if rest = append(rest, c); next.IsZero() || c.idleUntil.Before(next) {
			next = c.idleUntil
		}
	}
	clear(e.idle[len(rest):])
	e.idle = rest
	if e.sweepAt = next; len(rest) > 0 {
		e.arm(next)
	}
	return old
}

// close closes the idle connections and keeps no others from now on.
func (e *endpoint) close() {
	e.mu.Lock()
	idle := e.idle
	e.idle, e.closed = nil, true
	if e.timer != nil {
		e.timer.Stop()
	}
	e.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	e.streams.Close()
}

// errNoHTTP2 tells of a server that has not chosen HTTP/2 in its handshake.
var errNoHTTP2 = errors.New("the server does not offer HTTP/2 (ALPN)")

// dial makes a new connection, on a loop if there are any, sends first on it, and then makes it a TLS connection if the server has it.
func (e *endpoint) dial(ctx context.Context, first []byte, on *loop.Loop) (*conn, error) {
	nc, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	if on = e.room.loop(on); on != nil {
		if c := on.Take(nc); c != nil {
			nc = c
		}
	}
	if len(first) > 0 {
		if _, err := nc.Write(first); err != nil { // a new socket's buffer takes it at once
			nc.Close()
			return nil, err
		}
	}
	if nc, err = e.secure(ctx, nc); err != nil {
		return nil, err
	}
	return newConn(nc), nil
}

// dialHTTP2 makes a new connection for HTTP/2, whose reader is a goroutine, so that it is on no loop.
func (e *endpoint) dialHTTP2(ctx context.Context) (net.Conn, error) {
	nc, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	if nc, err = e.secure(ctx, nc); err != nil {
		return nil, err
	}
	if t, ok := nc.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol != string(spec.ProtocolHTTP2) {
		nc.Close()
		return nil, errNoHTTP2
	}
	return nc, nil
}

func (e *endpoint) connect(ctx context.Context) (net.Conn, error) {
	dial := e.room.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return dial(ctx, e.settings.network, e.settings.address)
}

// secure makes a TLS connection of nc if the server has it.
func (e *endpoint) secure(ctx context.Context, nc net.Conn) (net.Conn, error) {
	if e.tls == nil {
		return nc, nil
	}
	secure := tls.Client(nc, e.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return secure, nil
}
