package site

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Who is who sent a request, in truth.
type Who uint8

// Unknown is whoever Truth does not know.
const (
	Unknown Who = iota
	Visitor
	Attacker
)

func (w Who) String() string {
	return [...]string{Unknown: "unknown", Visitor: "visitor", Attacker: "attacker"}[w]
}

// Tally is a number of requests by who sent them.
type Tally struct {
	Visitor  int `json:"visitor"`
	Attacker int `json:"attacker"`
	Unknown  int `json:"unknown"`
}

// Sum is all of them.
func (t Tally) Sum() int { return t.Visitor + t.Attacker + t.Unknown }

func (t *Tally) add(w Who) {
	switch w {
	case Visitor:
		t.Visitor++
	case Attacker:
		t.Attacker++
	case Unknown:
		t.Unknown++
	}
}

// Counts is what a site got since it started.
type Counts struct {
	Tally
	ByKind     map[Kind]Tally `json:"by_kind"`
	Concurrent int            `json:"concurrent"` // in the site now: waiting or worked on
	Peak       int            `json:"peak"`       // most at once
	PeakRate   int            `json:"peak_rate"`  // most requests in a second
	Overloaded int            `json:"overloaded"` // answered 503, the backlog being full
}

// Moment is what a site got within a quarter of a second.
type Moment struct {
	Tally
	Peak       int `json:"peak"` // most in the site at once
	Overloaded int `json:"overloaded"`
}

const (
	// MomentLength is how long a Moment is.
	MomentLength = 250 * time.Millisecond
	maxMoments   = int(10 * time.Minute / MomentLength)
)

// counts counts requests into and out of a site. One lock: a site takes thousands of requests a second, not millions.
type counts struct {
	mu      sync.Mutex
	sum     Counts
	since   time.Time
	moments []Moment // the last one is not over
}

func newCounts(now time.Time) *counts {
	c := &counts{}
	c.restart(now)
	return c
}

// restart counts from zero; who is in the site stays in.
func (c *counts) restart(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.sum.Concurrent
	c.sum = Counts{ByKind: map[Kind]Tally{}, Concurrent: n, Peak: n}
	c.since = now
	c.moments = append(make([]Moment, 0, 256), Moment{Peak: n})
}

// moment returns the one that now is in, and nil once there are too many. c.mu is held.
func (c *counts) moment(now time.Time) *Moment {
	i := int(now.Sub(c.since) / MomentLength)
	for len(c.moments) <= min(i, maxMoments-1) {
		c.moments = append(c.moments, Moment{Peak: c.sum.Concurrent})
	}
	if i >= maxMoments {
		return nil
	}
	return &c.moments[max(i, 0)]
}

// arrive counts a request in.
func (c *counts) arrive(kind Kind, who Who, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.moment(now)
	c.sum.add(who)
	byKind := c.sum.ByKind[kind]
	byKind.add(who)
	c.sum.ByKind[kind] = byKind
	c.sum.Concurrent++
	c.sum.Peak = max(c.sum.Peak, c.sum.Concurrent)
	if m != nil {
		m.add(who)
		m.Peak = max(m.Peak, c.sum.Concurrent)
	}
}

func (c *counts) depart(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moment(now) // those between saw it in the site
	c.sum.Concurrent--
}

func (c *counts) overload(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Overloaded++
	if m := c.moment(now); m != nil {
		m.Overloaded++
	}
}

func (c *counts) snapshot() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.sum
	sum.ByKind = maps.Clone(sum.ByKind)
	for i := range c.moments {
		second := 0
		for _, m := range c.moments[max(0, i-3) : i+1] {
			second += m.Sum()
		}
		sum.PeakRate = max(sum.PeakRate, second)
	}
	return sum
}

func (c *counts) timeline(now time.Time) []Moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moment(now)
	return slices.Clone(c.moments)
}
