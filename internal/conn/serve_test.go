package conn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// errands is a protocol of lines whose requests wait side by side, as those of HTTP/2 do. "now N" is answered at once, "turns" with how many
// turns there were, "panic" is a fault; anything else is work for do, whose name is the line.
type errands struct {
	w    *world
	conn flow.Connection
	do   func(e *errands, t *loop.Task, line string)

	mu       sync.Mutex
	out      []byte // for the next turn
	starting []errand
	working  int
	turns    int
	fault    bool // in the next turn
	over     bool
	ended    chan bool // closed by End
}

// errand is one request.
type errand struct {
	e    *errands
	line string
}

func (e *errands) Turn(in []byte, out *flow.Output, _ time.Time) (used int, next flow.Next) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.turns++; e.fault {
		panic("in a turn")
	}
	for {
		end := bytes.IndexByte(in[used:], '\n') + 1
		if end == 0 {
			break
		}
		line := string(in[used : used+end-1])
		used += end
		switch {
		case line == "panic":
			panic(line)
		case line == "turns":
			out.Head = fmt.Appendf(out.Head, "%d.", e.turns)
		case strings.HasPrefix(line, "now "):
			out.Head = fmt.Appendf(out.Head, "%s.", line)
		default:
			e.starting = append(e.starting, errand{e, line})
		}
	}
	for len(e.starting) > 0 {
		x := e.starting[0]
		e.starting = e.starting[1:]
		e.working++
		e.mu.Unlock()
		e.conn.Start(x)
		e.mu.Lock()
	}
	out.Head, e.out = append(out.Head, e.out...), nil
	switch {
	case e.working > 0:
		return used, flow.Serve
	case e.conn.Draining():
		return used, flow.Close
	}
	return used, flow.More
}

// Run implements [loop.Runner].
func (x errand) Run(t *loop.Task) {
	e := x.e
	defer func() {
		if fault := recover(); fault != nil {
			e.conn.Fault(fault)
		}
		e.say(x.line, true)
	}()
	e.do(e, t, x.line)
}

// say lets the client hear something, and wakes the connection for it.
func (e *errands) say(text string, last bool) {
	e.mu.Lock()
	e.out = append(e.out, text+"."...)
	if last {
		e.working--
	}
	over := e.over
	e.mu.Unlock()
	if !over {
		e.conn.Wake()
	}
}

func (*errands) Fulfil(*flow.Output) flow.Next { panic("nothing is left to it") }

func (e *errands) Timeout(_ []byte, out *flow.Output, _ time.Time) {
	out.Head = append(out.Head, "bye."...)
}

func (*errands) Parts() bool { return true }

func (e *errands) End() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	close(e.ended)
}

// leaving waits, as a goroutine, for the test to let it go on or for the connection to end.
func leaving(e *errands, t *loop.Task, line string) {
	if line == "fault" {
		panic(line)
	}
	t.Leave()
	e.w.began <- true
	select {
	case <-e.w.proceed:
	case <-e.ended:
		e.w.began <- false
	}
}

// TestErrands lets requests wait side by side, and others be answered meanwhile.
func TestErrands(t *testing.T) {
	everyWay(t, options{do: leaving}, func(w *world) {
		c := w.connect()
		const n = 20
		for i := range n {
			w.send(c, "ask\n")
			<-w.began
			w.send(c, fmt.Sprintf("now %d\n", i))
			w.wantText(c, fmt.Sprintf("now %d.", i))
		}
		for range n {
			w.proceed <- true
			w.wantText(c, "ask.")
		}
		w.send(c, "now 99\n")
		w.wantText(c, "now 99.")
	})
}

// TestErrandsAtOnce wants what errands say that end before they wait to come with the turn that began them.
func TestErrandsAtOnce(t *testing.T) {
	everyWay(t, options{do: func(*errands, *loop.Task, string) {}}, func(w *world) {
		c := w.connect()
		for range 100 {
			w.send(c, "a\na\na\nnow 1\n")
			got := make([]byte, len("now 1.a.a.a."))
			if _, err := io.ReadFull(c, got); err != nil || strings.Count(string(got), "a.") != 3 {
				w.Fatalf("got %q, %v, want three answers of errands and one more", got, err)
			}
		}
	})
}

