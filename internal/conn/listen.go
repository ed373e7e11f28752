package conn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// Listen opens a TCP listener on address ("host:port") whose connections are made for Serve.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{
		Control: tuneListener,
		// Every phase of a connection has a deadline of its own, so the kernel need not probe.
		KeepAliveConfig: net.KeepAliveConfig{Enable: false},
		KeepAlive:       -1,
	}
	config.SetMultipathTCP(false) // older kernels refuse the tuning on such a listener
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return lean(l)
}

// screener is a listener that asks about a peer before it makes anything of its connection.
type screener interface {
	// screen returns an Accept that resets the connections of peers whom admit turns away.
	screen(admit func(peer netip.Addr) bool) (accept func() (net.Conn, error))
}

// screen is l's Accept for those who are admitted.
func (r *Room) screen(l net.Listener) (accept func() (net.Conn, error)) {
	if s, ok := l.(screener); ok {
		return s.screen(r.admit)
	}
	return func() (net.Conn, error) {
		for {
			nc, err := l.Accept()
			if err != nil || r.admit(addrPort(nc.RemoteAddr()).Addr()) {
				return nc, err
			}
			forget(nc)
			nc.Close()
		}
	}
}

// Serve accepts from l until it is closed or the room shuts down. secure shakes hands on each connection first; nil for cleartext.
func (r *Room) Serve(l net.Listener, secure Handshake) error {
	r.mu.Lock()
	if r.draining.Load() {
		r.mu.Unlock()
		return l.Close()
	}
	r.listeners[l] = struct{}{}
	r.mu.Unlock()
	r.sweeping.Do(func() { go r.sweep() })

	accept := r.screen(l)
	var pause time.Duration
	for {
		nc, err := accept()
		switch {
		case err == nil:
			pause = 0
			r.accept(nc, secure)
		case errors.Is(err, net.ErrClosed) || r.draining.Load():
			return nil
		default: // out of descriptors or memory: what is being served goes on, and frees some
			if pause = min(max(2*pause, acceptPause), acceptPauseMost); pause == acceptPauseMost {
				r.Log.Error("accepting fails", "address", l.Addr().String(), "error", err)
			}
			select {
			case <-time.After(pause):
			case <-r.stop:
				return nil
			}
		}
	}
}

// acceptPause is the first pause after an accept that failed; each further one is twice as long, up to acceptPauseMost.
const (
	acceptPause     = 5 * time.Millisecond
	acceptPauseMost = time.Second
)

// admit holds the deny list and the caps, and counts whom it lets in among its source's connections. A proxy's connections are counted by
// their client, once that is known.
func (r *Room) admit(remote netip.Addr) bool {
	switch {
	case r.denied.Load().Contains(remote):
		r.refused[Denied].Add(1)
	case int(r.table.open.Load()) >= r.limits.Max:
		r.refused[NodeFull].Add(1)
	case !r.proxies.Contains(remote) && !r.sources.enter(remote, r.limits.PerSource):
		r.refused[SourceFull].Add(1)
	default:
		return true
	}
	return false
}

// accept serves a connection whose peer is admitted.
func (r *Room) accept(nc net.Conn, secure Handshake) {
	remote := addrPort(nc.RemoteAddr())
	proxied := r.proxies.Contains(remote.Addr())
	c := &Conn{
		room:    r,
		info:    flow.Conn{Remote: remote, Local: addrPort(nc.LocalAddr()), Shard: r.shards.Add(1)},
		from:    r.clock(time.Now()),
		counted: !proxied,
	}
	c.wire = newTransport(nc, c)
	c.t = c.wire
	c.enter(fresh, c.from)
	r.table.add(c)
	if r.draining.Load() { // a shutdown that began before add may not see it
		c.expire(fresh, c.from)
		c.wire.interrupt()
	}
	go c.serve(proxied, secure)
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

// serve drives one connection from its first byte to its end. A fault in our own code costs that connection, never the node.
func (c *Conn) serve(proxied bool, secure Handshake) {
	defer func() {
		fault := recover()
		if fault != nil {
			c.room.fault(fault)
		}
		c.close(fault != nil)
	}()
	if proxied && !c.identify() || secure != nil && !c.secure(secure) {
		return
	}
	c.session = c.room.Open(&c.info, c)
	c.drive()
}
