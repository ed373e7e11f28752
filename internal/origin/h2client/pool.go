package h2client

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Pool is the connections to one server. The zero value is ready to use, by many goroutines.
type Pool struct {
	mu      sync.Mutex
	conns   []*Conn // the oldest first: streams gather there, and a lull lets the others time out
	opening int     // connections that are on their way
	waiting int     // takers that wait for a place
	allowed int     // streams on the connection that was opened last
	changed chan struct{}
	closed  bool
}

// Want is how a taker wants connections to be.
type Want struct {
	// Dial makes a connection, over which HTTP/2 can begin.
	Dial func(context.Context) (net.Conn, error)
	// Most bounds the pool's connections.
	Most int
	// IdleTimeout is how long a connection without streams is kept, WriteTimeout how long the server may take in nothing at all.
	IdleTimeout, WriteTimeout time.Duration
}

// Try gives a place for one stream, which [Conn.Start] or [Conn.Return] uses up, on a connection that has had streams before. It returns nil if there
// is none.
func (p *Pool) Try(w *Want) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.try(w)
}

func (p *Pool) try(w *Want) *Conn {
	i := slices.IndexFunc(p.conns, (*Conn).usable)
	if i < 0 {
		return nil
	}
	c := p.conns[i]
	c.begin(w)
	return c
}

// Take is Try, but makes a new connection if there is none, which used tells. It waits until that is ready, or a place is free on one of as
// many as there may be.
func (p *Pool) Take(ctx context.Context, w *Want) (c *Conn, used bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if c := p.try(w); c != nil {
			return c, true, nil
		}
		if p.more(w.Most) {
			c, err := p.open(ctx, w)
			return c, false, err
		}
		if err := p.wait(ctx); err != nil {
			return nil, false, fmt.Errorf("waiting for a free stream on %d connections: %w", len(p.conns)+p.opening, err)
		}
	}
}

// more tells whether to open a connection: those that are on their way may do for all who wait.
func (p *Pool) more(most int) bool {
	const usual = 100 // streams, until a server has said
	allowed := p.allowed
	if allowed == 0 {
		allowed = usual
	}
	return len(p.conns)+p.opening < most && p.waiting >= p.opening*allowed
}

// open opens a connection without holding the lock meanwhile.
func (p *Pool) open(ctx context.Context, w *Want) (*Conn, error) {
	p.opening++
	p.mu.Unlock()
	c, err := open(ctx, p, w)
	p.mu.Lock()
	p.opening--
	p.wake()
	if err != nil {
		return nil, err
	}
	p.allowed = c.limit
	if !c.dead {
		p.conns = append(p.conns, c)
	}
	c.begin(w)
	return c, nil
}

// wait lets go of the lock until something has changed.
func (p *Pool) wait(ctx context.Context) error {
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	changed := p.changed
	p.waiting++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.waiting--
	}()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wake lets those who wait look again.
func (p *Pool) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

func (p *Pool) remove(c *Conn) {
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(p.conns, i, i+1)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.watch != nil {
		c.watch.Stop()
	}
	p.wake()
}

// Close closes the connections that have no streams, and others when they have none any more.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	var idle []*Conn
	for _, c := range p.conns {
		if c.active == 0 {
			c.spent = true
			idle = append(idle, c)
		}
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// Conns is how many connections there are, and how many of them have no stream.
func (p *Pool) Conns() (all, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if c.active == 0 {
			idle++
		}
	}
	return len(p.conns), idle
}
