package origin

import (
	"io"
	"sync"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin/h2client"
)

// content is a request's on its way to a stream of HTTP/2. What the buffer holds of its beginning is kept until there is more, so that a
// stream at which the server has not looked can be begun again.
type content struct {
	exchange flow.Exchange
	buffers  *sync.Pool

	mu     sync.Mutex
	change sync.Cond
	buffer *buffer
	base   int64 // where in the content the buffer begins, n bytes
	n      int
	rest   int64 // bytes that the client has not been asked for, -1 if unknown
	err    error // how the client's side failed, if it did
	reader *contentReader
	stream *h2client.Stream // that is to end if the client's side fails; nil if that has not begun
	over   bool             // nobody wants more
	done   chan struct{}    // closed when the client is not being read from any more; nil if it has not been
}

func newContent(f *flow.Flow, buffers *sync.Pool) *content {
	c := &content{exchange: f.Exchange, buffers: buffers, buffer: buffers.Get().(*buffer), rest: f.Request.Length}
	c.change.L = &c.mu
	return c
}

// fill takes all content that is known to fit into the buffer, so that an origin need not wait for a client's few bytes. Of what does not fit, or is
// of unknown length, nothing is taken before there is a stream: the client may want to hear something first.
func (c *content) fill() error {
	if c.rest < 0 || c.rest > int64(len(c.buffer)) {
		return nil
	}
	for c.rest > 0 {
		m, err := c.exchange.ReadBody(c.buffer[c.n:])
		c.n += m
		if c.rest, err = remaining(c.rest, m, err); err != nil {
			c.err = err
			return err
		}
	}
	return nil
}

// taken tells whether the client has been asked for some of it and gave it.
func (c *content) taken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n > 0 || c.base > 0 || c.err != nil
}

// replayable tells whether all that was taken is still there.
func (c *content) replayable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base == 0 && c.err == nil
}

// broken is how the client's side failed, if it did.
func (c *content) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// open returns the content as one stream reads it, from its beginning.
func (c *content) open() *contentReader {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader, c.stream = &contentReader{content: c}, nil
	return c.reader
}

// attach has a failure of the client's side end the stream at once, also while that waits for the server to take more.
func (c *content) attach(s *h2client.Stream) {
	c.mu.Lock()
	c.stream = s
	err := c.err
	c.mu.Unlock()
	if err != nil {
		s.Reset(err)
	}
}

// cancel waits until the client's exchange is no longer in use; its connection's timeouts bound that.
func (c *content) cancel() {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.over = true
	c.change.Broadcast()
	done := c.done
	c.mu.Unlock()
	if done != nil {
		<-done
	}
	c.mu.Lock()
	c.buffers.Put(c.buffer)
	c.buffer, c.n = nil, 0
	c.mu.Unlock()
}

// take takes the content from the client, as far as the stream leaves room.
func (c *content) take() {
	defer close(c.done)
	for in := c.room(); in != nil; in = c.room() {
		m, err := c.exchange.ReadBody(in)
		c.add(m, err)
	}
}

// room waits for room in the buffer, and returns nil if none is needed. What a stream has taken makes room only if it is still the stream's.
func (c *content) room() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := func() bool { return !c.reader.closed && c.reader.at == c.base+int64(c.n) }
	for !c.over && c.n == len(c.buffer) && !used() {
		c.change.Wait()
	}
	switch {
	case c.over || c.rest == 0 || c.err != nil:
		return nil
	case used() && (c.base > 0 || c.n == len(c.buffer)):
		c.base += int64(c.n)
		c.n = 0
	}
	return c.buffer[c.n:]
}

func (c *content) add(m int, err error) {
	c.mu.Lock()
	c.n += m
	c.rest, c.err = remaining(c.rest, m, err)
	err, s := c.err, c.stream
	c.change.Broadcast()
	c.mu.Unlock()
	if err != nil && s != nil {
		s.Reset(err)
	}
}

// contentReader is content as one stream reads it. It implements [h2client.Content].
type contentReader struct {
	*content
	at     int64 // how much of it was read
	closed bool
}

// Read implements [io.Reader]. The first one asks the client for content.
func (r *contentReader) Read(p []byte) (int, error) {
	c := r.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil && c.rest != 0 && c.err == nil && !c.over && !r.closed {
		c.done = make(chan struct{})
		go c.take()
	}
	for {
		from := int(r.at - c.base)
		switch {
		case r.closed || c.over:
			return 0, errCancelled
		case from < c.n:
			m := copy(p, c.buffer[from:c.n])
			r.at += int64(m)
			c.change.Broadcast()
			if from+m == c.n && c.rest == 0 {
				return m, io.EOF
			}
			return m, nil
		case c.err != nil:
			return 0, c.err
		case c.rest == 0:
			return 0, io.EOF
		}
		c.change.Wait()
	}
}

// Trailers implements [h2client.Content].
func (r *contentReader) Trailers() []flow.Field { return trailers(r.exchange) }

// Close implements [h2client.Content].
func (r *contentReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.change.Broadcast()
	return nil
}