// TestErrandsTalk wants many errands of many connections that talk at the same time to be heard whole.
func TestErrandsTalk(t *testing.T) {
	const connections, errandsEach, words = 8, 20, 100
	talk := func(e *errands, t *loop.Task, line string) {
		if strings.HasSuffix(line, "leave") {
			t.Leave()
		}
		for range words {
			e.say("x", false)
		}
	}
	everyWay(t, options{do: talk}, func(w *world) {
		var talking sync.WaitGroup
		for range connections {
			c := w.connect()
			talking.Go(func() {
				for i := range errandsEach {
					w.send(c, []string{"stay\n", "leave\n"}[i%2])
				}
				for want := errandsEach * words; want > 0; {
					b := make([]byte, 1000)
					n, err := c.Read(b)
					if err != nil {
						w.Errorf("got %v, want %d words more", err, want)
						return
					}
					want -= bytes.Count(b[:n], []byte("x"))
				}
			})
		}
		talking.Wait()
	})
}

// TestErrandsMinded wants a session to have a turn a second while its requests are at work, also while half a line has come, and none when
// nothing is.
func TestErrandsMinded(t *testing.T) {
	for _, half := range []string{"", "now "} {
		t.Run(half, func(t *testing.T) {
			everyWay(t, options{do: leaving}, func(w *world) {
				c := w.connect()
				w.send(c, "turns\n")
				w.wantText(c, "1.")
				w.send(c, "ask\n"+half)
				<-w.began
				var s *errands
				w.room.table.each(func(c *Conn) { s = c.session.(*errands) })
				turns := func() int {
					s.mu.Lock()
					defer s.mu.Unlock()
					return s.turns
				}
				began := time.Now()
				for range 1000 {
					if turns() >= 7 {
						break
					}
					w.pass(w.room.every)
				}
				if took := time.Since(began); turns() < 7 || took < 4*w.room.every {
					w.Errorf("got %d turns in %v, want one in %v", turns(), took, w.room.every)
				}
				w.proceed <- true
				w.wantText(c, "ask.")
				before := turns()
				w.pass(5 * w.room.every)
				if after := turns(); after > before+1 {
					w.Errorf("got %d turns while nothing was at work, want none", after-before)
				}
				c.Close() // or the half line would have its time
			})
		})
	}
}

// pass lets time pass that the room's sweeper needs.
func (w *world) pass(d time.Duration) {
	over := time.After(d)
	<-over
}

// TestErrandsGone wants a client's leaving to end the session within about a second, and what it waits for with it.
func TestErrandsGone(t *testing.T) {
	everyWay(t, options{do: leaving}, func(w *world) {
		for _, half := range []string{"", "half a line"} {
			c := w.connect()
			for range 3 {
				w.send(c, "ask\n")
				<-w.began
			}
			w.send(c, half)
			left := time.Now()
			c.Close()
			for range 3 {
				if <-w.began {
					w.Error("an errand began, want all to end")
				}
			}
			if took := time.Since(left); took > sweepEvery*3/2 {
				w.Errorf("ended after %v, want about a second", took)
			}
			w.settle(func() bool { return w.room.Stats().Open == 0 })
		}
	})
}

// TestErrandsFault wants a fault in work to be counted, and one in a turn to cost the connection, also while others are at work on it.
func TestErrandsFault(t *testing.T) {
	everyWay(t, options{do: leaving}, func(w *world) {
		other := w.connect()
		c := w.connect()
		w.send(c, "fault\n")
		w.wantText(c, "fault.")
		w.send(c, "ask\n")
		<-w.began
		w.send(c, "panic\n")
		if <-w.began {
			w.Error("an errand began, want it to end")
		}
		w.wantEnd(c, "")
		w.send(other, "now 1\n")
		w.wantText(other, "now 1.")
		if got := w.room.Stats().Faults; got != 2 {
			w.Errorf("got %d faults, want 2", got)
		}
	})
}

