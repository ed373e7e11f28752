package contrast

import (
	"math"
	"slices"
)

// An item is a term that conjunctions are made of, and the rows for which it holds.
type item struct {
	feature int
	in      []Span
	now     bitset // of the window
	base    bitset // of the search half; nil until somebody asks
	rows    int    // of the window, those that are alive
	size    int    // rows of the search half
}

// A run is a value and how many rows of the window that are alive have it.
type run struct {
	value uint32
	rows  int32
}

const (
	values = 6 // that a feature proposes one by one, a list and a range apart
	part   = 4 // of the rows that an item needs, which a value in a list needs
)

// add makes an item of spans, which are the last n of f.spans.
func (f *Finder) add(feature, n int) *item {
	in := f.spans[len(f.spans)-n : len(f.spans) : len(f.spans)]
	it := item{feature: feature, in: in, now: f.lent.lend(len(f.alive)), size: f.profile.search.columns[feature].size(in)}
	f.now.columns[feature].mark(in, it.now)
	it.rows = it.now.both(f.alive)
	f.items = append(f.items, it)
	return &f.items[len(f.items)-1]
}

// base returns the rows of the search half for which an item holds.
func (f *Finder) base(it *item) bitset {
	if it.base == nil {
		it.base = f.lent.lend(words(f.profile.search.rows))
		f.profile.search.columns[it.feature].mark(it.in, it.base)
	}
	return it.base
}

// A scope is what proposals compare: rows of the window with those of the baseline.
type scope struct {
	rows   bitset // of now
	living int    // how many
	base   *table // the search half, or a part of it
}

// share is the part of the rows of the baseline that spans match.
func (s *scope) share(feature int, in Span) float64 {
	from, to := s.base.columns[feature].run(in)
	return float64(to-from) / float64(max(s.base.rows, 1))
}

// propose makes items of what the window has more of than the baseline: single values, lists of them, and ranges.
func (f *Finder) propose(s scope) {
	f.scope = s
	for feature := range f.schema {
		f.count(feature, s.rows, s.living == f.now.rows)
		f.proposeValues(feature)
		if f.schema[feature].List > 1 {
			f.proposeList(feature)
		}
		if f.schema[feature].Widest > 0 {
			f.proposeRange(feature)
		}
	}
}

// count writes into runs the values that some rows have, in order.
func (f *Finder) count(feature int, rows bitset, all bool) {
	c := &f.now.columns[feature]
	f.runs = slices.Grow(f.runs[:0], len(c.distinct))[:len(c.distinct)]
	used := 0
	for i, value := range c.distinct {
		n := c.starts[i+1] - c.starts[i]
		if !all {
			n = 0
			for _, row := range c.order[c.starts[i]:c.starts[i+1]] {
				n += int32(rows[row/64] >> (row % 64) & 1)
			}
		}
		f.runs[used] = run{value, n}
		used += int(uint32(-n) >> 31) // 1 unless n is 0: which values are there is beyond what a processor predicts
	}
	f.runs = f.runs[:used]
}

// surplus is by how much the share of the window exceeds that of the baseline.
func (f *Finder) surplus(feature int, r run) float64 {
	return float64(r.rows)/float64(f.scope.living) - f.scope.share(feature, Span{r.value, r.value})
}

// A ranked value is one of the best of its feature.
type ranked struct {
	value   uint32
	rows    int32
	surplus float64
}

// rank puts r among the best, of which there is room for most.
func rank(best []ranked, most int, r ranked) []ranked {
	if len(best) < most {
		best = append(best, r)
	} else if best[most-1].surplus < r.surplus {
		best[most-1] = r
	} else {
		return best
	}
	for i := len(best) - 1; i > 0 && best[i].surplus > best[i-1].surplus; i-- {
		best[i], best[i-1] = best[i-1], best[i]
	}
	return best
}

func (f *Finder) proposeValues(feature int) {
	var room [values]ranked
	best := room[:0]
	for _, r := range f.runs {
		if int(r.rows) < f.least {
			continue
		}
		if s := f.surplus(feature, r); s > 0 {
			best = rank(best, values, ranked{r.value, r.rows, s})
		}
	}
	for _, r := range best {
		f.spans = append(f.spans, Span{r.value, r.value})
		f.add(feature, 1)
	}
}

