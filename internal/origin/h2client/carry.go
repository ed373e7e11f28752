package h2client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
)

const maxInterim = 16 // responses before the final one

// run has the transport carry the request, and takes in the response.
func (s *Stream) run() {
	response, err := s.conn.transport.RoundTrip(s.outgoing)
	if err != nil {
		s.Reset(classify(err))
		return
	}
	s.conn.answered.Store(true)
	if !s.holds(response.Body) {
		response.Body.Close()
		return
	}
	h, err := s.headOf(response)
	if err != nil {
		s.Reset(fmt.Errorf("response: %w", err))
		return
	}
	if h.End {
		s.end(nil)
	}
	s.publish(h)
	for !h.End && s.more(response) {
	}
}

// holds leaves the transport's body to over, which may have been there already.
func (s *Stream) holds(body io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = body
	return s.err == nil
}

// over gives the place on the connection back when the stream has ended early; it has a goroutine of its own.
func (s *Stream) over() {
	s.close()
	s.conn.release(s.conn.allowed())
}

// complete ends a stream in the ordinary way.
func (s *Stream) complete() {
	if s.request.Whole != nil {
		s.request.Whole()
	}
	if s.stop() {
		s.conn.release(-1)
		s.cancel()
		s.close()
	}
}

// close tells the transport that the stream is over, whose context has ended: it looks at that only here and there.
func (s *Stream) close() {
	s.mu.Lock()
	s.disarm()
	body := s.body
	s.mu.Unlock()
	if body != nil {
		body.Close()
	}
}

// publish makes a head known to the reader.
func (s *Stream) publish(h *Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads = append(s.heads, h)
	if h.Status >= 200 {
		s.final = true
		s.disarm()
	}
	s.change.Broadcast()
}

// interimHead is called by the goroutine that reads for all streams of the connection: it must not wait.
func (s *Stream) interimHead(status int, header textproto.MIMEHeader) error {
	s.conn.answered.Store(true)
	fields, err := fieldsOf(http.Header(header))
	if err == nil {
		err = s.countInterim(status, fields)
	}
	if err != nil {
		err = fmt.Errorf("response: %w", err)
		s.Reset(err)
		return err
	}
	s.publish(&Head{Status: status, Fields: fields, Length: -1})
	return nil
}

func (s *Stream) countInterim(status int, fields []Field) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interim++
	for i := range fields {
		s.size += sizeOf(fields[i].Name, fields[i].Value)
	}
	switch {
	case status == http.StatusSwitchingProtocols:
		return errSwitching
	case s.interim > maxInterim, s.size > maxHead:
		return errInterim
	}
	return nil
}

// headOf is a final response's head.
func (s *Stream) headOf(r *http.Response) (*Head, error) {
	if r.StatusCode < 200 || r.StatusCode > 999 {
		return nil, errStatus
	}
	if len(r.Trailer) > 0 { // the transport has made this of the field that announces them
		var names []string
		for name := range r.Trailer {
			names = append(names, name)
		}
		slices.Sort(names)
		r.Header.Set("Trailer", strings.Join(names, ", "))
	}
	fields, err := fieldsOf(r.Header)
	if err != nil {
		return nil, err
	}
	h := &Head{Status: r.StatusCode, Fields: fields, Length: r.ContentLength}
	_, announced := r.Header["Content-Length"]
	switch {
	case r.StatusCode == http.StatusNoContent:
		h.End, h.Length = true, 0
	case s.outgoing.Method == http.MethodHead, r.StatusCode == http.StatusNotModified:
		h.End, h.Length = true, -1
		if n, err := strconv.ParseUint(r.Header.Get("Content-Length"), 10, 63); err == nil {
			h.Length = int64(n)
		}
	case r.ContentLength == 0 && !announced: // the transport makes 0 of what is unknown if nothing follows
		h.End = true
	}
	return h, nil
}

// more takes a piece of the content in, once there is room, and reports whether there may be another.
func (s *Stream) more(r *http.Response) bool {
	b := s.room()
	if b == nil {
		return false
	}
	n, err := r.Body.Read(b[:])
	if n > 0 {
		s.conn.answered.Store(true)
	}
	s.add(b, n)
	switch {
	case err == nil:
		return true
	case err != io.EOF:
		s.Reset(broken(err))
		return false
	}
	trailers, err := fieldsOf(r.Trailer)
	if err != nil {
		s.Reset(fmt.Errorf("%w: trailers: %w", io.ErrUnexpectedEOF, err))
		return false
	}
	s.end(trailers)
	return false
}

// broken is why the content broke off.
func broken(err error) error {
	if err == io.ErrUnexpectedEOF {
		return err
	}
	if e, ok := errors.AsType[http2.StreamError](err); ok {
		err = classifyStream(e)
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

// room waits for a buffer, and returns nil if nobody wants more.
func (s *Stream) room() *buffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.n == len(s.pieces) && s.err == nil && !s.closed {
		s.change.Wait()
	}
	switch {
	case s.err != nil || s.closed:
		return nil
	case s.spare == nil:
		return buffers.Get().(*buffer)
	}
	b := s.spare
	s.spare = nil
	return b
}

// add makes a piece known to the reader.
func (s *Stream) add(b *buffer, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 || s.closed {
		buffers.Put(b)
		return
	}
	s.pieces[s.n] = piece{b, n}
	s.n++
	s.change.Broadcast()
}

// end notes that the response is whole.
func (s *Stream) end(trailers []Field) {
	s.mu.Lock()
	if s.err == nil {
		s.ended, s.trailers = true, trailers
	}
	whole := s.ended && s.sent
	s.change.Broadcast()
	s.mu.Unlock()
	if whole {
		s.complete()
	}
}

// sentAll notes that the request is whole: the wait for its response begins.
func (s *Stream) sentAll() {
	s.mu.Lock()
	s.sent = true
	whole := s.ended
	s.mu.Unlock()
	s.ask()
	if whole {
		s.complete()
	}
}

// ask begins the wait for the response.
func (s *Stream) ask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.final && s.err == nil {
		s.arm("no answer within", s.request.ResponseTimeout)
	}
}

// taking tells whether the server has something to take that the request's content has yielded. Once there is a response, and in a
// tunnel, it may take its time.
func (s *Stream) taking(some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.final || s.err != nil || s.request.Protocol != "":
	case some:
		s.arm("the request was not taken for", s.request.StallTimeout)
	default:
		s.disarm()
	}
}
