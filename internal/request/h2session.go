package request

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seawall/seawall/h2"
	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
)

const (
	// feedMost bounds what of the input one turn takes in, and so how many requests are decided before their answers are sent.
	feedMost = 4 << 10
	// framesMost is about how much waits to be sent at a time. Content beyond that waits where it is.
	framesMost = 64 << 10
	// dataMost is how much content a stream sends before a more urgent one has its turn.
	dataMost = 16 << 10
	// sweepEvery is what the time of streams is exact to: a little less than the second in which there is a turn.
	sweepEvery = 900 * time.Millisecond
	// turnWork bounds the work of a turn, in units of some microseconds (see [h2.Settings]): a request that is decided at once is one, and
	// taskWork more are a task that begins, or that ends before its time. Past the bound others have their turn, if anybody wants one.
	turnWork = 32
	taskWork = 3
	// heldMost is how many requests wait for the rest of what has arrived, which may take them back, before they begin; startMost is how many
	// begin in one turn.
	heldMost  = 50
	startMost = turnWork / (1 + taskWork)
	// chargeEvery is how many costly events are charged to the client's source together.
	chargeEvery = 32
)

// h2session is HTTP/2 on one connection.
//
// What arrives is read within turns, and what can be decided at once is answered there, all in one piece of output. A request that has
// to wait is a task of its own; what it writes is gathered, and sent by the next turn, for which it wakes the connection. The mutex is
// between turns and tasks that have left their loop; nobody holds it who waits.
type h2session struct {
	room *Room
	info *flow.Conn
	conn flow.Connection

	mu       sync.Mutex
	server   *h2.Server
	client   hfp.Conn   // how the client's connection began
	now      time.Time  // of the turn
	out      *frames    // of tasks, for the next turn; nil while there are none
	streams  []h2stream // those that are not answered, in order of their ids
	starting []*h2exchange
	working  int  // tasks that are not over
	ghosts   int  // those of them whose streams are gone
	turning  bool // tasks are being started within a turn, which gathers what they write
	woken    bool
	kicked   bool // there is content that a turn might send
	known    bool // client is
	// authority is that of the last request, and host its normal form: mostly the next one's, too.
	authority, host string
	ended           bool
	hopeless        bool // the client goes on asking although everything is refused

	swept   time.Time
	leaving time.Time // when the client was told that the connection ends
	section time.Time // since when a field section has been arriving
	charged int       // of what the client has spent
}

// h2stream is a stream that was not answered at once: content waits to be sent, or a task is at work.
type h2stream struct {
	id     uint32
	last   bool        // rest is the last of the content, and ends the stream
	rest   []byte      // content that waits
	loan   flow.Loan   // where its memory has to be given back, or nil
	x      *h2exchange // nil if there is nothing to do but to send rest
	pace   pace        // of the client as a reader
	parts  bool        // it is answered, and the client has a moment to take that in before it is told to send no more
	parted bool        // that moment had begun at the last sweep
}

// frames is a buffer for what tasks write.
type frames struct{ b []byte }

func (r *Room) openHTTP2(info *flow.Conn, c flow.Connection) *h2session {
	s := &h2session{room: r, info: info, conn: c}
	s.server = h2.NewServer(&r.http2, s)
	return s
}

// Turn implements [flow.Session].
func (s *h2session) Turn(in []byte, out *flow.Output, now time.Time) (used int, next flow.Next) {
	used, next, failed := s.turn(in, out, now)
	switch {
	case failed == nil:
		return used, next
	case failed.Code == h2.EnhanceYourCalm:
		s.conn.Breach(failed.Reason)
	}
	return used, flow.Linger
}

// turn is Turn but for what an error means to others. A fault in Decide must not leave the mutex locked, or End would wait for ever.
func (s *h2session) turn(in []byte, out *flow.Output, now time.Time) (used int, next flow.Next, failed *h2.ConnError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.woken, s.kicked = now, false, false
	frames := s.sweep(s.leave(s.gather(out.Head)))
	used, frames, err := s.feed(in, frames)
	failed = s.judge(err)
	if failed != nil && err == nil {
		frames = s.server.Close(frames, failed.Code)
	}
	out.Head = s.send(frames)
	if failed != nil {
		return used, s.next(false), failed
	}
	more := used < len(in) && used > 0
	if !more || len(s.starting) >= heldMost {
		s.start(out)
	}
	if s.server.Tired() && used < len(in) || len(s.starting) > 0 {
		return used, flow.Yield, nil
	}
	return used, s.next(more || len(out.Head) >= framesMost), nil
}

