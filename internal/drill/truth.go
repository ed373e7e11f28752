package drill

import (
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/drill/site"
)

const (
	// recall is how long a request is remembered after its client left it: one that gave up may still wait in a
	// proxy's queue and reach the origin then.
	recall = 5 * time.Second
	// maxTracks bounds what is remembered of requests from addresses that both sorts use.
	maxTracks = 1 << 16
	// maxKnown bounds the addresses whose users are known; it exceeds what a scenario may draw.
	maxKnown = 1 << 18
)

// truth is who is what, as the origin asks it. It is known by addresses and by when a request was under way, never by
// anything in a request: no client says what it is, not even to this process. An address that only one sort uses
// answers for itself; of one that both use (a carrier's NAT, a Tor exit), the requests under way with that method and
// target decide, and where those are of both sorts, nobody can tell.
type truth struct {
	clock   *clock
	unclear atomic.Int64

	mu     sync.RWMutex
	known  map[uint32]sorts // by IPv4 address
	tracks map[track]*list.Element
	ages   *list.List // of *traces, the longest untouched first
}

// sorts says who uses an address.
type sorts uint8

const (
	usedByVisitors sorts = 1 << iota
	usedByAttackers
	usedByBoth = usedByVisitors | usedByAttackers
)

// A track is what a request under way can be found by.
type track struct {
	source         uint32
	method, target string
}

// traces are the requests of one track.
type traces struct {
	track
	underWay [2]int           // by sort: visitors', attackers'
	left     [2]time.Duration // when one was left last; 0: never
}

func newTruth(c *clock) *truth {
	return &truth{clock: c, known: map[uint32]sorts{}, tracks: map[track]*list.Element{}, ages: list.New()}
}

// claim notes that who uses source. What is claimed before the first request answers from the first on.
func (t *truth) claim(source netip.Addr, who site.Who) {
	if key, ok := addressKey(source); ok {
		t.learn(key, who)
	}
}

// learn adds who to those who use an address, and returns all of them.
func (t *truth) learn(key uint32, who site.Who) sorts {
	t.mu.RLock()
	s := t.known[key]
	t.mu.RUnlock()
	if s|sortOf(who) == s {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, found := t.known[key]; found || len(t.known) < maxKnown {
		t.known[key] |= sortOf(who)
	}
	return t.known[key]
}

// claimedBy returns the addresses that who uses, in order.
func (t *truth) claimedBy(who site.Who) []netip.Addr {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []netip.Addr
	for key, s := range t.known {
		if s&sortOf(who) != 0 {
			out = append(out, netip.AddrFrom4([4]byte{byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}))
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// enter notes that a request of source's begins, and returns what to call once its client is done with it.
func (t *truth) enter(source netip.Addr, method, target string, who site.Who) (leave func()) {
	key, ok := addressKey(source)
	if !ok || t.learn(key, who) != usedByBoth {
		return nothing // the address says it all
	}
	tr, sort := track{key, method, target}, sortIndex(who)
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.touch(tr)
	e.Value.(*traces).underWay[sort]++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.tracks[tr] != e {
			return // forgotten meanwhile
		}
		x := e.Value.(*traces)
		x.underWay[sort]--
		x.left[sort] = max(1, t.clock.now())
		t.ages.MoveToBack(e)
	}
}

func nothing() {}

// touch finds or makes the traces of tr, forgetting what is old, and the oldest where there is no room.
func (t *truth) touch(tr track) *list.Element {
	now := t.clock.now()
	for e := t.ages.Front(); e != nil; e = t.ages.Front() {
		x := e.Value.(*traces)
		if x.underWay == [2]int{} && x.sort(now) == 0 || len(t.tracks) >= maxTracks {
			t.ages.Remove(e)
			delete(t.tracks, x.track)
			continue
		}
		break
	}
	if e := t.tracks[tr]; e != nil {
		t.ages.MoveToBack(e)
		return e
	}
	e := t.ages.PushBack(&traces{track: tr})
	t.tracks[tr] = e
	return e
}

// who is the origin's question, asked when a request arrives (site.Truth).
func (t *truth) who(source netip.Addr, method, target string) site.Who {
	key, ok := addressKey(source)
	if !ok {
		return site.Unknown
	}
	t.mu.RLock()
	s := t.known[key]
	if s == usedByBoth {
		s = 0
		if e := t.tracks[track{key, method, target}]; e != nil {
			s = e.Value.(*traces).sort(t.clock.now())
		}
		if s == usedByBoth {
			t.unclear.Add(1)
		}
	}
	t.mu.RUnlock()
	switch s {
	case usedByVisitors:
		return site.Visitor
	case usedByAttackers:
		return site.Attacker
	}
	return site.Unknown
}

// ambiguous is how many requests reached the origin while both sorts had the like under way.
func (t *truth) ambiguous() int { return int(t.unclear.Load()) }

// sort says whose requests are under way or, if none is, whose were left of late.
func (x *traces) sort(now time.Duration) sorts {
	var current, recent sorts
	for i, s := range []sorts{usedByVisitors, usedByAttackers} {
		if x.underWay[i] > 0 {
			current |= s
		}
		if x.left[i] > 0 && now-x.left[i] < recall {
			recent |= s
		}
	}
	if current != 0 {
		return current
	}
	return recent
}

func sortOf(who site.Who) sorts {
	switch who {
	case site.Visitor:
		return usedByVisitors
	case site.Attacker:
		return usedByAttackers
	}
	return 0
}

func sortIndex(who site.Who) int {
	if who == site.Attacker {
		return 1
	}
	return 0
}

// addressKey is an IPv4 address as a number; the drill's clients have no other.
func addressKey(a netip.Addr) (uint32, bool) {
	a = a.Unmap()
	if !a.Is4() {
		return 0, false
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:]), true
}
