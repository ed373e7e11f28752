package hello

import (
	"net/netip"
	"sync"

	"github.com/seawall/seawall/workers"
)

// underway is all handshakes whose ClientHello has arrived: it counts them by source, and knows which wait for their clients. Its lock
// guards their states, too; a handshake costs far more.
type underway struct {
	mu             sync.Mutex
	sources        map[netip.Prefix]int
	open, waiting  int
	oldest, newest *Shake // of those that wait for their clients
}

// state is how far a handshake is.
type state uint8

const (
	gathers state = iota // its ClientHello
	ready                // for its first step
	queued               // for that
	works                // on a thread, or is about to
	waits                // for its client
	over                 // as its result tells
)

// admit counts a handshake among its source's, unless that has as many as it may. Clients without an address are not counted.
func (u *underway) admit(s *Shake, limit int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.source.IsValid() {
		if u.sources[s.source] >= limit {
			return false
		}
		u.sources[s.source]++
	}
	s.state = ready
	return true
}

// submit moves a handshake on to its next step, and tells where from.
func (u *underway) submit(s *Shake) state {
	u.mu.Lock()
	defer u.mu.Unlock()
	from := s.state
	switch from {
	case ready:
		s.state = queued
	case waits:
		u.forget(s)
		s.state = works
	default:
	}
	return from
}

// begin opens a handshake that was queued. If there are as many as may be, the one that has waited longest for its client gives way; if
// none waits, or it was closed meanwhile, it ends here.
func (u *underway) begin(s *Shake, limit int) (victim *Shake, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.closed {
		u.end(s, errClosed)
		return nil, false
	}
	if u.open >= limit {
		if victim = u.oldest; victim == nil {
			u.end(s, &Refusal{QueueFull, ""})
			return nil, false
		}
		u.end(victim, &Refusal{GaveWay, ""})
	}
	u.open++
	s.opened, s.state = true, works
	return victim, true
}

// wait has a handshake wait for its client. It returns false if it was closed meanwhile.
func (u *underway) wait(s *Shake) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.closed {
		return false
	}
	s.state = waits
	if s.older = u.newest; s.older != nil {
		s.older.newer = s
	} else {
		u.oldest = s
	}
	u.newest = s
	u.waiting++
	return true
}

// forget takes a handshake out of those that wait.
func (u *underway) forget(s *Shake) {
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		u.oldest = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		u.newest = s.older
	}
	s.older, s.newer = nil, nil
	u.waiting--
}

// end is the end of a handshake, with the lock held: it gives back what is counted.
func (u *underway) end(s *Shake, err error) {
	if s.state == waits {
		u.forget(s)
	}
	if s.state >= ready && s.state < over && s.source.IsValid() {
		if u.sources[s.source]--; u.sources[s.source] <= 0 {
			delete(u.sources, s.source)
		}
	}
	if s.opened {
		u.open--
		s.opened = false
	}
	if s.state != over {
		s.state, s.err = over, err
		s.room.count(err)
	}
}

// finish is end for who does not hold the lock.
func (u *underway) finish(s *Shake, err error) {
	u.mu.Lock()
	u.end(s, err)
	u.mu.Unlock()
}

// close ends a handshake that nobody works on, and marks one that somebody does. It returns the thread that has to stop it, or nil.
func (u *underway) close(s *Shake) *workers.Thread {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.closed = true
	waited := s.state == waits
	if s.state != queued && s.state != works {
		u.end(s, errClosed)
	}
	if waited {
		return s.thread
	}
	return nil
}
