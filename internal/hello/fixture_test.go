package hello

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/workers"
)

// stream is bytes in memory, in one direction. Writing never waits.
type stream struct {
	mu     sync.Mutex
	more   *sync.Cond
	bytes  []byte
	closed bool
}

func newStream() *stream {
	s := new(stream)
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bytes) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		s.more.Wait()
	}
	n := copy(p, s.bytes)
	s.bytes = s.bytes[n:]
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.bytes = append(s.bytes, p...)
	s.more.Broadcast()
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}

// end is one end of a connection in memory.
type end struct {
	net.Conn // none: what is not here is not called
	in, out  *stream
}

func newEnds() (client, server *end) {
	up, down := newStream(), newStream()
	return &end{in: down, out: up}, &end{in: up, out: down}
}

func (e *end) Read(p []byte) (int, error)       { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error)      { return e.out.write(p) }
func (e *end) Close() error                     { e.in.close(); e.out.close(); return nil }
func (e *end) SetReadDeadline(time.Time) error  { e.in.close(); return nil } // to which there is only ever the past
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// from is a connection's info of the i-th source.
func from(i int) *flow.Conn {
	address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return &flow.Conn{Remote: netip.AddrPortFrom(address, 1234)}
}

// loop shakes hands in steps as an event loop does, with input of so many bytes at a time.
func loop(r *Room, raw net.Conn, info *flow.Conn, chunk int) (net.Conn, error) {
	s := r.Begin(raw, info)
	defer s.Close()
	p := make([]byte, chunk)
	for {
		n, err := raw.Read(p)
		if err != nil {
			return nil, err
		}
		ready, err := s.Feed(p[:n])
		if err != nil {
			return nil, err
		}
		if !ready {
			continue
		}
		step(s)
		if secure, complete, err := s.Result(); complete || err != nil {
			return secure, err
		}
	}
}

// step does one, and waits for its end.
func step(s *Shake) {
	done := make(chan struct{})
	s.Go(func() { close(done) })
	<-done
}

// talk shakes hands in steps in memory, and sends a byte each way. The server is a loop.
func talk(r *Room, config *tls.Config, info *flow.Conn, chunk int) (tls.ConnectionState, error) {
	near, far := newEnds()
	served := make(chan error, 1)
	go func() {
		defer far.Close()
		c, err := loop(r, far, info, chunk)
		if err == nil {
			_, err = io.CopyN(c, c, 1)
		}
		served <- err
	}()
	c := tls.Client(near, config)
	err := c.Handshake()
	if err == nil {
		_, err = c.Write([]byte("x"))
	}
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	near.Close()
	if serverErr := <-served; serverErr != nil {
		err = fmt.Errorf("the server: %w, the client: %w", serverErr, orNothing(err))
	}
	return c.ConnectionState(), err
}

func orNothing(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// opening is what a client says first.
func opening(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	near, far := newEnds()
	done := make(chan struct{})
	go func() { defer close(done); _ = tls.Client(near, config).Handshake() }()
	hello := make([]byte, 4096)
	n, err := far.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	<-done
	return hello[:n]
}

// small is a room of one thread and small bounds.
func small(t testing.TB, o Options, open, perSource, queue int, more ...func(*spec.Node)) *Room {
	t.Helper()
	node := &spec.Node{Data: t.TempDir()}
	node.TLS.Handshakes = spec.Handshakes{Open: open, PerSource: perSource, Queue: queue}
	for _, f := range more {
		f(node)
	}
	o.Workers = workers.New(workers.Options{Threads: 1, Queue: queue})
	t.Cleanup(o.Workers.Close)
	r, problems := New(node, o, time.Now())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	t.Cleanup(r.Close)
	return r
}

// busy keeps a room's only thread until the function that it returns is called.
func busy(t testing.TB, r *Room) (release func()) {
	t.Helper()
	j := &blocker{make(chan struct{}), make(chan struct{})}
	if !r.Workers.Submit(netip.Prefix{}, j) {
		t.Fatal("refused")
	}
	<-j.begun
	return func() { close(j.released) }
}

type blocker struct{ begun, released chan struct{} }

func (b *blocker) Run(*workers.Thread) { close(b.begun); <-b.released }
func (b *blocker) Shed()               {}

// idle waits until a room's only thread has nothing more to do, and wants nothing to be left.
func idle(t testing.TB, r *Room) {
	t.Helper()
	busy(t, r)()
	if s, coroutines := r.Stats(), r.Workers.Stats().Coroutines; s.Open != 0 || s.Waiting != 0 || s.Sources != 0 || coroutines != 0 {
		t.Errorf("at the end: %+v, and %d coroutines, want none open, waiting or counted", s, coroutines)
	}
}
