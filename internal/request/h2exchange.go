package request

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/seawall/seawall/h2"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// uploadWindow is how much of a request's content a client may send ahead of who reads it, once somebody does.
const uploadWindow = 256 << 10

var (
	errReset          = errors.New("the client reset the stream")
	errConnectionOver = errors.New("the client's connection is over")
	errStalled        = errors.New("the client does not take the response")
)

// h2exchange is one request over HTTP/2 and its response: [flow.Exchange], and the task that fulfils it if it has to wait. Reading and
// writing may go on side by side; each side has one goroutine at a time. Within Decide the session's mutex is held already.
type h2exchange struct {
	session *h2session
	id      uint32
	flow    flow.Flow
	abort   flow.Abort
	fields  []flow.Field // of the request

	deciding bool
	frames   []byte // what is written within Decide goes behind these
	gone     error  // why nothing can be read or written any more
	returned bool   // from Fulfil

	// the request's content; the session's mutex guards it
	in       []byte // in[used:] has arrived and not been read
	used     int
	complete bool // all of it has arrived
	late     bool // the rest comes too slowly
	awaited  bool // somebody waits for more
	granted  bool // it may send as much as uploadWindow ahead
	pace     pace // of the client as a sender
	trailers []flow.Field
	reading  loop.Signal

	// the response
	begun     bool
	ended     bool // with END_STREAM
	finished  bool
	bodiless  bool
	switching bool  // a 101 head was written
	owed      int64 // bytes of the announced length that are still to be written, -1 if none was announced
	tail      []byte
	held      bool // content waits for the session to send it
	writing   loop.Signal
}

// lock begins reading or writing.
func (x *h2exchange) lock() {
	if !x.deciding {
		x.session.mu.Lock()
	}
}

// out is what frames are appended to, under the lock.
func (x *h2exchange) out() *[]byte {
	s := x.session
	switch {
	case x.deciding:
		return &x.frames
	case s.out == nil:
		s.out = s.room.frames.Get().(*frames)
	}
	return &s.out.b
}

// unlock lets what was written be sent.
func (x *h2exchange) unlock() {
	if x.deciding {
		return
	}
	s := x.session
	wake := s.wants()
	s.woken = s.woken || wake
	s.mu.Unlock()
	if wake {
		s.conn.Wake()
	}
}

// arrive takes in content.
func (x *h2exchange) arrive(p []byte, end bool) {
	if len(x.in)+len(p) > cap(x.in) { // whoever reads may still hold the old slice
		x.in = append(make([]byte, 0, max(2*(len(x.in)-x.used), len(p), 1<<10)), x.in[x.used:]...)
		x.used = 0
	}
	x.in = append(x.in, p...)
	x.pace.moved += int64(len(p))
	x.complete = x.complete || end
	x.reading.Notify()
}

// ReadBody implements [flow.Exchange].
func (x *h2exchange) ReadBody(p []byte) (int, error) {
	x.lock()
	defer x.unlock()
	x.goOn()
	if err := x.await(); err != nil {
		return 0, err
	}
	n := copy(p, x.in[x.used:])
	x.discard(n)
	if x.complete && x.used == len(x.in) {
		return n, io.EOF
	}
	return n, nil
}

// await waits until there is content, or there will be none.
func (x *h2exchange) await() error {
	for x.used == len(x.in) && !x.complete {
		switch {
		case x.gone != nil, x.finished && !x.switching:
			return io.ErrUnexpectedEOF
		case x.late:
			return os.ErrDeadlineExceeded
		}
		x.awaited = true
		x.unlock()
		x.reading.Wait(x.flow.Task)
		x.lock()
		x.awaited = false
	}
	return nil
}

// discard uses up n bytes of what has arrived, for which the client may send as many more.
func (x *h2exchange) discard(n int) {
	if x.used += n; x.used == len(x.in) {
		x.in, x.used = x.in[:0], 0
	}
	if !x.complete {
		out := x.out()
		*out = x.session.server.Grant(*out, x.id, n)
	}
}

