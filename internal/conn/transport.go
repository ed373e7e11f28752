package conn

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// transport is a connection's bytes, as the driver needs them.
type transport interface {
	// tryRead reads what is there, errAgain if nothing is.
	tryRead(p []byte) (int, error)
	// read waits.
	read(p []byte) (int, error)
	// tryWrite sends as much of head, then tail, as can be sent without waiting, and cuts that off both. It reports whether all was sent.
	tryWrite(head, tail *[]byte) (whole bool, err error)
	// write sends head, then tail, both whole, after what tryWrite may have left. It waits for the peer where it must.
	write(head, tail []byte) error
	// tryWriteFile and writeFile send head, then a part of a file, likewise: of a connection that sends files.
	tryWriteFile(head *[]byte, part *flow.FilePart) (whole bool, err error)
	writeFile(head []byte, part flow.FilePart) error
	// joins is the largest tail that is better copied behind its head.
	joins() int
	closeWrite() error
	// gone tells whether the peer has closed its side; unacked how many sent bytes it has not acknowledged. For any goroutine.
	gone() bool
	unacked() int64
	// interrupt ends every wait, now and later, interruptRead those for input; allow lets the next calls take a little longer, after
	// an interrupt.
	interrupt()
	interruptRead()
	allow(time.Duration)
	// start begins work that waits, beside the driver, and wake lets the driver go on soon, although nothing may have arrived; tick does
	// that for the sweeper, who must not wait.
	start(loop.Runner)
	wake()
	tick()
	// forget makes close reset the connection: the kernel keeps nothing for a peer that may never take it.
	forget()
	close()
}

// errAgain tells that there is nothing to read now.
var errAgain = loop.ErrAgain

// plain is a transport over any net.Conn, driven by a goroutine: where there are no event loops, and for simulated networks. Trying waits.
type plain struct {
	net.Conn
	c      *Conn
	turns  *turns
	ahead  []byte // what await has read and nobody has taken
	buffer [4 << 10]byte
}

// turns lets one goroutine at a time drive a connection: its own, or that of work which wakes it.
type turns struct {
	taken chan struct{} // holds one while somebody drives
	over  bool
}

func newTurns() *turns { return &turns{taken: make(chan struct{}, 1)} }

func (t *turns) take() { t.taken <- struct{}{} }
func (t *turns) give() { <-t.taken }

// await waits for something to read, and then for its turn.
func (t *plain) await() error {
	if len(t.ahead) > 0 {
		t.turns.take()
		return nil
	}
	n, err := t.Conn.Read(t.buffer[:])
	t.turns.take()
	if n == 0 && err != nil {
		return err
	}
	t.ahead = t.buffer[:n]
	return nil
}

func (t *plain) tryRead(p []byte) (int, error) {
	if len(t.ahead) == 0 {
		return 0, errAgain
	}
	n := copy(p, t.ahead)
	t.ahead = t.ahead[n:]
	return n, nil
}

// Read implements [net.Conn], for a handshake.
func (t *plain) Read(p []byte) (int, error) {
	if len(t.ahead) > 0 {
		return t.tryRead(p)
	}
	return t.Conn.Read(p)
}

func (t *plain) read(p []byte) (int, error) {
	in := &t.c.in
	in.begin(t.c.now(), in.moved.Load())
	n, err := t.Read(p)
	in.moved.Add(int64(n))
	in.end(t.c.now())
	return n, err
}

func (t *plain) tryWrite(head, tail *[]byte) (whole bool, err error) {
	err = t.write(*head, *tail)
	*head, *tail = nil, nil
	return true, err
}

// write sends in pieces, each of which an honest reader takes well within its time.
func (t *plain) write(head, tail []byte) error {
	const piece = 4 << 10
	out := &t.c.out
	out.begin(t.c.now(), out.moved.Load())
	defer func() { out.end(t.c.now()) }()
	for _, p := range [...][]byte{head, tail} {
		for len(p) > 0 {
			n, err := t.Conn.Write(p[:min(len(p), piece)])
			out.moved.Add(int64(n))
			if err != nil {
				return err
			}
			p = p[n:]
		}
	}
	return nil
}

func (t *plain) tryWriteFile(*[]byte, *flow.FilePart) (bool, error) {
	return false, errors.ErrUnsupported
}
func (t *plain) writeFile([]byte, flow.FilePart) error { return errors.ErrUnsupported }

// start begins work on a goroutine of its own.
func (t *plain) start(work loop.Runner) { go work.Run(nil) }

// wake drives the connection from where it is called.
func (t *plain) wake() {
	t.turns.take()
	t.c.beside(t.turns)
}

func (t *plain) tick() {
	select {
	case t.turns.taken <- struct{}{}:
		go t.c.beside(t.turns)
	default: // who drives will see that the session is woken, or is just doing what is wanted
	}
}

func (t *plain) joins() int            { return 0 }
func (t *plain) closeWrite() error     { return closeWrite(t.Conn) }
func (t *plain) unacked() int64        { return 0 }
func (t *plain) interrupt()            { t.SetDeadline(past()) }
func (t *plain) interruptRead()        { t.SetReadDeadline(past()) }
func (t *plain) allow(d time.Duration) { t.SetDeadline(time.Now().Add(d)) }
func (t *plain) forget()               { forget(t.Conn) }
func (t *plain) close()                { t.Close() }

func (t *plain) gone() bool {
	switch c := t.Conn.(type) {
	case interface{ PeerGone() bool }:
		return c.PeerGone()
	case syscall.Conn:
		return ended(c)
	}
	return false
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }
