package request

import (
	"io"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// h2tunnel is a stream that carries another protocol (RFC 8441).
type h2tunnel h2exchange

// Hijack implements [flow.Exchange].
func (x *h2exchange) Hijack() (flow.Stream, error) {
	if x.deciding || !x.switching || x.flow.Request.Upgrade == "" {
		return nil, errNoHijack
	}
	x.lock()
	defer x.unlock()
	x.finished = true
	x.goOn()
	return (*h2tunnel)(x), x.gone
}

func (t *h2tunnel) exchange() *h2exchange { return (*h2exchange)(t) }

// Buffered implements [flow.Stream].
func (t *h2tunnel) Buffered() []byte {
	x := t.exchange()
	x.lock()
	defer x.unlock()
	return x.in[x.used:]
}

// Discard implements [flow.Stream].
func (t *h2tunnel) Discard(n int) {
	x := t.exchange()
	x.lock()
	defer x.unlock()
	x.discard(n)
}

// Fill implements [flow.Stream].
func (t *h2tunnel) Fill() error {
	x := t.exchange()
	x.lock()
	defer x.unlock()
	if err := x.await(); err != nil {
		return err
	}
	if x.used == len(x.in) {
		return io.EOF
	}
	return nil
}

// Read implements [flow.Stream].
func (t *h2tunnel) Read(p []byte) (int, error) { return t.exchange().ReadBody(p) }

// Write implements [flow.Stream].
func (t *h2tunnel) Write(head, tail []byte) error {
	x := t.exchange()
	x.lock()
	defer x.unlock()
	for _, p := range [...][]byte{head, tail} {
		if len(p) > 0 {
			x.pace.moved += int64(len(p))
			if err := x.send(p, false); err != nil {
				return err
			}
		}
	}
	return x.gone
}

// CloseWrite implements [flow.Stream].
func (t *h2tunnel) CloseWrite() error {
	x := t.exchange()
	x.lock()
	defer x.unlock()
	if x.gone != nil || x.ended {
		return x.gone
	}
	x.ended = true
	return x.send(nil, true)
}

// Abort implements [flow.Stream].
func (t *h2tunnel) Abort() *flow.Abort { return &t.abort }

// Task implements [flow.Stream].
func (t *h2tunnel) Task() *loop.Task { return t.flow.Task }

// Tunnel implements [flow.Stream].
func (*h2tunnel) Tunnel() {}

// Draining implements [flow.Stream].
func (t *h2tunnel) Draining() bool { return t.session.conn.Draining() }
