package handover

import (
	"maps"
	"slices"
	"sync"

	"github.com/seawall/seawall/internal/admission"
)

// Outbox collects changes of budgets, which may not wait, for a connection, which may. The zones bound it.
type Outbox struct {
	mu      sync.Mutex
	changes map[string]admission.Change
	wake    chan struct{}
}

// NewOutbox returns an empty one.
func NewOutbox() *Outbox {
	return &Outbox{changes: make(map[string]admission.Change), wake: make(chan struct{}, 1)}
}

// Add adds a change to those of its zone.
func (o *Outbox) Add(c admission.Change) {
	o.mu.Lock()
	sum, ok := o.changes[c.Zone]
	if ok {
		sum.Add(&c)
	} else {
		sum = c
	}
	o.changes[c.Zone] = sum
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *Outbox) take() []admission.Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	changes := slices.Collect(maps.Values(o.changes))
	clear(o.changes)
	return changes
}

// Deliver sends what is added over c until done is closed or that fails.
func (o *Outbox) Deliver(c *Conn, done <-chan struct{}) {
	for {
		select {
		case <-o.wake:
		case <-done:
			return
		}
		if c.SendChanges(Change, o.take()) != nil { // whoever receives from c sees its end
			return
		}
	}
}
