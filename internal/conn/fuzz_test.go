package conn

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// FuzzPieces sends lines in arbitrary pieces, and wants the answers that they get in one piece.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("get 0\nget 3\nask\nget 70000\n"), []byte{1, 2, 3})
	f.Add([]byte("body 5\nhelloget 1\nbody 3\nabcask\n"), []byte{8})
	f.Add([]byte("get 1\nget"), []byte{4, 4})
	f.Add([]byte("body 99999\nshort"), []byte{})
	f.Add([]byte("body 20000\n"+string(content(20000))+"get 1\n"), []byte{255, 1, 255})
	f.Fuzz(func(t *testing.T, in, pieces []byte) {
		if len(in) > 24<<10 || bytes.Contains(in, []byte("panic")) { // a fault takes with it what was not sent yet
			return
		}
		var whole, split string
		synctest.Test(t, func(t *testing.T) { whole = converse(t, in, nil) })
		synctest.Test(t, func(t *testing.T) { split = converse(t, in, pieces) })
		if whole != split {
			t.Errorf("in one piece: %.200q, in pieces %v: %.200q", whole, pieces, split)
		}
	})
}

// converse sends in, each piece when the last has been dealt with, and returns all answers.
func converse(t *testing.T, in, pieces []byte) string {
	w := newWorld(t, options{fulfil: sayOrBody, most: 80_000})
	near, far := net.Pipe()
	w.room.accept(far, nil)
	heard := make(chan string)
	go func() {
		b, _ := io.ReadAll(near)
		heard <- string(b)
	}()
	send := func(p []byte) {
		near.Write(p) // fails where the other side has ended
		synctest.Wait()
	}
	for _, n := range pieces {
		n := min(int(n), len(in))
		send(in[:n])
		in = in[n:]
	}
	send(in)
	w.room.table.each(func(c *Conn) { c.wire.interruptRead() })
	synctest.Wait()
	near.Close()
	if open := w.room.Stats().Open; open != 0 {
		t.Errorf("connections left: %d", open)
	}
	return <-heard
}
