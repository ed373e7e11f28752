// Package limits compiles a zone's limits and counts sources against them, by GCRA.
//
// It learns a request's source. An attacker may have many of those in one network, a whole IPv6 /48 or IPv4 /24: networks are counted,
// too, and may have a multiple of what a source may. What both have taken is kept in a [Table] for all zones, of fixed size: when it is full of sources
// that are over or near their limits, the one nearest to being forgotten anyway gets its burst back early. It never refuses for want of
// room, and it outlives the limits compiled upon it.
package limits

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/prefixes"
)

// capacity is how many counts each part of a Table keeps, one for each limit, zone and source or network: 19 MB when all are in use. A count
// lasts as long as there is a debt: a request at the default rates 20 to 100 ms, so of 200,000 requests a second, more than a node takes, each
// from a new source, at most 24,000 counts last at one time.
const capacity = 1 << 20

// Table is what the sources of all zones have taken: at most 58 MB, whatever the number of zones, limits and sources. It has a part for
// limits that are forgotten within seconds, one for minutes and one for longer, each made when the first such limit is: a flood at a zone
// with a limit of a few a day would otherwise fill the table with debts that outlast all others, and void the other zones' limits.
type Table struct {
	seed maphash.Seed

	mu    sync.Mutex
	parts [3]*limit.Table
}

// part returns the part of t that keeps what is taken at rate.
func (t *Table) part(rate limit.Rate) *limit.Table {
	i := 2
	switch drain := rate.Drain(); {
	case drain <= 15*time.Second:
		i = 0
	case drain <= 15*time.Minute:
		i = 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts[i] == nil {
		t.parts[i] = limit.New(capacity)
	}
	return t.parts[i]
}

// New returns a table in which nobody has taken anything.
func New() *Table {
	return &Table{seed: maphash.MakeSeed()}
}

// Limit is one limit of one zone, for each of its sources and for each network of them.
type Limit struct {
	table *limit.Table
	zone  uint64
	kind  uint8

	source, network             limit.Rate // the zero Rate is no limit
	sourceDetail, networkDetail string     // what they are, in words
}

// ofNetwork tells the count of a network from that of its first source.
const ofNetwork uint8 = 1 << 7

// mostPerNetwork is as many sources as an IPv6 /48 has.
const mostPerNetwork = 1 << 16

// Compile returns a limit of the named zone; a zero rate is no limit. It is rate for each source, and perNetwork times as much for all
// sources of one network together (0 is no bound). What they have taken stays with the zone's name and kind (below 128), which tells a
// zone's limits from each other, until the rate changes so much that another part of the table keeps it. It fails if the rate cannot be
// counted.
func (t *Table) Compile(zone string, kind uint8, rate spec.Rate, perNetwork int) (*Limit, error) {
	if rate == (spec.Rate{}) {
		return &Limit{}, nil
	}
	if rate.Burst < 0 {
		return nil, fmt.Errorf("burst is %d: it must not be negative", rate.Burst)
	}
	source, err := limit.NewRate(rate.Requests, rate.Per, rate.Burst+1)
	if err != nil {
		return nil, err
	}
	l := &Limit{
		table:        t.part(source),
		zone:         maphash.String(t.seed, zone),
		kind:         kind,
		source:       source,
		sourceDetail: describe(rate) + ", for each source",
	}
	if perNetwork == 0 {
		return l, nil
	}
	if perNetwork < 0 || perNetwork > mostPerNetwork {
		return nil, fmt.Errorf("per_network is %d: it must be between 0 and %d", perNetwork, mostPerNetwork)
	}
	together := spec.Rate{Requests: int(rate.Per / time.Microsecond), Per: rate.Per, Burst: (rate.Burst+1)*perNetwork - 1}
	if rate.Requests < together.Requests/perNetwork { // a million a second is the most that can be counted
		together.Requests = rate.Requests * perNetwork
	}
	if l.network, err = limit.NewRate(together.Requests, together.Per, together.Burst+1); err != nil {
		return nil, fmt.Errorf("per_network: %w", err)
	}
	l.networkDetail = fmt.Sprintf(": %s, for all of a network (limits.per_network: %d)", describe(together), perNetwork)
	return l, nil
}

func describe(rate spec.Rate) string {
	return fmt.Sprintf("%d requests per %v with burst %d", rate.Requests, rate.Per, rate.Burst)
}

// Set tells whether there is a limit at all.
func (l *Limit) Set() bool { return l.table != nil }

// Take takes one request of source's, and of its network's. If either may not have one, neither is charged: retryAfter is how long until
// it may, detail says what the limit is. The source's own limit comes first, so that what it refuses costs its neighbours nothing.
func (l *Limit) Take(source netip.Prefix, now time.Time) (ok bool, retryAfter time.Duration, detail string) {
	if !l.Set() {
		return true, 0, ""
	}
	key := l.key(source)
	if ok, retryAfter = l.table.Take(key, l.source, 1, now); !ok {
		return false, retryAfter, l.sourceDetail
	}
	if l.network == (limit.Rate{}) {
		return true, 0, ""
	}
	network := prefixes.Network(source.Addr())
	if ok, retryAfter = l.table.Take(l.networkKey(network), l.network, 1, now); !ok {
		l.table.Refund(key, l.source, 1, now)
		return false, retryAfter, string(append(network.AppendTo(make([]byte, 0, 128)), l.networkDetail...))
	}
	return true, 0, ""
}

// Wait tells how long source may have no request, and by which limit; 0 if it may have one now.
func (l *Limit) Wait(source netip.Prefix, now time.Time) (wait time.Duration, detail string) {
	ok, wait, detail := l.Take(source, now)
	if ok {
		l.Refund(source, now)
	}
	return wait, detail
}

// Refund gives back one request of source's that was taken and never carried out.
func (l *Limit) Refund(source netip.Prefix, now time.Time) {
	if !l.Set() {
		return
	}
	l.table.Refund(l.key(source), l.source, 1, now)
	l.table.Refund(l.networkKey(prefixes.Network(source.Addr())), l.network, 1, now)
}

func (l *Limit) key(source netip.Prefix) limit.Key {
	return l.table.Key(l.zone, l.kind, source.Addr())
}

func (l *Limit) networkKey(network netip.Prefix) limit.Key {
	return l.table.Key(l.zone, l.kind|ofNetwork, network.Addr())
}
