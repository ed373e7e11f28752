package conn

import (
	"io"
	"net"
	"time"
)

// shim is what crypto/tls sees of a connection on a loop. Outside of a task nothing waits: Read says errAgain, which leaves a tls.Conn
// usable, and Write, an error from which would be final, keeps what the kernel does not take. (A KeyUpdate writes from within a Read.)
type shim struct {
	net.Conn
	c       *looped
	kept    []byte
	trying  bool // Read does not wait in a task either
	closing bool
}

func newShim(c *looped) *shim { return &shim{Conn: &c.sock, c: c} }

// SetReadDeadline implements [net.Conn]. When it has passed at once, the connection is woken to find out.
func (s *shim) SetReadDeadline(t time.Time) error {
	err := s.Conn.SetReadDeadline(t)
	if !t.IsZero() && !t.After(time.Now()) {
		s.c.sock.Again()
	}
	return err
}

// SetWriteDeadline implements [net.Conn]. The last words of a connection that is being closed need none.
func (s *shim) SetWriteDeadline(t time.Time) error {
	if s.closing {
		return nil
	}
	return s.Conn.SetWriteDeadline(t)
}

// LocalAddr implements [net.Conn].
func (s *shim) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(s.c.info.Local) }

// RemoteAddr implements [net.Conn].
func (s *shim) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.c.info.Remote) }

// Read implements [net.Conn].
func (s *shim) Read(p []byte) (int, error) {
	if s.trying || s.c.task == nil {
		return s.c.sock.TryRead(p)
	}
	return s.c.wire.read(p)
}

// Write implements [net.Conn].
func (s *shim) Write(p []byte) (int, error) {
	if s.c.task != nil && !s.closing {
		if err := s.c.wire.write(s.kept, p); err != nil {
			return 0, err
		}
		s.kept = nil
		return len(p), nil
	}
	rest := p
	if len(s.kept) == 0 {
		if _, err := s.c.wire.tryWrite(&rest, new([]byte)); err != nil {
			return 0, err
		}
	}
	if len(rest) > 0 && s.closing { // last words, which nobody waits for
		return len(p) - len(rest), io.ErrShortWrite
	}
	s.kept = append(s.kept, rest...)
	return len(p), nil
}

// flush sends what was kept, and waits for it.
func (s *shim) flush() error {
	err := s.c.wire.write(s.kept, nil)
	s.kept = nil
	return err
}

// greet goes on with the handshake, as far as what has arrived takes it.
func (c *looped) greet() outcome {
	if c.phase() == expired {
		return c.fail(errExpired)
	}
	if c.telling {
		return c.listen()
	}
	w := c.room.buffers.get()
	defer c.room.buffers.put(w)
	for {
		n, err := c.sock.TryRead(w.in[:cap(w.in)])
		if err == errAgain {
			return parked
		}
		ready := false
		if err == nil {
			ready, err = c.shake.Feed(w.in[:n])
		}
		if err != nil {
			if _, _, over := c.shake.Result(); over != nil { // it gave way, and was told so by its deadline
				err = over
			}
			return c.unsecured(err)
		}
		if ready {
			c.shake.Go(func() { c.sock.Loop().Do(c.stepped) })
			return away
		}
	}
}

// stepped goes on after a step.
func (c *looped) stepped() {
	defer c.guard()
	c.settle(c.greeted())
}

// greeted is how far a step took the handshake.
func (c *looped) greeted() outcome {
	inside, complete, err := c.shake.Result()
	switch {
	case c.phase() == expired:
		return c.fail(errExpired)
	case err != nil:
		return c.unsecured(err)
	case len(c.shim.kept) > 0 && c.task == nil:
		c.job = greeting
		return busy
	case len(c.shim.kept) > 0:
		if err := c.shim.flush(); err != nil {
			return c.unsecured(err)
		}
	}
	if !complete {
		return c.greet()
	}
	return c.speak(inside)
}

// shakeHands is the part of a handshake that waits.
func (c *looped) shakeHands() outcome {
	if c.shake != nil {
		return c.greeted()
	}
	c.task.Leave()
	inside, err := c.secure.Handshake(c.shim, &c.info)
	if err != nil {
		return c.unsecured(err)
	}
	return c.speak(inside)
}

func (c *looped) unsecured(err error) outcome {
	c.secured(nil, err)
	if c.phase() == expired || !c.room.tells(err) {
		return c.fail(err)
	}
	c.endShake()
	c.telling, c.err = true, err
	c.enter(told, c.now())
	if err := c.sock.CloseWrite(); err != nil {
		return c.fail(err)
	}
	return c.listen()
}

// listen takes in what comes from a client that has been told why its handshake failed. It waits without a buffer.
func (c *looped) listen() outcome {
	w := c.room.buffers.get()
	defer c.room.buffers.put(w)
	for c.heard < tellBytes {
		n, err := c.sock.TryRead(w.in[:cap(w.in)])
		if err == errAgain {
			return parked
		}
		if err != nil {
			return c.fail(err)
		}
		c.heard += int32(n)
	}
	return c.fail(c.err)
}

// speak begins the session inside a handshake that is complete. What came with its end is there already.
func (c *looped) speak(inside net.Conn) outcome {
	c.endShake()
	c.secured(&sealed{wire: (*wire)(c), inside: inside}, nil)
	c.session = c.room.Open(&c.info, &c.Conn)
	c.job = driving
	return c.turn()
}

func (c *looped) endShake() {
	if c.shake != nil {
		c.shake.Close()
		c.shake = nil
	}
	if c.telling {
		c.telling = false
		c.room.telling.Add(-1)
	}
}

// sealed is the transport inside a TLS connection.
type sealed struct {
	*wire
	inside net.Conn
}

func (t *sealed) tryRead(p []byte) (int, error) {
	t.shim.trying = true
	n, err := t.inside.Read(p)
	t.shim.trying = false
	return n, err
}

func (t *sealed) read(p []byte) (int, error) { return t.inside.Read(p) }

// joins is a TLS record.
func (t *sealed) joins() int { return 16 << 10 }

// sealedAtOnce is how much is encrypted before the kernel has taken what was.
const sealedAtOnce = 64 << 10

func (t *sealed) tryWrite(head, tail *[]byte) (whole bool, err error) {
	for _, p := range [...]*[]byte{head, tail} {
		for len(*p) > 0 && len(t.shim.kept) == 0 {
			n, err := t.inside.Write((*p)[:min(len(*p), sealedAtOnce)])
			if *p = (*p)[n:]; err != nil {
				return false, err
			}
		}
	}
	return len(*head)+len(*tail)+len(t.shim.kept) == 0, nil
}

func (t *sealed) write(head, tail []byte) error {
	if len(head) > 0 && len(tail) <= t.joins() {
		head, tail = append(head, tail...), nil
	}
	for _, p := range [...][]byte{head, tail} {
		if len(p) > 0 {
			if _, err := t.inside.Write(p); err != nil {
				return err
			}
		}
	}
	if len(t.shim.kept) > 0 {
		return t.shim.flush()
	}
	return nil
}

// closeWrite tells the TLS peer, and then the TCP peer.
func (t *sealed) closeWrite() error {
	if err := closeWrite(t.inside); err != nil {
		return err
	}
	return t.wire.closeWrite()
}

func (t *sealed) close() {
	t.shim.closing = true
	t.inside.Close()
}
