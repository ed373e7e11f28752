package contrast

import (
	"math"
	"math/bits"
	"slices"
)

// Bounds of the refinement.
const (
	rounds  = 3  // of terms that are dropped, and sought again for what that lets in
	hardly  = 64 // one in as many rows of a cluster may be lost to a term
	tries   = 4  // of dividing a cluster
	telling = 24 // bits that are specific enough
	gain    = 6  // bits that a part of a cluster has to have more than the whole
)

// refine chooses items that say what a cluster of rows has in common: the closure of what was found, of which those terms are
// chosen that exclude the most of the baseline. That is as narrow as the cluster allows, where a search that stops at the first
// conjunction that is good enough ends with the widest. A cluster that has little in common is divided, since it may be two
// attacks in one. In the end it drops terms that only kept out more of the same excess.
func (f *Finder) refine(n *node) {
	cluster, path := n.now, n.path[:n.length]
	f.tries = tries
	for round := range rounds {
		rows := f.close(cluster, path)
		for f.specific() < telling && f.divide(cluster, path) {
			rows = cluster.count()
		}
		if round == rounds-1 || !f.widen(rows) {
			break
		}
		f.matching(cluster)
		path = nil
	}
	f.reach()
}

// close chooses from the closure of a cluster, and returns how many rows that has. The items of the path by which it was found
// are of the closure, too, where its rows have too many values to say that otherwise.
func (f *Finder) close(cluster bitset, path []int32) int {
	f.closure = len(f.items)
	rows := cluster.count()
	var enclosed uint64
	for feature := range f.schema {
		if n := f.enclose(feature, cluster, rows); n > 0 {
			f.add(feature, n)
			enclosed |= 1 << feature
		}
	}
	for _, i := range path {
		if enclosed>>f.items[i].feature&1 == 0 {
			f.items = append(f.items, f.items[i])
		}
	}
	f.choose(f.closure)
	return rows
}

// specific is how unlikely the baseline is to have all that is chosen, if its terms are independent, in bits.
func (f *Finder) specific() (sum float64) {
	for _, t := range f.chosen {
		sum += math.Log2(float64(f.profile.search.rows+1) / float64(f.items[t].size+1))
	}
	return sum
}

// divide reduces a cluster to the rows that have the commonest value of a feature, if much more can be said of those: the others
// may be another attack, or ordinary traffic that came along. It tries the features with the commonest values first.
func (f *Finder) divide(cluster bitset, path []int32) bool {
	before, closure, end, spans := f.specific(), f.closure, len(f.items), len(f.spans)
	for _, c := range f.commonest(cluster) {
		if f.tries == 0 {
			break
		}
		f.tries--
		mark := f.lent.mark()
		part := f.lent.lend(len(cluster))
		f.now.columns[c.feature].mark([]Span{{c.value, c.value}}, part)
		part.and(cluster)
		f.kept, f.chosen = f.chosen, f.kept
		f.close(part, path)
		if f.specific() >= before+gain {
			copy(cluster, part)
			return true
		}
		f.kept, f.chosen, f.closure = f.chosen, f.kept, closure
		f.items, f.spans = f.items[:end], f.spans[:spans]
		f.lent.release(mark)
	}
	return false
}

// A division is a value that a part of a cluster has.
type division struct {
	feature int
	value   uint32
	rows    int32
}

// commonest returns each feature's commonest value in a cluster, the commonest first, where that is worth a conjunction of its own
// and not the whole.
func (f *Finder) commonest(cluster bitset) []division {
	f.divisions = f.divisions[:0]
	rows := cluster.count()
	for feature := range f.schema {
		f.count(feature, cluster, false)
		d := division{feature: feature}
		for _, r := range f.runs {
			if r.rows > d.rows {
				d.value, d.rows = r.value, r.rows
			}
		}
		if int(d.rows) >= f.least && int(d.rows) < rows-rows/hardly {
			f.divisions = append(f.divisions, d)
		}
	}
	slices.SortStableFunc(f.divisions, func(a, b division) int { return int(b.rows - a.rows) })
	return f.divisions
}

// single reports whether an item is made of single values.
func (it *item) single() bool {
	return !slices.ContainsFunc(it.in, func(s Span) bool { return s.Lo != s.Hi })
}

// matching sets the bits of the living rows for which all that is chosen holds.
func (f *Finder) matching(b bitset) {
	copy(b, f.alive)
	for _, t := range f.chosen {
		b.and(f.items[t].now)
	}
}

// enclose appends to f.spans what encloses the cluster's values of a feature, and returns how many spans that takes: the
// commonest values if few are enough, else ranges if the feature has them. It returns 0 if the values differ too much.
func (f *Finder) enclose(feature int, cluster bitset, rows int) int {
	f.count(feature, cluster, rows == f.now.rows)
	s := f.schema[feature]
	present := 0
	for _, r := range f.runs {
		present += int(r.rows)
	}
	lose := rows/hardly - (rows - present)
	if lose < 0 || present == 0 {
		return 0
	}
	from := len(f.spans)
	if f.encloseValues(max(s.List, 1), present-lose) || s.Widest > 0 && f.encloseRanges(feature, present, lose) {
		n := join(f.spans[from:], s.Widest)
		f.spans = f.spans[:from+n]
		return n
	}
	f.spans = f.spans[:from]
	return 0
}

// encloseValues appends the commonest of the runs, most of them at most, if they have that many rows.
func (f *Finder) encloseValues(most, rows int) bool {
	var room [maxList]ranked
	best := room[:0]
	for _, r := range f.runs {
		if int(r.rows) > max(rows/hardly, 2) { // a few strays are no value of the cluster
			best = rank(best, most, ranked{r.value, r.rows, float64(r.rows)})
		}
	}
	for _, r := range best {
		f.spans = append(f.spans, Span{r.value, r.value})
		if rows -= int(r.rows); rows <= 0 {
			return true
		}
	}
	f.spans = f.spans[:len(f.spans)-len(best)]
	return false
}

