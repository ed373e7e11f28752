package request

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// exchange is one HTTP/1.1 request and its response: [flow.Exchange] over the session's stream. Reading and writing may go on side
// by side; each side has one goroutine at a time.
type exchange struct {
	session *session
	flow    flow.Flow
	head    h1.Request

	// the request's body
	arrived []byte      // within Decide: what has come after the head
	pending atomic.Bool // there is body that ReadBody has not returned
	left    int64       // how much, where its length is known
	chunked bool
	decoder h1.Decoder
	interim sync.Mutex // 100 (Continue) is sent by the reading side, before the head or not at all
	asked   bool       // 100 was sent, or the client has begun without it

	// the response
	out       *flow.Output
	mayWait   bool // within Fulfil: output can be flushed
	reading   bool // within Fulfil: the body has not arrived whole
	begun     bool
	finished  bool
	switching bool // a 101 head was written
	hijacked  bool
	close     bool // the connection ends after this response
	mute      bool // without one
	bodiless  bool
	chunks    bool  // the body is sent chunked
	owed      int64 // bytes of the announced length that are still to be written, -1 if none was announced
}

// read takes in a head.
func (x *exchange) read(head string) {
	if err := x.head.Parse(head, x.session.room.limits); err != nil {
		x.reject(err)
		return
	}
	x.session.room.normalise(&x.flow, &x.head)
	x.close = x.head.Close
	switch x.head.Framing {
	case h1.Length:
		x.left = x.head.Length
		x.pending.Store(x.left > 0)
	case h1.Chunked:
		x.chunked = true
		x.pending.Store(true)
		x.decoder = h1.Decoder{Limits: x.session.room.limits}
	}
}

// reject refuses a head that broke h1's rules. Who does not even speak HTTP gets no answer that would be HTTP (so RFC 9113 §3.4 wants it of
// those that meant HTTP/2, too).
func (x *exchange) reject(err error) {
	e, ok := errors.AsType[*h1.Error](err)
	x.mute = ok && e.Foreign()
	x.refuse(refusal(err))
}

// refuse makes a flow of a message that was not understood. Where it ends is not known either, so the connection ends.
func (x *exchange) refuse(r *flow.Refusal) {
	x.flow.Request.Refusal = r
	x.flow.Request.Proto = "HTTP/1.1"
	x.close = true
	x.pending.Store(false)
}

// within tells whether all that is pending of the body is within the next arrived bytes of the connection.
func (x *exchange) within(arrived int) bool { return !x.chunked && x.left <= int64(arrived) }

// skip passes over a body that nobody wanted, where it is within the next arrived bytes, and returns its length.
func (x *exchange) skip(arrived int) int {
	if !x.pending.Load() || !x.within(arrived) {
		return 0
	}
	x.pending.Store(false)
	return int(x.left)
}

// next tells how the connection goes on after this exchange.
func (x *exchange) next() flow.Next {
	switch {
	case !x.finished && x.untilClose():
		return flow.Reset
	case x.hijacked || !x.finished:
		return flow.Close
	case x.pending.Load() || x.flow.Request.Refusal != nil && x.close:
		return flow.Linger
	case x.close:
		return flow.Close
	}
	return flow.More
}

// untilClose tells whether the client takes the connection's end for the response's.
func (x *exchange) untilClose() bool { return x.begun && !x.bodiless && !x.chunks && x.owed < 0 }

// ReadBody implements [flow.Exchange].
func (x *exchange) ReadBody(p []byte) (int, error) {
	if err := x.goOn(); err != nil {
		return 0, err
	}
	switch {
	case !x.pending.Load():
		return 0, io.EOF
	case x.chunked:
		return x.readChunked(p)
	}
	n, err := x.session.conn.Read(p[:min(int64(len(p)), x.left)])
	x.left -= int64(n)
	if x.left == 0 {
		x.pending.Store(false)
		return n, io.EOF
	}
	return n, truncated(err)
}

// readChunked decodes as much as fits of what is buffered, after waiting for more where that holds no content.
func (x *exchange) readChunked(p []byte) (copied int, err error) {
	s := x.session.conn
	for copied < len(p) {
		b := s.Buffered()
		if len(b) == 0 && copied > 0 {
			break
		}
		data, n, err := x.decoder.Next(b[:min(len(b), len(p)-copied)])
		copied += copy(p[copied:], data)
		s.Discard(n)
		switch {
		case err != nil:
			return copied, err
		case x.decoder.Done():
			x.pending.Store(false)
			return copied, io.EOF
		case n == 0:
			if err := s.Fill(); err != nil {
				return copied, truncated(err)
			}
		}
	}
	return copied, nil
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// goOn sends 100 (Continue) to a client that waits for it and has sent nothing yet (RFC 9110 §10.1.1).
func (x *exchange) goOn() error {
	if x.asked || !x.flow.Request.Expect {
		return nil
	}
	x.interim.Lock()
	defer x.interim.Unlock()
	x.asked = true
	if x.begun || len(x.session.conn.Buffered()) > 0 {
		return nil
	}
	return x.session.conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), nil)
}

// Arrived implements [flow.Exchange].
func (x *exchange) Arrived() bool {
	return !x.pending.Load() || x.within(len(x.session.conn.Buffered()))
}

// Trailers implements [flow.Exchange].
func (x *exchange) Trailers() []flow.Field { return x.decoder.Trailers() }

