package conn

import (
	"net"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// accept serves a connection whose peer is admitted, on a goroutine.
func (r *Room) accept(nc net.Conn, secure Secure) {
	c := &Conn{info: flow.Conn{Remote: addrPort(nc.RemoteAddr()), Local: addrPort(nc.LocalAddr())}}
	t := &plain{Conn: nc, c: c, turns: newTurns()}
	proxied := r.begin(c, t)
	go c.serve(t, proxied, secure)
}

// begin makes c one of the room's connections, and tells whether it begins with a PROXY protocol header.
func (r *Room) begin(c *Conn, wire transport) (proxied bool) {
	proxied = r.proxies.Contains(c.info.Remote.Addr())
	c.room, c.wire, c.t = r, wire, wire
	c.info.Shard = r.shards.Add(1)
	c.from, c.counted = r.clock(time.Now()), !proxied
	c.enter(fresh, c.from)
	r.table.add(c)
	return proxied
}

// serve drives one connection from its first byte to its end. A fault in our own code costs that connection, never the node.
func (c *Conn) serve(t *plain, proxied bool, secure Secure) {
	defer func() {
		fault := recover()
		if fault != nil {
			c.room.fault(fault)
		}
		c.close(fault != nil)
	}()
	if proxied && !c.identify() {
		return
	}
	if secure != nil {
		inside, err := secure.Handshake(t, &c.info)
		t = &plain{Conn: inside, c: c, turns: t.turns}
		if !c.secured(t, err) {
			c.tell(err)
			return
		}
	}
	c.session = c.room.Open(&c.info, c)
	for c.step(t) != over {
	}
	c.end()
}

// step waits for input and goes as far as that takes the connection. Nobody drives it any more after a fault.
func (c *Conn) step(t *plain) (o outcome) {
	err := t.await()
	o = over
	defer func() {
		t.turns.over = o == over
		t.turns.give()
	}()
	switch {
	case t.turns.over:
		return over
	case err != nil:
		if !c.wake(c.now()) {
			err = errExpired
		}
		return c.fail(err)
	}
	return c.advance()
}

// beside drives the connection for somebody who has taken its turn, while its goroutine waits for input.
func (c *Conn) beside(t *turns) {
	defer t.give()
	if t.over {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			c.room.fault(fault)
			t.over, c.next, c.work = true, flow.Close, nil // what it holds may still be in use
		}
		if t.over {
			c.wire.interruptRead()
		}
	}()
	t.over = c.advance() == over
}

// advance goes on until the connection waits for input.
func (c *Conn) advance() (o outcome) {
	for o = c.turn(); o == busy || o == later; {
		if o == busy {
			o = c.drive()
		} else {
			o = c.turn()
		}
	}
	return o
}
