package origin

import (
	"crypto/sha1" // RFC 6455 wants it, and rests nothing on it
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin/h2client"
)

// webSocket is a WebSocket towards an origin that speaks HTTP/2: extended CONNECT (RFC 8441). To the rest of the house it is an upgrade
// of HTTP/1.1, whose key and its answer exist between us and the client only.
type webSocket struct {
	key  string
	down *io.PipeReader // what the client sends
	up   *io.PipeWriter
}

// newWebSocket takes from a request's fields what HTTP/2 does not have (RFC 8441 §5).
func newWebSocket(fields []flow.Field) (*webSocket, []flow.Field) {
	w := &webSocket{key: flow.Get(fields, "sec-websocket-key")}
	return w, slices.DeleteFunc(fields, func(f flow.Field) bool { return flow.Named(f.Name, "sec-websocket-key") })
}

// open begins the way to the origin anew.
func (w *webSocket) open() h2client.Content {
	w.down, w.up = io.Pipe()
	return w
}

// Read implements [io.Reader].
func (w *webSocket) Read(p []byte) (int, error) { return w.down.Read(p) }

// Trailers implements [h2client.Content].
func (w *webSocket) Trailers() []flow.Field { return nil }

// Close implements [h2client.Content].
func (w *webSocket) Close() error { return w.down.Close() }

// accept is the answer to the key (RFC 6455 §4.2.2).
func (w *webSocket) accept() string {
	sum := sha1.Sum([]byte(w.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// switched makes the origin's consent a 101 (Switching Protocols), and its share of the budget a place under the cap of upgrades. Any other
// answer stays what it is, and nothing more goes to the origin.
func (x *streamed) switched(m *flow.Message) error {
	w := x.socket
	if m.Status/100 != 2 {
		_ = w.up.Close()
		x.socket = nil
		return nil
	}
	if err := x.upgrade(); err != nil {
		return err
	}
	x.server.succeeded()
	m.Status, m.Length = 101, -1
	m.Fields = append(m.Fields, flow.Field{Name: "Upgrade", Value: "websocket"})
	if w.key != "" {
		m.Fields = append(m.Fields, flow.Field{Name: "Sec-WebSocket-Accept", Value: w.accept()})
	}
	return nil
}

func (x *streamed) upgrade() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lease == nil {
		return nil
	}
	upgraded := x.lease.Upgraded()
	if upgraded == nil {
		return errUpgradeCap
	}
	x.lease = upgraded
	return nil
}

// streamTunnel is a [tunnel] over a stream.
type streamTunnel struct {
	x      *streamed
	client flow.Stream
	idle   time.Duration
	active atomic.Int64 // when either side last sent something, in Unix nanoseconds
	over   chan struct{}
	told   *flow.Tunnel
}

// carry carries the bytes both ways.
func (t *streamTunnel) carry() error {
	t.move()
	defer close(t.over)
	go t.watch()
	up := make(chan error, 1)
	go func() { up <- t.up() }()
	err := t.down()
	if err != nil {
		t.x.stream.Reset(err) // so that what the client still sends ends the other way, too
	}
	_ = t.client.CloseWrite()
	if upErr := <-up; err == nil {
		err = upErr
	}
	return err
}

func (t *streamTunnel) move() { t.active.Store(time.Now().UnixNano()) }

// watch ends a tunnel in which both sides are silent.
func (t *streamTunnel) watch() {
	timer := time.NewTimer(t.idle)
	defer timer.Stop()
	for {
		select {
		case <-t.over:
			return
		case <-timer.C:
		}
		left := t.idle - time.Since(time.Unix(0, t.active.Load()))
		if left <= 0 {
			t.x.stream.Reset(fmt.Errorf("both sides were silent for %v: %w", t.idle, os.ErrDeadlineExceeded))
			return
		}
		timer.Reset(left)
	}
}

// up carries the client's bytes to the origin.
func (t *streamTunnel) up() error {
	to := t.x.socket.up
	for {
		b := t.client.Buffered()
		if len(b) == 0 {
			switch err := t.client.Fill(); {
			case err == io.EOF:
				return to.Close()
			case err != nil:
				t.x.stream.Reset(err)
				return err
			}
			continue
		}
		t.move()
		if _, err := to.Write(b); err != nil {
			return err
		}
		t.told.Sent += int64(len(b))
		t.client.Discard(len(b))
	}
}

// down carries the origin's bytes to the client.
func (t *streamTunnel) down() error {
	for {
		piece, err := t.x.stream.Next()
		if len(piece) > 0 {
			t.move()
			if err := t.client.Write(nil, piece); err != nil {
				return err
			}
			t.told.Received += int64(len(piece))
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
