package prefixes

import "math/bits"

// directory says where among sorted blocks an address is to be looked for. It is a tree: a node divides what it spans evenly, into a slot for
// every few blocks, and a slot in which many blocks begin has a node of its own. So addresses may lie evenly, or in heaps, as IPv6's do, which
// registries hand out from a few places: a lookup reads a slot of one node or two.
type directory struct {
	starts []uint64 // of the blocks: who looks for one touches no other
	nodes  []node   // the first is the root
	slots  []uint32
}

// node spans the blocks that begin in one slot of another; the root, all but the first.
type node struct {
	base  uint64 // where its first block begins
	slots uint32 // where its slots are
	last  uint32 // which is the last of them
	shift uint8
}

const (
	slotBlocks = 4       // blocks that share a slot
	crowd      = 16      // blocks that begin in one slot without a node of its own
	maxDepth   = 4       // nodes that a lookup reads, and so bounds memory; what is crowded yet is searched
	isNode     = 1 << 31 // marks a slot that has a node: the rest says which. Otherwise it is the last block that begins before the slot
)

// newDirectory makes the directory of blocks, given where each begins.
func newDirectory(starts []uint64) directory {
	d := directory{starts: starts}
	if len(starts) > crowd {
		d.add(1, len(starts), 1)
	}
	return d
}

// add makes a node of blocks.
func (d *directory) add(from, to, depth int) {
	base := d.starts[from]
	width := d.starts[to-1] - base
	shift := max(bits.Len64(width)-bits.Len(uint(to-from)/slotBlocks), 0)
	n := node{base: base, slots: uint32(len(d.slots)), last: uint32(width >> shift), shift: uint8(shift)}
	d.nodes = append(d.nodes, n)
	d.slots = append(d.slots, make([]uint32, n.last+1)...)
	for i := range n.last + 1 {
		first := from
		for from < to && (d.starts[from]-base)>>shift == uint64(i) {
			from++
		}
		d.slots[n.slots+i] = uint32(first - 1)
		if from-first > crowd && shift > 0 && depth < maxDepth {
			d.slots[n.slots+i] = isNode | uint32(len(d.nodes))
			d.add(first, from, depth+1)
		}
	}
}

// begin returns a block that begins before an address, few before the last that does.
func (d *directory) begin(upper uint64) int {
	if len(d.nodes) == 0 {
		return 0
	}
	for at := uint32(isNode); ; {
		n := &d.nodes[at&^isNode]
		var slot uint64
		if upper > n.base {
			slot = min((upper-n.base)>>n.shift, uint64(n.last))
		}
		if at = d.slots[uint64(n.slots)+slot]; at&isNode == 0 {
			return int(at)
		}
	}
}
