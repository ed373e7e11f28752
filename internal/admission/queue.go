package admission

import (
	"net/netip"
	"sync"
	"time"

	"github.com/seawall/seawall/prefixes"
)

// queue holds the waiters of one budget in a tree of classes: root, networks, sources. An operation takes constant time, but for a look at
// the different lengths of classes, of which n waiters can have no more than √2n. It is not safe for concurrent use.
type queue struct {
	root     class
	networks map[netip.Prefix]*class
	sources  map[netip.Prefix]*class
	ages     list[waiter] // all waiters, oldest first

	classes, ranks sync.Pool
}

// class is a part of the queue whose children take turns; a source, at the leaves, has waiters instead of children.
type class struct {
	parent *class
	prefix netip.Prefix
	length int // waiters below
	left   int // how many more are served before its turn ends; 0 between turns

	waiters list[waiter] // in order of arrival
	turns   list[class]  // children in the order of their next turns
	ranks   list[rank]   // children by length, shortest first
	parts   int          // how many children there are

	turn element[class] // its place in parent.turns
	rank *rank          // its place in parent.ranks,
	peer element[class] // and in there
}

// rank is the children of one class that have the same length, the one that most recently grew to it last.
type rank struct {
	length  int
	count   int
	classes list[class]
	place   element[rank]
}

func newQueue() *queue {
	q := &queue{
		networks: make(map[netip.Prefix]*class),
		sources:  make(map[netip.Prefix]*class),
	}
	q.classes.New = func() any {
		c := new(class)
		c.turn.value, c.peer.value = c, c
		return c
	}
	q.ranks.New = func() any {
		r := new(rank)
		r.place.value = r
		return r
	}
	return q
}

// len is how many wait.
func (q *queue) len() int { return q.root.length }

// oldest returns who has waited longest, or nil.
func (q *queue) oldest() *waiter { return q.ages.front() }

// next returns whose turn it is, or nil.
func (q *queue) next() *waiter {
	c := &q.root
	for !c.turns.empty() {
		c = c.turns.front()
	}
	return c.waiters.front()
}

// due is how many waiters of a child are no more than its due: with so many of each, there are no more than with one of each and extra. That is
// as many as it has where few children have many, and few where some have nearly all that waits.
func (c *class) due(extra int) int {
	room, rest, most := c.parts+extra, c.parts, 0
	for e := c.ranks.first; e != nil; e = e.next {
		if most = e.value.length; most*rest > room {
			return room / rest
		}
		room -= most * e.value.count
		rest -= e.value.count
	}
	return most
}

// loser returns who gives way where there are too many, or nil: the newest waiter of the longest source in the longest network, if that has more than
// its due, where a quarter is extra; else the newest of all. Among equals it finds the one that grew last.
func (q *queue) loser() *waiter {
	if q.root.length > 0 && q.root.ranks.back().length <= q.root.due(q.root.parts/4) {
		return q.ages.back()
	}
	c := &q.root
	for !c.ranks.empty() {
		c = c.ranks.back().classes.back()
	}
	return c.waiters.back()
}

// push adds w at the end of its source's line. A source or network that had nobody waiting takes its turn after all others.
func (q *queue) push(w *waiter, source netip.Prefix, now time.Time) {
	w.since = now
	q.ages.pushBack(&w.age)
	w.class = q.source(source)
	w.class.waiters.pushBack(&w.place)
	for c := w.class; c != nil; c = c.parent {
		c.length++
		if c.length == 1 && c.parent != nil {
			c.parent.turns.pushBack(&c.turn)
		}
		q.raise(c)
	}
}

// pop removes and returns whose turn it is; its source and its network go to the end of theirs when they have had their due. A round of turns is
// at most twice as long as with one of each, and those who are many behind one address need not wait for one another where that does not help
// anybody else. The queue must not be empty.
func (q *queue) pop() *waiter {
	w := q.next()
	for c := w.class; c.parent != nil; c = c.parent {
		if c.left == 0 {
			c.left = c.parent.due(c.parent.parts)
		}
		if c.left--; c.left == 0 {
			c.parent.turns.remove(&c.turn)
			c.parent.turns.pushBack(&c.turn)
		}
	}
	q.remove(w)
	return w
}

// remove takes w out, wherever it stands.
func (q *queue) remove(w *waiter) {
	q.ages.remove(&w.age)
	w.class.waiters.remove(&w.place)
	for c := w.class; c != nil; {
		parent := c.parent
		c.length--
		q.lower(c)
		if c.length == 0 && parent != nil {
			parent.turns.remove(&c.turn)
			q.forget(c)
		}
		c = parent
	}
	w.class = nil
}

// source returns the class of a source, made if it is not there.
func (q *queue) source(prefix netip.Prefix) *class {
	c := q.sources[prefix]
	if c == nil {
		network := prefixes.Network(prefix.Addr())
		parent := q.networks[network]
		if parent == nil {
			parent = q.class(&q.root, network)
			q.networks[network] = parent
		}
		c = q.class(parent, prefix)
		q.sources[prefix] = c
	}
	return c
}

func (q *queue) class(parent *class, prefix netip.Prefix) *class {
	c := q.classes.Get().(*class)
	c.parent, c.prefix = parent, prefix
	return c
}

// forget drops a class that has nobody waiting.
func (q *queue) forget(c *class) {
	if c.parent == &q.root {
		delete(q.networks, c.prefix)
	} else {
		delete(q.sources, c.prefix)
	}
	c.parent, c.left = nil, 0
	q.classes.Put(c)
}

// raise moves c, one longer than its rank says, to the next rank.
func (q *queue) raise(c *class) {
	if c.parent == nil {
		return
	}
	ranks, from := &c.parent.ranks, c.rank
	var at *element[rank] // the place that the new rank would follow
	next := ranks.first
	if from != nil {
		at, next = &from.place, from.place.next
	} else {
		c.parent.parts++
	}
	if next != nil && next.value.length == c.length {
		c.rank = next.value
	} else {
		c.rank = q.newRank(c.length)
		ranks.insertAfter(&c.rank.place, at)
	}
	q.unrank(c, ranks, from)
	c.rank.count++
	c.rank.classes.pushBack(&c.peer)
}

// lower moves c, one shorter than its rank says, to the previous rank, or out of the ranks if nobody is left.
func (q *queue) lower(c *class) {
	if c.parent == nil {
		return
	}
	ranks, from := &c.parent.ranks, c.rank
	at := from.place.prev
	switch {
	case c.length == 0:
		c.rank = nil
		c.parent.parts--
	case at != nil && at.value.length == c.length:
		c.rank = at.value
	default:
		c.rank = q.newRank(c.length)
		ranks.insertAfter(&c.rank.place, at)
	}
	q.unrank(c, ranks, from)
	if c.rank != nil {
		c.rank.count++
		c.rank.classes.pushFront(&c.peer)
	}
}

// unrank takes c out of the rank it was in, if any, and drops the rank if nobody else is in it.
func (q *queue) unrank(c *class, ranks *list[rank], from *rank) {
	if from == nil {
		return
	}
	from.count--
	from.classes.remove(&c.peer)
	if from.classes.empty() {
		ranks.remove(&from.place)
		q.ranks.Put(from)
	}
}

func (q *queue) newRank(length int) *rank {
	r := q.ranks.Get().(*rank)
	r.length = length
	return r
}
