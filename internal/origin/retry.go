package origin

import (
	"errors"
	"io"
	"syscall"

	"github.com/seawall/seawall/internal/flow"
)

// errand is a request on its way to an answer, whatever carries it: the servers that it has been to, and its share of the budget.
type errand struct {
	carrier carrier
	policy  *Policy
	flow    *flow.Flow  // while Fetch runs; the body may outlive it
	abort   *flow.Abort // the one that the flow had for its fetch, or nil
	server  *server     // where the exchange is; nil before and after
	tried   tried       // the servers that it has been to
	lease   flow.Lease  // nil once it is given back
}

// carrier is the protocol that an errand is done with.
type carrier interface {
	// prepare makes the request that is to be sent.
	prepare() error
	// attempt sends it once to the errand's server and waits for the head of its final response. For the last time it may be asked to
	// trust no connection that has been used before.
	attempt(fresh bool) error
	// drop ends a failed attempt's use of a connection.
	drop()
	// cause is why the request's content broke off if that, in the end, was what failed an attempt with err.
	cause(err error) error
	// repeatable tells whether the request may be sent once more after err, and whether to the same server, too.
	repeatable(err error) (may, same bool)
	// blameless tells whether err is no fault of the server's.
	blameless(err error) bool
	// begin hands the response to the flow.
	begin() error
	// fail answers the flow with a refusal.
	fail(err error)
}

func errandOf(f *flow.Flow, p *Policy, c carrier) errand {
	return errand{carrier: c, policy: p, flow: f, abort: f.Abort, lease: f.Admission.Lease}
}

func (e *errand) watch(w flow.Interrupter) bool {
	return e.abort == nil || e.abort.Watch(w)
}

func (e *errand) unwatch() {
	if e.abort != nil {
		e.abort.Unwatch()
	}
}

func (e *errand) gone() bool { return e.abort != nil && e.abort.Gone() }

// do has the flow answered.
func (e *errand) do() {
	err := e.run()
	if err == nil {
		if err = e.carrier.begin(); err != nil {
			e.blame(err)
		}
	}
	if err != nil {
		e.carrier.fail(err)
	}
}

// run sends the request and waits for the head of its final response; it sends again what may be sent again.
func (e *errand) run() error {
	set := e.policy.current()
	first := e.policy.choose(set, e.flow, &e.tried)
	if first == nil {
		return &downError{set.refusal}
	}
	e.goTo(first)
	if err := e.carrier.prepare(); err != nil {
		return err
	}
	for retry := 0; ; {
		err := e.carrier.attempt(retry > 0 && retry == e.policy.origin.Retries)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errStale) { // else nothing was sent
			e.blame(err)
			if retry == e.policy.origin.Retries {
				return err
			}
			next := e.again(err)
			if next == nil || e.lease != nil && !e.lease.Attempt() {
				return err
			}
			e.goTo(next)
			retry++
		}
		e.carrier.drop()
	}
}

// goTo makes s the errand's server, in place of the one that it had.
func (e *errand) goTo(s *server) {
	e.leave()
	s.health.inFlight.Add(1)
	e.server = s
	e.tried.add(s.number)
}

// leave ends the errand at its server.
func (e *errand) leave() {
	if e.server != nil {
		e.server.health.inFlight.Add(-1)
		e.server = nil
	}
}

// again returns the server for one more attempt after err, nil if there may be none. It is one that has not been tried if there is
// such a one; that one may have any request of which nothing has been sent. The same server gets a request twice only if the first
// time was on an idle connection, or it said that it has not looked at it: what makes it hang up on a new one, would do so again.
func (e *errand) again(err error) *server {
	_, unsent := errors.AsType[dialError](err)
	may, same := e.carrier.repeatable(err)
	if e.gone() || !unsent && !may {
		return nil
	}
	next := e.policy.choose(e.policy.current(), e.flow, &e.tried)
	if next == nil && may && same {
		next = e.server
	}
	return next
}

// blame counts err as the server's failure, unless it was the client's, or this node's, or of a connection that had been idle.
func (e *errand) blame(err error) {
	_, client := errors.AsType[bodyError](e.carrier.cause(err))
	if e.server == nil || client || e.gone() || errors.Is(err, errGone) || errors.Is(err, errUpgradeCap) || ours(err) || e.carrier.blameless(err) {
		return
	}
	e.server.failed(&e.policy.origin.Health, e.policy.lone, explained(err))
}

// repeatable implements [carrier].
func (x *exchange) repeatable(err error) (may, same bool) {
	may = x.unanswered(err) && x.conn.usable() && x.harmless()
	return may, x.hungUp(err)
}

// harmless tells whether the request may be sent twice: it means the same then, and none of its content has been used up.
func (x *exchange) harmless() bool { return !x.taken && idempotent(x.flow.Request.Method) }

// blameless implements [carrier].
func (x *exchange) blameless(err error) bool { return x.hungUp(err) }

// hungUp tells whether err is that a connection, which had been used before, ended without a word: it may have been about to.
func (x *exchange) hungUp(err error) bool { return x.unanswered(err) && x.conn.reused }

// unanswered tells whether err is that a connection ended without a word.
func (x *exchange) unanswered(err error) bool {
	return x.conn != nil && !x.arrived &&
		(errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// drop implements [carrier].
func (x *exchange) drop() {
	if x.conn != nil {
		x.conn.close()
		x.conn = nil
	}
}

// cause implements [carrier].
func (x *exchange) cause(err error) error {
	if x.upload != nil && x.uploaded() && x.upload.broken != nil {
		return x.upload.broken
	}
	return err
}

// explained puts the bare end of a stream in words.
func explained(err error) error {
	if errors.Is(err, io.EOF) {
		return errHungUp
	}
	return err
}

// idempotent tells whether a request means the same when it is made twice (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
