package sim

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	defaultBuffer = 64 << 10 // bytes
	maxSegment    = 16 << 10 // bytes that arrive together when bandwidth is limited
)

// A Conn is one end of a connection. Any number of goroutines may use it.
type Conn struct {
	wire          *wire
	peer          *Conn
	in, out       *stream
	local, remote *net.TCPAddr

	// Guarded by wire.mu.
	readDeadline, writeDeadline time.Time
	closed                      bool
	reset                       time.Time // when a reset arrives; zero is never
}

// A wire is what both ends share.
type wire struct {
	network *Network
	to      netip.AddrPort // whose link it is

	mu      sync.Mutex
	changed sync.Cond
}

// A stream is one direction of a wire, guarded by its mu.
type stream struct {
	buf      []byte    // sent and not yet read
	sent     int64     // bytes, since the beginning
	read     int64     // bytes, since the beginning
	arrivals []arrival // in order; none of bytes already read
	idle     time.Time // when the line has carried all that was sent
	cut      int64     // the connection is reset behind this byte; 0 is never
	lost     bool      // a blackhole took something: nothing arrives any more
	finished bool      // the writer has closed its side
	fin      time.Time // when the reader learns of that; zero is never
}

// An arrival says when the bytes before an offset are there to be read.
type arrival struct {
	offset int64
	at     time.Time
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	for {
		now := time.Now()
		if c.closed {
			return 0, c.opError("read", net.ErrClosed)
		}
		if past(c.readDeadline, now) {
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		}
		if past(c.reset, now) {
			return 0, c.opError("read", syscall.ECONNRESET)
		}
		ready, next := c.in.arrived(now)
		switch {
		case len(p) == 0:
			return 0, nil
		case ready > 0:
			n := c.in.take(p, ready)
			if c.in.read == c.in.cut {
				c.resetAt(now)
				c.peer.resetAt(now)
			}
			c.wire.changed.Broadcast()
			return n, nil
		case past(c.in.fin, now):
			return 0, io.EOF
		}
		c.wire.wait(now, c.readDeadline, next, c.reset, c.in.fin)
	}
}

// Write implements [net.Conn]. It waits while the peer has a whole buffer to read. What is sent to an end that has been
// closed is lost, and comes back as a reset.
func (c *Conn) Write(p []byte) (int, error) {
	link := c.wire.network.link(c.wire.to)
	size := cmp.Or(link.Buffer, defaultBuffer)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	n := 0
	for {
		now := time.Now()
		if err := c.writable(now); err != nil {
			return n, c.opError("write", err)
		}
		if c.peer.closed && !c.out.lost {
			c.resetAt(now.Add(2 * link.Latency))
			return len(p), nil
		}
		if n == len(p) {
			return n, nil
		}
		if free := size - len(c.out.buf); free > 0 {
			m := min(free, len(p)-n, maxSegment)
			c.out.send(p[n:n+m], now, link)
			n += m
			c.wire.changed.Broadcast()
			continue
		}
		c.wire.wait(now, c.writeDeadline, c.reset)
	}
}

// writable says why nothing can be written now.
func (c *Conn) writable(now time.Time) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.out.finished:
		return syscall.EPIPE
	case past(c.reset, now):
		return syscall.ECONNRESET
	case past(c.writeDeadline, now):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// CloseWrite sends the end of the stream; reading goes on.
func (c *Conn) CloseWrite() error {
	link := c.wire.network.link(c.wire.to)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.out.finish(time.Now(), link)
	c.wire.changed.Broadcast()
	return nil
}

// Close ends both directions. As on Linux, what was sent is still delivered, unless there was something left to read: then
// the peer gets a reset.
func (c *Conn) Close() error { return c.close(false) }

// Reset closes abruptly: the peer gets ECONNRESET, and loses what it has not read (RFC 9112 §9.6 warns of that).
// After Close it does nothing.
func (c *Conn) Reset() { _ = c.close(true) }

