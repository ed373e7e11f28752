package rules

import (
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

const (
	samplesKept  = 8
	shards       = 16 // parts of a count, so that cores rarely share one
	explained    = 20 // refusals a second of a rule whose evidence is written down
	maxEvidence  = 1024
	maxSampled   = 128 // bytes of a text in a sample
	countPadding = 56
)

// Sample is one request for which a rule held.
type Sample struct {
	Time                      time.Time
	ID                        reqid.ID
	Client                    netip.Addr
	Method, Host, Path, Agent string
	// Evidence is what each part of the expression was.
	Evidence string
}

// Count is how often a rule has held, since the node first knew it.
type Count struct {
	Rule       string // with its phase
	Action     spec.RuleAction
	Expression string // its beginning
	Matches    uint64

	tally *tally
}

// Samples are the latest requests for which the rule held, at most one a second, the latest last.
func (c *Count) Samples() []Sample { return c.tally.latest() }

// tally counts the matches of one rule.
type tally struct {
	matches [shards]struct {
		atomic.Uint64
		_ [countPadding]byte
	}
	sampled   atomic.Int64 // the second of the latest sample
	explained atomic.Int64 // that in which evidence was last written, and how often in it: second<<8 | times

	mu      sync.Mutex
	samples []Sample // the latest last
}

func (t *tally) add(shard uint32) { t.matches[shard%shards].Add(1) }

// due reports whether a sample may be taken, which is so once a second.
func (t *tally) due(second int64) bool {
	last := t.sampled.Load()
	return last < second && t.sampled.CompareAndSwap(last, second)
}

func (t *tally) keep(s Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.samples) == samplesKept {
		t.samples = slices.Delete(t.samples, 0, 1)
	}
	t.samples = append(t.samples, s)
}

// afford reports whether evidence may be written down once more in a second.
func (t *tally) afford(second int64) bool {
	had := t.explained.Load()
	times := had & 0xff
	if had>>8 != second {
		times = 0
	}
	return times < explained && t.explained.CompareAndSwap(had, second<<8|times+1)
}

func (t *tally) count() (matches uint64) {
	for i := range t.matches {
		matches += t.matches[i].Load()
	}
	return matches
}

func (t *tally) latest() []Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.samples)
}

// clipped is a copy of a text's beginning, which pins nothing of a request.
func clipped(s string) string { return clippedTo(s, maxSampled) }

func clippedTo(s string, most int) string {
	if len(s) <= most {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// tallies are those of all zones' rules. They last as long as a ruleset uses them.
type tallies struct {
	mu   *sync.Mutex
	byID map[tallyID]weak.Pointer[tally]
}

type tallyID struct{ zone, rule string }

func newTallies() tallies {
	return tallies{new(sync.Mutex), make(map[tallyID]weak.Pointer[tally])}
}

// of returns the tally of a rule, which a ruleset before may have had.
func (t *tallies) of(zone, rule string) *tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := tallyID{zone, rule}
	have := t.byID[id].Value()
	if have == nil {
		have = new(tally)
		t.byID[id] = weak.Make(have)
		runtime.AddCleanup(have, t.forget, id)
	}
	return have
}

// forget drops the tally of a rule that no ruleset has any more, unless it has come back since.
func (t *tallies) forget(id tallyID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[id].Value() == nil {
		delete(t.byID, id)
	}
}

// Counts returns those of all rules in force, in their order.
func (s *Ruleset) Counts() []Count {
	if s == nil {
		return nil
	}
	var counts []Count
	add := func(of []*rule) {
		for _, r := range of {
			counts = append(counts, Count{Rule: r.name, Action: r.action, Expression: r.detail, Matches: r.tally.count(), tally: r.tally})
		}
	}
	for p := range s.phases {
		if add(s.phases[p].rules); Phase(p) == Firewall {
			add(s.bodies.rules)
		} else if Phase(p) == RateLimit {
			add(s.forms.rules)
		}
	}
	return counts
}
