package h2client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"time"
)

const pieceSize = 32 << 10

type buffer [pieceSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Head is a response's, interim or final.
type Head struct {
	Status int
	Fields []Field // by name
	// Length is the content's, or what a GET would have got, -1 if unknown.
	Length int64
	// End tells that there is no content. Where that is not certain yet, it is not set.
	End bool
}

// Stream is one request and its response. One goroutine reads the response; [Stream.Reset] may be called by any.
type Stream struct {
	conn     *Conn
	request  *Request
	outgoing *http.Request
	begun    time.Time
	cancel   context.CancelFunc // what the transport and over wait for
	stop     func() bool        // keeps over from running

	mu       sync.Mutex
	change   sync.Cond
	err      error // why the stream ended early
	heads    []*Head
	interim  int // responses so far
	size     int // of their fields
	final    bool
	pieces   [2]piece // that have arrived, the first first
	n        int
	lent     *buffer // the reader's
	spare    *buffer
	trailers []Field
	sent     bool      // the server has all of the request
	refused  bool      // the transport wants no more of it
	ended    bool      // all of the response is here
	closed   bool      // nobody reads any more
	body     io.Closer // the transport's

	timer *time.Timer
	armed string // what it bounds, "" if nothing
	limit time.Duration
	until time.Time
}

type piece struct {
	buffer *buffer
	n      int
}

func (p piece) bytes() []byte { return p.buffer[:p.n] }

// Start sends a request on the place that was taken for it.
func (c *Conn) Start(r *Request) *Stream {
	s := &Stream{conn: c, request: r, begun: time.Now()}
	s.change.L = &s.mu
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.stop = context.AfterFunc(ctx, s.over)
	s.outgoing = s.build(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: s.interimHead}), r)
	switch {
	case r.Length == 0:
		s.sentAll()
	case r.Protocol != "":
		s.ask()
	}
	go s.run()
	return s
}

// Head waits for the next interim response's head, or the final one's.
func (s *Stream) Head() (*Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.heads) == 0 && s.err == nil {
		s.change.Wait()
	}
	if len(s.heads) == 0 {
		return nil, s.err
	}
	h := s.heads[0]
	s.heads = s.heads[1:]
	return h, nil
}

// Next returns the next piece of the response's content, valid until the next call; with the last piece, or after it, [io.EOF].
func (s *Stream) Next() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveBack()
	if s.waiting() {
		s.arm("response stalled for", s.request.StallTimeout)
		for s.waiting() {
			s.change.Wait()
		}
		s.disarm()
	}
	if s.n == 0 {
		if s.ended {
			return nil, io.EOF
		}
		return nil, s.err
	}
	p := s.pieces[0]
	s.pieces[0] = s.pieces[1]
	s.n--
	s.lent = p.buffer
	if s.n == 0 && s.ended {
		return p.bytes(), io.EOF
	}
	return p.bytes(), nil
}

// waiting tells whether more may come, and nothing is there. The lock is held.
func (s *Stream) waiting() bool { return s.n == 0 && !s.ended && s.err == nil }

// giveBack takes back the piece that the reader had. The lock is held.
func (s *Stream) giveBack() {
	switch {
	case s.lent == nil:
		return
	case s.spare == nil && !s.closed && s.err == nil && !s.ended:
		s.spare = s.lent
	default:
		buffers.Put(s.lent)
	}
	s.lent = nil
	s.change.Broadcast()
}

// Trailers are the response's, after [io.EOF].
func (s *Stream) Trailers() []Field {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trailers
}

// Sent tells whether the server has been sent all of the request.
func (s *Stream) Sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Close ends the reading, and the stream if it is not over. Pieces that were returned are not valid any more.
func (s *Stream) Close() {
	s.mu.Lock()
	s.closed = true
	s.giveBack()
	for ; s.n > 0; s.n-- {
		buffers.Put(s.pieces[s.n-1].buffer)
	}
	if s.spare != nil {
		buffers.Put(s.spare)
		s.spare = nil
	}
	s.mu.Unlock()
	s.Reset(errClosed)
}

// Reset ends a stream that is not over: the server is told (RST_STREAM), and who waits for the stream gets err. It does not wait.
func (s *Stream) Reset(err error) {
	s.mu.Lock()
	if s.err == nil && !s.ended {
		s.err = err
		s.change.Broadcast()
	}
	s.mu.Unlock()
	s.cancel()
	if s.request.Length != 0 {
		_ = s.request.Content.Close()
	}
}

// arm bounds a wait, which what names. The lock is held.
func (s *Stream) arm(what string, limit time.Duration) {
	if limit <= 0 {
		return
	}
	s.armed, s.limit, s.until = what, limit, time.Now().Add(limit)
	if s.timer == nil {
		s.timer = time.AfterFunc(limit, s.expire)
	} else {
		s.timer.Reset(limit)
	}
}

func (s *Stream) disarm() {
	if s.armed != "" {
		s.armed = ""
		s.timer.Stop()
	}
}

// expire ends the stream if the wait that is bounded now is over, not one before it.
func (s *Stream) expire() {
	s.mu.Lock()
	what, limit := s.armed, s.limit
	if what == "" || time.Now().Before(s.until) {
		s.mu.Unlock()
		return
	}
	s.armed = ""
	s.mu.Unlock()
	s.conn.suspect(s.begun)
	s.Reset(fmt.Errorf("%s %v: %w", what, limit, os.ErrDeadlineExceeded))
}