// WriteInfo implements [flow.Exchange]. Clients of HTTP/1.0 know no interim responses.
func (x *exchange) WriteInfo(status int, fields []flow.Field) error {
	if x.head.Minor == 0 || x.begun {
		return nil
	}
	x.interim.Lock()
	defer x.interim.Unlock()
	x.out.Head = h1.AppendStatusLine(x.out.Head, status, "")
	for i := range fields {
		x.out.Head = h1.AppendField(x.out.Head, fields[i].Name, fields[i].Value)
	}
	x.out.Head = append(x.out.Head, "\r\n"...)
	return x.flush()
}

// errMute tells that there was no answer.
var errMute = errors.New("the client does not speak HTTP")

// WriteHead implements [flow.Exchange].
func (x *exchange) WriteHead(status int, fields []flow.Field, length int64) error {
	if x.mute {
		return errMute
	}
	if x.flow.Request.Expect {
		x.interim.Lock()
		defer x.interim.Unlock()
	}
	x.begun = true
	x.owed = length
	x.bodiless = x.flow.Request.Method == "HEAD" || status == 204 || status == 304 || status == 101
	b := h1.AppendStatusLine(x.out.Head, status, "")
	for i := range fields {
		b = h1.AppendField(b, fields[i].Name, fields[i].Value)
	}
	if status == 101 {
		x.switching = true
		x.out.Head = append(b, "Connection: Upgrade\r\n\r\n"...)
		return nil
	}
	b = x.appendFraming(b, status, length)
	if x.unwanted() || x.session.conn.Draining() {
		x.close = true
	}
	switch {
	case x.close:
		b = append(b, "Connection: close\r\n"...)
	case x.head.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	x.out.Head = append(b, "\r\n"...)
	return nil
}

// appendFraming chooses how the client will know the body's end (RFC 9112 §6.3).
func (x *exchange) appendFraming(b []byte, status int, length int64) []byte {
	switch {
	case status == 204 || status == 304:
	case length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	case x.bodiless:
	case x.head.Minor == 0:
		x.close = true
	default:
		x.chunks = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return b
}

// unwanted tells whether the client is still sending a body while its response begins.
func (x *exchange) unwanted() bool {
	if !x.pending.Load() {
		return false
	}
	if x.mayWait {
		return x.reading
	}
	return !x.within(len(x.arrived))
}

// copyUpTo is the largest piece of a body that is copied behind the head; a larger one is sent from where it is.
const copyUpTo = flow.CopiedBody

// errTooLong tells that more was written than WriteHead announced.
var errTooLong = errors.New("response body is longer than announced")

// WriteBody implements [flow.Exchange].
func (x *exchange) WriteBody(p []byte, last bool) error {
	if x.bodiless || len(p) == 0 {
		return nil
	}
	if x.owed >= 0 {
		if int64(len(p)) > x.owed {
			return errTooLong
		}
		x.owed -= int64(len(p))
	}
	if len(x.out.Tail) > 0 { // within Decide nothing is sent between two pieces
		x.out.Join()
	}
	switch {
	case x.chunks:
		x.out.Head = h1.AppendChunk(x.out.Head, p)
	case len(p) <= copyUpTo:
		x.out.Head = append(x.out.Head, p...)
	default:
		x.out.Tail = p
	}
	if last {
		return nil
	}
	return x.flush()
}

// WriteLent implements [flow.Exchange].
func (x *exchange) WriteLent(p []byte, loan flow.Loan) error {
	if err := x.WriteBody(p, true); err != nil || len(x.out.Tail) == 0 {
		loan.Return()
		return err
	}
	x.out.Loan = loan
	return nil
}

// SendsFiles implements [flow.FileWriter].
func (x *exchange) SendsFiles() bool { return x.session.info.SendsFiles && !x.mayWait }

// WriteFile implements [flow.FileWriter].
func (x *exchange) WriteFile(part flow.FilePart, loan flow.Loan) error {
	if x.bodiless {
		loan.Return()
		return nil
	}
	if part.Length > x.owed { // it was announced: the length of a file's part is known
		loan.Return()
		return errTooLong
	}
	x.owed -= part.Length
	x.out.File, x.out.Loan = part, loan
	return nil
}

// Finish implements [flow.Exchange].
func (x *exchange) Finish(trailers []flow.Field) error {
	if x.chunks {
		x.out.Head = h1.AppendLastChunk(x.out.Head, trailers)
	}
	if err := x.flush(); err != nil {
		return err
	}
	if !x.bodiless && x.owed > 0 {
		return io.ErrUnexpectedEOF
	}
	x.finished = true
	return nil
}

func (x *exchange) flush() error {
	if !x.mayWait || x.out.Len() == 0 {
		return nil
	}
	err := x.session.conn.Write(x.out.Head, x.out.Tail)
	x.out.Reset()
	return err
}

// errNoHijack tells that a connection cannot be taken over now.
var errNoHijack = errors.New("no upgrade was answered on this connection")

// Hijack implements [flow.Exchange]. Only a request that asked for an upgrade is fulfilled where the stream may be read, and only
// behind its whole body does the other protocol begin.
func (x *exchange) Hijack() (flow.Stream, error) {
	if !x.mayWait || !x.switching || x.flow.Request.Upgrade == "" || x.pending.Load() {
		return nil, errNoHijack
	}
	if err := x.flush(); err != nil {
		return nil, err
	}
	x.hijacked, x.finished = true, true
	s := x.session.conn
	s.Tunnel()
	return s, nil
}
