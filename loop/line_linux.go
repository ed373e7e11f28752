package loop

// line is who yielded, first come, first served. There is a place for each connection at most.
type line struct {
	conns []*Conn
	gone  int // of those in front
}

func (q *line) waiting() int { return len(q.conns) - q.gone }

func (q *line) push(c *Conn) {
	if len(q.conns) == cap(q.conns) && q.gone > len(q.conns)/2 {
		n := copy(q.conns, q.conns[q.gone:])
		clear(q.conns[n:])
		q.conns, q.gone = q.conns[:n], 0
	}
	q.conns = append(q.conns, c)
}

func (q *line) pop() *Conn {
	c := q.conns[q.gone]
	q.conns[q.gone] = nil
	if q.gone++; q.gone == len(q.conns) {
		q.conns, q.gone = q.conns[:0], 0
	}
	return c
}

// Yield lets the handler be called again once others have had a turn, whether or not anything has arrived. It is called on the loop, in place
// of [Conn.Park], and once until the handler is called.
func (c *Conn) Yield() { c.loop.line.push(c) }

// proceed lets those go on who yielded: one, since others may have come whom nobody has asked for yet, or else as many as there were other
// connections that had a turn. (Tasks don't count: a flood has as many as it likes.) So a connection that is worked through for long costs
// another no more than one turn of it, whatever the number of its kind, and does not starve among many. It reports whether there was anyone.
func (l *Loop) proceed() bool {
	n := min(max(l.served, 1), l.line.waiting())
	l.served = 0
	for range n {
		if c := l.line.pop(); !c.closed.Load() {
			c.handler.Ready()
		}
	}
	return n > 0
}
