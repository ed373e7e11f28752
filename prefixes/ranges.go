package prefixes

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// ranges cut the addresses of one family where the most specific prefix changes, so that a lookup finds one place and needs no second
// look for shorter prefixes. Addresses are two halves, an IPv4 address the upper half of the first.
//
// Ranges lie in blocks of a cache line each. An index by the first bits narrows a lookup down to the blocks that begin with the same, one
// or two if the ranges lie evenly; among them it is a binary search. Where all lie together, that takes 19 steps for two million ranges.
type ranges[V any] struct {
	blocks []block[V]
	lower  [][perBlock]uint64 // the lower halves of where ranges begin, nil if they are zero everywhere

	starts []uint64 // of the blocks: who looks for one touches no other
	index  []uint32 // of the first block that begins at base + i<<shift or behind it; the last is of none
	base   uint64
	shift  uint8
}

// perBlock fills a line of 64 bytes if a value takes one.
const perBlock = 7

// block is ranges one behind the other. What of the last block is left over repeats its last range.
type block[V any] struct {
	upper [perBlock]uint64 // where each range begins
	value [perBlock]V
}

// item is a prefix on its way into ranges; place is where in the list it was.
type item struct {
	upper, lower uint64
	place        uint32
	bits         uint8
}

// halves is an address as ranges have it.
func halves(addr netip.Addr) (upper, lower uint64) {
	if addr.Is4() {
		b := addr.As4()
		return uint64(binary.BigEndian.Uint32(b[:])) << 32, 0
	}
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// last is the last address of an item's prefix.
func (i *item) last() (upper, lower uint64) {
	if i.bits < 64 {
		return i.upper | math.MaxUint64>>i.bits, math.MaxUint64
	}
	return i.upper, i.lower | math.MaxUint64>>(i.bits-64)
}

// before orders two addresses.
func before(upper, lower, thanUpper, thanLower uint64) bool {
	return upper < thanUpper || upper == thanUpper && lower < thanLower
}

func compare(a, b item) int {
	return cmp.Or(cmp.Compare(a.upper, b.upper), cmp.Compare(a.lower, b.lower), cmp.Compare(a.bits, b.bits), cmp.Compare(a.place, b.place))
}

// build sorts the items and cuts the addresses into ranges. Of items with the same prefix the last counts. It returns how many different
// prefixes there were. Of ranges side by side with the same value it makes one.
func build[V comparable](items []item, none V, value func(*item) V) (r ranges[V], distinct int) {
	slices.SortFunc(items, compare)
	c := cutter[V]{none: none}
	for i := range items {
		at := &items[i]
		if i+1 < len(items) && items[i+1].upper == at.upper && items[i+1].lower == at.lower && items[i+1].bits == at.bits {
			continue
		}
		distinct++
		c.enter(at, value(at))
	}
	for len(c.within) > 0 {
		c.leave()
	}
	return c.ranges(), distinct
}

// cutter goes through addresses from the first to the last.
type cutter[V comparable] struct {
	cuts   []edge[V]
	within []around[V] // the prefixes around the present address, the most specific last
	none   V
	long   bool // a range begins within a /64
}

// edge is where a range begins.
type edge[V any] struct {
	upper, lower uint64
	value        V
}

// around is a prefix that has been entered.
type around[V any] struct {
	*item
	value V
}

func (c *cutter[V]) enter(i *item, value V) {
	for len(c.within) > 0 {
		if upper, lower := c.within[len(c.within)-1].last(); !before(upper, lower, i.upper, i.lower) {
			break
		}
		c.leave()
	}
	c.within = append(c.within, around[V]{i, value})
	c.cut(i.upper, i.lower, value)
}

// leave goes behind the end of the most specific prefix, where the one around it has its say again.
func (c *cutter[V]) leave() {
	upper, lower := c.within[len(c.within)-1].last()
	c.within = c.within[:len(c.within)-1]
	value := c.none
	if len(c.within) > 0 {
		value = c.within[len(c.within)-1].value
	}
	if lower++; lower == 0 {
		if upper++; upper == 0 {
			return // there is nothing behind the last address
		}
	}
	c.cut(upper, lower, value)
}

// cut begins a range, in place of one that would begin and end here.
func (c *cutter[V]) cut(upper, lower uint64, value V) {
	if n := len(c.cuts) - 1; n >= 0 && c.cuts[n].upper == upper && c.cuts[n].lower == lower {
		c.cuts = c.cuts[:n]
	}
	if n := len(c.cuts) - 1; n >= 0 && c.cuts[n].value == value {
		return
	}
	c.cuts = append(c.cuts, edge[V]{upper, lower, value})
	c.long = c.long || lower != 0
}

// ranges is what was cut, in blocks.
func (c *cutter[V]) ranges() (r ranges[V]) {
	r.blocks = make([]block[V], (len(c.cuts)+perBlock-1)/perBlock)
	if c.long {
		r.lower = make([][perBlock]uint64, len(r.blocks))
	}
	for i := range len(r.blocks) * perBlock {
		at, b, n := c.cuts[min(i, len(c.cuts)-1)], i/perBlock, i%perBlock
		r.blocks[b].upper[n], r.blocks[b].value[n] = at.upper, at.value
		if c.long {
			r.lower[b][n] = at.lower
		}
	}
	r.makeIndex()
	return r
}

// minIndexed is how many blocks want an index: fewer are searched as quickly without.
const minIndexed = 16

// slotBlocks is how many blocks share an entry of the index, which so lies in the processor's second cache.
const slotBlocks = 4

func (r *ranges[V]) makeIndex() {
	n := len(r.blocks)
	r.starts = make([]uint64, n)
	for i := range r.blocks {
		r.starts[i] = r.blocks[i].upper[0]
	}
	if n < minIndexed {
		return
	}
	r.base = r.starts[0]
	width := r.starts[n-1] - r.base
	r.shift = uint8(max(bits.Len64(width)-bits.Len(uint(n)/slotBlocks), 0))
	r.index = make([]uint32, width>>r.shift+2)
	at := 0
	for i := range r.index {
		for at < n && (r.starts[at]-r.base)>>r.shift < uint64(i) {
			at++
		}
		r.index[i] = uint32(at)
	}
}

// find returns the value of the range that an address is in, or none if it lies before all ranges.
func (r *ranges[V]) find(addr netip.Addr, none V) V {
	upper, lower := halves(addr)
	from, to := 0, len(r.blocks)
	if r.index != nil {
		if upper < r.base {
			return none
		}
		if i := (upper - r.base) >> r.shift; i < uint64(len(r.index)-1) {
			from, to = int(r.index[i]), int(r.index[i+1])
		} else {
			from = to
		}
	}
	for from < to { // until from is the first block that begins behind the address
		middle := int(uint(from+to) >> 1)
		if first := r.starts[middle]; first > upper || first == upper && r.lower != nil && r.lower[middle][0] > lower {
			to = middle
		} else {
			from = middle + 1
		}
	}
	if from == 0 {
		return none
	}
	return r.blocks[from-1].value[r.within(from-1, upper, lower)]
}

// within is the last range of a block that does not begin behind an address. The block's first does not.
func (r *ranges[V]) within(i int, upper, lower uint64) int {
	b, n := &r.blocks[i], 0
	for at := 1; at < perBlock; at++ { // by arithmetic: a branch would be guessed wrong every other time
		_, behind := bits.Sub64(upper, b.upper[at], 0)
		n += int(1 - behind)
	}
	if r.lower != nil {
		for n > 0 && b.upper[n] == upper && r.lower[i][n] > lower {
			n--
		}
	}
	return n
}
