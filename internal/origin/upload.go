package origin

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// upload sends the rest of a request's content while the response may already come back.
type upload struct {
	exchange        flow.Exchange
	conn            *conn
	rest            int64 // bytes, -1 if unknown
	stall, response time.Duration
	cancelled       atomic.Bool
	last            atomic.Bool // nothing is left but the write of the last piece

	done   chan struct{}
	broken error // after done: how the client's side failed, if it did
}

var errCancelled = errors.New("the exchange with the origin was over first")

// startUpload sends what x.out did not hold. Meanwhile reads of the connection have no deadline: the client's pace is the client
// connection's affair, and the wait for the response begins when the request is complete.
func startUpload(x *exchange) *upload {
	u := &upload{
		exchange: x.flow.Exchange,
		conn:     x.conn,
		rest:     x.rest,
		stall:    x.policy.origin.StallTimeout,
		response: x.policy.origin.ResponseTimeout,
		done:     make(chan struct{}),
	}
	u.conn.deadline(net.Conn.SetReadDeadline, time.Time{})
	u.conn.until = time.Time{}
	go u.run(&x.policy.room.buffers)
	return u
}

func (u *upload) run(buffers *sync.Pool) {
	b := buffers.Get().(*buffer)
	err := u.copy(b)
	buffers.Put(b)
	if body, ok := errors.AsType[bodyError](err); ok {
		u.broken = body
		close(u.done)
		u.conn.Interrupt()
		return
	}
	u.conn.deadline(net.Conn.SetReadDeadline, time.Now().Add(u.response))
	if err != nil {
		u.conn.abandon() // the origin did not get all; what it says to that is awaited
	}
	close(u.done)
}

// chunkHead is the room for the size line of a chunk that fits into a buffer.
const chunkHead = len("ffff\r\n")

func (u *upload) copy(b *buffer) error {
	for chunked := u.rest < 0; u.rest != 0; {
		in := b[chunkHead : len(b)-chunkHead]
		n, err := u.exchange.ReadBody(in)
		if u.cancelled.Load() {
			return errCancelled
		}
		if u.rest, err = remaining(u.rest, n, err); err != nil {
			return err
		}
		out := in[:n]
		if chunked {
			out = inChunk(b, n)
			if u.rest == 0 {
				out = h1.AppendLastChunk(out, trailers(u.exchange))
			}
		}
		u.last.Store(u.rest == 0)
		if err := u.write(out); err != nil {
			return err
		}
	}
	return nil
}

// inChunk makes a chunk of the n bytes at b[chunkHead:].
func inChunk(b *buffer, n int) []byte {
	if n == 0 {
		return b[:0]
	}
	var size [chunkHead]byte
	head := h1.AppendChunkHead(size[:0], n)
	start := chunkHead - copy(b[chunkHead-len(head):], head)
	return append(b[start:chunkHead+n], "\r\n"...)
}

func (u *upload) write(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	u.conn.armWrite(time.Now(), u.stall)
	return u.conn.write(out)
}

// settle reports whether the content was sent as far as it will be, once the response is over. The origin may have seen the last
// piece, and answered, before the write of it returned here: that write is waited for, within bounds.
func (u *upload) settle() bool {
	const patience = time.Second
	select {
	case <-u.done: // and the connection may serve another exchange by now
		return true
	default:
	}
	if !u.last.Load() {
		return false
	}
	u.conn.deadline(net.Conn.SetWriteDeadline, time.Now().Add(patience))
	<-u.done
	u.conn.until, u.conn.sendUntil = time.Time{}, time.Time{} // the next exchange sets its own
	return true
}

// cancel waits until the client's exchange is no longer in use. The connection has been closed, so an upload that goes on can
// only be waiting for the client's next bytes, and those are bounded by the client connection's timeouts.
func (u *upload) cancel() {
	u.cancelled.Store(true)
	<-u.done
}

// remaining returns how much of a body is left after a read of n bytes from the client: 0 at its end.
func remaining(rest int64, n int, err error) (int64, error) {
	switch {
	case err != nil && err != io.EOF:
		return rest, bodyError{err}
	case rest < 0 && err == nil:
		return rest, nil
	case rest < 0:
		return 0, nil
	case int64(n) > rest, err == io.EOF && int64(n) < rest:
		return rest, bodyError{io.ErrUnexpectedEOF}
	}
	return rest - int64(n), nil
}

// trailers returns the request's trailer fields that may reach the origin: an origin that merges them into the head must not
// take from them what would not have passed there.
func trailers(e flow.Exchange) (pass []flow.Field) {
	for _, f := range e.Trailers() {
		if classify(f.Name) == kept {
			pass = append(pass, f)
		}
	}
	return pass
}
