package request

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/reqid"
)

// corridor is a path made of two functions; without a decision all is left to fulfil, or answered plainly if there is none.
type corridor struct {
	decide func(f *flow.Flow) bool
	fulfil func(f *flow.Flow)
	seen   []flow.Request
}

func (c *corridor) Decide(f *flow.Flow) bool {
	seen := f.Request
	seen.Fields = append([]flow.Field(nil), seen.Fields...)
	c.seen = append(c.seen, seen)
	switch {
	case f.Request.Refusal != nil:
		answer(f, f.Request.Refusal.Status, "refused\n")
	case c.decide != nil && c.decide(f):
	case c.fulfil != nil:
		return false
	case c.decide == nil:
		answer(f, 200, "ok")
	default:
		return false
	}
	return true
}

func (c *corridor) Fulfil(f *flow.Flow) { c.fulfil(f) }

// answer sends a response of known length.
func answer(f *flow.Flow, status int, body string) error {
	x := f.Exchange
	return errors.Join(x.WriteHead(status, nil, int64(len(body))), x.WriteBody([]byte(body), true), x.Finish(nil))
}

// client is a connection whose client sends its pieces one by one and then, if it is to leave, no more.
type client struct {
	pieces   []string
	session  flow.Session
	buffered []byte
	out      flow.Output
	written  bytes.Buffer
	asked    []int // how much had been written when input was waited for
	abort    flow.Abort
	draining bool
	tunnel   bool
	next     flow.Next
}

const largest = 64 << 10 // bytes that a client's connection buffers

func (c *client) Buffered() []byte { return c.buffered }

func (c *client) Discard(n int) { c.buffered = c.buffered[n:] }

func (c *client) Fill() error {
	c.asked = append(c.asked, c.written.Len())
	switch {
	case len(c.pieces) == 0:
		return io.EOF
	case len(c.buffered) >= largest:
		return io.ErrShortBuffer
	}
	c.buffered = append(bytes.Clone(c.buffered), c.pieces[0]...)
	c.pieces = c.pieces[1:]
	return nil
}

func (c *client) Read(p []byte) (int, error) {
	if len(c.buffered) == 0 {
		if err := c.Fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buffered)
	c.Discard(n)
	return n, nil
}

func (c *client) Write(head, tail []byte) error {
	c.written.Write(head)
	c.written.Write(tail)
	return nil
}

func (c *client) CloseWrite() error  { return nil }
func (c *client) Start(loop.Runner)  {}
func (c *client) Wake()              {}
func (c *client) Charge(int) bool    { return true }
func (c *client) Judged(bool) bool   { return true }
func (c *client) Breach(string)      {}
func (c *client) Fault(value any)    { panic(value) }
func (c *client) Abort() *flow.Abort { return &c.abort }
func (c *client) Task() *loop.Task   { return nil }
func (c *client) Tunnel()            { c.tunnel = true }
func (c *client) Draining() bool     { return c.draining }

// run drives the session as conn does, until it ends or the client has nothing more to say.
func (c *client) run(t testing.TB) string {
	t.Helper()
	for {
		used, next := c.session.Turn(c.buffered, &c.out, time.Now())
		if used < 0 || used > len(c.buffered) || next == flow.Flush && used == 0 {
			t.Fatalf("used %d of %d bytes, then %d", used, len(c.buffered), next)
		}
		c.Discard(used)
		c.flush()
		if next == flow.Wait {
			next = c.session.Fulfil(&c.out)
			c.flush()
			if next == flow.More {
				next = flow.Flush
			}
		}
		if c.next = next; next.Ends() || next == flow.More && c.Fill() != nil {
			c.session.End()
			return c.written.String()
		}
	}
}

func (c *client) flush() {
	c.Write(c.out.Head, c.out.Tail)
	c.out.Reset()
}

// open begins a session on a client's connection.
func open(path Path, change func(*spec.Node), pieces ...string) *client {
	node := spec.DefaultNode()
	if change != nil {
		change(&node)
	}
	c := &client{pieces: pieces}
	room := New(&node, reqid.NewGenerator(1, 1), path)
	c.session = room.Open(&flow.Conn{Remote: netip.MustParseAddrPort("198.51.100.7:4711")}, c)
	return c
}
