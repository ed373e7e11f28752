package contrast

import "slices"

// choose puts into chosen the items, from that one on, that together exclude most of the baseline: one after the other the one
// that leaves the fewest hits. When none is left, each that holds for less than half of the baseline still narrows what the
// search half has no sample of.
func (f *Finder) choose(from int) {
	f.chosen = f.chosen[:0]
	left := f.lent.lend(words(f.profile.search.rows))
	left.fill(f.profile.search.rows)
	hits, strong := f.profile.search.rows, false
	var taken uint64 // features, of which a conjunction has one term each
	for len(f.chosen) < f.options.Terms {
		best, fewest := -1, 0
		for i := from; i < len(f.items); i++ {
			if taken>>f.items[i].feature&1 == 1 || best >= 0 && f.remain(hits, &f.items[i]) > fewest {
				continue
			}
			n := left.both(f.base(&f.items[i]))
			if best < 0 || n < fewest || n == fewest && f.items[i].size < f.items[best].size {
				best, fewest = i, n
			}
		}
		if best < 0 || 64*fewest >= 63*hits && 2*f.items[best].size > f.profile.search.rows {
			break
		}
		f.chosen = append(f.chosen, best)
		taken |= 1 << f.items[best].feature
		left.and(f.base(&f.items[best]))
		hits = fewest
		strong = strong || f.strong(&f.items[best])
	}
	if !strong {
		f.strengthen(from)
	}
}

// remain is the fewest of so many rows of the search half that an item can leave, without a look at which they are.
func (f *Finder) remain(rows int, it *item) int { return rows - (f.profile.search.rows - it.size) }

// strengthen adds the best item that is not weak to those chosen, which all are. It takes the place of the last if need be.
func (f *Finder) strengthen(from int) {
	best := -1
	for i := from; i < len(f.items); i++ {
		if f.strong(&f.items[i]) && (best < 0 || f.items[i].size < f.items[best].size) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	if len(f.chosen) == f.options.Terms {
		f.chosen = f.chosen[:len(f.chosen)-1]
	}
	f.chosen = append(f.chosen, best)
}

// widen drops the terms without which the conjunction covers more, and has no more hits. It reports whether there were any.
func (f *Finder) widen(covered int) bool {
	rows, base := f.lent.lend(len(f.alive)), f.lent.lend(words(f.profile.search.rows))
	wider := false
	for len(f.chosen) > 1 {
		_, hits := f.holds(rows, base, -1)
		best, most := -1, covered+covered/50
		for i := range f.chosen {
			if n, h := f.holds(rows, base, i); n > most && h <= hits && f.strongWithout(i) {
				best, most = i, n
			}
		}
		if best < 0 {
			break
		}
		f.chosen = slices.Delete(f.chosen, best, best+1)
		covered, wider = most, true
	}
	return wider
}

// strongWithout reports whether what is chosen has a strong term beside one, or has none at all.
func (f *Finder) strongWithout(but int) bool {
	some := false
	for i, t := range f.chosen {
		if f.strong(&f.items[t]) {
			if i != but {
				return true
			}
			some = true
		}
	}
	return !some
}

// holds counts the living rows and the hits of what is chosen, but for one item.
func (f *Finder) holds(rows, base bitset, but int) (n, hits int) {
	copy(rows, f.alive)
	base.fill(f.profile.search.rows)
	for i, t := range f.chosen {
		if i != but {
			rows.and(f.items[t].now)
			base.and(f.base(&f.items[t]))
		}
	}
	return rows.count(), base.count()
}
