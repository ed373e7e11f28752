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
// look for shorter prefixes. Addresses are two halves, an IPv4 address the upper half of the first. The first range begins at 0.
//
// Ranges lie in blocks of a cache line each, and a directory says at which block to begin.
type ranges[V any] struct {
	blocks []block[V]
	lower  [][perBlock]uint64 // the lower halves of where ranges begin, nil if they are zero everywhere
	directory
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
	var room [16]byte
	b, _ := addr.WithZone("").AppendBinary(room[:0]) // fails never. As16 would copy what it has just written, for which the processor waits
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:16])
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

// compare orders items as cutter enters them. A million of them are compared twenty million times: it looks at no more than it needs.
func compare(a, b item) int {
	switch {
	case a.upper != b.upper:
		return cmp.Compare(a.upper, b.upper)
	case a.lower != b.lower:
		return cmp.Compare(a.lower, b.lower)
	case a.bits != b.bits:
		return cmp.Compare(a.bits, b.bits)
	}
	return cmp.Compare(a.place, b.place)
}

// build sorts the items and cuts the addresses into ranges. Of items with the same prefix the last counts. It returns how many different
// prefixes there were. Of ranges side by side with the same value it makes one.
func build[V comparable](items []item, none V, value func(*item) V) (r ranges[V], distinct int) {
	if len(items) == 0 {
		return r, 0
	}
	slices.SortFunc(items, compare)
	c := cutter[V]{none: none, cuts: make([]edge[V], 0, 2*len(items)+1)}
	c.cut(0, 0, none)
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
	starts := make([]uint64, len(r.blocks))
	for i := range len(r.blocks) * perBlock {
		at, b, place := c.cuts[min(i, len(c.cuts)-1)], i/perBlock, i%perBlock
		r.blocks[b].upper[place], r.blocks[b].value[place] = at.upper, at.value
		if c.long {
			r.lower[b][place] = at.lower
		}
	}
	for i := range starts {
		starts[i] = r.blocks[i].upper[0]
	}
	r.directory = newDirectory(starts)
	return r
}

// find returns the value of the range that an address is in, or none if there are no ranges.
func (r *ranges[V]) find(addr netip.Addr, none V) V {
	if len(r.blocks) == 0 {
		return none
	}
	upper, lower := halves(addr)
	i := r.search(r.begin(upper), upper, lower)
	return r.blocks[i].value[r.within(i, upper, lower)]
}

// search is the last block that does not begin behind an address: at, or one behind it. The steps double, as most are few.
func (r *ranges[V]) search(at int, upper, lower uint64) int {
	to := at + 1
	for step := 1; to < len(r.starts) && r.begun(to, upper, lower); step *= 2 {
		at, to = to, to+step
	}
	for to = min(to, len(r.starts)); at+1 < to; {
		if middle := int(uint(at+to) >> 1); r.begun(middle, upper, lower) {
			at = middle
		} else {
			to = middle
		}
	}
	return at
}

// begun tells that a block does not begin behind an address.
func (r *ranges[V]) begun(i int, upper, lower uint64) bool {
	first := r.starts[i]
	return first < upper || first == upper && (r.lower == nil || r.lower[i][0] <= lower)
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
