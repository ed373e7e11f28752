package cache

import (
	"io"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// reader is one client's way through a growing body. It belongs to its flow's goroutine; off and closed are guarded by the
// fill's mutex.
type reader struct {
	fill   *fill
	client *flow.Abort
	task   *loop.Task
	gone   chan struct{}
	taken  int // bytes of the piece that the flow is using
	off    int64
	closed bool
}

// Next returns the next piece, which stays valid, waiting for it if need be. The error is [io.EOF] with or after the last
// piece and [io.ErrUnexpectedEOF] if the origin broke off or the client is gone.
func (r *reader) Next() ([]byte, error) {
	for {
		piece, grown, err := r.fill.read(r)
		if grown == nil {
			return piece, err
		}
		if !r.client.Watch(r) {
			return nil, io.ErrUnexpectedEOF
		}
		r.task.Leave()
		select {
		case <-grown:
			r.client.Unwatch()
		case <-r.gone:
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// Trailers are not stored (RFC 9110 §6.5.1 lets a cache discard them).
func (r *reader) Trailers() []flow.Field { return nil }

// Close ends the reading. The fetch is cancelled if nobody else needs it.
func (r *reader) Close() { r.fill.detach(r) }

// Interrupt implements [flow.Interrupter].
func (r *reader) Interrupt() {
	select {
	case r.gone <- struct{}{}:
	default:
	}
}
