package h2attack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Bounds are how much an attack may do.
type Bounds struct {
	Lasting     time.Duration // until it begins nothing more, 30 seconds at the most; it ends a few seconds later at the latest
	Connections int           // that are opened, one after the other or at one time; 2,000 at the most
	Grace       time.Duration // how long the target lets a client stand still by its own settings, for attacks that take their time
}

const (
	longest         = 30 * time.Second
	mostConnections = 2000
	usualWidth      = 4
	pause           = 20 * time.Millisecond // between a connection and the next, so that it doesn't become a flood of handshakes
	prompt          = time.Second           // within which who breaks a budget has to be cut off
)

// The ways in which a connection of an attacker ends. In the first ones the server cut it off.
const (
	goAwayPrefix       = "GOAWAY " // and the code
	endClosed          = "closed"
	endReset           = "reset"            // the connection
	endStreamsReset    = "streams reset"    // every one
	endStreamsAnswered = "streams answered" // every one
	endRefused         = "all refused"      // each unit alone: the attack goes on for nothing
	endTakenAll        = "taken all"        // the server bore with all that the attacker had
	endBlocked         = "blocked"          // the server doesn't read as long as it isn't read, and keeps the connection
	endOutlasted       = "outlasted"        // it was still borne with when the attack was over
)

// A Cut is the end of one connection.
type Cut struct {
	End    string
	Taken  int           // units that the server has read, as far as one can know
	Sent   int           // units
	Took   time.Duration // from the first unit to the end
	Beyond time.Duration // of that, from the first unit beyond the budget, or beyond Bounds.Grace
}

// Off tells that the server made the end.
func (c Cut) Off() bool {
	switch c.End {
	case endTakenAll, endBlocked, endOutlasted:
		return false
	}
	return true
}

// late tells that the attacker was not cut off within a second after it had broken a budget.
func (c Cut) late() bool { return c.Beyond > prompt || c.End == endTakenAll && c.Beyond > 0 }

// A Result is what became of an attack.
type Result struct {
	Attack      string
	First       Cut  // the first connection's
	Latest      Cut  // the one that was borne with longest beyond its budget
	Held        bool // the first was cut off, and none was borne with for more than a second beyond a budget
	Late        int  // connections that were not cut within a second of breaking a budget
	Connections int  // that were opened
	Again       int  // of these, after one from the same address had been cut
	Unopened    int  // that could not be opened, so that the attacker went on from another address
	Units       int  // sent on all of them
	Answered    int  // requests, with 2xx or 3xx
	Refused     int  // requests, with 4xx or 5xx
	Resets      int  // of streams, by the server
}

// A run is one attack that goes on.
type run struct {
	attack Attack
	target Target
	bounds Bounds

	mu      sync.Mutex
	tries   int
	sources int // addresses that were begun with
	result  Result
	err     error // the first that made a connection impossible
	ends    sync.WaitGroup
}

// Run attacks the target until the bounds are reached. It fails if no connection at all could be opened.
func Run(ctx context.Context, t Target, a Attack, b Bounds) (Result, error) {
	if _, err := t.attackable(); err != nil {
		return Result{}, err
	}
	if b.Lasting <= 0 || b.Lasting > longest || b.Connections < 1 || b.Connections > mostConnections {
		return Result{}, fmt.Errorf("%d connections for %v: want 1 to %d, up to %v", b.Connections, b.Lasting, mostConnections, longest)
	}
	r := &run{attack: a, target: t, bounds: b, result: Result{Attack: a.Name}}
	ctx, cancel := context.WithTimeout(ctx, b.Lasting)
	defer cancel()
	width := a.Width
	if width == 0 {
		width = usualWidth
	}
	var workers sync.WaitGroup
	for range min(width, b.Connections) {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	r.ends.Wait()
	if r.result.Connections == 0 {
		return Result{}, fmt.Errorf("%s: no connection: %w", a.Name, errors.Join(r.err, context.Cause(ctx)))
	}
	r.result.Held = r.result.First.Off() && r.result.Late == 0
	return r.result, nil
}

// work opens one connection after the other, from one address as long as that is let in.
func (r *run) work(ctx context.Context) {
	from, again := r.nextSource(), false
	for ctx.Err() == nil && r.another() {
		c, err := r.target.connect(ctx, &r.attack, from)
		if err == nil {
			again = r.use(ctx, c, again)
		} else if ctx.Err() == nil { // else it was the attacker who had no time any more
			r.unopened(err)
			from, again = r.nextSource(), false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (r *run) nextSource() netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources++
	return r.target.source(r.sources - 1)
}

// another tells whether one more connection may be tried.
func (r *run) another() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	return r.tries <= r.bounds.Connections
}

func (r *run) unopened(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Unopened++
	if r.err == nil {
		r.err = err
	}
}

// use attacks on one connection, and tells whether it was cut.
func (r *run) use(ctx context.Context, c *conn, again bool) (cut bool) {
	end := c.play(ctx, &r.attack, r.bounds.Grace)
	r.note(end, again)
	r.ends.Go(func() { // meanwhile the next one is opened
		c.leave(ctx)
		r.count(c.heard)
	})
	return end.Off()
}

// note adds a connection's end to the result.
func (r *run) note(end Cut, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.result
	if s.Connections == 0 {
		s.First = end
	}
	if s.Connections == 0 || end.Beyond > s.Latest.Beyond {
		s.Latest = end
	}
	if end.late() {
		s.Late++
	}
	s.Connections++
	if again {
		s.Again++
	}
	s.Units += end.Sent
}

// count adds what a server has said.
func (r *run) count(h *heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	r.result.Answered += h.answered
	r.result.Refused += h.refused
	r.result.Resets += h.resets
}
