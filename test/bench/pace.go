package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// A latency is how long a load's answers took, and how late the client was.
type latency struct {
	p50, p99 time.Duration // from the moment at which the request should have been sent, to the answer's last byte
	late     time.Duration // p99 of the time by which the client sent later than it should and could have
}

// pace asks for the site's file at a constant rate, a second.
func (t *site) pace(ctx context.Context, address string, rate int, duration time.Duration) (load, error) {
	p, err := newPacer(t, address)
	if err != nil {
		return load{}, err
	}
	defer p.close()
	return p.run(ctx, rate, duration)
}

// withstand asks at a low rate, first alone, then beside a flood of handshakes, on the same connections.
func (t *site) withstand(ctx context.Context, address string, duration time.Duration) (load, error) {
	p, err := newPacer(t, address)
	if err != nil {
		return load{}, err
	}
	defer p.close()
	quiet, err := p.run(ctx, calmRate, duration)
	if err != nil {
		return load{}, err
	}
	f, err := startFlood(ctx, address)
	if err != nil {
		return load{}, err
	}
	time.Sleep(floodRise)
	l, err := p.run(ctx, calmRate, duration)
	hellos, failed := f.stop()
	l.requests += quiet.requests
	l.elapsed += quiet.elapsed
	l.quiet, l.hellos = quiet.latency, hellos
	return l, errors.Join(err, failed)
}

// A pacer is a load at a constant rate, on as many connections as wrk has, whatever the answers take: a request that finds every
// connection busy waits for one, and its latency counts from the moment at which it was due, so that a server that stalls is
// charged with all that would have come in the meantime. What is still unanswered some time after the last was due counts with
// the time until then. It is one thread that calls the system itself.
type pacer struct {
	request []byte
	body    int // bytes
	poll    int
	paced   []*pacedConn
	free    []*pacedConn // the one that has waited longest comes first
	events  [connections]unix.EpollEvent
	paceRun
}

// A paceRun is one run of a pacer.
type paceRun struct {
	rate                  int
	total, sent, answered int
	began                 time.Time
	latencies, late       latencies
}

// A pacedConn is a connection with one request at most.
type pacedConn struct {
	socket descriptor
	stream io.ReadWriter // the socket, or TLS on it
	waits  bool          // for an answer
	due    time.Duration // when its request should have been sent, after the beginning
	freed  time.Duration // when the answer before it had come
	buf    []byte
	n      int // bytes of the answer
}

