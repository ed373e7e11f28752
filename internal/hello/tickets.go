package hello

import (
	"crypto/rand"
	"crypto/tls"
	"slices"
	"sync"
	"time"
)

const (
	// ticketRotation is how long a key seals tickets, ticketKeysKept how many open them: that makes a ticket good for 24 to 36 hours. (A
	// session lives 7 days at most, RFC 8446 §4.6.1, which crypto/tls sees to.)
	ticketRotation = 12 * time.Hour
	ticketKeysKept = 3
)

// TicketKeys are the secrets that session tickets are sealed with. Who has them can read what was said in sessions of TLS 1.2 that tickets
// resume.
type TicketKeys struct {
	// Keys are at most three, the newest first: it seals, all open.
	Keys [][32]byte
	// Made is when the newest was made.
	Made time.Time
}

// tickets rotate their keys by themselves.
type tickets struct {
	mu     sync.Mutex
	keys   TicketKeys
	config *tls.Config // that is in use
	timer  *time.Timer
	ended  bool
}

func (t *tickets) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rotate(now)
	t.timer = time.AfterFunc(ticketRotation, t.tick)
}

// end stops the rotation.
func (t *tickets) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.timer.Stop()
}

// tick rotates the keys if it is time to: they may have been replaced meanwhile.
func (t *tickets) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	now := time.Now()
	if now.Sub(t.keys.Made) >= ticketRotation {
		t.rotate(now)
	}
	t.timer.Reset(t.rest(now))
}

func (t *tickets) rotate(now time.Time) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	t.set(TicketKeys{Keys: slices.Insert(slices.Clone(t.keys.Keys), 0, key), Made: now})
}

func (t *tickets) set(k TicketKeys) {
	k.Keys = slices.Clone(k.Keys[:min(len(k.Keys), ticketKeysKept)])
	t.keys = k
	if t.config != nil {
		t.config.SetSessionTicketKeys(k.Keys)
	}
}

// seal has a configuration use the keys, in place of the one before.
func (t *tickets) seal(c *tls.Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.config = c
	c.SetSessionTicketKeys(t.keys.Keys)
}

// TicketKeys are the ones in use, for the process that takes over.
func (r *Room) TicketKeys() TicketKeys {
	r.tickets.mu.Lock()
	defer r.tickets.mu.Unlock()
	return TicketKeys{slices.Clone(r.tickets.keys.Keys), r.tickets.keys.Made}
}

// SetTicketKeys replaces the keys: by those of the process before, or by those that several nodes share. They are rotated 12 hours after
// they were made, unless newer ones come before. No keys change nothing.
func (r *Room) SetTicketKeys(k TicketKeys) {
	t := &r.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(k.Keys) == 0 || t.ended {
		return
	}
	now := time.Now()
	if k.Made.After(now) { // by another machine's clock
		k.Made = now
	}
	t.set(k)
	t.timer.Reset(t.rest(now))
}

// rest is how long the newest key has to go.
func (t *tickets) rest(now time.Time) time.Duration {
	return max(0, ticketRotation-now.Sub(t.keys.Made))
}
