package loop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve runs a loop for the test.
func serve(t testing.TB) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// on runs f on the loop, and waits for it.
func on(l *Loop, f func()) { l.Call(f) }

// pair is two ends of a stream, of which one is on the loop.
func pair(t testing.TB, l *Loop, h Handler) (*Conn, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "peer")
	peer, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	c := new(Conn)
	on(l, func() { err = c.Init(l, fds[0], h) })
	if err != nil {
		t.Fatal(err)
	}
	return c, peer
}

// echo is a handler that sends back what it reads.
type echo struct {
	c    *Conn
	over chan error
}

func (e *echo) Ready() {
	var b [64]byte
	for {
		n, err := e.c.TryRead(b[:])
		switch {
		case err == ErrAgain:
			e.c.Park()
			return
		case err != nil:
			e.over <- err
			e.c.Close()
			return
		}
		p := b[:n]
		var none []byte
		if _, err := e.c.TryWrite(&p, &none); err != nil {
			e.over <- err
			e.c.Close()
			return
		}
	}
}

func TestHandler(t *testing.T) {
	l := serve(t)
	e := &echo{over: make(chan error, 1)}
	c, peer := pair(t, l, nil)
	on(l, func() {
		e.c, c.handler = c, e
		c.Park()
	})
	for range 100 {
		if _, err := peer.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		var b [5]byte
		if _, err := io.ReadFull(peer, b[:]); err != nil || string(b[:]) != "hello" {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	peer.Close()
	if err := <-e.over; err != io.EOF {
		t.Errorf("got %v at the end, want EOF", err)
	}
}

// endless is a handler that never has done.
type endless struct {
	c     *Conn
	turns *int
	each  func()
	stop  *bool
}

func (e *endless) Ready() {
	*e.turns++
	if e.each != nil {
		e.each()
	}
	if !*e.stop {
		e.c.Yield()
	}
}

// TestYield wants a connection on which something arrives to have its turn after one turn of one of those who never have done, and all
// of these to have as many.
func TestYield(t *testing.T) {
	l := serve(t)
	const others, rounds = 8, 100
	var stop bool
	var turns [others]int
	e := &echo{over: make(chan error, 1)}
	c, peer := pair(t, l, nil)
	all := func() (n int) {
		for _, of := range turns {
			n += of
		}
		return n
	}
	asked, most, answered := 0, 0, 0
	done := make(chan bool)
	e.c, c.handler = c, handlerFunc(func() {
		var b [1]byte
		for {
			if _, err := c.TryRead(b[:]); err != nil {
				break
			}
			most = max(most, all()-asked)
			asked = 0
			if answered++; answered == rounds {
				stop = true
				close(done)
			}
		}
		c.Park()
	})
	for i := range others {
		o := &endless{turns: &turns[i], stop: &stop}
		o.each = func() { // on the loop, so that it is there before the loop looks again
			if asked == 0 && all() > 20 && !stop {
				asked = all()
				if _, err := peer.Write([]byte("x")); err != nil {
					t.Error(err)
				}
			}
		}
		oc, _ := pair(t, l, o)
		o.c = oc
	}
	on(l, func() {
		c.Park()
		for _, s := range l.slots {
			if oc, ok := s.watch.(*Conn); ok && oc != c {
				oc.Yield()
			}
		}
	})
	<-done
	on(l, func() {
		if most > 1 {
			t.Errorf("it waited for %d turns of others, want 1", most)
		}
		for i := range turns {
			if turns[i] > turns[0]+1 || turns[i] < turns[0]-1 {
				t.Errorf("got %v turns, want as many of each", turns)
				break
			}
		}
	})
}

// handlerFunc is a function as a [Handler].
type handlerFunc func()

func (f handlerFunc) Ready() { f() }

// TestYieldClosed wants nobody to have a turn whose connection was closed meanwhile.
func TestYieldClosed(t *testing.T) {
	l := serve(t)
	turns, stop := 0, true
	o := &endless{turns: &turns, stop: &stop}
	c, _ := pair(t, l, o)
	on(l, func() {
		c.Yield()
		c.Close()
	})
	on(l, func() {})
	on(l, func() {
		if turns != 0 {
			t.Errorf("got %d turns, want none", turns)
		}
	})
}

// TestLine wants what yielded first to come first, and the line not to grow beyond what waits in it.
func TestLine(t *testing.T) {
	var q line
	conns := make([]*Conn, 1000)
	in, out := 0, 0
	for i := range conns {
		conns[i] = new(Conn)
	}
	for range 100_000 {
		for q.waiting() < 10 {
			q.push(conns[in%len(conns)])
			in++
		}
		if got := q.pop(); got != conns[out%len(conns)] {
			t.Fatalf("the one at %d is another", out)
		}
		out++
	}
	if cap(q.conns) > 64 {
		t.Errorf("got room for %d, want little more than for 10", cap(q.conns))
	}
}

// TestTask lets a task, one that has left, and a goroutine move more than fits through a connection, both ways.
func TestTask(t *testing.T) {
	for _, tt := range []struct {
		name  string
		start func(l *Loop, f func(*Task))
	}{
		{"on the loop", func(l *Loop, f func(*Task)) { l.Do(func() { l.Start(RunnerFunc(f)) }) }},
		{"left", func(l *Loop, f func(*Task)) { l.Do(func() { l.Start(RunnerFunc(func(t *Task) { t.Leave(); f(t) })) }) }},
		{"leaves", func(l *Loop, f func(*Task)) {
			l.Do(func() { l.Start(RunnerFunc(f)) })
		}},
		{"goroutine", func(_ *Loop, f func(*Task)) { go f(nil) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := serve(t)
			c, peer := pair(t, l, nil)
			sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			got := make([]byte, len(sent))
			var failed error
			var over sync.WaitGroup
			over.Add(1)
			tt.start(l, func(task *Task) {
				defer over.Done()
				c.Attach(task)
				if _, failed = c.Write(sent[:len(sent)/2]); failed != nil {
					return
				}
				if tt.name == "leaves" {
					task.Leave()
				}
				if _, failed = c.Write(sent[len(sent)/2:]); failed != nil {
					return
				}
				_, failed = io.ReadFull(c, got)
				c.Close()
			})
			back := make([]byte, len(sent))
			if _, err := io.ReadFull(peer, back); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back, sent) {
				t.Error("got something else than was written")
			}
			if _, err := peer.Write(back); err != nil {
				t.Fatal(err)
			}
			over.Wait()
			if failed != nil || !bytes.Equal(got, sent) {
				t.Errorf("read something else than was sent: %v", failed)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	l := serve(t)
	c, _ := pair(t, l, nil)
	var b [1]byte
	c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if _, err := c.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v after the deadline", err)
	}
	c.SetReadDeadline(time.Time{})
	over := make(chan error)
	l.Do(func() {
		l.Start(RunnerFunc(func(task *Task) {
			c.Attach(task)
			_, err := c.Read(b[:])
			over <- err
		}))
	})
	on(l, func() {}) // the task waits
	c.SetDeadline(time.Unix(1, 0))
	if err := <-over; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v after an interrupt", err)
	}
}

func TestCloseWakes(t *testing.T) {
	l := serve(t)
	c, peer := pair(t, l, nil)
	over := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		over <- err
	}()
	go func() {
		for {
			if _, err := c.Write(make([]byte, 1<<16)); err != nil {
				over <- err
				return
			}
		}
	}()
	io.ReadFull(peer, make([]byte, 1<<16)) // the writer is at work
	c.Close()
	for range 2 {
		if err := <-over; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v after close", err)
		}
	}
	if _, err := io.Copy(io.Discard, peer); err != nil {
		t.Errorf("the peer got %v, want an end", err)
	}
}

// TestNoWakeLost lets two goroutines and a task play ping-pong over two loops: a wake that is lost stops them.
func TestNoWakeLost(t *testing.T) {
	a, b := serve(t), serve(t)
	c, peer := pair(t, a, nil)
	done := make(chan error, 1)
	b.Do(func() {
		b.Start(RunnerFunc(func(task *Task) { // a task of one loop on a connection of another
			c.Attach(task)
			var p [1]byte
			for range 2000 {
				if _, err := c.Read(p[:]); err != nil {
					done <- err
					return
				}
				if _, err := c.Write(p[:]); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}))
	})
	var p [1]byte
	for range 2000 {
		if _, err := peer.Write(p[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, p[:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEnded wants nobody to wait for a loop that has ended.
func TestEnded(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if l.Call(func() { t.Error("called") }) {
		t.Error("called on a loop that has ended")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if taken := l.Take(c); taken != nil {
		t.Errorf("got %v from a loop that has ended", taken)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("the connection is not as it was: %v", err)
	}
}

func BenchmarkTask(b *testing.B) {
	l := serve(b)
	b.ReportAllocs()
	on(l, func() {
		for b.Loop() {
			l.Start(RunnerFunc(func(*Task) {}))
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	l := serve(b)
	c, peer := pair(b, l, nil)
	e := &echo{c: c, over: make(chan error, 1)}
	on(l, func() {
		c.handler = e
		c.Park()
	})
	var p [16]byte
	b.ReportAllocs()
	for b.Loop() {
		peer.Write(p[:])
		io.ReadFull(peer, p[:])
	}
}

// TestGateOpened: an event that came while the gate was shut wakes nobody when it opens, so a loop that opens it looks once more before it rests.
func TestGateOpened(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	heard := 0
	if _, err := l.Watch(fd, func() {
		heard++
		_, _ = unix.Read(fd, make([]byte, 8))
	}); err != nil {
		t.Fatal(err)
	}
	happen := func() {
		if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	gate := uintptr(0)
	if rc, err := l.gate.SyscallConn(); err != nil || rc.Control(func(fd uintptr) { gate = fd }) != nil {
		t.Fatal(err)
	}
	runtime, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(runtime)
	if err := unix.EpollCtl(runtime, unix.EPOLL_CTL_ADD, int(gate), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff}); err != nil {
		t.Fatal(err)
	}
	told := func() bool {
		n, err := unix.EpollWait(runtime, make([]unix.EpollEvent, 1), 0)
		return err == nil && n > 0
	}

	l.turn(gate) // which opens the gate
	happen()
	if !told() {
		t.Fatal("an open gate does not tell of an event")
	}
	l.turn(gate)
	l.swing(gate, false)
	happen()
	if rests, _ := l.rest(gate); rests && !told() {
		t.Error("the loop rests, and nothing will wake it")
	}
	if l.turn(gate); heard != 2 {
		t.Errorf("got %d events, want 2", heard)
	}
	if rests, _ := l.rest(gate); !rests {
		t.Error("the loop does not rest, with nothing to do")
	}
	l.Close()
	if err := l.Run(); err != nil {
		t.Error(err)
	}
}
