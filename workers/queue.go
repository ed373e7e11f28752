package workers

import (
	"net/netip"
	"time"
)

// queue holds jobs in a line for each source, and serves the lines in turn.
type queue struct {
	size, max int
	lines     map[netip.Prefix]*line
	turns     list[*line]   // the next to be served first; a new one goes to the end
	byLength  []list[*line] // which have so many jobs
	longest   int
}

// line is the jobs of a source, the oldest first.
type line struct {
	source       netip.Prefix
	length       int
	jobs         list[*waiting]
	turn, equals element[*line]
}

type waiting struct {
	element[*waiting]
	job   Job
	since time.Time
}

func newQueue(size int) queue {
	return queue{max: size, lines: make(map[netip.Prefix]*line), byLength: make([]list[*line], size+1)}
}

// push adds a job. If there is no room, a source that has two more than this one at the least loses its newest, which is returned; if
// there is none, ok is false.
func (q *queue) push(source netip.Prefix, j Job, now time.Time) (displaced Job, ok bool) {
	l := q.lines[source]
	if q.size == q.max {
		mine := 0
		if l != nil {
			mine = l.length
		}
		if mine+1 >= q.longest {
			return nil, false
		}
		displaced = q.takeNewest(q.byLength[q.longest].first())
	}
	if l == nil {
		l = &line{source: source}
		l.turn.value, l.equals.value = l, l
		q.lines[source] = l
		q.turns.push(&l.turn)
	}
	w := &waiting{job: j, since: now}
	w.value = w
	l.jobs.push(&w.element)
	q.resize(l, +1)
	return displaced, true
}

// pop takes the oldest job of the source whose turn it is; nil if there is none.
func (q *queue) pop() (j Job, since time.Time) {
	if q.size == 0 {
		return nil, since
	}
	l := q.turns.first()
	w := l.jobs.first()
	w.remove()
	l.turn.remove()
	if q.resize(l, -1); l.length > 0 {
		q.turns.push(&l.turn)
	}
	return w.job, w.since
}

func (q *queue) takeNewest(l *line) Job {
	w := l.jobs.last()
	w.remove()
	if q.resize(l, -1); l.length == 0 {
		l.turn.remove()
	}
	return w.job
}

// resize keeps account of a line that has got one job more or less. An empty one is forgotten.
func (q *queue) resize(l *line, by int) {
	if l.length > 0 {
		l.equals.remove()
	}
	l.length += by
	q.size += by
	if l.length > 0 {
		q.byLength[l.length].push(&l.equals)
	} else {
		delete(q.lines, l.source)
	}
	q.longest = max(q.longest, l.length)
	if q.longest > 0 && q.byLength[q.longest].empty() { // then this line was the only one, and has one less now
		q.longest--
	}
}

// list is a ring of elements, which are part of what they are elements of. The zero list is empty.
type list[T any] struct{ root element[T] }

type element[T any] struct {
	before, after *element[T]
	value         T
}

func (l *list[T]) empty() bool { return l.root.after == nil || l.root.after == &l.root }

// first and last are for lists that are not empty.
func (l *list[T]) first() T { return l.root.after.value }
func (l *list[T]) last() T  { return l.root.before.value }

// push adds an element at the end.
func (l *list[T]) push(e *element[T]) {
	if l.root.after == nil {
		l.root.before, l.root.after = &l.root, &l.root
	}
	e.before, e.after = l.root.before, &l.root
	e.before.after, l.root.before = e, e
}

func (e *element[T]) remove() {
	e.before.after, e.after.before = e.after, e.before
	e.before, e.after = nil, nil
}
