package conn

import (
	"errors"
	"time"
)

// phase is what a connection is doing; the sweeper's patience depends on it.
type phase uint8

const (
	idle      phase = iota // between two requests
	head                   // a handshake or a head is arriving
	waiting                // the session is at work
	reading                // the session waits for a body
	tunnel                 // another protocol passes through
	lingering              // the answer is sent, the client may still be sending
	expired                // being cut
)

// errExpired ends a connection that the sweeper, or a shutdown, has cut.
var errExpired = errors.New("connection expired")

// state packs a phase and the millisecond it began into one word, so that the sweeper's look and its cut are each one atomic step.
func state(p phase, since time.Time) uint64 { return uint64(since.UnixMilli())<<8 | uint64(p) }

func (c *Conn) enter(p phase, now time.Time) { c.state.Store(state(p, now)) }

func (c *Conn) phase() phase { return phase(c.state.Load()) }

func (c *Conn) since() (phase, int64) {
	s := c.state.Load()
	return phase(s), int64(s >> 8)
}

// wake ends idle or head for the connection's goroutine, unless expire came first.
func (c *Conn) wake(now time.Time) bool {
	for {
		old := c.state.Load()
		if phase(old) == expired {
			return false
		}
		if c.state.CompareAndSwap(old, state(waiting, now)) {
			return true
		}
	}
}

// expire cuts a connection that is in phase p, unless it has just woken.
func (c *Conn) expire(p phase) bool {
	old := c.state.Load()
	return phase(old) == p && c.state.CompareAndSwap(old, state(expired, time.Now()))
}
