package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin/h2client"
	"github.com/seawall/seawall/internal/spec"
)

var (
	// errGone tells that the client left.
	errGone = errors.New("the client is gone")
	// errUnasked tells of a 101 (Switching Protocols) that nobody asked for, or to another protocol.
	errUnasked = errors.New("the origin changed to a protocol that was not asked for")
	errInterim = errors.New("too many interim responses")
	// errUpgradeCap tells that the zone has as many upgraded connections as its budget allows.
	errUpgradeCap = errors.New("too many upgraded connections")
	errCoded      = errors.New("the origin used a transfer coding that was not asked for")
	// errGaveUp tells of a server whose patience with an idle connection ended as the request was on its way (RFC 9110 §15.5.9).
	errGaveUp = fmt.Errorf("the origin had waited too long for a request: %w", io.EOF)
	errHungUp = errors.New("the origin closed the connection without an answer")
)

// bodyError is a failure of the client's side: its request's content broke off, or broke HTTP's rules.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

// dialError is a failure to get a connection.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// downError tells that no server is up.
type downError struct{ refusal flow.Refusal }

func (e *downError) Error() string { return e.refusal.Detail }

// Fetch asks one of the origin's servers and returns when the response's head is there, or a refusal is certain. Whoever is given a
// message with a Stream must close it, also after its end: until then the response's buffer and the request's body are in use.
// ReadBody of the flow's exchange may be called from another goroutine until the stream is closed, while the response is being written.
//
// The share of the budget goes back when the exchange with the origin is over; that may be while the client still reads.
// A flow without a client (a revalidation in the background) may lack an Exchange, if it has no body, and an Abort.
func (p *Policy) Fetch(f *flow.Flow) {
	if p.origin.Protocol == spec.ProtocolHTTP2 {
		x := new(streamed)
		x.errand = errandOf(f, p, x)
		x.do()
		return
	}
	x := p.room.exchanges.Get().(*exchange)
	x.errand = errandOf(f, p, x)
	x.do()
}

// fail implements [carrier]. An upload ends with the piece that is being read from the client.
func (x *exchange) fail(err error) {
	err = x.cause(err)
	if x.atWork(err) {
		x.linger()
	}
	x.over(false)
	if x.upload != nil {
		x.upload.cancel()
	}
	x.flow.Origin.Refusal = x.refusal(err)
	x.recycle()
}

// attempt implements [carrier].
func (x *exchange) attempt(fresh bool) error {
	if err := x.connect(fresh); err != nil {
		return err
	}
	if x.flow.Request.Length != 0 && !x.taken {
		if err := x.takeFirst(); err != nil {
			return err
		}
	}
	x.r, x.w, x.sent = 0, 0, false
	x.now = x.flow.Task.Now()
	sent := x.now
	if err := x.send(); err != nil {
		return err
	}
	if err := x.await(); err != nil {
		return err
	}
	x.now = x.flow.Task.Now()
	x.flow.Origin.FirstByte = x.now.Sub(sent)
	return nil
}

// connect gets a connection: one from the pool unless a fresh one is wanted, or the request must not fail and the connection is
// of a sort that cannot be checked.
func (x *exchange) connect(fresh bool) error {
	e := x.server.endpoint
	if !fresh {
		if c := e.get(); c != nil {
			if c.checkable() || idempotent(x.flow.Request.Method) {
				x.use(c, true)
				return nil
			}
			e.put(c, c.idleUntil, x.policy.maxIdle)
		}
	}
	x.flow.Origin.Address = e.settings.address
	ctx, cancel := context.WithTimeout(context.Background(), x.policy.origin.ConnectTimeout)
	defer cancel()
	if !x.watch(canceller(cancel)) {
		return errGone
	}
	x.flow.Task.Leave()
	c, err := e.dial(ctx, appendProxy(nil, e.settings.proxy, x.flow), x.flow.Task.Loop())
	x.unwatch()
	if err != nil {
		return dialError{fmt.Errorf("connecting to %s: %w", e.settings.address, err)}
	}
	x.use(c, false)
	return nil
}

func (x *exchange) use(c *conn, reused bool) {
	c.reused = reused
	c.attach(x.flow.Task)
	x.conn = c
	x.flow.Origin.Address, x.flow.Origin.Reused = c.address, reused
}

// canceller lets a client that leaves end a dial.
type canceller context.CancelFunc

func (c canceller) Interrupt() { c() }

// refusal says why there is no response.
func (e *errand) refusal(err error) *flow.Refusal {
	if down, ok := errors.AsType[*downError](err); ok {
		return &down.refusal
	}
	r := &flow.Refusal{Reason: flow.OriginBroken, Status: 502, Rule: "origin", Detail: explained(err).Error()}
	var body bodyError
	var dial dialError
	switch {
	case errors.Is(err, errGone), e.gone():
		r.Reason, r.Status = flow.ClientGone, 499
	case errors.Is(err, errNominated):
		r.Reason, r.Status = flow.Malformed, 400
	case errors.As(err, &body):
		if r.Reason, r.Status = flow.BodyBroken, 400; isTimeout(body) {
			r.Status = 408
		}
	case errors.Is(err, h2client.ErrTooLarge):
		r.Reason, r.Status = flow.TooLarge, 431
	case errors.Is(err, h2client.ErrRequest):
		r.Reason, r.Status = flow.Malformed, 400
	case errors.Is(err, h2client.ErrNoTunnel):
		r.Reason, r.Status = flow.Unsupported, 501
	case errors.Is(err, errUpgradeCap):
		r.Reason, r.Status, r.Rule = flow.UpgradeCap, 503, "budget.upgrades"
	case isTimeout(err):
		r.Reason, r.Status = flow.OriginTimeout, 504
	case errors.As(err, &dial):
		r.Reason = flow.OriginUnreachable
	case e.cancelled(err):
		r.Reset = err
	}
	return r
}

// cancelled tells whether a gRPC server has cancelled a call, which is what it does when the deadline is over. Its client has to hear just that: it
// takes a response with a status of HTTP for another failure.
func (e *errand) cancelled(err error) bool {
	reset, ok := errors.AsType[*h2client.ResetError](err)
	return ok && reset.Cancelled() && e.flow.Request.Proto == "HTTP/2.0" &&
		strings.HasPrefix(flow.Get(e.flow.Request.Fields, "content-type"), "application/grpc")
}