// encloseRanges appends ranges of the runs that lose at most as many rows at the ends. Gaps part them that are wider than
// chance would have them, or wider still if that makes too many.
func (f *Finder) encloseRanges(feature, rows, lose int) bool {
	s := &f.schema[feature]
	in := trim(f.runs, lose)
	lo, hi := in[0].value, in[len(in)-1].value
	from := len(f.spans)
	for gap := gapOf(hi-lo, len(in)); ; gap *= 2 {
		f.spans = append(f.spans[:from], Span{lo, lo})
		for _, r := range in {
			last := &f.spans[len(f.spans)-1]
			if uint64(r.value-last.Hi) > gap {
				f.spans = append(f.spans, Span{r.value, r.value})
				continue
			}
			last.Hi = r.value
			if last.Hi-last.Lo > s.Widest {
				return false
			}
		}
		if len(f.spans)-from <= max(s.List, 1) {
			break
		}
	}
	f.stretch(feature, f.spans[from:], uint32(min(uint64(hi-lo)*4/uint64(rows), Absent)))
	return true
}

// gapOf is how far apart neighbours of so many values may be that are evenly spread over a width.
func gapOf(width uint32, values int) uint64 { return max(uint64(width)/uint64(values)*16, 4) }

// stretch moves both ends of spans outward, where that leaves no span too wide: values that are evenly spread reach further
// than those of so few rows. It stays within what was ever seen.
func (f *Finder) stretch(feature int, in []Span, by uint32) {
	first, last, widest := &in[0], &in[len(in)-1], f.schema[feature].Widest
	least, most := first.Lo, last.Hi
	for _, c := range []*column{&f.now.columns[feature], &f.profile.search.columns[feature]} {
		if n := len(c.distinct); n > 0 {
			least, most = min(least, c.distinct[0]), max(most, c.distinct[n-1])
		}
	}
	first.Lo -= min(by, first.Lo-least, widest-(first.Hi-first.Lo))
	last.Hi += min(by, most-last.Hi, widest-(last.Hi-last.Lo))
}

// trim takes away runs at the ends that are far from the others, and have at most lose rows together.
func trim(runs []run, lose int) []run {
	for len(runs) > 1 {
		last := len(runs) - 1
		far := (runs[last].value - runs[0].value) / 16
		switch {
		case int(runs[0].rows) <= lose && runs[1].value-runs[0].value > far:
			lose -= int(runs[0].rows)
			runs = runs[1:]
		case int(runs[last].rows) <= lose && runs[last].value-runs[last-1].value > far:
			lose -= int(runs[last].rows)
			runs = runs[:last]
		default:
			return runs
		}
	}
	return runs
}

// join sorts spans, makes one of those that touch unless that is too wide, and returns how many are left.
func join(spans []Span, widest uint32) int {
	slices.SortFunc(spans, func(a, b Span) int {
		if a.Lo < b.Lo {
			return -1
		}
		return 1
	})
	n := 0
	for _, s := range spans {
		if n > 0 && spans[n-1].Hi+1 == s.Lo && s.Hi-spans[n-1].Lo <= widest {
			spans[n-1].Hi = s.Hi
			continue
		}
		spans[n] = s
		n++
	}
	return n
}

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
			if taken>>f.items[i].feature&1 == 1 {
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

// reach moves the outer ends of ranges to where the window's rows for which all else holds end, or the baseline's begin: the
// cluster may have been the middle of a range.
func (f *Finder) reach() {
	rows, base := f.lent.lend(len(f.alive)), f.lent.lend(words(f.profile.search.rows))
	for i, t := range f.chosen {
		it := f.items[t]
		if it.single() {
			continue
		}
		f.holds(rows, base, i)
		if f.count(it.feature, rows, false); len(f.runs) == 0 {
			continue
		}
		lo, hi := f.clear(&it, base)
		first, last := it.in[0], it.in[len(it.in)-1]
		gap := gapOf(last.Hi-first.Lo, len(f.runs))
		widest := f.schema[it.feature].Widest
		for _, r := range slices.Backward(f.runs) {
			if v := r.value; v < first.Lo && v >= lo && uint64(first.Lo-v) <= gap && first.Hi-v <= widest {
				first.Lo = v
			}
		}
		if len(it.in) == 1 {
			last.Lo = first.Lo
		}
		for _, r := range f.runs {
			if v := r.value; v > last.Hi && v <= hi && uint64(v-last.Hi) <= gap && v-last.Lo <= widest {
				last.Hi = v
			}
		}
		if first.Lo < it.in[0].Lo || last.Hi > it.in[len(it.in)-1].Hi {
			from := len(f.spans)
			f.spans = append(f.spans, it.in...)
			f.spans[from].Lo, f.spans[len(f.spans)-1].Hi = first.Lo, last.Hi
			f.add(it.feature, len(it.in))
			f.chosen[i] = len(f.items) - 1
		}
	}
}

// clear returns the bounds between which an item's outermost ends may move without a row of the baseline between.
func (f *Finder) clear(it *item, base bitset) (lo, hi uint32) {
	hi = Absent - 1
	values := f.profile.search.columns[it.feature].values
	for i, word := range base {
		for ; word != 0; word &= word - 1 {
			switch v := values[i*64+bits.TrailingZeros64(word)]; {
			case v < it.in[0].Lo:
				lo = max(lo, v+1)
			case v != Absent && v > it.in[len(it.in)-1].Hi:
				hi = min(hi, v-1)
			}
		}
	}
	return lo, hi
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
