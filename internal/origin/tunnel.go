package origin

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

var errNoTunnel = errors.New("the origin changed to no other protocol in this flow")

// tunnel carries the bytes of another protocol both ways.
type tunnel struct {
	x      *exchange
	client flow.Stream
	idle   time.Duration
	active atomic.Int64 // when the client last sent something, in Unix nanoseconds
	sent   int64        // bytes to the origin
	done   chan error   // how the way to the origin ended
}

// Tunnel carries bytes between client and origin after response has written the 101 (Switching Protocols) of the flow's message,
// and writes flow.Origin.Tunnel. It returns when both ends have closed, one has broken off, or both were silent for the node's
// TunnelTimeout. It closes the message's stream, and holds an exchange's buffer and the client connection's.
func (p *Policy) Tunnel(f *flow.Flow) {
	start := time.Now()
	f.Origin.Tunnel = &flow.Tunnel{}
	f.Origin.Tunnel.Err = p.tunnel(f)
	f.Origin.Tunnel.Duration = time.Since(start)
}

func (p *Policy) tunnel(f *flow.Flow) error {
	m := f.Origin.Message
	if m == nil || m.Status != 101 || m.Stream == nil {
		return errNoTunnel
	}
	carry := p.carrying(f, m.Stream)
	if carry == nil {
		return errNoTunnel
	}
	defer m.Stream.Close()
	f.Task.Leave() // two goroutines use the same two connections
	client, err := f.Exchange.Hijack()
	if err != nil {
		return err
	}
	return carry(client)
}

// carrying returns how what follows a 101 is carried, nil if its stream was closed.
func (p *Policy) carrying(f *flow.Flow, body flow.Body) func(flow.Stream) error {
	idle := p.room.node.Connections.TunnelTimeout
	switch a := body.(type) {
	case *answer:
		if a.x != nil {
			return func(client flow.Stream) error {
				t := &tunnel{x: a.x, client: client, idle: idle, done: make(chan error, 1)}
				return t.carry(f.Origin.Tunnel)
			}
		}
	case *streamAnswer:
		if !a.closed {
			return func(client flow.Stream) error {
				t := &streamTunnel{x: a.x, client: client, idle: idle, over: make(chan struct{}), told: f.Origin.Tunnel}
				return t.carry()
			}
		}
	}
	return nil
}

// carry carries the bytes both ways, and says how many.
func (t *tunnel) carry(told *flow.Tunnel) (err error) {
	t.active.Store(time.Now().UnixNano())
	go func() { t.done <- t.up() }()
	told.Received, err = t.down()
	if err != nil {
		t.x.conn.close() // so that what the client still sends ends the other way, too
	}
	_ = t.client.CloseWrite()
	if upErr := <-t.done; err == nil {
		err = upErr
	}
	told.Sent = t.sent
	return err
}

// up carries the client's bytes to the origin.
func (t *tunnel) up() error {
	c := t.x.conn
	for {
		b := t.client.Buffered()
		if len(b) == 0 {
			err := t.client.Fill()
			if errors.Is(err, io.EOF) {
				c.closeWrite()
				return nil
			}
			if err != nil {
				c.Interrupt()
				return err
			}
			continue
		}
		now := time.Now()
		t.active.Store(now.UnixNano())
		c.armWrite(now, t.x.policy.origin.StallTimeout)
		if err := c.write(b); err != nil {
			c.Interrupt()
			return err
		}
		t.sent += int64(len(b))
		t.client.Discard(len(b))
	}
}

// down carries the origin's bytes to the client; what came with the head comes first.
func (t *tunnel) down() (received int64, err error) {
	x := t.x
	for {
		if n := x.w - x.r; n > 0 {
			if err := t.client.Write(nil, x.in[x.r:x.w]); err != nil {
				return received, err
			}
			received += int64(n)
		}
		x.r, x.w = 0, 0 // the 101's head was before them, too
		x.conn.armRead(time.Now(), t.idle)
		x.w, err = x.conn.read(x.in)
		switch {
		case errors.Is(err, io.EOF):
			return received, nil
		case err == nil:
		case !x.conn.usable():
			return received, nil // the other way has failed and knows why
		case isTimeout(err) && time.Since(time.Unix(0, t.active.Load())) < t.idle:
		default:
			return received, err
		}
	}
}
