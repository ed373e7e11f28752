package drill

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/wire"
)

// ask is one request and what answer to it is right.
type ask struct {
	method, path string
	fields       []wire.Field // of this request alone
	body         []byte
	status       int    // that is right; 0: 200
	want         []byte // the whole body, or nil
	contains     string // part of the body
	page         bool   // opened in a window, where challenges are solved
	dest         string // of a page's file, what the page needs it for; "": the page
	from         int    // bytes of want that the client has: asks for the rest
	upTo         int    // bytes of the body after which the client breaks off; 0: it does not
}

// right reports whether a whole answer is what q is for.
func (q *ask) right(r *wire.Response, body []byte) error {
	want, status := q.want, q.status
	if status == 0 {
		status = 200
	}
	if q.from > 0 && r.Status == 206 { // a whole answer is right, too (RFC 9110 §14.2)
		got, rest := r.Field("Content-Range"), fmt.Sprintf("bytes %d-%d/", q.from, len(q.want)-1)
		if !strings.HasPrefix(got, rest) {
			return fmt.Errorf("range %.40q, want %s", got, rest)
		}
		status, want = 206, want[q.from:]
	}
	switch {
	case r.Status != status:
		return fmt.Errorf("status %d, want %d", r.Status, status)
	case want != nil && !bytes.Equal(body, want):
		return fmt.Errorf("a body of %d bytes is not the right one of %d", len(body), len(want))
	case !bytes.Contains(body, []byte(q.contains)):
		return fmt.Errorf("a body of %d bytes lacks %q", len(body), q.contains)
	}
	return nil
}

// rebuff is an answer that came, but was not the right one.
type rebuff struct {
	status     int
	own        bool // by the site, as far as its looks tell: not a refusal, but the wrong answer
	challenge  bool
	retryAfter time.Duration
	what       string
}

func (r *rebuff) Error() string { return r.what }

// why names a rebuff in one word.
func (r *rebuff) why() string {
	switch {
	case r.challenge:
		return "challenge"
	case r.status < 400 || r.own:
		return "wrong"
	}
	return fmt.Sprint(r.status)
}

// severed is an exchange that did not come to an answer.
type severed struct {
	before bool // before any of the response
	lost   bool // what was there before: to try again does not undo it
	err    error
}

func (s *severed) Error() string { return s.err.Error() }
func (s *severed) Unwrap() error { return s.err }

// fate is what became of an errand.
type fate struct {
	tries      int
	challenged bool // and passed, if the errand was done
	err        error
}

// judge says what a fate counts as, and why.
func (f *fate) judge() (score.Outcome, string) {
	var r *rebuff
	var s *severed
	switch {
	case f.err == nil && f.challenged:
		return score.Passed, ""
	case f.err == nil && f.tries > 1:
		return score.Late, ""
	case f.err == nil:
		return score.Served, ""
	case errors.As(f.err, &r):
		return r.judge(), r.why()
	case errors.As(f.err, &s) && s.before && turnsAway(wire.Why(s.err)):
		return score.Refused, wire.Why(s.err)
	}
	return score.Failed, wire.Why(f.err)
}

func (r *rebuff) judge() score.Outcome {
	switch {
	case r.challenge:
		return score.Stuck
	case r.status >= 400 && r.status < 500 && !r.own:
		return score.Refused
	}
	return score.Failed
}

// turnsAway reports whether a connection that ends like that before a response was turned away.
func turnsAway(why string) bool { return why == "refused" || why == "closed" || why == "tls" }

// comeBack is how long the one who answered asked to wait, 0 if not at all.
func comeBack(err error) time.Duration {
	if r, ok := errors.AsType[*rebuff](err); ok {
		return r.retryAfter
	}
	return 0
}
