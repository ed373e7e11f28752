package h2client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

const (
	streamWindow = 256 << 10 // what a server may be ahead of the reader of a stream
	maxHead      = 64 << 10  // as RFC 9113 §6.5.2 counts
	maxFields    = 200

	// quiet is how long nothing comes on a connection on which somebody waits until the server is asked whether it is there, and how long
	// its answer may take.
	quiet = 10 * time.Second
	// calm is how long nobody is asked again who answered the ping and nothing else: what gRPC servers want between two pings.
	calm = 5 * time.Minute
)

var (
	errNoStreams = errors.New("the server allows no streams")
	errHTTP1     = errors.New("the server answers in HTTP/1.1")
)

// Conn is one connection to a server.
type Conn struct {
	pool      *Pool
	transport *http2.ClientConn //nolint:staticcheck // net/http's, which is to take its place, has no Ping: decision 11
	wire      *wire
	address   string

	// These belong to the pool, and its lock.
	limit     int // streams that the server allows at once
	active    int
	spent     bool // takes no more streams
	dead      bool
	idleAfter time.Duration
	idleUntil time.Time
	timer     *time.Timer // while there are no streams

	watch    *time.Timer // while there are streams
	answered atomic.Bool // the server has answered a request since the last ping
	pinged   atomic.Int64
}

// wire is the connection underneath.
type wire struct {
	net.Conn
	heard atomic.Int64 // when something came last, in Unix nanoseconds
	http1 atomic.Bool  // what came first begins like a response of HTTP/1
	ended chan struct{}
	once  sync.Once
	end   func()
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		if w.heard.Swap(time.Now().UnixNano()) == 0 && p[0] == 'H' { // a frame of settings has a zero there
			w.http1.Store(true)
		}
	}
	return n, err
}

// Close implements [net.Conn]. The transport calls it when the connection is over for whatever reason.
func (w *wire) Close() error {
	err := w.Conn.Close()
	w.once.Do(func() {
		close(w.ended)
		w.end()
	})
	return err
}

// open makes a connection and waits until the server has shown that it speaks HTTP/2, and how many streams it allows: what it says first
// are its settings, and it has said that when it answers a ping.
func open(ctx context.Context, p *Pool, w *Want) (*Conn, error) {
	nc, err := w.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &Conn{pool: p}
	c.wire = &wire{Conn: nc, ended: make(chan struct{}), end: c.ended}
	c.answered.Store(true)
	if a := nc.RemoteAddr(); a != nil {
		c.address = a.String()
	}
	transport, err := http2.ConfigureTransports(&http.Transport{ //nolint:staticcheck // decision 11
		DisableCompression:     true,
		MaxResponseHeaderBytes: 2 * maxHead, // the transport cuts off what is longer, in trailers silently: see fieldsOf
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:   streamWindow,
			StrictMaxConcurrentRequests: true, // a stream that the server has not noticed the end of yet delays the next one, and is no error
			WriteByteTimeout:            w.WriteTimeout,
		},
	})
	if err == nil {
		c.transport, err = transport.NewClientConn(c.wire) //nolint:staticcheck // decision 11
	}
	if err != nil {
		_ = c.wire.Close()
		return nil, fmt.Errorf("beginning HTTP/2: %w", err)
	}
	if err := c.transport.Ping(ctx); err != nil {
		c.close()
		if c.wire.http1.Load() {
			err = errHTTP1
		}
		return nil, fmt.Errorf("beginning HTTP/2: %w", err)
	}
	if c.limit = c.allowed(); c.limit == 0 {
		c.close()
		return nil, errNoStreams
	}
	return c, nil
}

// allowed is how many streams the server allows. It may wait for a write.
func (c *Conn) allowed() int {
	const plenty = 1 << 20
	return int(min(c.transport.State().MaxConcurrentStreams, plenty))
}

// Address is the server's, as the connection has it, or "".
func (c *Conn) Address() string { return c.address }

// Ended is closed when the connection is over.
func (c *Conn) Ended() <-chan struct{} { return c.wire.ended }

func (c *Conn) close() { _ = c.transport.Close() }

// ended takes the connection out of its pool.
func (c *Conn) ended() {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	c.dead = true
	p.remove(c)
}

// usable tells whether the connection takes one more stream now. The pool's lock is held.
func (c *Conn) usable() bool {
	return !c.dead && !c.spent && c.active < c.limit && c.transport.CanTakeNewRequest()
}

// begin gives a place to a stream. The pool's lock is held.
func (c *Conn) begin(w *Want) {
	c.idleAfter = w.IdleTimeout
	if c.active++; c.active > 1 {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.watch == nil {
		c.watch = time.AfterFunc(quiet, c.look)
	} else {
		c.watch.Reset(quiet)
	}
}

// Return gives back a place on which nothing was started.
func (c *Conn) Return() { c.release(-1) }

// release takes a place back; the server allows so many now, or -1 if that was not asked.
func (c *Conn) release(allowed int) {
	p := c.pool
	p.mu.Lock()
	if allowed >= 0 {
		c.limit = allowed
	}
	c.active--
	idle := c.active == 0 && !c.dead
	end := idle && (p.closed || c.spent || c.limit == 0)
	if idle {
		c.watch.Stop()
		c.rest()
	}
	c.spent = c.spent || end
	p.wake()
	p.mu.Unlock()
	if end {
		c.close()
	}
}

// rest lets the connection end if nobody needs it. The pool's lock is held.
func (c *Conn) rest() {
	c.idleUntil = time.Now().Add(c.idleAfter)
	if c.timer == nil {
		c.timer = time.AfterFunc(c.idleAfter, c.expire)
	} else {
		c.timer.Reset(c.idleAfter)
	}
}

// expire closes the connection if it has been idle long enough.
func (c *Conn) expire() {
	c.pool.mu.Lock()
	over := c.active == 0 && !time.Now().Before(c.idleUntil)
	c.spent = c.spent || over // nobody takes it between here and its end
	c.pool.mu.Unlock()
	if over {
		c.close()
	}
}

// suspect lets the connection take no more streams if nothing has come on it since a request was sent that was not answered in time.
func (c *Conn) suspect(since time.Time) {
	if c.wire.heard.Load() > since.UnixNano() {
		return
	}
	c.pool.mu.Lock()
	c.spent = true
	c.pool.mu.Unlock()
}

// look asks a server that has been silent for long, while somebody waits, whether it is there, and closes the connection if it is not.
func (c *Conn) look() {
	now := time.Now()
	silent := now.Sub(time.Unix(0, c.wire.heard.Load()))
	next := quiet
	if silent < quiet {
		next = quiet - silent
	} else if (c.answered.Swap(false) || now.Sub(time.Unix(0, c.pinged.Load())) >= calm) && !c.ping(now) {
		c.close()
		return
	}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.active > 0 && !c.dead {
		c.watch.Reset(next)
	}
}

func (c *Conn) ping(now time.Time) bool {
	c.pinged.Store(now.UnixNano())
	ctx, cancel := context.WithTimeout(context.Background(), quiet)
	defer cancel()
	return c.transport.Ping(ctx) == nil
}
