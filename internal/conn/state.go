package conn

import (
	"errors"
	"time"
)

// phase is what a connection is doing; the sweeper's patience depends on it.
type phase uint8

const (
	fresh     phase = iota // shaking hands, or nothing has arrived yet
	head                   // a head is arriving
	idle                   // between two requests
	serving                // requests are at work, and the session minds their time
	waiting                // the session is at work
	tunnel                 // another protocol passes through
	lingering              // the answer is sent, the client may still be sending
	told                   // its handshake has failed, and it may still be sending, too
	expired                // being cut
)

// errExpired ends a connection that the sweeper, or a shutdown, has cut.
var errExpired = errors.New("connection expired")

// clock is t in milliseconds of the room's own time, which no step of the system's clock moves. It is never 0.
func (r *Room) clock(t time.Time) int64 { return t.Sub(r.epoch).Milliseconds() }

// now is the connection's time, see [Room.clock].
func (c *Conn) now() int64 { return c.room.clock(time.Now()) }

// enter begins phase p, whose patience runs from since. State packs both into one word, so that the sweeper's look and its cut are each
// one atomic step.
func (c *Conn) enter(p phase, since int64) { c.state.Store(pack(p, since)) }

func pack(p phase, since int64) uint64 { return uint64(since)<<8 | uint64(p) }

func (c *Conn) phase() phase { return phase(c.state.Load()) }

func (c *Conn) since() (phase, int64) {
	s := c.state.Load()
	return phase(s), int64(s >> 8)
}

// wake ends a rest for the connection's goroutine, unless expire came first.
func (c *Conn) wake(now int64) bool {
	old := c.state.Load()
	return phase(old) != expired && c.state.CompareAndSwap(old, pack(waiting, now))
}

// expire cuts a connection that is in phase p since then, unless it has just woken.
func (c *Conn) expire(p phase, since int64) bool {
	return c.state.CompareAndSwap(pack(p, since), pack(expired, since))
}
