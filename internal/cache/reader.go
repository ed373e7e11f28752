package cache

import (
	"io"

	"github.com/seawall/seawall/internal/cache/store"
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
	// spool has the next spooled bytes of a body that goes to the disk alone.
	spool   *store.Spool
	spooled int64
	buffer  []byte
}

// Next returns the next piece, valid until the next call, waiting for it if need be. The error is [io.EOF] with or after the last
// piece and [io.ErrUnexpectedEOF] if the origin broke off or the client is gone.
func (r *reader) Next() ([]byte, error) {
	for {
		piece, grown, err := r.fill.read(r)
		switch {
		case r.spooled > 0:
			return r.unspool(err)
		case grown == nil:
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

// unspool reads what the disk has, and returns it with the end, if that follows.
func (r *reader) unspool(end error) ([]byte, error) {
	r.task.Leave()
	if r.buffer == nil {
		r.buffer = make([]byte, store.BlockSize)
	}
	piece := r.buffer[:r.spooled]
	r.spooled = 0
	if r.spool.ReadAt(piece, r.off) != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return piece, end
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