// goOn lets the client send content: it widens the window, and answers one that waits for 100 (Continue) and has sent nothing yet
// (RFC 9110 §10.1.1).
func (x *h2exchange) goOn() {
	if x.granted || x.complete || x.finished && !x.switching {
		return
	}
	x.granted = true
	out := x.out()
	*out = x.session.server.Grant(*out, x.id, uploadWindow)
	if x.flow.Request.Expect && !x.begun && len(x.in) == 0 {
		*out = x.session.server.AppendInfo(*out, x.id, 100, nil)
	}
}

// Arrived implements [flow.Exchange].
func (x *h2exchange) Arrived() bool {
	x.lock()
	defer x.unlock()
	return x.complete
}

// Trailers implements [flow.Exchange].
func (x *h2exchange) Trailers() []flow.Field {
	x.lock()
	defer x.unlock()
	return x.trailers
}

// WriteInfo implements [flow.Exchange].
func (x *h2exchange) WriteInfo(status int, fields []flow.Field) error {
	x.lock()
	defer x.unlock()
	if x.begun || x.gone != nil {
		return x.gone
	}
	out := x.out()
	*out = x.session.server.AppendInfo(*out, x.id, status, fields)
	return nil
}

// WriteHead implements [flow.Exchange].
func (x *h2exchange) WriteHead(status int, fields []flow.Field, length int64) error {
	x.lock()
	defer x.unlock()
	if x.gone != nil {
		return x.gone
	}
	x.begun, x.owed = true, length
	x.bodiless = x.flow.Request.Method == "HEAD" || status == 204 || status == 304
	switch {
	case status == 101: // for which HTTP/2 has no word: a tunnel begins with any success (RFC 8441 §5)
		x.switching, status, length = true, 200, -1
		fields = slices.DeleteFunc(slices.Clone(fields), func(f flow.Field) bool {
			return flow.Named(f.Name, "upgrade") || flow.Named(f.Name, "sec-websocket-accept")
		})
	case x.flow.Request.Upgrade != "" && status < 300: // so that an origin that succeeds in anything else has failed
		status = 502
	case status == 204 || status == 304:
		length = -1
	}
	x.ended = x.bodiless || length == 0
	out := x.out()
	*out = x.session.server.AppendHeaders(*out, x.id, status, fields, length, x.ended)
	return nil
}

// WriteBody implements [flow.Exchange].
func (x *h2exchange) WriteBody(p []byte, last bool) error {
	if x.bodiless || len(p) == 0 {
		return nil
	}
	x.lock()
	defer x.unlock()
	if x.owed >= 0 {
		if int64(len(p)) > x.owed {
			return errTooLong
		}
		x.owed -= int64(len(p))
	}
	if len(x.tail) > 0 {
		if err := x.send(x.tail, false); err != nil {
			return err
		}
		x.tail = nil
	}
	if last {
		x.tail = p
		return x.gone
	}
	return x.send(p, false)
}

// WriteLent implements [flow.Exchange]. What Decide has to leave goes back with the stream.
func (x *h2exchange) WriteLent(p []byte, loan flow.Loan) error {
	if err := x.WriteBody(p, true); err != nil {
		loan.Return()
		return err
	}
	x.lock()
	defer x.unlock()
	rest := x.tail
	x.tail = nil
	if len(rest) == 0 {
		loan.Return()
		return nil
	}
	err := x.send(rest, true)
	x.ended = err == nil
	if st := x.left(); st != nil {
		st.loan = loan
	} else {
		loan.Return()
	}
	return err
}

// Finish implements [flow.Exchange].
func (x *h2exchange) Finish(trailers []flow.Field) error {
	x.lock()
	defer x.unlock()
	if !x.bodiless && x.owed > 0 {
		return io.ErrUnexpectedEOF
	}
	if !x.ended {
		if err := x.send(x.tail, len(trailers) == 0); err != nil {
			return err
		}
		if st := x.left(); st != nil {
			st.last = true // trailers may be left out (RFC 9110 §6.5)
		} else if len(trailers) > 0 {
			out := x.out()
			*out = x.session.server.AppendTrailers(*out, x.id, trailers)
		}
	}
	x.tail, x.ended, x.finished = nil, true, true
	x.reading.Notify() // nobody wants the rest of the request, nor waits for it
	return nil
}

