package origin

import (
	"errors"
	"io"
	"syscall"
)

// run sends the request and waits for the head of its final response; it sends again what may be sent again.
func (x *exchange) run() error {
	set := x.policy.current()
	first := x.policy.choose(set, x.flow, &x.tried)
	if first == nil {
		return &downError{set.refusal}
	}
	x.goTo(first)
	if err := x.prepare(); err != nil {
		return err
	}
	for retry := 0; ; {
		err := x.attempt(retry > 0 && retry == x.policy.origin.Retries)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errStale) { // else nothing was sent
			x.blame(err)
			if retry == x.policy.origin.Retries {
				return err
			}
			next := x.again(err)
			if next == nil || x.lease != nil && !x.lease.Attempt() {
				return err
			}
			x.goTo(next)
			retry++
		}
		if x.conn != nil {
			x.conn.close()
			x.conn = nil
		}
	}
}

// goTo makes s the exchange's server, in place of the one that it had.
func (x *exchange) goTo(s *server) {
	x.leave()
	s.health.inFlight.Add(1)
	x.server = s
	x.tried.add(s.number)
}

// leave ends the exchange with its server.
func (x *exchange) leave() {
	if x.server != nil {
		x.server.health.inFlight.Add(-1)
		x.server = nil
	}
}

// again returns the server for one more attempt after err, nil if there may be none. It is one that has not been tried if there is
// such a one; that one may have any request of which nothing has been sent. The same server gets a request twice only if the first
// time was on an idle connection: what makes it hang up on a new one, would do so again.
func (x *exchange) again(err error) *server {
	_, unsent := errors.AsType[dialError](err)
	if x.gone() || !unsent && !x.repeatable(err) {
		return nil
	}
	next := x.policy.choose(x.policy.current(), x.flow, &x.tried)
	if next == nil && x.hungUp(err) {
		next = x.server
	}
	return next
}

// repeatable tells whether the request may be sent once more after err.
func (x *exchange) repeatable(err error) bool {
	return x.unanswered(err) && x.conn.usable() && !x.taken && idempotent(x.flow.Request.Method)
}

// hungUp tells whether err is that a connection, which had been used before, ended without a word: it may have been about to.
func (x *exchange) hungUp(err error) bool { return x.unanswered(err) && x.conn.reused }

// unanswered tells whether err is that a connection ended without a word.
func (x *exchange) unanswered(err error) bool {
	return x.conn != nil && !x.arrived &&
		(errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// blame counts err as the server's failure, unless it was the client's, or this node's, or that of an idle connection.
func (x *exchange) blame(err error) {
	_, client := errors.AsType[bodyError](x.cause(err))
	if x.server == nil || client || x.gone() || errors.Is(err, errGone) || errors.Is(err, errUpgradeCap) || ours(err) || x.hungUp(err) {
		return
	}
	x.server.failed(&x.policy.origin.Health, x.policy.lone, explained(err))
}

// cause returns why the content broke off if that, in the end, was what failed the exchange with err.
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
