// Package limits compiles a zone's limits and counts sources against them, by GCRA.
//
// It learns a request's source. What sources have taken is kept in one [Table] for all zones, of fixed size: when it is full
// of sources that are over or near their limits, the one nearest to being forgotten anyway gets its burst back early. It never
// refuses for want of room, and it outlives the limits compiled upon it.
package limits

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
)

// capacity is how many counts a node keeps, one for each limit, zone and source: 19 MB when all are in use.
const capacity = 1 << 20

// Table is what the sources of all zones have taken.
type Table struct {
	seed  maphash.Seed
	table *limit.Table
}

// New returns a table in which nobody has taken anything.
func New() *Table {
	return &Table{seed: maphash.MakeSeed(), table: limit.New(capacity)}
}

// Limit is one limit of one zone, for each of its sources.
type Limit struct {
	// Detail says in words what the limit is.
	Detail string

	table *limit.Table
	zone  uint32
	kind  uint8
	rate  limit.Rate
	set   bool
}

// Compile returns a limit of the named zone; a zero rate is no limit. What its sources have taken stays with the zone's name and
// kind, which tells a zone's limits from each other. It fails if the rate cannot be counted.
func (t *Table) Compile(zone string, kind uint8, s spec.Rate) (*Limit, error) {
	if s == (spec.Rate{}) {
		return &Limit{}, nil
	}
	if s.Burst < 0 {
		return nil, fmt.Errorf("burst is %d: it must not be negative", s.Burst)
	}
	rate, err := limit.NewRate(s.Requests, s.Per, s.Burst+1)
	if err != nil {
		return nil, err
	}
	return &Limit{
		Detail: fmt.Sprintf("%d requests per %v with burst %d, for each source", s.Requests, s.Per, s.Burst),
		table:  t.table,
		zone:   uint32(maphash.String(t.seed, zone)),
		kind:   kind,
		rate:   rate,
		set:    true,
	}, nil
}

// Set tells whether there is a limit at all.
func (l *Limit) Set() bool { return l.set }

// Take takes one request of source's, or returns how long until it may have one.
func (l *Limit) Take(source netip.Prefix, now time.Time) (ok bool, retryAfter time.Duration) {
	if !l.set {
		return true, 0
	}
	return l.table.Take(l.key(source), l.rate, 1, now)
}

// Refund gives back one request of source's that was taken and never carried out.
func (l *Limit) Refund(source netip.Prefix, now time.Time) {
	if l.set {
		l.table.Refund(l.key(source), l.rate, 1, now)
	}
}

func (l *Limit) key(source netip.Prefix) limit.Key {
	return l.table.Key(l.zone, l.kind, source.Addr())
}
