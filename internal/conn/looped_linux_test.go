package conn

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// endless is a session that always has one more turn, as one with pipelined requests, until it is stopped.
type endless struct {
	static
	stop  *atomic.Bool
	turns *atomic.Int64
}

func (e endless) Turn(in []byte, _ *flow.Output, _ time.Time) (used int, next flow.Next) {
	e.turns.Add(1)
	if e.stop.Load() {
		return len(in), flow.Close
	}
	return 0, flow.Flush
}

// TestFair wants a connection that could go on for ever not to keep others of its loop waiting, on the loop and in a task.
func TestFair(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "tls"}[secure], func(t *testing.T) {
			var stop atomic.Bool
			var turns atomic.Int64
			first := true
			o := options{loops: 1, open: func(_ *flow.Conn, _ flow.Connection) flow.Session {
				if first {
					first = false
					return endless{stop: &stop, turns: &turns}
				}
				return static{head: []byte("said.")}
			}}
			l, err := Listen(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			kernel(t, o, l, secure, func(w *world) {
				defer stop.Store(true)
				busy := w.connect()
				w.send(busy, "go\n")
				w.settle(func() bool { return turns.Load() > 0 })
				other := w.connect()
				for range 10 {
					before := turns.Load()
					w.send(other, "ask\n")
					w.wantText(other, "said.")
					w.settle(func() bool { return turns.Load() > before }) // the busy one goes on as well
				}
			})
		})
	}
}

// TestLeft wants a connection whose session has left the loop to be served there again.
func TestLeft(t *testing.T) {
	leave := func(_ string, s flow.Stream, out *flow.Output) flow.Next {
		s.Task().Leave()
		out.Head = append(out.Head, "left."...)
		return flow.More
	}
	everyWay(t, options{fulfil: leave}, func(w *world) {
		c := w.connect()
		for range 3 {
			w.send(c, "ask\nask\nget 1\n")
			w.wantText(c, "left.left.1:0")
		}
	})
}

// TestSize wants an idle connection to take no more of the heap than a size class of 512 bytes, besides its session.
func TestSize(t *testing.T) {
	if size := reflect.TypeFor[looped]().Size(); size > 512 {
		t.Errorf("got %d bytes, want at most 512", size)
	}
}
