package xdp

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
)

// The flat form of a set of IPv4 prefixes: see bpf/table.h.
const (
	cellBytes   = 16
	lineCells   = 4 // of a map's value
	flatPairs   = 1 << 15
	flatCounts  = flatPairs + 1<<18
	flatBitmaps = flatCounts + 1<<16
	maxPrefixes = 1 << 24
)

// flatten writes a set of IPv4 prefixes as cells; nil is the empty set.
func flatten(prefixes []netip.Prefix) ([]byte, error) {
	var whole [1 << 18]uint64 // the /24s that are denied as a whole
	var longer []uint64       // address<<8 | length
	any4 := false
	for _, p := range prefixes {
		if !p.Addr().Is4() {
			continue
		}
		any4 = true
		a := uint32(halves(p.Addr()).lo)
		if p.Bits() > 24 {
			longer = append(longer, uint64(a)<<8|uint64(p.Bits()))
		} else {
			setRange(whole[:], a>>8&(^uint32(0)<<(24-p.Bits())), 1<<(24-p.Bits()))
		}
	}
	if !any4 {
		return nil, nil
	}
	if len(longer) > maxPrefixes {
		return nil, fmt.Errorf("%d prefixes longer than /24 are more than %d", len(longer), maxPrefixes)
	}
	slices.Sort(longer)
	return layFlat(&whole, longer), nil
}

// setRange sets n bits from first on; n is a power of two, and first a multiple of it.
func setRange(words []uint64, first, n uint32) {
	if n < 64 {
		words[first/64] |= (1<<n - 1) << (first % 64)
		return
	}
	for i := first / 64; i < (first+n)/64; i++ {
		words[i] = ^uint64(0)
	}
}

// layFlat: longer is sorted.
func layFlat(whole *[1 << 18]uint64, longer []uint64) []byte {
	parts := make([]uint64, 1<<18)
	bitmaps := make([][4]uint64, 0, len(longer))
	last := ^uint32(0)
	for _, l := range longer {
		a, length := uint32(l>>8), int(l&0xff)
		group := a >> 8
		if whole[group/64]>>(group%64)&1 != 0 {
			continue
		}
		if group != last {
			bitmaps = append(bitmaps, [4]uint64{})
			parts[group/64] |= 1 << (group % 64)
			last = group
		}
		size := uint32(1) << (32 - length)
		setRange(bitmaps[len(bitmaps)-1][:], a&0xff&-size, size)
	}
	return encodeFlat(whole, parts, bitmaps)
}

func encodeFlat(whole *[1 << 18]uint64, parts []uint64, bitmaps [][4]uint64) []byte {
	out := make([]byte, (flatBitmaps+2*(len(bitmaps)+len(bitmaps)&1))*cellBytes)
	before := uint32(0)
	for i, w := range whole {
		pair := out[(flatPairs+i)*cellBytes:]
		binary.LittleEndian.PutUint64(pair, w)
		binary.LittleEndian.PutUint64(pair[8:], parts[i])
		binary.LittleEndian.PutUint16(out[i*2:], anyOfFour(w|parts[i]))
		binary.LittleEndian.PutUint32(out[flatCounts*cellBytes+i*4:], before)
		before += uint32(bits.OnesCount64(parts[i]))
	}
	for i, b := range bitmaps {
		for j, w := range b {
			binary.LittleEndian.PutUint64(out[(flatBitmaps+2*i)*cellBytes+j*8:], w)
		}
	}
	return out
}

// anyOfFour has a bit for each /22 in which a /24 is set.
func anyOfFour(w uint64) (bits uint16) {
	for i := range 16 {
		if w>>(4*i)&15 != 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// A cells reads a table: that of the kernel, or one that is being checked.
type cells func(index uint32) (a, b uint64, err error)

// inFlat is what bpf/table.h does.
func inFlat(at cells, addr netip.Addr) (bool, error) {
	ip := uint32(halves(addr).lo)
	group := ip >> 14
	bit := uint64(1) << (ip >> 8 & 63)
	if any22, err := bitAt(at, 0, ip>>10); err != nil || !any22 {
		return false, err
	}
	whole, parts, err := at(flatPairs + group)
	if err != nil || whole&bit != 0 || parts&bit == 0 {
		return whole&bit != 0, err
	}
	low, high, err := at(flatCounts + group>>2)
	if err != nil {
		return false, err
	}
	if group&2 != 0 {
		low = high
	}
	before := uint32(low >> (32 * (group & 1)))
	index := before + uint32(bits.OnesCount64(parts&(bit-1)))
	return bitAt(at, flatBitmaps+index*2, ip&255)
}

// bitAt is the bit of a number in cells from the first on.
func bitAt(at cells, first, n uint32) (bool, error) {
	low, high, err := at(first + n>>7)
	if n&64 != 0 {
		low = high
	}
	return low>>(n&63)&1 != 0, err
}
