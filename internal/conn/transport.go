package conn

import (
	"errors"
	"net"
	"time"
)

// transport is a connection's bytes, as the driver needs them: attempts that do not wait, for use inside wait, and calls that do.
type transport interface {
	// wait calls turn whenever there may be something to read, until turn returns true or the transport fails.
	wait(turn func() bool) error
	// tryRead reads what is there, errAgain if nothing is; for use inside wait.
	tryRead(p []byte) (int, error)
	// tryWrite sends what fits of head and tail without waiting for the peer.
	tryWrite(head, tail []byte) (int, error)
	// read and write wait; read only outside of wait.
	read(p []byte) (int, error)
	write(p []byte) (int, error)
	closeWrite() error
	// gone tells whether the peer has closed its side; unacked how many sent bytes it has not acknowledged. For any goroutine.
	gone() bool
	unacked() int64
	// interrupt ends every wait, now and later; allow lets the next calls take a little longer, after an interrupt.
	interrupt()
	allow(time.Duration) error
	// secure shakes hands for c and returns the transport of what is inside.
	secure(handshake Handshake, c *Conn) (transport, error)
	close()
}

// errAgain tells that there is nothing to read now.
var errAgain error = again{}

// again is what crypto/tls takes for a temporary error: the connection stays usable.
type again struct{}

func (again) Error() string   { return "nothing to read now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// plain is a transport over any net.Conn: where there is no descriptor to ask, and for simulated networks.
type plain struct {
	net.Conn
	ahead  []byte // what wait has read and nobody has taken
	buffer [4 << 10]byte
}

func (t *plain) wait(turn func() bool) error {
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

func (t *plain) read(p []byte) (int, error) {
	if len(t.ahead) > 0 {
		return t.tryRead(p)
	}
	return t.Conn.Read(p)
}

func (t *plain) tryWrite(_, _ []byte) (int, error) { return 0, nil }

func (t *plain) write(p []byte) (int, error) { return t.Write(p) }
func (t *plain) closeWrite() error           { return closeWrite(t.Conn) }
func (t *plain) unacked() int64              { return 0 }
func (t *plain) interrupt()                  { t.SetDeadline(past()) }
func (t *plain) allow(d time.Duration) error { return t.SetDeadline(time.Now().Add(d)) }
func (t *plain) close()                      { t.Close() }

func (t *plain) gone() bool {
	g, ok := t.Conn.(interface{ PeerGone() bool })
	return ok && g.PeerGone()
}

func (t *plain) secure(handshake Handshake, c *Conn) (transport, error) {
	inside, err := handshake(t.Conn, &c.info)
	if err != nil {
		return nil, err
	}
	return &plain{Conn: inside}, nil
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }
