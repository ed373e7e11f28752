package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// The hashed form of a set of prefixes: see bpf/table.h.
const (
	hashedLengths = 16
	hashedFilter  = 4 // where the filter begins
	hashedProbes  = 4
	bucketCells   = 4
	filterTweak   = 256
	maxExpansion  = 8 // of a set that has too many lengths
)

var errCrowded = errors.New("too many prefixes meet in a bucket")

// A prefix128 is a prefix whose IPv4 addresses are mapped.
type prefix128 struct {
	address
	bits int
}

// hashed writes a set as cells; nil is the empty set.
func hashed(prefixes []netip.Prefix, s salt) ([]byte, error) {
	byLength, err := lengths(prefixes)
	if err != nil || len(byLength) == 0 {
		return nil, err
	}
	n, networks := 0, 0
	for length, all := range byLength {
		n += len(all)
		networks += countNetworks(all, length)
	}
	for buckets := powerOfTwo(n / 2); buckets <= maxPrefixes; buckets *= 2 {
		out, err := layHashed(byLength, s, max(powerOfTwo(networks/8), 4*lineCells), buckets)
		if !errors.Is(err, errCrowded) {
			return out, err
		}
	}
	return nil, errCrowded
}

// network is what the filter has of a prefix: the network that it lies in, or itself, if it is no smaller.
func (p prefix128) network() prefix128 {
	bits := min(networkBits(p.address), p.bits)
	return prefix128{p.cut(bits), bits}
}

func (p prefix128) isNetwork() bool { return p.bits == networkBits(p.address) }

// countNetworks counts what the filter is to know: it has one entry for all prefixes of a length in a network. They are sorted.
func countNetworks(all []address, length int) (n int) {
	var last prefix128
	for _, a := range all {
		if network := (prefix128{a, length}).network(); network != last {
			n, last = n+1, network
		}
	}
	return n
}

// powerOfTwo is the smallest that is at least n, and 4.
func powerOfTwo(n int) int {
	p := 4
	for p < n {
		p *= 2
	}
	return p
}

// lengths sorts a set by length, without duplicates. If there are too many lengths, the prefixes of some become more of a longer one, as
// few as possible.
func lengths(prefixes []netip.Prefix) (map[int][]address, error) {
	byLength := make(map[int][]address)
	for _, p := range prefixes {
		n := bits128(p)
		if n == 0 {
			return nil, fmt.Errorf("%v would be everybody", p)
		}
		byLength[n] = append(byLength[n], halves(p.Addr()).cut(n))
	}
	total := 0
	for n, all := range byLength {
		byLength[n] = distinct(all)
		total += len(byLength[n])
	}
	most := max(total*maxExpansion, 1<<16)
	for len(byLength) > hashedLengths {
		if total = lengthen(byLength, total); total > min(most, maxPrefixes) {
			return nil, fmt.Errorf("a set of more than %d prefix lengths would grow too large", hashedLengths)
		}
	}
	return byLength, nil
}

func distinct(all []address) []address {
	slices.SortFunc(all, compareAddresses)
	return slices.Compact(all)
}

func compareAddresses(a, b address) int {
	switch {
	case a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo):
		return -1
	case a == b:
		return 0
	}
	return 1
}

// lengthen has the length that costs least give way to the next, and returns how many prefixes there are then.
func lengthen(byLength map[int][]address, total int) int {
	order := slices.Sorted(maps.Keys(byLength))
	best, cost := -1, 0
	for i := range len(order) - 1 {
		step := order[i+1] - order[i]
		if step > 16 {
			continue
		}
		if c := len(byLength[order[i]]) << step; best < 0 || c < cost {
			best, cost = i, c
		}
	}
	if best < 0 {
		return maxPrefixes + 1
	}
	from, to := order[best], order[best+1]
	if cost > maxPrefixes {
		return cost
	}
	grown := byLength[to]
	for _, a := range byLength[from] {
		for i := range uint64(1) << (to - from) {
			grown = append(grown, a.plus(i, to))
		}
	}
	before := len(byLength[from]) + len(byLength[to])
	delete(byLength, from)
	byLength[to] = distinct(grown)
	return total - before + len(byLength[to])
}

