package admission

import (
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// requestLease and upgradeLease are a budget seen by one who has a share of its concurrency, or a place under its cap of
// upgrades ([flow.Lease]). All shares are alike, so a lease carries nothing of its own.
type (
	requestLease budget
	upgradeLease budget
)

// Attempt takes from the rate without waiting.
func (l *requestLease) Attempt() bool {
	t := l.current.Load()
	if !t.metered {
		return true
	}
	if l.retired.Load() { // the rate is the successor's
		return false
	}
	ok, _ := l.meter.Take(1, time.Now())
	return ok
}

// Upgraded takes a place under the cap first and gives the share back then, so that the connection is always counted.
func (l *requestLease) Upgraded() flow.Lease {
	if !acquire(&l.upgrades, l.current.Load().upgrades) && !(*budget)(l).place() {
		return nil
	}
	l.Release()
	return (*upgradeLease)(l)
}

// Release gives the share of concurrency back.
func (l *requestLease) Release() { (*budget)(l).release() }

// Attempt reports false: a retry would be a request without a share of concurrency.
func (l *upgradeLease) Attempt() bool { return false }

// Upgraded returns l.
func (l *upgradeLease) Upgraded() flow.Lease { return l }

// Release gives the place under the cap back.
func (l *upgradeLease) Release() {
	l.upgrades.Add(-1)
	if b := (*budget)(l); b.retired.Load() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.giveBack(0, 0)
	}
}
