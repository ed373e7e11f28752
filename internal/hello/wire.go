package hello

import "net"

// wire is a connection as crypto/tls sees it: it reads first what has arrived already. Within a handshake it gives the thread its time when
// nothing is left.
type wire struct {
	net.Conn
	in    []byte // has arrived, and is not used
	shake *Shake // nil once that is complete
	met   bool   // the client has answered what was said
	said  bool   // something was, since
}

// Read implements [net.Conn].
func (w *wire) Read(p []byte) (int, error) {
	for len(w.in) == 0 {
		s := w.shake
		if s == nil {
			return w.Conn.Read(p)
		}
		if s.stopped || !s.coroutine.Pause() {
			s.stopped = true
			return 0, net.ErrClosed
		}
		w.met, w.said = w.said || w.met, false
	}
	n := copy(p, w.in)
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.in = nil
	}
	return n, nil
}

// Write implements [net.Conn]. A handshake that was given up says nothing: the connection may be another's.
func (w *wire) Write(p []byte) (int, error) {
	w.said = true
	switch s := w.shake; {
	case s == nil:
		return w.Conn.Write(p)
	case s.stopped:
		return 0, net.ErrClosed
	case s.holding:
		s.held = append(s.held, p...)
		return len(p), nil
	}
	return w.Conn.Write(p)
}
