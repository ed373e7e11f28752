package conn

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/prefixes"
)

const (
	banSets = 1024
	banWays = 4
	// longestBan bounds the length, which doubles when a source is banned again within banMemory of its last ban's end.
	longestBan = 10 * time.Minute
	banMemory  = 10 * time.Minute

	// A source may cause chargeBurst events at once, and chargeRate a second, over all its connections: many times what one connection may.
	chargeRate    = 250
	chargeBurst   = 2500
	chargeSources = 64 << 10

	// So many breaches are written down a second, and at once.
	breachLines      = 10
	breachLinesBurst = 100
)

// bans are the sources that can't connect for a while, because of what they did on earlier connections. Their number is bounded, and with it
// the memory: where a set is full, the ban that ends first gives way.
type bans struct {
	first  time.Duration // how long a source's first ban is; 0 for none at all
	seed   maphash.Seed
	latest atomic.Int64 // when the last one ends
	sets   [banSets]banSet
}

type banSet struct {
	mu   sync.Mutex
	ways [banWays]ban
}

// ban is a source's; times are the room's.
type ban struct {
	source       uint64
	began, until int64
	reason       string
}

// Ban is why, and until when, an address can't connect.
type Ban struct {
	Until  time.Time
	Reason string
}

func (b *bans) set(source uint64) *banSet {
	return &b.sets[maphash.Comparable(b.seed, source)%banSets]
}

// add bans a source from now on, and returns for how long.
func (b *bans) add(addr netip.Addr, reason string, now int64) time.Duration {
	source := keyOf(prefixes.Source(addr))
	s := b.set(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.ways[0]
	for i := range s.ways {
		if s.ways[i].source == source {
			w = &s.ways[i]
			break
		}
		if s.ways[i].until < w.until {
			w = &s.ways[i]
		}
	}
	length := b.first.Milliseconds()
	if w.source == source && w.until > 0 && now < w.until+banMemory.Milliseconds() { // 0 is a source, too
		if now < w.until { // by another connection of the same attack
			return time.Duration(w.until-now) * time.Millisecond
		}
		length = min(2*(w.until-w.began), longestBan.Milliseconds())
	}
	*w = ban{source: source, began: now, until: now + length, reason: reason}
	for latest := b.latest.Load(); latest < w.until && !b.latest.CompareAndSwap(latest, w.until); latest = b.latest.Load() {
	}
	return time.Duration(length) * time.Millisecond
}

// find returns the ban that an address is under.
func (b *bans) find(addr netip.Addr, now int64) (found ban, ok bool) {
	if now >= b.latest.Load() {
		return ban{}, false
	}
	source := keyOf(prefixes.Source(addr))
	s := b.set(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.ways {
		if w.source == source && now < w.until {
			return w, true
		}
	}
	return ban{}, false
}

// lift ends the bans of all sources that have addresses in common with a prefix, and returns how many there were.
func (b *bans) lift(p netip.Prefix, now int64) (lifted int) {
	first, last := keysOf(p)
	for i := range b.sets {
		lifted += b.sets[i].lift(first, last, now)
	}
	return lifted
}

func (s *banSet) lift(first, last uint64, now int64) (lifted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.ways {
		if w := &s.ways[i]; w.until > 0 && first <= w.source && w.source <= last {
			if now < w.until {
				lifted++
			}
			*w = ban{}
		}
	}
	return lifted
}

// keysOf is from which key to which the sources lie that have addresses in common with a prefix.
func keysOf(p netip.Prefix) (first, last uint64) {
	most := 64 // an IPv6 source's bits
	if p.Addr().Is4() {
		most = 32
	}
	bits := min(p.Bits(), most)
	first = keyOf(netip.PrefixFrom(p.Addr(), bits).Masked())
	return first, first | (1<<(most-bits) - 1)
}

// BanOf is the ban that an address is under, if it is under one.
func (r *Room) BanOf(addr netip.Addr) (Ban, bool) {
	b, ok := r.bans.find(addr, r.clock(time.Now()))
	return Ban{Until: r.epoch.Add(time.Duration(b.until) * time.Millisecond), Reason: b.reason}, ok
}

// Unban lets addresses connect again, and returns how many of their sources were banned.
func (r *Room) Unban(addresses netip.Prefix) int { return r.bans.lift(addresses, r.clock(time.Now())) }

func (r *Room) banned(addr netip.Addr) (reason string, banned bool) {
	if r.bans.latest.Load() == 0 {
		return "", false
	}
	b, banned := r.bans.find(addr, r.clock(time.Now()))
	return b.reason, banned
}

// charge takes n off what a source may cause, and reports false if that is used up.
func (r *Room) charge(addr netip.Addr, n int) bool {
	ok, _ := r.charges.Take(r.charges.Key(0, 0, prefixes.Source(addr).Addr()), r.chargeRate, n, time.Now())
	return ok || r.unbannable(addr)
}

// unbannable tells whom no ban is for: a proxy, which passes on what others do, and who is excused.
func (r *Room) unbannable(addr netip.Addr) bool { return r.spared.Contains(addr) || r.excuses(addr) }

// breach counts what a client did that honest ones don't, and bans its source, unless that is not to be.
func (r *Room) breach(addr netip.Addr, reason string) {
	r.refuse(addr, Breached, reason)
	length := time.Duration(0)
	if r.bans.first > 0 && !r.unbannable(addr) {
		now := time.Now()
		length = r.bans.add(addr, reason, r.clock(now))
		if r.Banned != nil {
			r.Banned(prefixes.Source(addr), now.Add(length))
		}
	}
	if ok, _ := r.breachLines.Take(1, time.Now()); ok {
		r.Log.Warn("cut off a connection that broke a bound", "network", prefixes.Network(addr), "reason", reason, "banned", length)
	}
}

// rate is what a constant says.
func rate(count int, per time.Duration, burst int) limit.Rate {
	r, err := limit.NewRate(count, per, burst)
	if err != nil {
		panic(err) // the constants are right
	}
	return r
}
