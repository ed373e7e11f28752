package conn

import (
	"errors"
	"net"
)

// shim is what crypto/tls sees of a raw connection. While trying, Read never waits: it says errAgain, which leaves a tls.Conn usable.
// Write always sends whole, because to a tls.Conn an error on writing is final.
type shim struct {
	*raw
	c      *Conn
	trying bool
}

func (s *shim) Read(p []byte) (int, error) {
	if s.trying {
		return s.tryRead(p)
	}
	return s.raw.Read(p)
}

func (s *shim) Write(p []byte) (int, error) {
	n, err := s.raw.tryWrite(p, nil)
	if err != nil || n == len(p) {
		return n, err
	}
	m, err := s.c.push(s.raw, p[n:], nil)
	return n + m, err
}

func (t *raw) secure(handshake Handshake, c *Conn) (transport, error) {
	s := &shim{raw: t, c: c}
	inside, err := handshake(s, &c.info)
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
	if temporary := (again{}); errors.As(err, &temporary) {
		err = errAgain
	}
	return n, err
}

// joinUpTo is the largest tail that is copied behind its head to share a TLS record.
const joinUpTo = 16 << 10

// tryWrite sends all: once a record is sealed it has to go out whole.
func (t *secured) tryWrite(head, tail []byte) (int, error) {
	if len(tail) <= joinUpTo {
		return t.inside.Write(append(head, tail...))
	}
	n, err := t.inside.Write(head)
	if err != nil {
		return n, err
	}
	m, err := t.inside.Write(tail)
	return n + m, err
}

func (t *secured) read(p []byte) (int, error)  { return t.inside.Read(p) }
func (t *secured) write(p []byte) (int, error) { return t.inside.Write(p) }
func (t *secured) closeWrite() error           { return closeWrite(t.inside) }

func (t *secured) close() {
	t.allow(lastWords)
	t.inside.Close()
}
