package replay

import (
	"hash/maphash"
	"math"
	"slices"
)

// distinctKept is how many hashes a distinct keeps: 32 KiB.
const distinctKept = 4096

// distinct counts different keys: exactly up to distinctKept, and beyond by its smallest hashes, of which the last tells how densely they lie
// (k minimum values; its standard error is 1/√k, 1.6%).
type distinct struct {
	seed   maphash.Seed
	fresh  map[uint64]struct{} // smaller than limit, and at most twice distinctKept
	limit  uint64              // the largest of the smallest, once there were more
	beyond bool
}

func newDistinct(seed maphash.Seed) *distinct {
	return &distinct{seed: seed, fresh: make(map[uint64]struct{}), limit: math.MaxUint64}
}

func (d *distinct) add(key string) {
	h := maphash.String(d.seed, key)
	if h > d.limit {
		return
	}
	d.fresh[h] = struct{}{}
	if len(d.fresh) >= 2*distinctKept {
		d.shrink()
	}
}

// shrink keeps the smallest.
func (d *distinct) shrink() {
	all := make([]uint64, 0, len(d.fresh))
	for h := range d.fresh {
		all = append(all, h)
	}
	slices.Sort(all)
	for _, h := range all[distinctKept:] {
		delete(d.fresh, h)
	}
	d.limit, d.beyond = all[distinctKept-1], true
}

// count is how many different keys there were.
func (d *distinct) count() int {
	if len(d.fresh) > distinctKept {
		d.shrink()
	}
	if !d.beyond {
		return len(d.fresh)
	}
	return int(float64(distinctKept-1) / (float64(d.limit) / math.MaxUint64))
}