// TestErrandsFaultLater wants a fault in a turn for which the connection was woken to cost that connection only.
func TestErrandsFaultLater(t *testing.T) {
	do := func(e *errands, t *loop.Task, line string) {
		leaving(e, t, line)
		e.mu.Lock()
		e.fault = true
		e.mu.Unlock()
	}
	everyWay(t, options{do: do}, func(w *world) {
		other, c := w.connect(), w.connect()
		w.send(c, "ask\n")
		<-w.began
		w.proceed <- true
		w.wantGone(c)
		w.send(other, "now 1\n")
		w.wantText(other, "now 1.")
		if got := w.room.Stats().Faults; got != 1 {
			w.Errorf("got %d faults, want 1", got)
		}
	})
}

// TestErrandsIdle wants a connection on which nothing is at work any more to be cut when it has been idle, with a word.
func TestErrandsIdle(t *testing.T) {
	everyWay(t, options{limits: brisk, do: leaving}, func(w *world) {
		c := w.connect()
		w.send(c, "ask\n")
		<-w.began
		w.pass(2 * w.room.limits.IdleTimeout)
		began := time.Now()
		w.proceed <- true
		w.wantEnd(c, "ask.bye.")
		if took := time.Since(began); took < w.room.limits.IdleTimeout {
			w.Errorf("cut after %v, want %v", took, w.room.limits.IdleTimeout)
		}
	})
}

// TestErrandsShutdown wants a room that stops to wait for what is at work.
func TestErrandsShutdown(t *testing.T) {
	everyWay(t, options{do: leaving}, func(w *world) {
		c, rest := w.connect(), w.connect()
		w.send(rest, "now 1\n")
		w.wantText(rest, "now 1.")
		w.send(c, "ask\n")
		<-w.began
		down := make(chan error)
		go func() { down <- w.room.Shutdown(context.Background()) }()
		w.wantEnd(rest, "bye.")
		select {
		case err := <-down:
			w.Fatalf("shutdown did not wait for a request: %v", err)
		default:
		}
		w.proceed <- true
		w.wantEnd(c, "ask.")
		if err := <-down; err != nil {
			w.Errorf("shutdown: %v", err)
		}
	})
}

// TestErrandsUnread wants a client that does not read to be cut, and what is at work on its connection to be told.
func TestErrandsUnread(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	do := func(e *errands, t *loop.Task, line string) {
		if line == "big" {
			for range 16 {
				e.say(big, false)
			}
			return
		}
		leaving(e, t, line)
	}
	everyWay(t, options{limits: brisk, do: do}, func(w *world) {
		c := w.connect()
		w.send(c, "ask\n")
		<-w.began
		w.send(c, "big\n")
		if <-w.began {
			w.Error("an errand began, want it to end")
		}
		w.settle(func() bool { return w.room.Stats().Open == 0 })
		w.wantRefused(ReaderSlow, 1)
	})
}

// slow is a listener that nobody comes to accept from until its deadline is near.
type slow struct {
	net.Listener
	last   chan time.Time
	passed bool
}

func (l *slow) SetDeadline(t time.Time) error {
	l.last <- t
	return nil
}

func (l *slow) Accept() (net.Conn, error) {
	if l.passed {
		return nil, os.ErrDeadlineExceeded
	}
	time.Sleep(time.Until(<-l.last) - time.Millisecond) // the clock is the test's
	l.passed = true
	return l.Listener.Accept()
}

// TestLastCall wants who waits to be accepted when a room stops to be served, and nobody later.
func TestLastCall(t *testing.T) {
	wrap := func(l net.Listener) net.Listener { return &slow{Listener: l, last: make(chan time.Time, 2)} }
	simulated(t, options{wrap: wrap}, func(w *world) {
		c := w.connect()
		w.send(c, "get 1\n")
		synctest.Wait() // for the room to listen
		down := make(chan error, 1)
		go func() { down <- w.room.Shutdown(context.Background()) }()
		w.wantText(c, "1:0")
		w.wantEnd(c, "")
		if err := <-down; err != nil {
			w.Errorf("shutdown: %v", err)
		}
		if c, err := w.dial("198.51.100.7"); err == nil {
			c.Close()
			w.Error("somebody listens yet")
		}
	})
}
