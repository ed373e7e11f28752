package drill

import (
	"context"
	"sync"

	"github.com/seawall/seawall/internal/drill/wire"
)

// conns is one visitor's connections: over HTTP/1.1 as many as their software opens to a host, over HTTP/2 one. Beyond the first,
// each needs a spare one of the crowd's; who gets none makes do with what they have.
type conns struct {
	dial  func(context.Context) (*wire.Conn, error)
	limit int
	lone  bool          // the software would speak HTTP/2: it dials one at a time, because that may do for all
	spare chan struct{} // of the crowd

	mu      sync.Mutex
	idle    []*tie
	shared  *tie // over HTTP/2
	open    int  // with those being dialed
	dialing bool
	changed chan struct{} // closed when somebody who waits should look again
}

// tie is a connection and how it is used.
type tie struct {
	*wire.Conn
	used  bool // has carried a response
	users int  // requests on it; over HTTP/1.1 one at most
}

func newConns(limit int, lone bool, spare chan struct{}, dial func(context.Context) (*wire.Conn, error)) *conns {
	return &conns{dial: dial, limit: limit, lone: lone, spare: spare, changed: make(chan struct{})}
}

// take returns a connection for a request, and whether it has carried a response before. It waits if all are taken.
func (p *conns) take(ctx context.Context) (t *tie, used bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if t := p.ready(); t != nil {
			t.users++
			return t, t.used, nil
		}
		if p.mayOpen() {
			t, err := p.connect(ctx)
			return t, false, err
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
}

// ready returns a connection that takes another request, nil if there is none.
func (p *conns) ready() *tie {
	if t := p.shared; t != nil {
		if t.Reusable() {
			return t
		}
		p.retire()
	}
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	t := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return t
}

// mayOpen reports whether another connection may be opened, and counts it if so.
func (p *conns) mayOpen() bool {
	if p.open >= p.limit || (p.lone && p.dialing) {
		return false
	}
	if p.open > 0 {
		select {
		case p.spare <- struct{}{}:
		default:
			return false
		}
	}
	p.open++
	return true
}

// connect dials, with the lock let go meanwhile.
func (p *conns) connect(ctx context.Context) (*tie, error) {
	p.dialing = true
	p.mu.Unlock()
	c, err := p.dial(ctx)
	p.mu.Lock()
	p.dialing = false
	defer p.wake()
	if err != nil {
		p.forget()
		return nil, err
	}
	t := &tie{Conn: c, users: 1}
	if p.lone = c.HTTP2(); p.lone { // else the other end does not, and each request in flight needs its own
		p.retire()
		p.shared = t
	}
	return t, nil
}

// give takes a connection back after a request; spoiled: over HTTP/1.1 it carries no other.
func (p *conns) give(t *tie, spoiled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.wake()
	t.users--
	t.used = true
	switch {
	case t == p.shared:
		if !t.Reusable() {
			p.retire()
		}
	case t.HTTP2():
		p.closeUnused(t)
	case spoiled || !t.Reusable():
		p.closeUnused(t)
	default:
		p.idle = append(p.idle, t)
	}
}

// retire gives no new requests to the shared connection.
func (p *conns) retire() {
	if t := p.shared; t != nil {
		p.shared = nil
		p.closeUnused(t)
	}
}

// closeUnused closes a connection unless a request is still on it.
func (p *conns) closeUnused(t *tie) {
	if t.users == 0 {
		t.Close()
		p.forget()
	}
}

// forget counts a connection out.
func (p *conns) forget() {
	if p.open--; p.open > 0 {
		<-p.spare
	}
}

// wake has everybody who waits for a connection look again.
func (p *conns) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// leave closes everything, at the end of a visit.
func (p *conns) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retire()
	for _, t := range p.idle {
		p.closeUnused(t)
	}
	p.idle = nil
}
