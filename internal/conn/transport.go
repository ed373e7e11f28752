package conn

import (
	"errors"
	"net"
	"time"
)

// transport is a connection's bytes, as the driver needs them.
type transport interface {
	// wait calls turn whenever there may be something to read, until turn returns true or the transport fails.
	wait(turn func() bool) error
	// tryRead reads what is there, errAgain if nothing is; for use inside wait.
	tryRead(p []byte) (int, error)
	// read waits; for use outside of wait, whose turn holds the reading side.
	read(p []byte) (int, error)
	// write sends head, then tail, both whole, and waits for the peer where it must.
	write(head, tail []byte) error
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
	// secure shakes hands and returns the transport of what is inside.
	secure(handshake Handshake) (transport, error)
	// forget makes close reset the connection: the kernel keeps nothing for a peer that may never take it.
	forget()
	close()
}

var (
	// errAgain tells that there is nothing to read now.
	errAgain error = again{}
	// errInside tells that the session said it needs no input, and then waited for some.
	errInside = errors.New("a read that waits, inside a wait")
)

// again is what crypto/tls takes for a temporary error: the connection stays usable.
type again struct{}

func (again) Error() string   { return "nothing to read now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// plain is a transport over any net.Conn: where there is no descriptor to ask, and for simulated networks.
type plain struct {
	net.Conn
	c      *Conn
	inside bool   // a wait
	ahead  []byte // what wait has read and nobody has taken
	buffer [4 << 10]byte
}

func (t *plain) wait(turn func() bool) error {
	t.inside = true
	defer func() { t.inside = false }()
	for {
		if len(t.ahead) == 0 {
			n, err := t.Conn.Read(t.buffer[:])
			if n == 0 && err != nil {
				return err
			}
			t.ahead = t.buffer[:n]
		}
		if turn() {
			return nil
		}
	}
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
	if t.inside {
		return 0, errInside
	}
	in := &t.c.in
	in.begin(t.c.now(), in.moved.Load())
	n, err := t.Read(p)
	in.moved.Add(int64(n))
	in.end(t.c.now())
	return n, err
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

func (t *plain) joins() int            { return 0 }
func (t *plain) closeWrite() error     { return closeWrite(t.Conn) }
func (t *plain) unacked() int64        { return 0 }
func (t *plain) interrupt()            { t.SetDeadline(past()) }
func (t *plain) interruptRead()        { t.SetReadDeadline(past()) }
func (t *plain) allow(d time.Duration) { t.SetDeadline(time.Now().Add(d)) }
func (t *plain) forget()               { forget(t.Conn) }
func (t *plain) close()                { t.Close() }

func (t *plain) gone() bool {
	g, ok := t.Conn.(interface{ PeerGone() bool })
	return ok && g.PeerGone()
}

func (t *plain) secure(handshake Handshake) (transport, error) {
	inside, err := handshake(t, &t.c.info)
	if err != nil {
		return nil, err
	}
	return &plain{Conn: inside, c: t.c}, nil
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }
