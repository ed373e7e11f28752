package conn

import (
	"io"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// outcome is how far a connection came.
type outcome uint8

const (
	parked outcome = iota // it waits for input, and has given its buffers back
	later                 // it could go on, but it is others' turn
	busy                  // something has to wait: for drive
	away                  // somebody else has it
	over                  // it ends
)

// turn reads what has arrived and lets the session answer, without waiting for anything.
func (c *Conn) turn() outcome {
	now := time.Now()
	again := c.work != nil && !c.work.dry // it was others' turn
	if c.work == nil {
		if !c.wake(c.room.clock(now)) {
			return c.fail(errExpired)
		}
		c.take()
	}
	c.work.begin(now)
	if again || c.marks.Load()&woken != 0 {
		if o := c.answer(now); o != parked {
			return o
		}
	}
	return c.more(now)
}

// more is turn for a connection that is awake.
func (c *Conn) more(now time.Time) outcome {
	w := c.work
	for {
		space := w.space(c.room.buffers.limit)
		if len(space) == 0 {
			return c.fail(io.ErrShortBuffer)
		}
		n, err := c.t.tryRead(space)
		if n > 0 {
			w.in = w.in[:len(w.in)+n]
			if o := c.answer(now); o != parked {
				return o
			}
		}
		switch {
		case err == errAgain:
			c.park(now)
			return parked
		case err != nil:
			return c.fail(err)
		}
		if w.turns >= turnsAtOnce || w.turns > 1 && time.Since(w.since) >= turnTime { // one turn's time is the session's to bound
			w.dry = true
			return later
		}
	}
}

const (
	// turnsAtOnce is how many of its session's turns a connection has before it is others' turn: of one that sends without a pause, or
	// whose answers each fill a turn. turnTime is how long they may go on.
	turnsAtOnce = 16
	turnTime    = 200 * time.Microsecond
	// yieldedMost bounds the output that waits while others have their turns.
	yieldedMost = 64 << 10
)

// answer gives the session what is buffered, turn by turn, until it wants more, which is parked, or something else.
func (c *Conn) answer(now time.Time) outcome {
	w := c.work
	for {
		if c.marks.Load()&(woken|beside) != 0 {
			c.marks.And(^uint32(woken | beside))
		}
		used, next := c.session.Turn(w.in[w.used:], &w.out, now)
		if used > 0 {
			w.discard(used)
			c.answered = true
			c.in.reset()
			c.out.reset()
		}
		w.turns++
		if c.next = next; next == flow.Yield && w.out.Len() < yieldedMost {
			return later
		}
		whole, err := c.flush()
		switch {
		case err != nil:
			return c.fail(err)
		case !whole || next == flow.Wait:
			return busy
		case next.Ends():
			return over
		case next <= flow.Serve:
			return parked
		case next == flow.Yield || w.turns >= turnsAtOnce || time.Since(w.since) >= turnTime:
			return later
		}
	}
}

// flush sends what can be sent without waiting.
func (c *Conn) flush() (whole bool, err error) {
	out := &c.work.out
	if out.Len() == 0 {
		return true, nil
	}
	head := out.Head
	switch {
	case out.File.Length > 0:
		whole, err = c.t.tryWriteFile(&out.Head, &out.File)
	case len(out.Tail) <= c.t.joins():
		out.Join()
		head = out.Head
		fallthrough
	default:
		whole, err = c.t.tryWrite(&out.Head, &out.Tail)
	}
	if whole {
		out.Head = head
		out.Reset()
	}
	return whole, err
}

// flushAll sends everything.
func (c *Conn) flushAll() error {
	out := &c.work.out
	var err error
	if out.File.Length > 0 {
		err = c.t.writeFile(out.Head, out.File)
	} else {
		err = c.t.write(out.Head, out.Tail)
	}
	out.Reset()
	return err
}

// drive goes on from a turn that came to something that has to wait, until the connection waits for input, or is over.
func (c *Conn) drive() outcome {
	for {
		if err := c.flushAll(); err != nil {
			return c.fail(err)
		}
		if c.next == flow.Wait {
			c.next = c.session.Fulfil(&c.work.out)
			if whole, err := c.flush(); err != nil {
				return c.fail(err)
			} else if !whole {
				continue
			}
		}
		if c.next.Ends() {
			return over
		}
		now := c.task.Now()
		c.work.begin(now)
		switch o := c.answer(now); {
		case o == parked:
			if o = c.more(now); o != busy {
				return o
			}
		case o != busy:
			return o
		}
	}
}

// fail ends the connection without a word.
func (c *Conn) fail(err error) outcome {
	c.next, c.err = flow.Close, err
	return over
}

// park gives the buffers back; what has arrived of a head is kept in a slice of its size. A head's time runs from its first byte, the
// first head's from accept, and the time between two requests from the answer: bytes that are no head's, as TLS has them, gain none.
func (c *Conn) park(t time.Time) {
	part := c.work.in[c.work.used:]
	now := c.room.clock(t)
	switch {
	case len(part) == 0 && c.next == flow.Serve:
		c.rest, c.from = serving, now
	case len(part) == 0 && (c.answered || c.rest == serving):
		c.rest, c.from = idle, now
	case len(part) > 0 && (c.answered || c.rest >= idle):
		c.rest, c.from = head, now
	case len(part) > 0:
		c.rest = head
	}
	c.answered = false
	if len(part) > 0 && c.next == flow.Serve {
		c.marks.Or(beside)
	}
	if len(part) == 0 {
		c.part = nil
	} else {
		c.part = append(c.part[:0], part...)
	}
	c.give()
	c.enter(c.rest, c.from)
}

func (c *Conn) take() *work {
	if c.work == nil {
		c.work = c.room.buffers.get()
		c.work.in = append(c.work.in, c.part...)
	}
	return c.work
}

func (c *Conn) give() {
	if c.work != nil {
		c.room.buffers.put(c.work)
		c.work = nil
	}
}

// lasts tells whether there is something to say or to hear, for [Conn.end], before the connection can be closed.
func (c *Conn) lasts() bool { return c.owesTimeout() || c.owesLinger() }

// owesTimeout tells whether the client's head began to arrive and did not end in time.
func (c *Conn) owesTimeout() bool { return c.ranOut() && len(c.part) > 0 }

// owesParting tells whether the client was idle, and its protocol has a word for that.
func (c *Conn) owesParting() bool { return c.ranOut() && len(c.part) == 0 && c.session.Parts() }

func (c *Conn) ranOut() bool {
	return c.err == errExpired && c.session != nil && c.phase() == expired
}

// owesLinger tells whether the client, which may still be sending, has an answer to read.
func (c *Conn) owesLinger() bool {
	return c.err == nil && c.work != nil && c.next != flow.Reset && (c.next == flow.Linger || c.work.used < len(c.work.in))
}

// end says and hears what is left.
func (c *Conn) end() {
	switch {
	case c.owesTimeout():
		c.timeout()
	case c.owesLinger():
		c.linger()
	case c.owesParting():
		c.t.allow(lastWords)
		c.leave()
	}
}

// leave takes leave of an idle client, if that can be sent at once.
func (c *Conn) leave() {
	w := c.take()
	c.session.Timeout(nil, &w.out, time.Now())
	_, _ = c.flush() // it is a courtesy
}

// timeout tells a client whose head began to arrive and did not end in time.
func (c *Conn) timeout() {
	c.t.allow(lastWords)
	w := c.take()
	c.session.Timeout(w.in, &w.out, time.Now())
	if c.flushAll() == nil {
		c.linger()
	}
}

// lastWords is how long what is said to a connection that is being cut may take.
const lastWords = time.Second

// linger lets the client read its answer before the close resets the connection (RFC 9112 §9.6).
func (c *Conn) linger() {
	c.enter(lingering, c.now())
	patience, most := lingerFor, lingerBytes
	if c.marks.Load()&breached != 0 {
		patience, most = breachLingerFor, breachLingerBytes
	}
	c.t.allow(patience)
	c.hearOut(c.work.in[:cap(c.work.in)], most)
}

// hearOut tells the client that nothing more will come, and reads what does until it has closed, too, or that is most.
func (c *Conn) hearOut(b []byte, most int) {
	if c.t.closeWrite() != nil {
		return
	}
	for left := most; left > 0; {
		n, err := c.t.read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

// What bounds a lingering close, and that of a client who broke a bound: it is told, but it is not to go on for long.
const (
	lingerFor         = 2 * time.Second
	lingerBytes       = 16 << 20
	breachLingerFor   = 500 * time.Millisecond
	breachLingerBytes = 256 << 10
)

// close ends the connection. After a fault something may still use what it holds: that is left to the collector.
func (c *Conn) close(faulty bool) {
	if c.session != nil {
		c.session.End()
	}
	c.abort.Fire()
	if c.next == flow.Reset || c.marks.Load()&cut != 0 {
		c.wire.forget()
	}
	c.t.close()
	if !faulty {
		c.give()
	}
	if c.counted {
		c.room.sources.leave(c.info.Remote.Addr())
	}
	c.room.table.remove(c)
}
