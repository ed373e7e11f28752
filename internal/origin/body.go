package origin

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// Next implements [flow.Body]. The pieces are parts of the exchange's buffer. A body that breaks off ends with
// [io.ErrUnexpectedEOF]; no error is followed by more.
func (a *answer) Next() ([]byte, error) {
	x := a.x
	if a.err != nil || x == nil {
		a.release() // the last piece has been used
		return nil, a.err
	}
	for len(x.piece) == 0 && !x.ended {
		if err := x.more(); err != nil {
			x.blame(err)
			a.err = err
			a.release()
			return nil, err
		}
	}
	piece := x.piece
	x.piece = nil
	if x.ended {
		a.err = io.EOF
	}
	return piece, a.err
}

// Trailers implements [flow.Body].
func (a *answer) Trailers() []flow.Field { return a.trailers }

// Close implements [flow.Body]. It waits until the request's content is not being read any more, which the client connection's
// timeouts bound.
func (a *answer) Close() {
	a.release()
	if a.err == nil {
		a.err = net.ErrClosed
	}
	if a.upload != nil {
		a.upload.cancel()
		a.upload = nil
	}
}

// release gives the buffers back, and ends the exchange with the origin if that is not over.
func (a *answer) release() {
	if x := a.x; x != nil {
		a.x = nil
		x.over(x.clean && (x.upload == nil || x.upload.settle()))
		x.recycle()
	}
}

// more waits for the next part of the body.
func (x *exchange) more() error {
	x.r, x.w = 0, 0 // decode leaves nothing but behind the end
	err := x.read(x.policy.origin.StallTimeout)
	switch {
	case err == nil:
		return x.decode()
	case err == io.EOF && x.response.Framing == h1.UntilClose:
		x.finish(false)
		return nil
	case x.upload != nil && x.uploaded() && x.upload.broken != nil:
		return x.upload.broken
	case errors.Is(err, errGone), x.gone():
		return errGone
	case isTimeout(err):
		return fmt.Errorf("origin: response stalled: %w", err)
	}
	return fmt.Errorf("origin: %w: %w", io.ErrUnexpectedEOF, err)
}

// decode makes a piece of what has arrived, and finishes when that is the end.
func (x *exchange) decode() error {
	switch x.response.Framing {
	case h1.Length:
		n := int(min(x.left, int64(x.w-x.r)))
		x.piece = x.in[x.r : x.r+n]
		x.r += n
		if x.left -= int64(n); x.left == 0 {
			x.finish(true)
		}
	case h1.Chunked:
		return x.decodeChunks()
	default:
		x.piece = x.in[x.r:x.w]
		x.r = x.w
	}
	return nil
}

// decodeChunks moves the data of all chunks that have arrived together, so that small chunks do not become small writes.
func (x *exchange) decodeChunks() error {
	for x.r < x.w && !x.decoder.Done() {
		data, n, err := x.decoder.Next(x.in[x.r:x.w])
		if err != nil {
			return fmt.Errorf("origin: response: %w", err)
		}
		x.r += n
		if x.piece == nil {
			x.piece = data
		} else {
			x.piece = append(x.piece, data...) // within the buffer, over what has been read
		}
	}
	if x.decoder.Done() {
		x.answer.trailers = x.decoder.Trailers()
		x.finish(true)
	}
	return nil
}

// finish marks the end of the body. The connection can be used again if the next response will begin where this one ended, and if
// the request was sent whole, which is decided at the latest when the buffers are released.
func (x *exchange) finish(delimited bool) {
	x.server.succeeded()
	x.ended = true
	x.clean = delimited && x.r == x.w && !x.response.Close
	if x.uploaded() {
		x.over(x.clean)
	}
}
