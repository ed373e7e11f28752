package contrast

import "math/bits"

// A bitset says of each row of a table whether it belongs to something.
type bitset []uint64

// words is how many words hold a bit for each of some rows.
func words(rows int) int { return (rows + 63) / 64 }

// fill sets the first n bits and clears the rest.
func (b bitset) fill(n int) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n%64 != 0 {
		b[n/64] = 1<<(n%64) - 1
	}
}

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// and keeps what is in both, in b.
func (b bitset) and(c bitset) {
	c = c[:len(b)]
	for i := range b {
		b[i] &= c[i]
	}
}

// or adds what is in c.
func (b bitset) or(c bitset) {
	c = c[:len(b)]
	for i := range b {
		b[i] |= c[i]
	}
}

// without takes out what is in c.
func (b bitset) without(c bitset) {
	c = c[:len(b)]
	for i := range b {
		b[i] &^= c[i]
	}
}

// both counts what is in b and c.
func (b bitset) both(c bitset) (n int) {
	c = c[:len(b)]
	for i := range b {
		n += bits.OnesCount64(b[i] & c[i])
	}
	return n
}

// An arena lends bitsets, and takes them all back at once.
type arena struct {
	blocks [][]uint64
	block  int // which of them is lent from
	used   int // of that one, in words
}

// arenaBlock is the size of a block, in words: half a megabyte.
const arenaBlock = 1 << 16

func (a *arena) reset() { a.block, a.used = 0, 0 }

// lend returns a bitset of n words, all clear; n is at most arenaBlock.
func (a *arena) lend(n int) bitset {
	if a.block < len(a.blocks) && a.used+n > arenaBlock {
		a.block, a.used = a.block+1, 0
	}
	if a.block == len(a.blocks) {
		a.blocks = append(a.blocks, make([]uint64, arenaBlock))
	}
	b := a.blocks[a.block][a.used : a.used+n : a.used+n]
	a.used += n
	clear(b)
	return b
}

// An arenaMark is a place to which an arena can be taken back.
type arenaMark struct{ block, used int }

func (a *arena) mark() arenaMark { return arenaMark{a.block, a.used} }

// release takes back all that was lent since the mark.
func (a *arena) release(m arenaMark) { a.block, a.used = m.block, m.used }
