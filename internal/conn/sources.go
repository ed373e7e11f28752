package conn

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"

	"github.com/seawall/seawall/prefixes"
)

// sourceShards is how many parts sources have, so that cores rarely wait for one another.
const sourceShards = 64

// sources counts the connections of each source and of each network. It holds one only while that has connections, so their number bounds
// its memory: at most 256 bytes a connection, which are given back as they end.
type sources struct {
	seed   maphash.Seed
	shards [sourceShards]sourceShard
}

// sourceShard is some networks and all their sources, so that one lock keeps both levels together.
type sourceShard struct {
	mu       sync.Mutex
	sources  tally
	networks tally
	_        [56]byte // two cache lines each
}

func newSources() *sources {
	return &sources{seed: maphash.MakeSeed()}
}

// enter counts one more connection of addr's source and of its network. Where that would be more than perSource or perNetwork it counts
// neither, and tells which is full; the source, if both are.
func (s *sources) enter(addr netip.Addr, perSource, perNetwork int) (sourceFull, networkFull bool) {
	shard, source, network := s.find(addr)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	i, j := shard.sources.find(source), shard.networks.find(network)
	sourceFull = shard.sources.at(i) >= perSource
	networkFull = !sourceFull && shard.networks.at(j) >= perNetwork
	if !sourceFull && !networkFull {
		shard.sources.add(i, source)
		shard.networks.add(j, network)
	}
	return sourceFull, networkFull
}

// leave takes back what enter counted; nothing, if that was nothing.
func (s *sources) leave(addr netip.Addr) {
	shard, source, network := s.find(addr)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sources.remove(source) {
		shard.networks.remove(network)
	}
}

// open is how many connections addr's source has.
func (s *sources) open(addr netip.Addr) int {
	shard, source, _ := s.find(addr)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.sources.at(shard.sources.find(source))
}

// openNetwork is how many connections addr's network has.
func (s *sources) openNetwork(addr netip.Addr) int {
	shard, _, network := s.find(addr)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.networks.at(shard.networks.find(network))
}

// find returns where addr is counted. The hash is keyed, so nobody can tell which sources share a shard, or a place in it.
func (s *sources) find(addr netip.Addr) (shard *sourceShard, source, network tallySlot) {
	key := keyOf(prefixes.Network(addr))
	hash := maphash.Comparable(s.seed, key)
	shard, network = &s.shards[hash>>32%sourceShards], tallySlot{key: key, hash: uint32(hash)}
	key = keyOf(prefixes.Source(addr))
	return shard, tallySlot{key: key, hash: uint32(maphash.Comparable(s.seed, key))}, network
}

// ipv4 begins the keys of IPv4 prefixes. It lies in a part of IPv6 from which no addresses are given (0000::/8, RFC 4291 §2.4).
const ipv4 = 1 << 32

// keyOf packs an IPv4 prefix, or an IPv6 prefix of at most 64 bits, into one word. Prefixes of the same family and unlike lengths may
// have the same.
func keyOf(p netip.Prefix) uint64 {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		return ipv4 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := p.Addr().As16()
	return binary.BigEndian.Uint64(b[:8])
}

// tally is how many connections there are of each key: a hash table with linear probing. Go's maps keep the memory of the most they ever
// held, and grow under many keys that come and go; a tally has between 2 and 8 slots for each key it holds now, and at least leastSlots.
type tally struct {
	slots []tallySlot // a power of two, or none yet
	keys  int
}

// tallySlot is a key, its hash and how many connections it has; one that has none is empty.
type tallySlot struct {
	key        uint64
	hash, open uint32
}

const leastSlots = 8

// find returns the slot that holds c, or else the empty one where it belongs; -1 if there are no slots yet.
func (t *tally) find(c tallySlot) int {
	mask := len(t.slots) - 1
	if mask < 0 {
		return -1
	}
	i := int(c.hash) & mask
	for t.slots[i].open > 0 && t.slots[i].key != c.key {
		i = (i + 1) & mask
	}
	return i
}

// at is the count in a slot that find returned.
func (t *tally) at(i int) int {
	if i < 0 {
		return 0
	}
	return int(t.slots[i].open)
}

// add counts one more of c in the slot that find returned for it.
func (t *tally) add(i int, c tallySlot) {
	if t.at(i) > 0 {
		t.slots[i].open++
		return
	}
	if t.keys++; t.keys > len(t.slots)/2 {
		t.resize(max(2*len(t.slots), leastSlots))
		i = t.find(c)
	}
	t.slots[i] = tallySlot{c.key, c.hash, 1}
}

// remove counts one less of c, and reports false if there is none.
func (t *tally) remove(c tallySlot) bool {
	i := t.find(c)
	switch t.at(i) {
	case 0:
		return false
	case 1:
		t.vacate(i)
		if t.keys--; t.keys < len(t.slots)/8 && len(t.slots) > leastSlots {
			t.resize(len(t.slots) / 2)
		}
	default:
		t.slots[i].open--
	}
	return true
}

// vacate empties slot i, and moves up those after it that would not be found past a gap (Knuth, volume 3, 6.4, algorithm R).
func (t *tally) vacate(i int) {
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j].open > 0; j = (j + 1) & mask {
		if home := int(t.slots[j].hash); (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = tallySlot{}
}

func (t *tally) resize(slots int) {
	old := t.slots
	t.slots = make([]tallySlot, slots)
	for _, s := range old {
		if s.open > 0 {
			t.slots[t.find(s)] = s
		}
	}
}
