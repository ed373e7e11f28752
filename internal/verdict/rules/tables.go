package rules

import (
	"runtime"
	"sync"
	"weak"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
)

// Bounds of what rate limits keep, in counts of 18.3 bytes each.
const (
	roomCounts = 1 << 22 // of all zones together, but for the least that each table has: 77 MB
	zoneCounts = 1 << 17 // of one zone
	leastCount = 1 << 10 // of one table
)

// tables are what all zones' rate limits have counted. Each rule has a table of its own, so that what is invented against one, of whatever
// zone, takes nothing of another's room. They last as long as a ruleset uses them.
type tables struct{ *shared }

type shared struct {
	mu    sync.Mutex
	byID  map[tableID]weak.Pointer[limit.Table]
	taken int // counts that tables have room for
}

type tableID struct {
	zone, rule string
	mitigated  bool // whom the rule refuses for a time; else what it has counted
}

func newTables() tables {
	return tables{&shared{byID: make(map[tableID]weak.Pointer[limit.Table])}}
}

// tablesOf is how many tables a zone needs.
func tablesOf(s *spec.Rules) (n int) {
	for i := range s.RateLimit {
		if r := &s.RateLimit[i]; !r.Disabled {
			n++
			if r.RateLimit.Mitigation > 0 {
				n++
			}
		}
	}
	return n
}

// of returns the table that a ruleset before may have had. A new one gets an equal part of what a zone that needs so many may have: that is
// at most an eighth of what there still is.
func (t *shared) of(id tableID, needs int) *limit.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.byID[id].Value(); have != nil {
		return have
	}
	room := max(leastCount, min(zoneCounts, (roomCounts-t.taken)/8)/max(needs, 1))
	table := limit.New(room)
	t.taken += room
	t.byID[id] = weak.Make(table)
	runtime.AddCleanup(table, func(id tableID) { t.forget(id, room) }, id)
	return table
}

// forget gives the room of a table back that no ruleset has any more.
func (t *shared) forget(id tableID, room int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken -= room
	if t.byID[id].Value() == nil {
		delete(t.byID, id)
	}
}
