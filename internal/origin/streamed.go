package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin/h2client"
)

// maxOutdated bounds how often in a row a request may meet a connection that was about to end.
const maxOutdated = 3

// streamed is one request at an origin over HTTP/2.
type streamed struct {
	errand
	fields  []flow.Field
	content *content   // nil if there is none
	socket  *webSocket // nil if none is asked for
	conn    *h2client.Conn
	reused  bool
	stream  *h2client.Stream // of the last attempt
	begun   time.Time
	arrived bool // the origin has answered something
	head    *h2client.Head
	answer  streamAnswer

	mu       sync.Mutex // guards the errand's server and lease, too, once the response is handed over
	handed   bool
	finished bool // the stream's goroutine has seen the end of both request and response
}

// resetter lets a client that leaves end a stream.
type resetter struct{ *h2client.Stream }

func (r resetter) Interrupt() { r.Reset(errGone) }

// prepare implements [carrier].
func (x *streamed) prepare() (err error) {
	x.flow.Task.Leave() // all that follows is another goroutine's
	if x.fields, err = x.policy.streamFields(x.flow); err != nil {
		return err
	}
	q := x.flow.Effective()
	switch {
	case q.Length != 0:
		x.content = newContent(x.flow, &x.policy.room.buffers)
		if !q.Expect {
			return x.content.fill()
		}
	case strings.EqualFold(q.Upgrade, "websocket"):
		x.socket, x.fields = newWebSocket(x.fields)
	}
	return nil
}

// attempt implements [carrier]. A request that meets the end of a connection which had been used before, and was not looked at, is sent
// again as if it had not been sent: that is how a server closes connections.
func (x *streamed) attempt(bool) (err error) {
	for range maxOutdated {
		if err = x.once(); !x.outdated(err) {
			break
		}
	}
	if x.stream != nil && !x.outdated(err) && !unsendable(err) {
		x.flow.Origin.Attempts++
		x.server.health.requests.Add(1)
	}
	return err
}

// once sends the request on one stream.
func (x *streamed) once() error {
	x.stream, x.arrived = nil, false
	if err := x.connect(); err != nil {
		return err
	}
	if x.gone() {
		x.conn.Return()
		return errGone
	}
	x.begun = time.Now()
	x.stream = x.conn.Start(x.request())
	if x.content != nil {
		x.content.attach(x.stream)
	}
	if err := x.await(); err != nil {
		x.stream.Close()
		return err
	}
	x.flow.Origin.FirstByte = time.Since(x.begun)
	return nil
}

// connect takes a place on a connection.
func (x *streamed) connect() error {
	e := x.server.endpoint
	x.conn, x.reused = e.streams.Try(&x.server.want), true
	if x.conn == nil {
		if err := x.dial(); err != nil {
			return err
		}
	}
	x.flow.Origin.Address, x.flow.Origin.Reused = x.conn.Address(), x.reused
	return nil
}

// dial waits for a place.
func (x *streamed) dial() (err error) {
	e := x.server.endpoint
	x.flow.Origin.Address = e.settings.address
	ctx, cancel := context.WithTimeout(context.Background(), x.policy.origin.ConnectTimeout)
	defer cancel()
	if !x.watch(canceller(cancel)) {
		return errGone
	}
	x.conn, x.reused, err = e.streams.Take(ctx, &x.server.want)
	x.unwatch()
	if err != nil {
		return dialError{fmt.Errorf("connecting to %s: %w", e.settings.address, err)}
	}
	return nil
}

// request is what goes out on the stream. Its scheme is that of the connection; the client's is in X-Forwarded-Proto.
func (x *streamed) request() *h2client.Request {
	q, target := x.flow.Effective(), x.flow.Target()
	r := &h2client.Request{
		Method: q.Method, Scheme: "http", Authority: target.Authority, Path: q.Path, Fields: x.fields,
		ResponseTimeout: x.policy.origin.ResponseTimeout, StallTimeout: x.policy.origin.StallTimeout, Whole: x.whole,
	}
	if x.server.settings.secure {
		r.Scheme = "https"
	}
	switch {
	case q.HostHeader != "":
		r.Authority = q.HostHeader
	case r.Authority == "":
		r.Authority = x.policy.host
	}
	if target.HasQuery {
		r.Path += "?" + target.Query
	}
	switch {
	case x.content != nil:
		r.Length, r.Content = q.Length, x.content.open()
	case x.socket != nil:
		r.Protocol, r.Length, r.Content, r.StallTimeout = "websocket", -1, x.socket.open(), 0
	}
	return r
}

// await waits for the final response's head. Interim responses go to the client at once, except 100, which it had from us or did not want.
func (x *streamed) await() error {
	for {
		if !x.watch(resetter{x.stream}) {
			x.stream.Reset(errGone)
		}
		h, err := x.stream.Head()
		x.unwatch()
		if err != nil {
			return err
		}
		x.arrived = true
		switch {
		case h.Status >= 200:
			x.head = h
			return nil
		case h.Status == 100 || x.flow.Exchange == nil:
			continue
		}
		if err := x.flow.Exchange.WriteInfo(h.Status, endToEnd(h.Fields)); err != nil {
			return errors.Join(errGone, err)
		}
	}
}

// begin implements [carrier].
func (x *streamed) begin() error {
	h, a := x.head, &x.answer
	a.x = x
	a.message = flow.Message{Status: h.Status, Fields: h.Fields, Length: h.Length}
	if x.socket != nil {
		if err := x.switched(&a.message); err != nil {
			return err
		}
	}
	x.flow.Origin.Status, x.flow.Origin.Message = a.message.Status, &a.message
	x.hand()
	if h.End && x.stream.Sent() {
		a.Close()
		a.err = io.EOF
		return nil
	}
	a.message.Stream = a // if only to be closed when the client has its response
	return nil
}

