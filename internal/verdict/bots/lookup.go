package bots

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shards   = 64
	perShard = 1024 // addresses remembered
	most     = 8    // lookups at one time
	waiting  = 256  // that wait for them
	maxNames = 8    // of an address that are looked at

	timeout = 5 * time.Second
	// How long it is remembered what a lookup came to.
	verifiedFor = time.Hour
	deniedFor   = 10 * time.Minute
	failedFor   = time.Minute
)

// lookup finds out behind the requests whose an address is.
type lookup struct {
	seed    maphash.Seed
	shards  [shards]shard
	slots   chan struct{}
	waiting atomic.Int32
	work    sync.WaitGroup
}

// shard is a part of what was found.
type shard struct {
	mu    sync.Mutex
	found map[claim]finding
	_     [40]byte
}

// claim is an address that says it is a crawler's.
type claim struct {
	client  netip.Addr
	crawler string
}

// finding is what is known of a claim.
type finding struct {
	verified bool
	until    time.Time
}

func (l *lookup) init() {
	l.seed, l.slots = maphash.MakeSeed(), make(chan struct{}, most)
	for i := range l.shards {
		l.shards[i].found = make(map[claim]finding)
	}
}

// verified tells what is known of a claim. If that is nothing, or old, it has it looked up; what is old holds in the meantime.
func (l *lookup) verified(names Names, c *crawler, client netip.Addr, now time.Time) bool {
	what := claim{client.Unmap().WithZone(""), c.Name}
	s := &l.shards[maphash.Comparable(l.seed, what)%shards]
	s.mu.Lock()
	known, ok := s.found[what]
	ask := (!ok || now.After(known.until)) && l.waiting.Load() < waiting
	if ask {
		s.note(what, finding{known.verified, now.Add(2 * timeout)}) // nobody else asks
	}
	s.mu.Unlock()
	if ask {
		l.waiting.Add(1) // more than waiting by no more than there are cores
		l.work.Go(func() { l.find(names, c.Names, what, s) })
	}
	return known.verified
}

// find looks a claim up, and notes what it came to.
func (l *lookup) find(names Names, domains []string, what claim, s *shard) {
	l.slots <- struct{}{}
	l.waiting.Add(-1)
	defer func() { <-l.slots }()
	verified, err := confirm(names, domains, what.client)
	hold := deniedFor
	switch {
	case verified:
		hold = verifiedFor
	case err != nil:
		hold = failedFor
	}
	s.mu.Lock()
	s.note(what, finding{verified, time.Now().Add(hold)})
	s.mu.Unlock()
}

// note remembers a finding, in place of any other if there is no room. Call it with mu held.
func (s *shard) note(what claim, f finding) {
	if _, ok := s.found[what]; !ok && len(s.found) >= perShard {
		for other := range s.found {
			delete(s.found, other)
			break
		}
	}
	s.found[what] = f
}

// confirm tells whether an address has a name in one of the domains, which leads back to it. It fails if that can't be known.
func confirm(names Names, domains []string, client netip.Addr) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	found, err := names.LookupAddr(ctx, client.String())
	if err != nil {
		return false, unlessNone(err)
	}
	for _, name := range found[:min(len(found), maxNames)] {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix(name, "."+domain) }) {
			continue
		}
		addrs, lookupErr := names.LookupNetIP(ctx, "ip", name+".")
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == client }) {
			return true, nil
		}
		err = errors.Join(err, unlessNone(lookupErr))
	}
	return false, err
}

// unlessNone leaves out that there is no such name, which is an answer.
func unlessNone(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return nil
	}
	return err
}
