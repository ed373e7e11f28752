package origin

import (
	"time"

	"github.com/seawall/seawall/h1"
)

const (
	bufferSize = 32 << 10
	maxInterim = 16 // responses before the final one
)

// limits bound the head of a response, and its trailer section.
var limits = h1.Limits{Line: 8 << 10, Head: 64 << 10, Fields: 200}

// buffer is where bytes stay on their way from one side to the other.
type buffer [bufferSize]byte

// exchange is one request at an origin over HTTP/1.1 and the buffers it needs. It waits in its room's pool while there is none.
type exchange struct {
	errand
	conn *conn     // nil once the exchange with the origin is over
	now  time.Time // recent enough for deadlines

	out    []byte // the request's head and the first piece of its content
	taken  bool   // content was taken from the client
	sent   bool   // the origin has the request's head, or may have it
	rest   int64  // bytes of content that are not in out, -1 if unknown
	upload *upload

	in       []byte // in[r:w] has arrived from the origin and not been used
	r, w     int
	arrived  bool // the origin has answered something
	response h1.Response
	decoder  h1.Decoder
	left     int64 // of a body with known length
	piece    []byte
	ended    bool // piece is the last
	clean    bool // nothing is left to read on the connection
	answer   *answer

	first buffer // what in is, unless a head needs more
}

func newExchange() *exchange {
	x := &exchange{out: make([]byte, 0, 2<<10)}
	x.in = x.first[:]
	return x
}

// recycle gives the exchange's buffers back.
func (x *exchange) recycle() {
	pool := &x.policy.room.exchanges
	if cap(x.out) > 2*bufferSize {
		x.out = make([]byte, 0, 2<<10)
	}
	x.errand, x.conn = errand{}, nil
	x.out, x.taken, x.sent, x.rest, x.upload = x.out[:0], false, false, 0, nil
	x.in, x.r, x.w, x.arrived = x.first[:], 0, 0, false
	x.response, x.decoder = h1.Response{}, h1.Decoder{}
	x.left, x.piece, x.ended, x.clean, x.answer = 0, nil, false, false, nil
	pool.Put(x)
}

// prepare writes the request's head, with the first piece of its content, unless the client waits for 100 (Continue): it is
// asked for the content once there is a connection. It implements [carrier].
func (x *exchange) prepare() (err error) {
	if x.out, err = x.policy.appendHead(x.out[:0], x.flow); err != nil {
		return err
	}
	x.rest = x.flow.Request.Length
	if x.rest == 0 || x.flow.Request.Expect {
		return nil
	}
	return x.takeFirst()
}

// takeFirst reads the content that goes out with the head: all of it if it is known to fit, else what is there first.
func (x *exchange) takeFirst() error {
	x.taken = true
	fits := x.rest > 0 && x.rest <= int64(len(x.in))
	n := 0
	for x.rest != 0 && (n == 0 || fits) {
		m, err := x.flow.Exchange.ReadBody(x.in[n:])
		n += m
		if x.rest, err = remaining(x.rest, m, err); err != nil {
			return err
		}
	}
	if x.flow.Request.Length > 0 {
		x.out = append(x.out, x.in[:n]...)
		return nil
	}
	x.out = h1.AppendChunk(x.out, x.in[:n])
	if x.rest == 0 {
		x.out = h1.AppendLastChunk(x.out, trailers(x.flow.Exchange))
	}
	return nil
}

// send writes what is prepared and waits until the origin answers something. Content that is not in out yet follows from a
// goroutine of its own.
func (x *exchange) send() error {
	c := x.conn
	c.arm(x.now, x.policy.origin.ResponseTimeout)
	if !x.watch(c) {
		return errGone
	}
	defer x.unwatch()
	if c.reused && c.stale(x.rest == 0 && x.harmless()) {
		return errStale
	}
	x.count()
	if x.rest != 0 {
		return x.sendFirst()
	}
	n, err := c.exchange(x.out, x.in)
	x.w, x.arrived = n, n > 0
	return err
}

// count notes that the server has the request, or may have it.
func (x *exchange) count() {
	x.flow.Origin.Attempts++
	x.server.health.requests.Add(1)
	x.sent = true
}

func (x *exchange) sendFirst() error {
	if err := x.conn.write(x.out); err != nil {
		if isTimeout(err) {
			return err
		}
		return nil // the origin may have answered before it closed: the next read tells
	}
	x.flow.Task.Leave() // the upload uses the same two connections
	x.upload = startUpload(x)
	return nil
}

// read waits for more from the origin: at most timeout, or as long as it had before if that is 0. While the request is still
// being sent, the upload keeps the deadlines.
func (x *exchange) read(timeout time.Duration) error {
	c := x.conn
	if timeout > 0 && x.uploaded() {
		x.now = time.Now()
		c.arm(x.now, timeout)
	}
	if !x.watch(c) {
		return errGone
	}
	n, err := c.read(x.in[x.w:])
	x.unwatch()
	x.w += n
	x.arrived = x.arrived || n > 0
	return err
}

// uploaded tells whether the request was sent as far as it will be.
func (x *exchange) uploaded() bool {
	if x.upload == nil {
		return true
	}
	select {
	case <-x.upload.done:
		return true
	default:
		return false
	}
}

// over ends the exchange with the origin: its connection goes back to the pool or is closed, then its share of the budget
// is free.
func (x *exchange) over(reusable bool) {
	if c := x.conn; c != nil {
		x.conn = nil
		if p := x.policy; reusable && p.origin.ProxyProtocol == "" && c.usable() {
			x.server.put(c, x.now.Add(p.origin.IdleTimeout), p.maxIdle)
		} else {
			c.close()
		}
	}
	x.leave()
	if l := x.lease; l != nil {
		x.lease = nil
		l.Release()
	}
}