// hand shares the end of the exchange with the stream's goroutine, which may have seen it.
func (x *streamed) hand() {
	x.mu.Lock()
	x.handed = true
	finished := x.finished
	x.mu.Unlock()
	if finished {
		x.over(true)
	}
}

// whole is called by the stream's goroutine when the exchange with the origin is over, while the client may still read.
func (x *streamed) whole() {
	x.mu.Lock()
	x.finished = true
	handed := x.handed
	x.mu.Unlock()
	if handed {
		x.over(true)
	}
}

// over ends the exchange with the origin, once: its share of the budget is free.
func (x *streamed) over(well bool) {
	server, lease := x.leaveAll()
	if server == nil {
		return
	}
	if well {
		server.succeeded()
	}
	giveBack(server, lease)
}

// leaveAll takes from x what is given back when its exchange is over.
func (x *streamed) leaveAll() (s *server, l flow.Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, l = x.server, x.lease
	x.server, x.lease = nil, nil
	return s, l
}

func giveBack(s *server, l flow.Lease) {
	s.health.inFlight.Add(-1)
	if l != nil {
		l.Release()
	}
}

// fail implements [carrier]. The request's content ends with the piece that is being read from the client.
func (x *streamed) fail(err error) {
	err = x.cause(err)
	if x.stream != nil {
		if x.stream.Sent() && (x.gone() || isTimeout(err)) {
			x.linger()
		}
		x.stream.Close()
	}
	x.over(false)
	if x.content != nil {
		x.content.cancel()
	}
	x.flow.Origin.Refusal = x.refusal(err)
}

// drop implements [carrier]: the stream has ended, and its connection is others'.
func (x *streamed) drop() {}

// cause implements [carrier].
func (x *streamed) cause(err error) error {
	if x.content != nil {
		if broken := x.content.broken(); broken != nil {
			return broken
		}
	}
	return err
}

// repeatable implements [carrier]. What no server has looked at may be sent again, whatever it is, as long as it is here.
func (x *streamed) repeatable(err error) (may, same bool) {
	if errors.Is(err, h2client.ErrUnprocessed) {
		return x.content == nil || x.content.replayable(), true
	}
	may = x.unanswered(err) && idempotent(x.flow.Request.Method) && (x.content == nil || !x.content.taken())
	return may, x.reused
}

// blameless implements [carrier].
func (x *streamed) blameless(err error) bool {
	return x.outdated(err) || x.reused && x.unanswered(err) || unsendable(err)
}

// unsendable tells whether err is that the request was not sent, and would not be again.
func unsendable(err error) bool {
	return errors.Is(err, h2client.ErrRequest) || errors.Is(err, h2client.ErrTooLarge) || errors.Is(err, h2client.ErrNoTunnel)
}

// unanswered tells whether err is that the connection ended without a word.
func (x *streamed) unanswered(err error) bool { return errors.Is(err, h2client.ErrEnded) && !x.arrived }

// outdated tells whether err is that the connection, which had been used before, took no more requests, this one included.
func (x *streamed) outdated(err error) bool {
	_, refused := errors.AsType[*h2client.ResetError](err)
	return x.reused && !refused && errors.Is(err, h2client.ErrUnprocessed) && (x.content == nil || x.content.replayable())
}

// linger holds the share of the budget of a request that nobody waits for any more, but on which the origin may be working: it has been told
// (RST_STREAM), but neither does it say when it has ended, nor does every application listen. The share is held as long again as the
// request has been there, a second at least, unless the connection ends first. Leases bound the goroutines.
func (x *streamed) linger() {
	const least = time.Second
	server, lease := x.leaveAll()
	if server == nil {
		return
	}
	hold := min(max(time.Since(x.begun), least), x.policy.origin.ResponseTimeout)
	ended := x.conn.Ended()
	go func() {
		wait(hold, ended)
		giveBack(server, lease)
	}()
}

// streamAnswer is what a flow keeps of a request on a stream: the response's head, and its body.
type streamAnswer struct {
	message  flow.Message
	x        *streamed
	err      error // of the next Next
	closed   bool
	trailers []flow.Field
}

// Next implements [flow.Body]. A body that breaks off ends with [io.ErrUnexpectedEOF]; no error is followed by more.
func (a *streamAnswer) Next() ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	x := a.x
	if !x.watch(resetter{x.stream}) {
		x.stream.Reset(errGone)
	}
	piece, err := x.stream.Next()
	x.unwatch()
	switch err {
	case nil:
		return piece, nil
	case io.EOF:
		a.trailers = x.stream.Trailers()
		a.err = io.EOF
		return piece, io.EOF
	}
	err = x.cause(err)
	x.blame(err)
	if _, client := errors.AsType[bodyError](err); !client && err != errGone {
		err = fmt.Errorf("origin: %w", err)
	}
	a.err = err
	x.over(false)
	return nil, err
}

// Trailers implements [flow.Body].
func (a *streamAnswer) Trailers() []flow.Field { return a.trailers }

// Close implements [flow.Body]. It waits until the request's content is not being read any more, which the client connection's
// timeouts bound.
func (a *streamAnswer) Close() {
	if a.err == nil {
		a.err = net.ErrClosed
	}
	if a.closed {
		return
	}
	a.closed = true
	x := a.x
	x.stream.Close()
	x.over(false)
	if x.content != nil {
		x.content.cancel()
	}
}
