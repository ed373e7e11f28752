package origin

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// health is what is known of whether a server is well. It is part of an endpoint, so it outlives the policies that use that.
type health struct {
	inFlight atomic.Int64
	requests atomic.Uint64 // sent
	failures atomic.Uint64 // of requests and of connections for them
	inARow   atomic.Int64  // the latest of them

	mu   sync.Mutex
	last state
}

// state is a server's health at one time.
type state struct {
	failing bool      // down for a while, as requests failed
	unwell  bool      // down, as checks fail
	why     string    // the last failure
	since   time.Time // the last time that it went down or came up
	came    time.Time // up, if it did
	check   Check
	against int // checks in a row that say otherwise than unwell
}

// up tells whether the server should get requests. One that is alone does even if they fail: nothing would be won.
func (s *state) up(lone bool) bool { return !s.unwell && (lone || !s.failing) }

// percent is how much of its share a server gets: all of it, or from a tenth upwards while slow has not passed since it came up.
func (s *state) percent(now time.Time, slow time.Duration) int64 {
	since := now.Sub(s.came)
	if s.came.IsZero() || since >= slow {
		return 100
	}
	return 10 + int64(90*max(since, 0)/slow)
}

func (h *health) state() state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// change changes what is known of a server and says so if that takes it down, which the last failure explains, or brings it up.
func (e *endpoint) change(mend string, change func(*state)) {
	h := &e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.last.up(false)
	change(&h.last)
	up := h.last.up(false)
	if up == was || e.room.closed.Load() {
		return
	}
	h.last.since = time.Now()
	why := h.last.why
	if up {
		h.last.came, why = h.last.since, mend
	}
	e.group.changes.Add(1)
	if changed := e.room.Changed; changed != nil {
		changed(e.group.zone, e.settings.url, up, why)
	}
}

// succeeded counts a request that was answered. It is one load as long as all are.
func (e *endpoint) succeeded() {
	if e.health.inARow.Load() != 0 {
		e.health.inARow.Store(0)
	}
}

// failed counts a request that was not. Several in a row take a server that is not alone down for a while; then one more does.
func (e *endpoint) failed(rule *spec.Health, lone bool, err error) {
	most, after := rule.MaxFails, rule.FailTimeout // the policy may go before the time is over
	e.health.failures.Add(1)
	n := e.health.inARow.Add(1)
	e.change("", func(s *state) {
		s.why = bounded(err)
		if most == 0 || lone || s.failing || n < int64(most) {
			return
		}
		s.failing = true
		time.AfterFunc(after, func() { e.forgive(most-1, after) })
	})
}

// forgive ends a server's time out: it is on probation.
func (e *endpoint) forgive(failures int, after time.Duration) {
	e.health.inARow.Store(int64(failures))
	e.change(fmt.Sprintf("%v have passed", after), func(s *state) { s.failing = false })
}

// checked notes the outcome of a check, which was well if there is no error.
func (e *endpoint) checked(rule *spec.Health, outcome string, err error) {
	e.change(fmt.Sprintf("passed %d checks in a row", rule.Rise), func(s *state) {
		s.check = Check{Time: time.Now(), OK: err == nil, Outcome: outcome}
		if err != nil {
			s.check.Outcome = bounded(err)
			s.why = "health check: " + s.check.Outcome
		}
		if s.unwell == (err != nil) {
			s.against = 0
			return
		}
		needed := rule.Fall
		if s.unwell {
			needed = rule.Rise
		}
		if s.against++; s.against >= needed {
			s.unwell, s.against = !s.unwell, 0
		}
	})
}

// unchecked forgets what checks found, as there are none any more.
func (e *endpoint) unchecked() {
	e.change("not checked any more", func(s *state) { s.unwell, s.against, s.check = false, 0, Check{} })
}

// maxWhy bounds what is kept of an error, in bytes.
const maxWhy = 200

// bounded is an error's text in one line of bounded length.
func bounded(err error) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, err.Error())
	return strings.ToValidUTF8(text[:min(len(text), maxWhy)], "")
}

// ours tells that it was this node that lacked something, not the server.
func ours(err error) bool {
	for _, lack := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// ServerStatus is how a server does, for the operator.
type ServerStatus struct {
	// URL, Weight and Backup are as configured.
	URL    string
	Weight int
	Backup bool
	// Up tells whether the server gets requests, if it has a weight. Why is the last failure, also if the server is up again, or "".
	Up  bool
	Why string
	// Since is when the server went down or came up; zero if it never did.
	Since time.Time
	// InFlight requests and tunnels are at the server now. Requests counts all that were sent, Failures those, and connections for
	// them, that failed by the server's fault. They count on when the zone is compiled again with the same server.
	InFlight           int64
	Requests, Failures uint64
	// Checked is the last health check; its Time is zero if there was none.
	Checked Check
}

// Check is a health check.
type Check struct {
	Time time.Time
	OK   bool
	// Outcome is the status, or what went wrong.
	Outcome string
}

// Servers returns the status of each of the policy's servers, in their order.
func (p *Policy) Servers() []ServerStatus {
	all := make([]ServerStatus, 0, len(p.servers))
	for i := range p.servers {
		s := &p.servers[i]
		last := s.health.state()
		all = append(all, ServerStatus{
			URL: s.settings.url, Weight: s.weight, Backup: s.backup,
			Up: last.up(p.lone), Why: last.why, Since: last.since,
			InFlight: s.health.inFlight.Load(), Requests: s.health.requests.Load(), Failures: s.health.failures.Load(),
			Checked: last.check,
		})
	}
	return all
}