func (c *Conn) close(abrupt bool) error {
	link := c.wire.network.link(c.wire.to)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.out.lost = c.out.lost || link.Blackhole
	switch {
	case c.out.lost:
	case abrupt, len(c.in.buf) > 0:
		c.peer.resetAt(time.Now().Add(link.Latency))
	default:
		c.out.finish(time.Now(), link)
	}
	c.wire.changed.Broadcast()
	return nil
}

// resetAt lets a reset arrive, unless one is on its way.
func (c *Conn) resetAt(t time.Time) {
	if c.reset.IsZero() {
		c.reset = t
		c.wire.changed.Broadcast()
	}
}

// PeerGone reports whether the peer's end of stream or reset has come, even when there is more to read before it. It is
// what poll(2) says with POLLRDHUP.
func (c *Conn) PeerGone() bool {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	now := time.Now()
	return past(c.in.fin, now) || past(c.reset, now)
}

// LocalAddr implements [net.Conn] with a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn] with a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readDeadline, &c.writeDeadline)
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.readDeadline) }

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeDeadline) }

func (c *Conn) setDeadlines(t time.Time, deadlines ...*time.Time) error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	for _, d := range deadlines {
		*d = t
	}
	c.wire.changed.Broadcast()
	return nil
}

// opError dresses err as the net package would.
func (c *Conn) opError(op string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// wait gives mu up until something changes or the first of the times is reached; zero times never are.
func (w *wire) wait(now time.Time, times ...time.Time) {
	var first time.Time
	for _, t := range times {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		timer := time.AfterFunc(first.Sub(now), func() {
			w.mu.Lock() // not between a waiter's look at the clock and its Wait
			defer w.mu.Unlock()
			w.changed.Broadcast()
		})
		defer timer.Stop()
	}
	w.changed.Wait()
}

// send puts p on the line. The caller has seen to the buffer's limit.
func (s *stream) send(p []byte, now time.Time, l Link) {
	s.buf = append(s.buf, p...)
	s.sent += int64(len(p))
	at, ok := s.transmit(len(p), now, l)
	if last := len(s.arrivals) - 1; ok && last >= 0 && s.arrivals[last].at.Equal(at) {
		s.arrivals[last].offset = s.sent
	} else if ok {
		s.arrivals = append(s.arrivals, arrival{s.sent, at})
	}
}

// finish puts the end of the stream on the line, once.
func (s *stream) finish(now time.Time, l Link) {
	if at, ok := s.transmit(0, now, l); ok && !s.finished {
		s.fin = at
	}
	s.finished = true
}

// transmit occupies the line with n bytes and returns when they arrive, if they do.
func (s *stream) transmit(n int, now time.Time, l Link) (at time.Time, ok bool) {
	if s.idle.Before(now) {
		s.idle = now
	}
	if l.Bandwidth > 0 {
		s.idle = s.idle.Add(time.Duration(n) * time.Second / time.Duration(l.Bandwidth))
	}
	s.lost = s.lost || l.Blackhole
	at = s.idle.Add(l.Latency)
	if last := len(s.arrivals) - 1; last >= 0 && at.Before(s.arrivals[last].at) {
		at = s.arrivals[last].at // the link has become shorter; order stays
	}
	return at, !s.lost
}

// arrived returns how many bytes can be read now and, if none, when some can.
func (s *stream) arrived(now time.Time) (ready int, next time.Time) {
	end := s.read
	for _, a := range s.arrivals {
		if a.at.After(now) {
			next = a.at
			break
		}
		end = a.offset
	}
	if s.cut > 0 {
		end = min(end, s.cut)
	}
	return int(end - s.read), next
}

// take moves up to ready bytes into p.
func (s *stream) take(p []byte, ready int) int {
	n := copy(p, s.buf[:ready])
	s.read += int64(n)
	s.buf = s.buf[n:]
	for len(s.arrivals) > 0 && s.arrivals[0].offset <= s.read {
		s.arrivals = s.arrivals[1:]
	}
	return n
}

// past reports whether t, which is never when zero, is reached.
func past(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
