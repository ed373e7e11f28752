package conn

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/prefixes"
)

const (
	latelySets = 1024
	latelyWays = 4
	// maxLately bounds what is kept of a detail, in bytes.
	maxLately = 128
)

// lately remembers why sources' connections were refused below HTTP, where no answer can say it: the operator may ask about an address. The
// number of sources is bounded, and with it the memory: where a set is full, the one whose latest refusal is the oldest gives way.
type lately struct {
	seed maphash.Seed
	sets [latelySets]struct {
		mu   sync.Mutex
		ways [latelyWays]remembered
	}
}

// remembered is a source's latest one, and how many it had; a count of 0 is no source's. Times are the room's.
type remembered struct {
	source uint64
	at     int64
	count  int64
	cause  Cause
	detail string
}

// place is the set that a source is in.
func (l *lately) place(source uint64) uint64 { return maphash.Comparable(l.seed, source) % latelySets }

func (l *lately) note(addr netip.Addr, cause Cause, detail string, now int64) {
	source := keyOf(prefixes.Source(addr))
	s := &l.sets[l.place(source)]
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.ways[0]
	for i := range s.ways {
		if s.ways[i].count > 0 && s.ways[i].source == source {
			w = &s.ways[i]
			break
		}
		if s.ways[i].at < w.at {
			w = &s.ways[i]
		}
	}
	if w.source != source {
		*w = remembered{source: source}
	}
	if len(detail) > maxLately {
		detail = strings.Clone(detail[:maxLately])
	}
	w.at, w.count, w.cause, w.detail = now, w.count+1, cause, detail
}

func (l *lately) find(addr netip.Addr) (remembered, bool) {
	source := keyOf(prefixes.Source(addr))
	s := &l.sets[l.place(source)]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.ways {
		if w.count > 0 && w.source == source {
			return w, true
		}
	}
	return remembered{}, false
}

// Refusal is the latest of a source's connections that was refused or cut below HTTP.
type Refusal struct {
	Time   time.Time
	Cause  Cause
	Detail string // what a handshake failed of, or which bound was broken
	Count  int64  // how many there were, as far as is remembered
}

// RefusedLately returns the latest refusal of an address's source, if one is remembered.
func (r *Room) RefusedLately(addr netip.Addr) (Refusal, bool) {
	l, ok := r.lately.find(addr)
	return Refusal{r.epoch.Add(time.Duration(l.at) * time.Millisecond), l.cause, l.detail, l.count}, ok
}

// refuse counts and remembers a refusal, and returns how many had its cause.
func (r *Room) refuse(addr netip.Addr, cause Cause, detail string) int64 {
	r.lately.note(addr, cause, detail, r.clock(time.Now()))
	return r.refused[cause].Add(1)
}
