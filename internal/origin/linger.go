package origin

import (
	"io"
	"time"
)

// linger ends an exchange whose request nobody waits for any more, but which the origin has been sent and may be working on: most
// origins do not notice that a client has left. It tells the origin by the end of the stream, and holds the share of the budget until
// the origin ends its side or another ResponseTimeout is over. Otherwise, clients that leave at once could have any number of
// requests at work there. Leases bound the goroutines.
func (x *exchange) linger() {
	c, server, lease := x.conn, x.server, x.lease
	x.conn, x.server, x.lease = nil, nil, nil
	if c.sock != nil {
		c.sock.Attach(nil)
	}
	until := time.Now().Add(x.policy.origin.ResponseTimeout)
	go func() {
		c.drain(until)
		server.health.inFlight.Add(-1)
		if lease != nil {
			lease.Release()
		}
	}()
}

// drain tells a server that nothing more will come and waits for its end.
func (c *conn) drain(until time.Time) {
	defer c.close()
	c.nc.SetDeadline(until)
	c.closeWrite()
	_, _ = io.Copy(io.Discard, c.nc)
}

// atWork tells whether the origin may still be working on the request when the exchange fails with err.
func (x *exchange) atWork(err error) bool {
	whole := x.upload == nil || x.uploaded() && x.upload.broken == nil
	return x.conn != nil && x.sent && whole && (x.gone() || isTimeout(err))
}
