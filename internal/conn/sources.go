package conn

import (
	"hash/maphash"
	"net/netip"
	"sync"

	"github.com/seawall/seawall/prefixes"
)

const sourceShards = 64

// sources counts the connections of each source. It holds a source only while that has connections, so their number bounds it.
type sources struct {
	seed   maphash.Seed
	shards [sourceShards]sourceShard
}

type sourceShard struct {
	mu    sync.Mutex
	count map[netip.Prefix]int
	_     [40]byte // a cache line each
}

func newSources() *sources {
	s := &sources{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].count = make(map[netip.Prefix]int)
	}
	return s
}

func (s *sources) shard(source netip.Prefix) *sourceShard {
	return &s.shards[maphash.Comparable(s.seed, source)%sourceShards]
}

// enter counts one more connection of addr's source, and reports false if that would be more than limit.
func (s *sources) enter(addr netip.Addr, limit int) bool {
	source := prefixes.Source(addr)
	shard := s.shard(source)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.count[source] >= limit {
		return false
	}
	shard.count[source]++
	return true
}

// leave takes back what enter counted.
func (s *sources) leave(addr netip.Addr) {
	source := prefixes.Source(addr)
	shard := s.shard(source)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.count[source]--; shard.count[source] <= 0 {
		delete(shard.count, source)
	}
}

// open is how many connections addr's source has.
func (s *sources) open(addr netip.Addr) int {
	source := prefixes.Source(addr)
	shard := s.shard(source)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.count[source]
}
