package conn

import (
	"io"
	"net"
)

// shim is what crypto/tls sees of a raw connection. While trying, Read never waits: it says errAgain, which leaves a tls.Conn usable.
// Write always sends whole, because to a tls.Conn an error on writing is final; a KeyUpdate writes from within a Read.
type shim struct {
	*raw
	trying  bool
	closing bool
}

func (s *shim) Read(p []byte) (int, error) {
	if s.trying {
		return s.tryRead(p)
	}
	return s.raw.read(p)
}

func (s *shim) Write(p []byte) (int, error) {
	if s.closing {
		return s.part(p)
	}
	if err := s.raw.write(p, nil); err != nil {
		return 0, err
	}
	return len(p), nil
}

// part sends last words, which nobody waits for: what does not fit is lost.
func (s *shim) part(p []byte) (int, error) {
	rest, tail := p, []byte(nil)
	err := io.ErrShortWrite
	s.rc.Control(func(fd uintptr) { err = s.send(fd, &rest, &tail) })
	if err == nil && len(rest) > 0 {
		err = io.ErrShortWrite
	}
	return len(p) - len(rest), err
}

func (t *raw) secure(handshake Handshake) (transport, error) {
	s := &shim{raw: t}
	inside, err := handshake(s, &t.c.info)
	if err != nil {
		return nil, err
	}
	return &secured{raw: t, shim: s, inside: inside}, nil
}

// secured is the transport inside a TLS connection over a raw one.
type secured struct {
	*raw
	shim   *shim
	inside net.Conn
}

func (t *secured) tryRead(p []byte) (int, error) {
	t.shim.trying = true
	n, err := t.inside.Read(p)
	t.shim.trying = false
	return n, err
}

func (t *secured) read(p []byte) (int, error) {
	if t.raw.held {
		return 0, errInside
	}
	return t.inside.Read(p)
}

// joins is a TLS record.
func (t *secured) joins() int { return 16 << 10 }

func (t *secured) write(head, tail []byte) error {
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
	return nil
}

// closeWrite tells the TLS peer, and then the TCP peer.
func (t *secured) closeWrite() error {
	if err := closeWrite(t.inside); err != nil {
		return err
	}
	return t.raw.closeWrite()
}

func (t *secured) close() {
	t.shim.closing = true
	t.inside.Close()
}