// feed takes in what has arrived, as far as one turn may.
func (s *h2session) feed(in, frames []byte) (used int, _ []byte, err error) {
	part := in[:min(len(in), feedMost)]
	used, frames, err = s.server.Feed(part, frames, s.now)
	if used == 0 && err == nil && len(part) < len(in) { // within a frame that is larger
		used, frames, err = s.server.Feed(in, frames, s.now)
	}
	return used, frames, err
}

// judge adds to an error of the connection what takes too long, and what its source has done on others.
func (s *h2session) judge(err error) *h2.ConnError {
	if failed, ok := errors.AsType[*h2.ConnError](err); ok {
		return failed
	}
	if s.hopeless {
		return &h2.ConnError{Code: h2.EnhanceYourCalm, Reason: flow.Hopeless}
	}
	if s.stuck() {
		return &h2.ConnError{Code: h2.EnhanceYourCalm, Reason: "a field section that does not end"}
	}
	if n := s.server.Spent() - s.charged; n >= chargeEvery {
		s.charged += n
		if !s.conn.Charge(n) {
			return &h2.ConnError{Code: h2.EnhanceYourCalm, Reason: "too much on all connections of the source"}
		}
	}
	return nil
}

// start begins the work of requests that have to wait, as much as one turn may, and gathers what they write at once.
func (s *h2session) start(out *flow.Output) {
	if len(s.starting) == 0 {
		return
	}
	s.turning = true
	for range min(len(s.starting), startMost) {
		x := s.starting[0]
		s.starting = s.starting[1:]
		s.launch(x)
	}
	if len(s.starting) == 0 {
		s.starting = nil
	}
	s.turning, s.kicked = false, false
	out.Head = s.send(s.gather(out.Head))
}

// launch lets a task run until it waits for the first time. It writes as tasks do that have left their loop.
func (s *h2session) launch(x *h2exchange) {
	s.mu.Unlock()
	defer s.mu.Lock()
	s.conn.Start(x)
}

// wants tells whether the connection is to be woken for a turn.
func (s *h2session) wants() bool {
	return (s.out != nil && len(s.out.b) > 0 || s.kicked) && !s.turning && !s.woken && !s.ended
}

// gather moves what tasks have written behind out.
func (s *h2session) gather(out []byte) []byte {
	if s.out == nil {
		return out
	}
	out = append(out, s.out.b...)
	if cap(s.out.b) <= 2*framesMost {
		s.out.b = s.out.b[:0]
		s.room.frames.Put(s.out)
	}
	s.out = nil
	return out
}

// send appends content that waits, the most urgent first.
func (s *h2session) send(frames []byte) []byte {
	for len(frames) < framesMost {
		id, ok := s.server.Next()
		if !ok {
			break
		}
		i := s.find(id)
		st := &s.streams[i]
		n := min(len(st.rest), dataMost)
		frames, n = s.server.AppendData(frames, id, st.rest[:n], st.last && n == len(st.rest))
		st.rest = st.rest[n:]
		st.pace.moved += int64(n)
		if len(st.rest) > 0 {
			continue
		}
		s.server.Want(id, false)
		st.repay()
		switch {
		case st.x != nil:
			st.x.held = false
			st.x.writing.Notify()
		case s.server.Open(id):
			st.parts = true
		default:
			s.remove(i)
		}
	}
	return frames
}

// next tells what the connection waits for.
func (s *h2session) next(more bool) flow.Next {
	switch {
	case more:
		return flow.Flush
	case s.server.Done():
		return flow.Linger // windows that the client opens as it reads must not reset what it has yet to read
	case len(s.streams) > 0 || s.server.Streams() > 0 || s.server.Pending():
		return flow.Serve
	}
	return flow.More
}

// leave tells the client of a node that stops that the connection ends: first to ask no more, and a while later, which was its last request
// (RFC 9113 §6.8).
func (s *h2session) leave(frames []byte) []byte {
	switch {
	case !s.conn.Draining():
	case s.leaving.IsZero():
		s.leaving = s.now
		return s.server.GoAway(frames)
	case s.now.Sub(s.leaving) >= sweepEvery:
		return s.server.GoAway(frames)
	}
	return frames
}

// Fulfil implements [flow.Session]. Nothing is left to it.
func (*h2session) Fulfil(*flow.Output) flow.Next { return flow.Close }

// Timeout implements [flow.Session].
func (s *h2session) Timeout(_ []byte, out *flow.Output, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	out.Head = s.server.Close(s.gather(out.Head), h2.NoError)
}

// Parts implements [flow.Session]: with GOAWAY.
func (*h2session) Parts() bool { return true }

