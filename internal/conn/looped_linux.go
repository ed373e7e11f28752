package conn

import (
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// looped is a connection on an event loop. What can be done at once is done on the loop, and what has to wait in a task of it.
type looped struct {
	Conn
	sock loop.Conn
	job  job

	telling bool  // its handshake has failed, and it is to read why
	heard   int32 // bytes that it sent since

	secure Secure // what shakes hands before there is a session, or nil
	shim   *shim  // what it speaks through, or nil
	shake  Shake  // while hands are shaken in steps
}

// job is what a connection's task is for.
type job uint8

const (
	driving     job = iota // the session has to wait
	ending                 // for the client to take, or to say, its last
	identifying            // a proxy has to name the client
	greeting               // the handshake has to wait for the client to take what was said, or does not go in steps
)

// open serves a connection whose peer is admitted, on l. It is called there.
func (r *Room) open(l *loop.Loop, fd int, remote, local netip.AddrPort, secure Secure) {
	c := &looped{secure: secure}
	c.info = flow.Conn{Remote: remote, Local: local, SendsFiles: secure == nil}
	if err := c.sock.Init(l, fd, c); err != nil {
		r.Log.Error("watching a connection fails", "error", err)
		if !r.proxies.Contains(remote.Addr()) {
			r.sources.leave(remote.Addr())
		}
		return
	}
	defer c.guard()
	if proxied := r.begin(&c.Conn, (*wire)(c)); proxied {
		c.job = identifying
		l.Start(c)
	} else {
		c.settle(c.meet())
	}
}

// meet begins with a client that is known.
func (c *looped) meet() outcome {
	if c.secure == nil {
		c.session = c.room.Open(&c.info, &c.Conn)
		return parked
	}
	c.shim = newShim(c)
	if c.shake = c.secure.Begin(c.shim, &c.info); c.shake == nil {
		c.job = greeting
		return busy
	}
	return parked
}

// Ready implements [loop.Handler].
func (c *looped) Ready() {
	defer c.guard()
	if c.session == nil {
		c.settle(c.greet())
		return
	}
	c.job = driving
	c.settle(c.turn())
}

// settle does what an outcome asks for, on the loop.
func (c *looped) settle(o outcome) {
	switch {
	case o == parked:
		c.sock.Park()
	case o == later:
		c.sock.Yield()
	case o == busy:
		c.sock.Loop().Start(c)
	case o == over && c.lasts():
		c.job = ending
		c.sock.Loop().Start(c)
	case o == over:
		if c.owesParting() {
			c.leave()
		}
		c.finish()
	}
}

// Run implements [loop.Runner]: what has to wait.
func (c *looped) Run(t *loop.Task) {
	defer c.guard()
	c.task = t
	c.sock.Attach(t)
	o := c.wait()
	if o == over {
		c.end()
		c.finish()
		return
	}
	c.task = nil
	c.sock.Attach(nil)
	if !t.Left() {
		c.settle(o)
		return
	}
	c.sock.Loop().Do(func() {
		defer c.guard()
		c.settle(o)
	})
}

func (c *looped) wait() outcome {
	switch c.job {
	case driving:
		return c.drive()
	case identifying:
		if c.identify() {
			return c.meet()
		}
	case greeting:
		return c.shakeHands()
	}
	return over
}

// guard costs the connection a fault in our own code, never the node.
func (c *looped) guard() {
	if fault := recover(); fault != nil {
		c.room.fault(fault)
		c.endShake()
		c.close(true)
	}
}

func (c *looped) finish() {
	c.endShake()
	c.close(false)
}

// wire is the transport of what was accepted.
type wire looped

func (t *wire) tryRead(p []byte) (int, error) { return t.sock.TryRead(p) }

func (t *wire) read(p []byte) (int, error) {
	in := &t.in
	in.begin(t.now(), in.moved.Load())
	n, err := t.sock.Read(p)
	in.moved.Add(int64(n))
	in.end(t.now())
	return n, err
}

func (t *wire) tryWrite(head, tail *[]byte) (whole bool, err error) {
	n, err := t.sock.TryWrite(head, tail)
	t.out.moved.Add(int64(n))
	return len(*head)+len(*tail) == 0, err
}

func (t *wire) tryWriteFile(head *[]byte, part *flow.FilePart) (whole bool, err error) {
	n, err := t.sock.TryWriteFile(head, part.File.FD(), &part.Offset, &part.Length)
	t.out.moved.Add(int64(n))
	return len(*head) == 0 && part.Length == 0, err
}

func (t *wire) write(head, tail []byte) error {
	return t.writeBy(func() (n int, whole bool, err error) {
		n, err = t.sock.TryWrite(&head, &tail)
		return n, len(head)+len(tail) == 0, err
	})
}

// writeFile leaves the loop if what is left of the part has gone from the page cache while it waited for the client.
func (t *wire) writeFile(head []byte, part flow.FilePart) error {
	return t.writeBy(func() (n int, whole bool, err error) {
		if !part.File.Cached(part.Offset, part.Length) {
			t.task.Leave()
		}
		n, err = t.sock.TryWriteFile(&head, part.File.FD(), &part.Offset, &part.Length)
		return n, len(head) == 0 && part.Length == 0, err
	})
}

// writeBy tries until all is written, and minds the client's pace meanwhile.
func (t *wire) writeBy(try func() (n int, whole bool, err error)) error {
	waiting := false
	err := t.sock.WriteBy(try, func(n int, waits bool) {
		t.out.moved.Add(int64(n))
		if waits && !waiting {
			waiting = true
			t.out.begin(t.now(), t.out.moved.Load()-t.sock.Unacked())
		}
	})
	if waiting {
		t.out.end(t.now())
	}
	return err
}

func (t *wire) start(work loop.Runner) {
	if l := t.sock.Loop(); t.task != nil && t.task.Left() {
		l.Do(func() { l.Start(work) })
	} else {
		l.Start(work)
	}
}

func (t *wire) wake()                 { t.sock.Again() }
func (t *wire) tick()                 { t.sock.Again() }
func (t *wire) joins() int            { return 0 }
func (t *wire) closeWrite() error     { return t.sock.CloseWrite() }
func (t *wire) gone() bool            { return t.sock.PeerGone() }
func (t *wire) unacked() int64        { return t.sock.Unacked() }
func (t *wire) interruptRead()        { _ = t.sock.SetReadDeadline(past()) }
func (t *wire) allow(d time.Duration) { _ = t.sock.SetDeadline(time.Now().Add(d)) }
func (t *wire) forget()               { t.sock.Forget() }
func (t *wire) close()                { _ = t.sock.Close() }

func (t *wire) interrupt() {
	_ = t.sock.SetDeadline(past())
	t.sock.Again()
}