// newPacer opens the connections.
func newPacer(t *site, address string) (*pacer, error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil || !server.Addr().Is4() || !server.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not on the loopback", address)
	}
	p := &pacer{request: t.request(address), body: len(t.body)}
	if p.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	to := &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}
	for i := range connections {
		c := &pacedConn{buf: make([]byte, p.body+4<<10)}
		if c.socket, err = dial(nil, to); err != nil {
			p.close()
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		p.paced, p.free = append(p.paced, c), append(p.free, c)
		if err = c.open(t.scenario.tls); err == nil {
			err = unix.EpollCtl(p.poll, unix.EPOLL_CTL_ADD, int(c.socket), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		if err != nil {
			p.close()
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
	}
	return p, nil
}

// open shakes hands where that is asked, while the socket still blocks; then it no longer does.
func (c *pacedConn) open(secure bool) error {
	c.stream = c.socket
	if secure {
		secured := tls.Client(c.socket, clientTLS())
		if err := secured.Handshake(); err != nil {
			return err
		}
		c.stream = secured
	}
	return unix.SetNonblock(int(c.socket), true)
}

func (p *pacer) close() {
	for _, c := range p.paced {
		closeDescriptor(int(c.socket))
	}
	closeDescriptor(p.poll)
}

// run asks for as long as it is told. What it leaves unanswered makes the connections useless for another.
func (p *pacer) run(ctx context.Context, rate int, duration time.Duration) (load, error) {
	if len(p.free) < len(p.paced) {
		return load{}, fmt.Errorf("%d requests were not answered within %v", len(p.paced)-len(p.free), patience)
	}
	for _, c := range p.paced {
		c.freed = 0
	}
	p.paceRun = paceRun{rate: rate, total: max(int(int64(rate)*int64(duration)/int64(time.Second)), 1)}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // no pause of ours; for a turn there is memory enough
	defer beOnTime()()
	p.began = time.Now()
	for p.answered < p.total && time.Since(p.began) < duration+patience {
		if err := ctx.Err(); err != nil {
			return load{}, err
		}
		if err := p.send(); err != nil {
			return load{}, err
		}
		if err := p.collect(); err != nil {
			return load{}, err
		}
	}
	l := load{requests: p.answered, elapsed: time.Since(p.began)}
	if l.requests == 0 {
		return load{}, fmt.Errorf("none of %d requests was answered", p.total)
	}
	p.giveUp(l.elapsed)
	l.latency = latency{p.latencies.quantile(0.5), p.latencies.quantile(0.99), p.late.quantile(0.99)}
	return l, nil
}

// due is when the request of this number should be sent.
func (p *pacer) due(number int) time.Duration {
	return time.Duration(int64(number) * int64(time.Second) / int64(p.rate))
}

// send sends what is due, as far as there are connections.
func (p *pacer) send() error {
	for p.sent < p.total && len(p.free) > 0 {
		now, due := time.Since(p.began), p.due(p.sent)
		if now < due {
			return nil
		}
		c := p.free[0]
		p.free = append(p.free[:0], p.free[1:]...)
		c.waits, c.due = true, due
		if _, err := c.stream.Write(p.request); err != nil {
			return fmt.Errorf("send a request: %w", err)
		}
		p.late.add(now - max(due, c.freed))
		p.sent++
	}
	return nil
}

// collect waits for answers until the next request is due, and reads them.
func (p *pacer) collect() error {
	wait := patience
	if p.sent < p.total && len(p.free) > 0 {
		wait = p.due(p.sent) - time.Since(p.began)
	}
	if wait > 0 {
		timeout := unix.NsecToTimespec(wait.Nanoseconds()) // epoll itself counts in milliseconds
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(p.poll), Events: unix.POLLIN}}, &timeout, nil); err != nil {
			if errors.Is(err, unix.EINTR) {
				return nil
			}
			return err
		}
	}
	n, err := unix.EpollWait(p.poll, p.events[:], 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for _, e := range p.events[:max(n, 0)] {
		c := p.paced[e.Fd]
		done, err := c.read(p.body)
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if done {
			c.waits, c.freed = false, time.Since(p.began)
			p.latencies.add(c.freed - c.due)
			p.answered++
			p.free = append(p.free, c)
		}
	}
	return nil
}

// giveUp counts what was not answered.
func (p *pacer) giveUp(now time.Duration) {
	for _, c := range p.paced {
		if c.waits {
			p.latencies.add(now - c.due)
		}
	}
	for ; p.sent < p.total; p.sent++ {
		p.latencies.add(now - p.due(p.sent))
	}
}

// read reads what has come, and tells whether the answer is whole.
func (c *pacedConn) read(body int) (bool, error) {
	for {
		n, err := c.stream.Read(c.buf[c.n:])
		c.n += n
		length, bad := answerLength(c.buf[:c.n], body)
		switch {
		case bad != nil:
			return false, bad
		case length > 0 && c.n > length, c.n == len(c.buf):
			return false, fmt.Errorf("%d bytes: want an answer with %d", c.n, body)
		case length > 0 && c.n == length:
			c.n = 0
			return true, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// beOnTime ties the goroutine to its thread, which then wakes when its time has come and not up to 50 µs later, and may soon go on
// when another, such as the log daemon's, has the core. Priority over others would starve the kernel's own threads, which carry
// the loopback's packets. The function returned ends it; the thread has to live on, for servers end with the thread that started
// them.
func beOnTime() (end func()) {
	runtime.LockOSThread()
	set := func(slack uintptr, slice time.Duration) { // zeros are the defaults
		attributes := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Runtime: uint64(slice)}
		unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0) //nolint:errcheck // the table says how late the client is
		unix.SchedSetAttr(0, attributes, 0)                //nolint:errcheck // as above: an old kernel ignores the slice
	}
	set(1, 100*time.Microsecond)
	return func() {
		set(0, 0)
		runtime.UnlockOSThread()
	}
}
