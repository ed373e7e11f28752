package cache

import (
	"time"

	"github.com/seawall/seawall/internal/flow"
)

const (
	// mostRefreshes bounds the refreshes behind answers at one time. Past it, visitors wait for theirs.
	mostRefreshes = 256
	// refreshAgain is how long nobody refreshes an object after somebody began to.
	refreshAgain = 10 * time.Second
)

// mayRefresh tells whether a stale entry may be served while it is refreshed behind the answer, by this flow or by another. One a while refreshes.
func (p *Policy) mayRefresh(e *entry, f *flow.Flow) bool {
	q := f.Effective()
	if unfillable(q) != "" || q.Get("authorization") != "" {
		return false
	}
	now, last := q.Received.UnixNano(), e.refreshed.Load()
	if now-last < int64(refreshAgain) {
		return true
	}
	if p.room.refreshes.Add(1) > mostRefreshes || !e.refreshed.CompareAndSwap(last, now) {
		p.room.refreshes.Add(-1)
		return e.refreshed.Load() != last
	}
	f.Cache.Refresh = true
	return true
}

// Refreshed ends a flow that went on behind an answer: each that Lookup wanted ends so.
func (p *Policy) Refreshed(*flow.Flow) { p.room.refreshes.Add(-1) }