// proposeList proposes the values together that have at least doubled their share. Those may be rarer than one alone has to be,
// but a list that leaves out most of them is chance.
func (f *Finder) proposeList(feature int) {
	var room [maxList]ranked
	best, most := room[:0], f.schema[feature].List
	all, listed := 0, 0
	for _, r := range f.runs {
		if int(r.rows) < max(f.least/part, 2) {
			continue
		}
		if s := f.surplus(feature, r); f.doubled(r.rows, s) {
			best = rank(best, most, ranked{r.value, r.rows, s})
			all += int(r.rows)
		}
	}
	for _, r := range best {
		listed += int(r.rows)
	}
	if len(best) < 2 || listed < f.least || listed < all/2 {
		return
	}
	from := len(f.spans)
	for _, r := range best {
		f.spans = append(f.spans, Span{r.value, r.value})
	}
	f.spans = f.spans[:from+join(f.spans[from:], f.schema[feature].Widest)]
	f.add(feature, len(f.spans)-from)
}

// doubled reports whether a value has at least twice the rows that its share of the baseline lets expect, and more than chance
// would have (four standard deviations, since there are many values).
func (f *Finder) doubled(rows int32, surplus float64) bool {
	more := surplus * float64(f.scope.living)
	return 2*more >= float64(rows) && more >= 4*math.Sqrt(float64(rows)-more+1)
}

// A group is neighbouring values that have some rows together, so that a range is sought among a bounded number of them.
type group struct {
	lo, hi uint32
	rows   [2]float64 // share of the window below lo, and up to hi
	base   [2]float64 // share of the baseline likewise
}

// groups is how many of them would have rows alike. There may be twice as many.
const groups = 64

// pure is how much worse baseline is than window is good, for a range that is to have next to none of it.
const pure = 64

// proposeRange proposes two ranges that are not too wide: the one with the largest surplus (the discrepancy of Kuiper's test,
// within a sliding window), and the one with the most of the window that has hardly any of the baseline.
func (f *Finder) proposeRange(feature int) {
	widest := f.schema[feature].Widest
	f.group(feature, widest)
	var last Span
	for _, penalty := range []float64{1, pure} {
		best := f.bestRange(penalty, widest)
		if best.Lo == best.Hi || best == last {
			continue
		}
		last = best
		f.spans = append(f.spans, best)
		if it := f.add(feature, 1); it.rows < f.least {
			f.items = f.items[:len(f.items)-1]
		}
	}
}

// bestRange returns the range that has most of the window, less what it has of the baseline times a penalty. It is one value
// if there is none.
func (f *Finder) bestRange(penalty float64, widest uint32) (best Span) {
	f.queue = f.queue[:0] // where a range may begin, the best first
	head, most := 0, 0.0
	for j, g := range f.groups {
		start := g.rows[0] - penalty*g.base[0]
		for len(f.queue) > head && f.queue[len(f.queue)-1].score >= start {
			f.queue = f.queue[:len(f.queue)-1]
		}
		f.queue = append(f.queue, beginning{j, start})
		for g.hi-f.groups[f.queue[head].group].lo > widest {
			head++
		}
		if gain := g.rows[1] - penalty*g.base[1] - f.queue[head].score; gain > most {
			most, best = gain, Span{f.groups[f.queue[head].group].lo, g.hi}
		}
	}
	return best
}

// A beginning is where a range may begin.
type beginning struct {
	group int
	score float64 // of all below
}

// group divides the values of runs, leaving out groups that are too wide for a range.
func (f *Finder) group(feature int, widest uint32) {
	f.groups = f.groups[:0]
	each := max(f.scope.living/groups, 1)
	var passed, rows int32
	from := 0
	for i, r := range f.runs {
		rows += r.rows
		if int(rows) < each && i < len(f.runs)-1 && int(f.runs[i+1].rows) < each {
			continue
		}
		if lo := f.runs[from].value; r.value-lo <= widest {
			g := group{lo: lo, hi: r.value}
			g.rows = [2]float64{float64(passed) / float64(f.scope.living), float64(passed+rows) / float64(f.scope.living)}
			g.base[1] = f.scope.share(feature, Span{0, r.value})
			if lo > 0 {
				g.base[0] = f.scope.share(feature, Span{0, lo - 1})
			}
			f.groups = append(f.groups, g)
		}
		passed, rows, from = passed+rows, 0, i+1
	}
}