// plus is the address whose first bits end with i more.
func (a address) plus(i uint64, bits int) address {
	if bits <= 64 {
		return address{a.hi + i<<(64-bits), a.lo}
	}
	shift := 128 - bits
	carry := uint64(0)
	if shift > 0 && shift < 64 {
		carry = i >> (64 - shift)
	}
	return address{a.hi + carry, a.lo + i<<shift}
}

func layHashed(byLength map[int][]address, s salt, filterCells, buckets int) ([]byte, error) {
	first := bucketsFrom(filterCells)
	out := make([]byte, (first+buckets*bucketCells)*cellBytes)
	binary.LittleEndian.PutUint32(out, uint32(filterCells))
	binary.LittleEndian.PutUint32(out[4:], uint32(buckets))
	for nth, n := range slices.Sorted(maps.Keys(byLength)) {
		out[cellBytes+nth] = byte(n)
		var last prefix128
		for _, a := range byLength[n] {
			if network := (prefix128{a, n}).network(); network != last {
				addToFilter(out, s, network, filterCells, nth)
				last = network
			}
			if !addToBucket(out, s.hash(a, uint64(n)), address{a.hi ^ s.b*uint64(n), a.lo}, first, buckets) {
				return nil, errCrowded
			}
		}
	}
	return out, nil
}

// bucketsFrom is where they begin: behind the filter and its bits.
func bucketsFrom(filterCells int) int { return hashedFilter + filterCells + filterCells/4 }

func addToFilter(out []byte, s salt, network prefix128, filterCells, nth int) {
	h := s.hash(network.address, uint64(filterTweak+network.bits))
	if network.isNetwork() {
		h = s.network(network.address)
		bit := int(uint32(h) & uint32(filterCells*32-1))
		out[(hashedFilter+filterCells)*cellBytes+bit/8] |= 1 << (bit % 8)
	}
	cell := out[(hashedFilter+int(uint32(h)&uint32(filterCells-1)))*cellBytes:]
	for i, bit := range []uint64{h>>32 + uint64(5*nth), h>>48 + uint64(11*nth)} {
		word := cell[8*i:]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)|1<<(bit&63))
	}
}

func addToBucket(out []byte, h uint64, a address, firstBucket, buckets int) bool {
	bucket := uint32(h>>45 ^ h)
	for probe := range uint32(hashedProbes) {
		first := firstBucket + int((bucket+probe)&uint32(buckets-1))*bucketCells
		for i := range bucketCells {
			cell := out[(first+i)*cellBytes:]
			if binary.LittleEndian.Uint64(cell)|binary.LittleEndian.Uint64(cell[8:]) == 0 {
				binary.LittleEndian.PutUint64(cell, a.hi)
				binary.LittleEndian.PutUint64(cell[8:], a.lo)
				return true
			}
		}
	}
	return false
}

// inHashed is what bpf/table.h does, but for the filter, which only says no sooner.
func inHashed(at cells, addr netip.Addr, s salt) (bool, error) {
	head, _, err := at(0)
	if err != nil {
		return false, err
	}
	first, buckets := uint32(bucketsFrom(int(uint32(head)))), uint32(head>>32)
	a, b, err := at(1)
	if err != nil {
		return false, err
	}
	for range hashedLengths {
		n := int(a & 0xff)
		if n == 0 {
			break
		}
		a, b = a>>8|b<<56, b>>8
		cut := halves(addr).cut(n)
		found, err := inBuckets(at, s.hash(cut, uint64(n)), address{cut.hi ^ s.b*uint64(n), cut.lo}, first, buckets)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func inBuckets(at cells, h uint64, want address, firstBucket, buckets uint32) (bool, error) {
	bucket := uint32(h>>45 ^ h)
	for probe := range uint32(hashedProbes) {
		first := firstBucket + (bucket+probe)&(buckets-1)*bucketCells
		for i := range uint32(bucketCells) {
			hi, lo, err := at(first + i)
			if err != nil || hi|lo == 0 {
				return false, err
			}
			if (address{hi, lo}) == want {
				return true, nil
			}
		}
	}
	return false, nil
}
