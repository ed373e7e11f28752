package origin

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// sweepEvery is the least time between two looks for connections that have been idle too long.
const sweepEvery = time.Second

// endpoint is one origin as one zone reaches it, and the connections to it that wait for work.
type endpoint struct {
	room     *Room
	settings settings
	tls      *tls.Config

	mu     sync.Mutex
	idle   []*conn // the longest idle first; taken from the end, so that a lull lets the others time out
	timer  *time.Timer
	armed  bool
	closed bool
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

// put keeps a connection for later.
func (e *endpoint) put(c *conn, now time.Time) {
	c.idleSince = now
	if !e.keep(c) {
		c.close()
	}
}

func (e *endpoint) keep(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.idle) >= e.settings.max {
		return false
	}
	e.idle = append(e.idle, c)
	if !e.armed {
		e.arm(e.settings.idle)
	}
	return true
}

// arm asks for a sweep; the timer keeps e alive as long as connections wait in it.
func (e *endpoint) arm(after time.Duration) {
	e.armed = true
	if after = max(after, sweepEvery); e.timer == nil {
		e.timer = time.AfterFunc(after, e.sweep)
		return
	}
	e.timer.Reset(after)
}

// sweep closes what has been idle too long.
func (e *endpoint) sweep() {
	for _, c := range e.expired(time.Now()) {
		c.close()
	}
}

func (e *endpoint) expired(now time.Time) []*conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for n < len(e.idle) && now.Sub(e.idle[n].idleSince) >= e.settings.idle {
		n++
	}
	old := append([]*conn(nil), e.idle[:n]...)
	rest := copy(e.idle, e.idle[n:])
	clear(e.idle[rest:])
	e.idle = e.idle[:rest]
	if e.armed = false; rest > 0 {
		e.arm(e.settings.idle - now.Sub(e.idle[0].idleSince))
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
}

// dial makes a new connection, with TLS if the origin has it.
func (e *endpoint) dial(ctx context.Context) (*conn, error) {
	dial := e.room.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", e.settings.address)
	if err != nil {
		return nil, err
	}
	if e.tls == nil {
		return newConn(nc), nil
	}
	secure := tls.Client(nc, e.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return newConn(secure), nil
}
