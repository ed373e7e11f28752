package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	maxStreams   = 100       // at once, as browsers hold it until the server's SETTINGS say otherwise
	maxTable     = 4 << 10   // bytes of the table of fields sent
	maxPending   = 64 << 10  // bytes of answers to a server that does not read them
	lastStream   = 1 << 30   // a connection ends long before its stream numbers do
	firstWindow  = 65535     // of a connection (RFC 9113 §6.9.2)
	maxWindow    = 1<<31 - 1 // of either end
	writeTimeout = 10 * time.Second
	graceTimeout = time.Second // the least that a write is given, for the sake of the other streams
)

// errGoingAway is a connection that takes no request any more; one on it has not been answered.
var errGoingAway = errors.New("the server is going away")

// resetError is a stream, or with a last word for all of them a connection, that the server has ended.
type resetError struct{ code code }

func (e *resetError) Error() string { return fmt.Sprintf("reset by the server, error code %d", e.code) }

// refuses reports whether the server would not have the request, rather than failed in it.
func (e *resetError) refuses() bool { return e.code == codeRefusedStream || e.code == codeCalm }

// session is a connection of HTTP/2. A goroutine reads while there are streams; whoever opens a stream writes. Where both locks
// are held, writing was taken first.
type session struct {
	conn *Conn

	// Of the goroutine that reads.
	in        reader
	dec       *hpack.Decoder
	gathering gathering

	writing sync.Mutex // what is written, in order
	enc     *hpack.Encoder
	block   bytes.Buffer // what enc writes
	fields  []Field
	out     []byte
	next    uint32 // stream
	table   uint32 // bytes of enc's

	mu       sync.Mutex
	streams  map[uint32]*stream
	reading  bool          // the goroutine is there
	stays    bool          // it stays without streams, for those that are reset
	err      error         // what ended the connection
	leaving  bool          // it takes no more streams
	opened   uint32        // the highest stream
	most     int           // streams at once
	initial  int64         // window of a stream to the server
	window   int64         // of the connection to the server
	credit   int64         // what the server may send
	newTable uint32        // what the server allows of the table
	pending  []byte        // answers to the server's frames
	changed  chan struct{} // closed when a window, a stream or all has; nil: nobody waits
}

// stream is a request and its response.
type stream struct {
	id       uint32
	method   string
	response *Response
	w        io.Writer
	length   int64 // Content-Length; -1: none
	credit   int64 // what the server may send
	window   int64 // what may be sent
	headed   bool  // the final head is there
	interim  int   // heads before it
	done     chan struct{}
	err      error // when it is done
}

// begin sends the preface of a software.
func begin(c *Conn, h *HTTP2) (*session, error) {
	s := &session{
		conn: c, in: reader{source: c.stream}, next: max(h.First, 1), table: maxTable, newTable: maxTable,
		streams: map[uint32]*stream{}, most: maxStreams, initial: firstWindow, window: firstWindow, credit: h.connectionWindow(),
	}
	s.enc = hpack.NewEncoder(&s.block)
	s.dec = hpack.NewDecoder(h.setting(settingTableSize, maxTable), nil)
	s.dec.SetMaxStringLength(maxHead)
	c.link.writeUntil(time.Now().Add(writeTimeout))
	_, err := c.stream.Write(appendPreface(nil, h))
	return s, err
}

// setting returns the value that the software gives a setting.
func (h *HTTP2) setting(id uint16, otherwise uint32) uint32 {
	for _, s := range h.Settings {
		if s.ID == id {
			return s.Value
		}
	}
	return otherwise
}

// connectionWindow is what the server may send at first, all streams together.
func (h *HTTP2) connectionWindow() int64 { return firstWindow + int64(h.Window) }

// streamWindow is what the server may send at first on each stream.
func (h *HTTP2) streamWindow() int64 { return int64(h.setting(settingInitialWindow, firstWindow)) }

func (s *session) reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && !s.leaving
}

