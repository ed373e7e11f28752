package reqid

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"
)

// maxShards leaves each shard 2²² ids a millisecond.
const maxShards = 1024

// A Generator makes the ids of one node. It is safe for concurrent use and takes no lock. Make one with NewGenerator.
//
// Each shard has its own part of the sequence numbers, and a counter of its own that starts at random: an id does not tell
// how many came before it, though two of the same shard tell how many came between. No two ids are equal as long as no
// other generator has the node number and the clock does not go back. If that happens (two processes during a hand-over),
// ids can be equal only where a shard's counters meet in the same millisecond: for n ids of a shard in it, a chance of about
// 2n ÷ (2³² ÷ shards).
type Generator struct {
	node   uint64
	bits   int // of a counter; the rest of the 32 are the shard
	shards []shard
}

// A shard is a counter on a cache line of its own.
type shard struct {
	n atomic.Uint32
	_ [60]byte
}

// NewGenerator returns a generator for a node, with a counter for each of shards callers, such as event loops. It panics
// unless shards is between 1 and 1024.
func NewGenerator(node uint16, shards int) *Generator {
	if shards < 1 || shards > maxShards {
		panic(fmt.Sprintf("reqid: %d shards is not between 1 and %d", shards, maxShards))
	}
	log := bits.Len(uint(shards - 1))
	g := &Generator{node: uint64(node), bits: 32 - log, shards: make([]shard, 1<<log)}
	for i := range g.shards {
		var b [4]byte
		rand.Read(b[:]) // never fails
		g.shards[i].n.Store(binary.NativeEndian.Uint32(b[:]))
	}
	return g
}

// Next returns a new id. Any shard number will do: it is taken modulo the shards there are; callers that run at the same
// time had better use different ones, as they then share no memory. Now must lie between 1970 and the year 10889.
func (g *Generator) Next(shard int, now time.Time) ID {
	i := uint(shard) & uint(len(g.shards)-1)
	sequence := uint32(uint64(i)<<g.bits) | g.shards[i].n.Add(1)&(1<<g.bits-1)
	var id ID
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16|g.node)
	binary.BigEndian.PutUint32(id[8:], sequence)
	return id
}
