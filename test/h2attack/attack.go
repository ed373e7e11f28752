package h2attack

import (
	"slices"
	"time"

	"golang.org/x/net/http2"
)

// An Attack is one way to make a server work, wait or remember more than its client does. It is made of units: a frame or a few
// that an attacker sends again and again.
type Attack struct {
	Name   string
	About  string
	Unit   string        // what a unit is called
	Most   int           // units that a connection sends
	Budget int           // units that a server may bear with, as some client might have a reason to send that many
	Every  time.Duration // how often a unit is sent, by an attack that takes its time; 0 for as fast as the server reads
	Width  int           // connections at one time; 0 for the usual number

	settings []http2.Setting               // what the client begins with; nil to have every window wide open
	mute     bool                          // the connection has no preface yet
	begin    func(c *conn) error           // what the units need; nil for nothing
	send     func(c *conn, unit int) error // a unit; nil if waiting is all
	section  bool                          // the units are within a field section, where no other frame may stand
	unread   bool                          // the attacker doesn't read
	streams  bool                          // each unit opens one stream
	futile   bool                          // a server that refuses each of the units alone does enough
}

// slow tells an attack that takes its time. A server may bear with it for as long as its time-outs say.
func (a *Attack) slow() bool { return a.Every > 0 }

// Attacks returns all of them, in an order for tables.
func Attacks() []Attack {
	return slices.Concat(resets(), provokedResets(), sections(), controls(), contents(), windows(), bombs(), waits())
}

// Find returns an attack by its name.
func Find(name string) (Attack, bool) {
	all := Attacks()
	i := slices.IndexFunc(all, func(a Attack) bool { return a.Name == name })
	if i < 0 {
		return Attack{}, false
	}
	return all[i], true
}

// Budgets that several attacks share.
const (
	many        = 20_000 // units of a flood
	cancels     = 300    // what browsers cancel: three times what a page may have under way
	mistakes    = 50     // what a client can do wrong that does nothing wrong
	streamsEach = 100    // streams that every server lets a client open
)
