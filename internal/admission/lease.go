package admission

import (
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// requestLease and upgradeLease are a budget seen by one who has a share of it ([flow.Lease]). All shares are alike, so a lease
// carries nothing of its own.
type (
	requestLease budget
	upgradeLease budget
)

func (b *budget) lease(upgrade bool) flow.Lease {
	if upgrade {
		return (*upgradeLease)(b)
	}
	return (*requestLease)(b)
}

// Attempt takes from the rate without waiting.
func (l *requestLease) Attempt() bool { return (*budget)(l).attempt() }

// Release gives the share of concurrency back.
func (l *requestLease) Release() { (*budget)(l).release() }

// Attempt takes from the rate without waiting.
func (l *upgradeLease) Attempt() bool { return (*budget)(l).attempt() }

// Release gives the place under the cap back.
func (l *upgradeLease) Release() { l.upgrades.Add(-1) }

func (b *budget) attempt() bool {
	t := b.current.Load()
	if !t.metered {
		return true
	}
	ok, _ := b.meter.Take(1, time.Now())
	return ok
}
