package request

import (
	"errors"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// The refusals whose text is always the same; they are never written to.
var (
	badPath     = flow.Refusal{Reason: flow.Malformed, Status: 400, Rule: "http", Detail: "bad escape in path"}
	badMethod   = flow.Refusal{Reason: flow.Unsupported, Status: 501, Rule: "http", Detail: "method not supported"}
	looped      = flow.Refusal{Reason: flow.Loop, Status: 508, Rule: "cdn-loop", Detail: "the request has passed this node before (RFC 8586)"}
	manyFields  = flow.Refusal{Reason: flow.TooLarge, Status: 431, Rule: "http", Detail: "too many fields"}
	largeFields = flow.Refusal{Reason: flow.TooLarge, Status: 431, Rule: "http", Detail: "the fields are too large"}
	longTarget  = flow.Refusal{Reason: flow.TooLarge, Status: 414, Rule: "http", Detail: "the target is too long"}
	headTimeout = flow.Refusal{Reason: flow.HeadTimeout, Status: 408, Rule: "http", Detail: "the request's head did not come in time"}
)

// refusal is why h1 refused a head.
func refusal(err error) *flow.Refusal {
	r := &flow.Refusal{Reason: flow.Malformed, Status: 400, Rule: "http", Detail: err.Error()}
	if e := (*h1.Error)(nil); errors.As(err, &e) {
		r.Status = e.Status
	}
	switch r.Status {
	case 413, 414, 431:
		r.Reason = flow.TooLarge
	case 501, 505:
		r.Reason = flow.Unsupported
	}
	return r
}

// cancelled tells whether a response broke off because the origin's stream was reset by CANCEL.
func cancelled(err error) bool {
	reset, ok := errors.AsType[interface {
		error
		Cancelled() bool
	}](err)
	return ok && reset.Cancelled()
}
