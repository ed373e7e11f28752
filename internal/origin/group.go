package origin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// group is what the policies of one zone have in common: the word that a server went down or came up, and who makes the checks.
type group struct {
	zone    string
	changes atomic.Uint64

	mu   sync.Mutex
	stop context.CancelFunc // ends the checks; nil if there are none
}

// set is the servers among which requests are divided, until one of the group goes down or comes up.
type set struct {
	changes uint64       // the group's, when the set was made
	until   time.Time    // when a share that grows is looked at again; zero if none does
	shares  []share      // none if all are down
	turns   []uint8      // which share is whose turn; nil for one share
	refusal flow.Refusal // if there are no shares
}

// share is how much of the work a server has.
type share struct {
	*server
	weight int64 // in hundredths
}

// current returns the set in force. It costs two loads and a comparison as long as nothing changes.
func (p *Policy) current() *set {
	s := p.set.Load()
	if s.changes == p.group.changes.Load() && (s.until.IsZero() || time.Now().Before(s.until)) {
		return s
	}
	if !p.fresh.TryLock() {
		return s // somebody makes a new one already
	}
	defer p.fresh.Unlock()
	s = p.divide(time.Now())
	p.set.Store(s)
	return s
}

// leniency is what is asked of a server.
type leniency uint8

const (
	isUp   leniency = iota
	isWell          // as far as checks tell: who can make a few requests fail must not take the whole origin down
	isThere
)

// divide makes the set of the servers that are up: backups only if there are no others. If failures of requests have taken all of them
// down, those do that checks have not.
func (p *Policy) divide(now time.Time) *set {
	s := &set{changes: p.group.changes.Load()} // before the servers are looked at: a change meanwhile makes another set
	most := isWell
	if p.origin.AllDown == spec.AllDownTry {
		most = isThere
	}
	for wanted := isUp; wanted <= most; wanted++ {
		for _, backup := range []bool{false, true} {
			if p.share(s, now, backup, wanted); len(s.shares) > 0 {
				s.turns = turns(s.shares)
				return s
			}
		}
	}
	s.refusal = p.down()
	return s
}

// share gives work to the servers that are backups, or are not, and are what is wanted.
func (p *Policy) share(s *set, now time.Time, backup bool, wanted leniency) {
	for i := range p.servers {
		server := &p.servers[i]
		if server.weight == 0 || server.backup != backup {
			continue
		}
		state := server.health.state()
		if wanted == isUp && !state.up(p.lone) || wanted == isWell && state.unwell {
			continue
		}
		percent := int64(100)
		if slow := p.origin.Health.SlowStart; wanted == isUp && !p.lone {
			if percent = state.percent(now, slow); percent < 100 {
				s.until = now.Add(max(slow/100, time.Millisecond))
			}
		}
		s.shares = append(s.shares, share{server, int64(server.weight) * percent})
	}
}

// maxDetail bounds what a refusal says of servers that are down, in bytes.
const maxDetail = 1 << 10

// down is the refusal of requests while no server is up.
func (p *Policy) down() flow.Refusal {
	r := flow.Refusal{Reason: flow.OriginDown, Status: 503, Rule: "origin.health", RetryAfter: p.origin.Health.Interval}
	var detail strings.Builder
	detail.WriteString("no server is up")
	left := 0
	for i := range p.servers {
		s := &p.servers[i]
		if s.weight == 0 {
			continue
		}
		if text := fmt.Sprintf("; %s: %s", s.settings.url, s.health.state().why); detail.Len()+len(text) <= maxDetail {
			detail.WriteString(text)
		} else {
			left++
		}
	}
	if left > 0 {
		fmt.Fprintf(&detail, "; and %d more", left)
	}
	r.Detail = detail.String()
	return r
}