// send writes content, and waits where the client's window or what waits to be sent has no room for it. Within Decide it leaves the rest
// to be sent when there is.
func (x *h2exchange) send(p []byte, last bool) error {
	if x.gone != nil {
		return x.gone
	}
	if st := x.left(); st != nil {
		st.rest, st.last = append(slices.Clip(st.rest), p...), last
		return nil
	}
	out, n := x.out(), 0
	if most := framesMost - len(*out); most > 0 || len(p) == 0 {
		part := p[:min(len(p), max(most, 0))]
		*out, n = x.session.server.AppendData(*out, x.id, part, last && len(part) == len(p))
	}
	switch rest := p[n:]; {
	case len(rest) == 0:
		return nil
	case x.deciding:
		x.leave(rest, last)
		return nil
	default:
		return x.hold(rest, last)
	}
}

// left returns what Decide has left to be sent, or nil: nothing that it writes may come before that.
func (x *h2exchange) left() *h2stream {
	if x.deciding {
		if i := x.session.find(x.id); i >= 0 {
			return &x.session.streams[i]
		}
	}
	return nil
}

// leave lets the session send what is left once nobody is at work on it any more.
func (x *h2exchange) leave(rest []byte, last bool) {
	s := x.session
	if len(rest) <= copyUpTo { // see [flow.CopiedBody]
		rest = slices.Clone(rest)
	}
	s.streams = append(s.streams, h2stream{id: x.id, rest: rest, last: last})
	s.server.Want(x.id, true)
}

// hold waits until the session has sent what is left.
func (x *h2exchange) hold(rest []byte, last bool) error {
	s := x.session
	st := &s.streams[s.find(x.id)]
	st.rest, st.last, x.held = rest, last, true
	s.server.Want(x.id, true)
	s.kicked = s.kicked || s.server.Window(x.id) > 0 // else a turn comes with the frame that opens it
	for x.held && x.gone == nil {
		x.unlock()
		x.writing.Wait(x.flow.Task)
		x.lock()
	}
	if x.held {
		return x.gone
	}
	return nil // even if the client has left since
}

// decided ends a flow that Decide has answered, and returns the frames.
func (x *h2exchange) decided() []byte {
	s := x.session
	i := s.find(x.id) // where content is left to be sent
	switch {
	case !x.finished:
		if i >= 0 {
			s.remove(i)
		}
		return s.server.AppendReset(x.frames, x.id, h2.InternalError)
	case i < 0 && !x.complete:
		s.streams = append(s.streams, h2stream{id: x.id, parts: true})
	}
	return x.frames
}

// end ends the stream of a task that is over.
func (x *h2exchange) end() {
	s, i := x.session, x.session.find(x.id)
	if x.finished && !x.switching && !x.complete {
		s.streams[i] = h2stream{id: x.id, parts: true}
		return
	}
	code := h2.NoError // for a tunnel whose client has not closed its side; else it does nothing
	switch {
	case x.switching && !x.ended, !x.finished && cancelled(x.flow.Response.Err):
		code = h2.Cancel
	case !x.finished:
		code = h2.InternalError
	}
	out := x.out()
	*out = s.server.AppendReset(*out, x.id, code)
	s.remove(i)
}

// Run implements [loop.Runner].
func (x *h2exchange) Run(t *loop.Task) {
	defer x.conclude()
	x.flow.Task = t
	x.session.room.path.Fulfil(&x.flow)
	x.returned = true
}

// conclude ends the stream of a task. After a fault something may still use the exchange, so that it is left to the collector.
func (x *h2exchange) conclude() {
	s := x.session
	if fault := recover(); fault != nil {
		s.conn.Fault(fault)
	}
	x.lock()
	s.working--
	s.judged(x)
	if x.gone != nil {
		s.ghosts--
	} else {
		x.end()
	}
	x.unlock()
	if x.returned {
		s.release(x)
	}
}
