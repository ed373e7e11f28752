package conn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// refusing is a handshake of lines: it answers the client's first with "go." and its second with "refused.", and is over. What follows is
// left unread.
type refusing struct {
	steps bool
	err   error
}

func (r refusing) Handshake(raw net.Conn, _ *flow.Conn) (net.Conn, error) {
	for _, answer := range []string{"go.", "refused."} {
		for b := [1]byte{}; b[0] != '\n'; {
			if _, err := raw.Read(b[:]); err != nil {
				return nil, err
			}
		}
		if _, err := io.WriteString(raw, answer); err != nil {
			return nil, err
		}
	}
	return raw, r.err
}

func (r refusing) Begin(raw net.Conn, _ *flow.Conn) Shake {
	if !r.steps {
		return nil
	}
	return &refusal{raw: raw, err: r.err}
}

// refusal is refusing in steps.
type refusal struct {
	raw   net.Conn
	lines int
	err   error
}

func (r *refusal) Feed(p []byte) (bool, error) {
	n := bytes.Count(p, []byte{'\n'})
	r.lines += n
	return n > 0, nil
}

func (r *refusal) Go(done func()) {
	go func() {
		io.WriteString(r.raw, []string{"go.", "refused."}[r.lines-1])
		done()
	}()
}

func (r *refusal) Result() (net.Conn, bool, error) {
	if r.lines < 2 {
		return nil, false, nil
	}
	return nil, false, r.err
}

func (r *refusal) Close() {}

var errTold = &flow.Told{Err: errors.New("a certificate that nobody knows")}

// everyRefusal runs a test with each driver. The handshake is none of TLS, so that is not among them.
func everyRefusal(t *testing.T, err error, test func(w *world)) {
	for _, way := range ways {
		if way.name != "tls" {
			t.Run(way.name, func(t *testing.T) { way.run(t, options{secure: refusing{false, err}}, test) })
		}
	}
	t.Run("steps", func(t *testing.T) { loopback(t, options{secure: refusing{true, err}}, false, test) })
}

// refused is a client that has come so far as to be refused.
func (w *world) refused() net.Conn {
	w.Helper()
	c := w.connect()
	w.send(c, "hello\n")
	w.wantText(c, "go.")
	w.send(c, "certificate\n")
	return c
}

// TestTold wants a client whose handshake fails to read why, although it goes on to speak until it has.
func TestTold(t *testing.T) {
	everyRefusal(t, errTold, func(w *world) {
		c := w.refused()
		w.settle(func() bool { return w.room.telling.Load() == 1 })
		for range 3 {
			w.send(c, "preface\n")
		}
		w.wantEnd(c, "refused.")
		w.settle(func() bool { return w.room.table.open.Load() == 0 && w.room.telling.Load() == 0 })
		w.wantRefused(HandshakeFailed, 1)
	})
}

// TestToldBounds wants no client to make more of that than it is for.
func TestToldBounds(t *testing.T) {
	tests := []struct {
		name string
		err  error
		test func(w *world)
	}{
		{"silence", errTold, func(w *world) {
			began := time.Now()
			c := w.refused()
			w.settle(func() bool { return w.room.telling.Load() == 1 })
			w.settle(func() bool { return w.room.telling.Load() == 0 })
			if took := time.Since(began); took < tellFor {
				w.Errorf("it was cut after %v, want %v", took, tellFor)
			}
			w.wantEnd(c, "refused.")
		}},
		{"speech", errTold, func(w *world) {
			c := w.refused()
			w.settle(func() bool { return w.room.telling.Load() == 1 })
			for text := []byte(strings.Repeat("x", 4<<10)); ; {
				if _, err := c.Write(text); err != nil {
					break // the connection was cut; else there would be no end
				}
			}
		}},
		{"too many", errTold, func(w *world) {
			w.room.telling.Store(tellMost)
			c := w.refused()
			w.settle(func() bool { return w.room.table.open.Load() == 0 })
			if got := w.room.telling.Load(); got != tellMost {
				w.Errorf("got %d, want %d", got, tellMost)
			}
			c.Close()
		}},
		{"nothing told", errors.New("any other"), func(w *world) {
			c := w.refused()
			w.settle(func() bool { return w.room.refused[HandshakeFailed].Load() == 1 && w.room.table.open.Load() == 0 })
			c.Close()
		}},
		{"shutdown", errTold, func(w *world) {
			c := w.refused()
			w.settle(func() bool { return w.room.telling.Load() == 1 })
			began := time.Now()
			if err := w.room.Shutdown(w.Context()); err != nil || time.Since(began) > patience {
				w.Errorf("got %v after %v", err, time.Since(began))
			}
			w.wantEnd(c, "refused.")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { everyRefusal(t, tt.err, tt.test) })
	}
}