// do is Conn.Do.
func (s *session) do(ctx context.Context, q *Request, r *Response, w io.Writer) error {
	st := &stream{
		method: q.Method, response: r, w: w, length: -1, credit: s.conn.software.HTTP2.streamWindow(), done: make(chan struct{}),
	}
	s.conn.link.slow(q.Pace)
	if err := s.open(ctx, st, q); err != nil {
		return err
	}
	if err := s.upload(ctx, st, q.Body); err != nil {
		s.cancel(st, err)
	}
	select {
	case <-st.done:
	case <-ctx.Done():
		s.cancel(st, context.Cause(ctx))
	}
	return st.err
}

// open sends the head of q as soon as the server takes another stream.
func (s *session) open(ctx context.Context, st *stream, q *Request) error {
	for {
		s.writing.Lock()
		wait, err := s.admit(st)
		if err == nil && wait == nil {
			err = s.sendHead(ctx, st.id, q, len(q.Body) == 0)
			s.writing.Unlock()
			if err != nil {
				s.fail(err)
			}
			s.flush()
			return err
		}
		s.writing.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// admit gives a stream its number, and sees to it that somebody reads. Where there is no room it returns what to wait for.
func (s *session) admit(st *stream) (wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admits(); err != nil {
		return nil, err
	}
	if len(s.streams) >= s.most {
		return s.change(), nil
	}
	st.id, st.window = s.next, s.initial
	s.streams[st.id] = st
	s.number()
	s.read()
	return nil, nil
}

// admits says why there can be no stream any more. The caller holds mu.
func (s *session) admits() error {
	switch {
	case s.err != nil:
		return s.err
	case s.leaving, s.next > lastStream:
		return errGoingAway
	}
	return nil
}

// number takes the next stream's. The caller holds writing and mu.
func (s *session) number() {
	s.opened = s.next
	s.next += 2
	if s.newTable != s.table {
		s.table = s.newTable
		s.enc.SetMaxDynamicTableSize(s.table)
	}
}

// read starts the goroutine that reads, if there is none. The caller holds mu.
func (s *session) read() {
	if !s.reading {
		s.reading = true
		go s.receive()
	}
}

// change returns what is closed when something changes. The caller holds mu.
func (s *session) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// tell wakes those who wait for a change. The caller holds mu.
func (s *session) tell() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// cancel resets a stream that has not ended, and lets it end with err.
func (s *session) cancel(st *stream, err error) {
	s.mu.Lock()
	if errors.Is(err, errAnswered) || s.streams[st.id] == st {
		s.answer(appendWord(nil, resetFrame, st.id, uint32(codeCancel)))
	}
	s.end(st, err)
	s.mu.Unlock()
	s.flush()
}

// end ends a stream, if it has not. The caller holds mu.
func (s *session) end(st *stream, err error) {
	if s.streams[st.id] != st {
		return
	}
	delete(s.streams, st.id)
	st.err = err
	close(st.done)
	s.tell()
}

// fail ends the connection and all its streams.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
		if errors.Is(err, ErrMalformed) {
			s.answer(appendGoAway(nil, codeProtocol))
		}
	}
	for _, st := range s.streams {
		s.end(st, err)
	}
	s.tell()
	s.mu.Unlock()
	s.flush()
	_ = s.conn.link.Close()
}

// answer queues a frame for flush. The caller holds mu.
func (s *session) answer(out []byte) { s.pending = append(s.pending, out...) }

// flush writes what is pending, unless somebody writes, who flushes then: whoever reads never waits for who writes.
func (s *session) flush() {
	for {
		s.mu.Lock()
		none := len(s.pending) == 0
		s.mu.Unlock()
		if none || !s.writing.TryLock() {
			return
		}
		s.mu.Lock()
		out := s.pending
		s.pending = nil
		s.mu.Unlock()
		err := s.write(context.Background(), out)
		s.writing.Unlock()
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// leave says goodbye.
func (s *session) leave() {
	s.mu.Lock()
	s.leaving = true
	if s.err == nil {
		s.answer(appendGoAway(nil, codeNone))
	}
	s.mu.Unlock()
	s.flush()
}
