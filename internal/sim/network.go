// Package sim is a network in memory, for tests that run under testing/synctest: what blocks here blocks durably, so the
// bubble's clock moves on, and a minute of latency, deadline or silence costs a test nothing.
//
// A connection keeps TCP's manners: order, backpressure from a bounded buffer, half-close, deadlines, a reset that
// discards what was not read. It has no packets, loss or congestion. A [Link] gives it latency, bandwidth and faults.
//
// It is bounded by [Link].Buffer bytes each way of a connection and by a backlog of 128 connections a listener. It fails
// with the *net.OpError that the kernel's network would return. Make a Network inside the bubble that uses it. Nothing but
// tests may import sim, and it imports nothing of the house.
package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	backlog   = 128   // connections a listener holds that nobody has accepted
	firstPort = 32768 // of the ports given to those who ask for port 0
)

// A Link is what lies between a listening address and those who dial it. The zero value is instant, and never fails.
type Link struct {
	Latency   time.Duration // one way; a dial takes two of them
	Bandwidth int           // bytes a second each way, 0 is unlimited
	Buffer    int           // bytes a writer may be ahead of its reader, 0 is 64 KiB
	Refuse    bool          // dials fail with ECONNREFUSED
	Blackhole bool          // dials hang until their context ends; what is sent on a connection is lost, as is all after it
	CutUp     int64         // reset the connection when the listener's side has read so many bytes, 0 is never
	CutDown   int64         // reset the connection when the dialer's side has read so many bytes, 0 is never
}

// A Network is a set of listeners that can be dialed. The zero value is ready to use, by many goroutines.
type Network struct {
	mu        sync.Mutex
	links     map[netip.AddrPort]Link
	listeners map[netip.AddrPort]*listener
	lastPort  uint16
}

// SetLink lays a link before the listening address to ("192.0.2.1:80"). Connections that are open feel it from their next
// write on; only the cuts stay as they were when the connection was dialed.
func (n *Network) SetLink(to string, l Link) error {
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		return fmt.Errorf("link to %q: %w", to, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.links == nil {
		n.links = make(map[netip.AddrPort]Link)
	}
	n.links[addr] = l
	return nil
}

// Listen listens on addr, an IP address and a port; port 0 picks a free one.
func (n *Network) Listen(addr string) (net.Listener, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if a.Port() == 0 {
		a = netip.AddrPortFrom(a.Addr(), n.freePort())
	}
	if n.listeners[a] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: net.TCPAddrFromAddrPort(a), Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{network: n, addr: a, queue: make(chan *Conn, backlog), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = make(map[netip.AddrPort]*listener)
	}
	n.listeners[a] = l
	return l, nil
}

// Dial connects from one address (its port may be 0, and the zero value is 127.0.0.1) to a listening one. As with TCP, it
// succeeds before the listener accepts. The connection is a [*Conn].
func (n *Network) Dial(ctx context.Context, from netip.AddrPort, to string) (net.Conn, error) {
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	n.mu.Lock()
	if !from.IsValid() {
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	if from.Port() == 0 {
		from = netip.AddrPortFrom(from.Addr(), n.freePort())
	}
	l, link := n.listeners[addr], n.links[addr]
	n.mu.Unlock()

	err = connect(ctx, l, link)
	if err == nil {
		near, far := n.newPair(from, addr, link)
		if err = l.enqueue(ctx, far); err == nil {
			return near, nil
		}
	}
	return nil, &net.OpError{
		Op: "dial", Net: "tcp", Source: net.TCPAddrFromAddrPort(from), Addr: net.TCPAddrFromAddrPort(addr), Err: err,
	}
}

// connect takes as long as TCP's first round trip, and fails as it would.
func connect(ctx context.Context, l *listener, link Link) error {
	if link.Blackhole {
		<-ctx.Done()
		return dialError(ctx)
	}
	if link.Latency > 0 {
		roundTrip := time.NewTimer(2 * link.Latency)
		defer roundTrip.Stop()
		select {
		case <-roundTrip.C:
		case <-ctx.Done():
			return dialError(ctx)
		}
	}
	if l == nil || link.Refuse {
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	return ctx.Err()
}

// dialError is what net.Dialer makes of a context that has ended: a deadline is a timeout.
func dialError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return ctx.Err()
}

func (n *Network) link(to netip.AddrPort) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[to]
}

func (n *Network) freePort() uint16 {
	n.lastPort = max(n.lastPort+1, firstPort) // wraps to firstPort
	return n.lastPort
}

// newPair connects two ends: near dialed, far is to be accepted.
func (n *Network) newPair(from, to netip.AddrPort, link Link) (near, far *Conn) {
	w := &wire{network: n, to: to}
	w.changed.L = &w.mu
	up, down := &stream{cut: link.CutUp}, &stream{cut: link.CutDown}
	near = &Conn{wire: w, in: down, out: up, local: net.TCPAddrFromAddrPort(from), remote: net.TCPAddrFromAddrPort(to)}
	far = &Conn{wire: w, in: up, out: down, local: near.remote, remote: near.local}
	near.peer, far.peer = far, near
	return near, far
}

type listener struct {
	network *Network
	addr    netip.AddrPort
	queue   chan *Conn
	once    sync.Once
	closed  chan struct{}
}

// enqueue waits, as a dropped SYN would, while the backlog is full.
func (l *listener) enqueue(ctx context.Context, c *Conn) error {
	select {
	case l.queue <- c:
	case <-l.closed:
	case <-ctx.Done():
		return dialError(ctx)
	}
	select {
	case <-l.closed: // Close may have emptied the queue before c came into it
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	default:
		return nil
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed: // even when connections wait
		return nil, l.error("accept", net.ErrClosed)
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, l.error("accept", net.ErrClosed)
	}
}

// Close resets the connections that nobody has accepted, as Linux does.
func (l *listener) Close() error {
	err := l.error("close", net.ErrClosed)
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.addr)
		l.network.mu.Unlock()
		close(l.closed)
		err = nil
		for {
			select {
			case c := <-l.queue:
				c.Reset()
			default:
				return
			}
		}
	})
	return err
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

func (l *listener) error(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.Addr(), Err: err}
}
