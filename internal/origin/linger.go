package origin

import (
	"io"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// linger ends an exchange whose request nobody waits for any more, but which the origin has been sent and may be working on: most
// origins do not notice that a client has left. It tells the origin by the end of the stream, and holds the share of the budget until
// the origin ends its side or another ResponseTimeout is over. Otherwise, clients that leave at once could have any number of
// requests at work there. Leases bound the goroutines.
func (x *exchange) linger() {
	c, lease := x.conn, x.lease
	x.conn, x.lease = nil, nil
	go c.drain(time.Now().Add(x.policy.origin.ResponseTimeout), lease)
}

func (c *conn) drain(until time.Time, lease flow.Lease) {
	if lease != nil {
		defer lease.Release()
	}
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
