package conn

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// Secure shakes hands on connections, and writes what it learns to info.
type Secure interface {
	// Handshake waits for the client. It is for connections that a goroutine drives.
	Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error)
	// Begin begins a handshake that goes in steps; nil if there is none, and Handshake serves.
	Begin(raw net.Conn, info *flow.Conn) Shake
}

// Shake is a handshake in steps, of a connection on a loop.
type Shake interface {
	// Feed takes in what has arrived, and tells whether there is a step to do. An error is the end.
	Feed(p []byte) (ready bool, err error)
	// Go lets the step be done elsewhere; done is called there when it is.
	Go(done func())
	// Result returns the secured connection if the handshake is complete, or why it failed; it wants more input if neither.
	Result() (secured net.Conn, complete bool, err error)
	// Close gives back what the handshake holds. It is called once, after the last step.
	Close()
}

// Serve accepts from l until it is closed or the room shuts down. secure shakes hands on each connection first; nil for cleartext.
// Connections from a [Listener] are driven by the room's loops, others, or all if there are none, by a goroutine each.
func (r *Room) Serve(l net.Listener, secure Secure) error {
	r.mu.Lock()
	if r.draining.Load() {
		r.mu.Unlock()
		return l.Close()
	}
	r.listeners[l] = struct{}{}
	r.serving.Add(1)
	r.mu.Unlock()
	defer r.serving.Add(-1)
	r.sweeping.Do(func() { go r.sweep() })
	if l, ok := l.(*Listener); ok && len(r.Loops) > 0 {
		return r.serveOn(l, secure)
	}
	var pause backoff
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if r.admit(addrPort(nc.RemoteAddr()).Addr()) {
				r.accept(nc, secure)
			} else {
				forget(nc)
				nc.Close()
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case r.draining.Load():
			l.Close()
			return nil
		default:
			select {
			case <-time.After(r.troubled(l, &pause, err)):
			case <-r.stop:
				return nil
			}
		}
	}
}

// lastCall stops listening. To close a socket resets who waits in its queue, whom a [Listener] takes in first; where nobody does that, it
// goes on for a moment.
func lastCall(l net.Listener) {
	const moment = 50 * time.Millisecond
	if d, ok := l.(interface{ SetDeadline(time.Time) error }); !ok || d.SetDeadline(time.Now().Add(moment)) != nil {
		l.Close()
	}
}

// backoff is the pause after an accept that failed; each further one is twice as long, up to backoffMost.
type backoff time.Duration

const (
	backoffLeast = backoff(5 * time.Millisecond)
	backoffMost  = backoff(time.Second)
)

// troubled is how long to wait when accepting fails: out of descriptors or memory, what is being served goes on, and frees some.
func (r *Room) troubled(l net.Listener, pause *backoff, err error) time.Duration {
	if *pause = min(max(2**pause, backoffLeast), backoffMost); *pause == backoffMost {
		r.Log.Error("accepting fails", "address", l.Addr().String(), "error", err)
	}
	return time.Duration(*pause)
}

// admit holds the deny list and the caps, and counts whom it lets in among its source's connections. A proxy's connections are counted by
// their client, once that is known.
func (r *Room) admit(remote netip.Addr) bool {
	switch {
	case r.denies(remote):
		r.refuse(remote, Denied, "")
	case int(r.table.open.Load()) >= r.limits.Max:
		r.refuse(remote, NodeFull, "")
	case r.proxies.Contains(remote):
		return true
	default:
		return r.enter(remote)
	}
	return false
}

// enter counts one more connection of a source, unless that is banned, or it or its network has as many as it may.
func (r *Room) enter(remote netip.Addr) bool {
	if reason, banned := r.banned(remote); banned {
		r.refuse(remote, Banned, reason)
		return false
	}
	sourceFull, networkFull := r.sources.enter(remote, r.limits.PerSource, r.limits.PerNetwork)
	switch {
	case sourceFull:
		r.refuse(remote, SourceFull, "")
	case networkFull:
		r.refuse(remote, NetworkFull, "")
	default:
		return true
	}
	return false
}

// forget makes nc's close a reset.
func forget(nc net.Conn) {
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case nil:
	default:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