// End implements [flow.Session]. Tasks that are at work find out by themselves.
func (s *h2session) End() {
	s.mu.Lock()
	s.ended = true
	for len(s.streams) > 0 {
		s.drop(len(s.streams)-1, errConnectionOver)
	}
	for _, x := range s.starting { // what never began is written down, too
		go x.Run(nil)
	}
	s.starting = nil
	s.gather(nil)
	spent := s.server.Spent() - s.charged
	s.mu.Unlock()
	s.conn.Charge(spent)
}

// Headers implements [h2.Handler].
func (s *h2session) Headers(frames []byte, r *h2.Request) []byte {
	if s.ghosts >= s.room.streams { // no more work can be had by resetting streams than by leaving them open
		return s.server.AppendReset(frames, r.ID, h2.RefusedStream)
	}
	x := s.begin(r)
	x.frames = frames
	if s.room.path.Decide(&x.flow) {
		frames = x.decided()
		s.judged(x)
		s.release(x)
		return frames
	}
	frames, x.frames, x.deciding = x.frames, nil, false
	s.streams = append(s.streams, h2stream{id: r.ID, x: x})
	s.starting = append(s.starting, x)
	s.working++
	s.server.Work(taskWork)
	return frames
}

// judged tells what the verdict on a request was.
func (s *h2session) judged(x *h2exchange) {
	s.hopeless = !s.conn.Judged(x.flow.Verdict.Refusal != nil) || s.hopeless
}

// begin makes a flow of a request.
func (s *h2session) begin(r *h2.Request) *h2exchange {
	x := s.room.h2pool.Get().(*h2exchange)
	x.session, x.id, x.deciding, x.complete = s, r.ID, true, r.End
	if !s.known {
		shape := s.server.Shape()
		s.client, s.known = hfp.ConnOf(shape.Settings, shape.WindowUpdate, shape.Pseudo), true
	}
	x.flow.Exchange, x.flow.Abort = x, &x.abort
	x.fields = append(x.fields[:0], r.Fields...) // r has them only for now
	s.room.identify(&x.flow, s.info, s.now)
	s.room.normaliseHTTP2(x, r, &s.client)
	return x
}

func (s *h2session) release(x *h2exchange) {
	asked, answered := x.fields, x.flow.Response.Fields
	clear(asked)
	clear(answered)
	*x = h2exchange{fields: asked[:0], flow: flow.Flow{Response: flow.Response{Fields: answered[:0]}}}
	s.room.h2pool.Put(x)
}

// Data implements [h2.Handler].
func (s *h2session) Data(frames []byte, id uint32, p []byte, end bool) []byte {
	s.arrive(id, p, end, nil)
	return frames
}

// Trailers implements [h2.Handler].
func (s *h2session) Trailers(frames []byte, id uint32, fields []h2.Field) []byte {
	s.arrive(id, nil, true, fields)
	return frames
}

// arrive takes in a part of a request. Of one that is answered, only the end is of interest: then nobody has to be told to send no more.
func (s *h2session) arrive(id uint32, p []byte, end bool, trailers []h2.Field) {
	i := s.find(id)
	if i < 0 {
		return
	}
	switch st := &s.streams[i]; {
	case st.x != nil:
		st.x.trailers = slices.Clone(trailers)
		st.x.arrive(p, end)
	case st.parts && end:
		s.remove(i)
	}
}

// Reset implements [h2.Handler].
func (s *h2session) Reset(frames []byte, id uint32, _ h2.Code) []byte {
	if i := s.find(id); i >= 0 {
		s.drop(i, errReset)
	}
	return frames
}

// Writable implements [h2.Handler]: send will ask.
func (*h2session) Writable(frames []byte, _ uint32) []byte { return frames }

// find returns the index of a stream, or -1.
func (s *h2session) find(id uint32) int {
	i, ok := slices.BinarySearchFunc(s.streams, id, func(st h2stream, id uint32) int { return int(st.id) - int(id) })
	if !ok {
		return -1
	}
	return i
}

// repay gives back what was lent to a stream.
func (st *h2stream) repay() {
	if loan := st.loan; loan != nil {
		st.rest, st.loan = nil, nil
		loan.Return()
	}
}

func (s *h2session) remove(i int) {
	s.streams[i].repay()
	if s.streams = slices.Delete(s.streams, i, i+1); len(s.streams) == 0 {
		s.streams = nil
	}
}

// drop ends what goes on with a stream that is gone.
func (s *h2session) drop(i int, why error) {
	if x := s.streams[i].x; x != nil {
		x.gone = why
		s.ghosts++
		s.server.Work(taskWork)
		x.abort.Fire()
		x.reading.Notify()
		x.writing.Notify()
	}
	s.remove(i)
}
