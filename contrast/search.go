package contrast

import (
	"math"
	"math/bits"
)

// Bounds of the search.
const (
	maxTerms  = 16
	beamWidth = 4
	nearRows  = 4096
	little    = 64 // one in as many rows more or less is no difference
)

// A node is a conjunction of items on the way to a better one.
type node struct {
	now, base bitset // the rows for which it holds: of the window, those that are alive; and of the search half
	rows      int    // how many of now
	hits      int    // how many of base
	score     float64
	features  uint64 // of which it has terms
	strong    bool   // one of them is
	path      [2 * maxTerms]int32
	length    int // of path, the items that it is made of
}

// A candidate is a node with one item more.
type candidate struct {
	parent, item int
	rows, hits   int
	score        float64
}

// search looks for a part of a node that a conjunction can tell from the baseline, the larger the better, or if there is none,
// for what comes closest to that. What it returns has no rows if nothing is worth it.
//
// It is a beam search for the conjunction with the most information in FOIL's sense (Quinlan, 1990): excess times the logarithm
// of how much purer it is than all that is alive.
func (f *Finder) search(root node) (best, closest node) {
	f.beam[0] = append(f.beam[0][:0], root)
	for depth := range f.options.Terms {
		beam, next := f.beam[depth%2], f.beam[(depth+1)%2][:0]
		if safe := f.expand(beam, best.rows); safe.rows > best.rows {
			best = f.grow(beam, safe)
		}
		for _, c := range f.bests {
			n := f.grow(beam, c)
			next = append(next, n)
			if n.score > closest.score && f.lifts(&n) {
				closest = n
			}
		}
		f.beam[(depth+1)%2] = next
	}
	return best, closest
}

// seek searches among all that is alive; and if nothing is safe, once more in what came closest to that, with items that tell
// the rows of the window there from those of the baseline. What it returns has no rows if nothing is worth it.
func (f *Finder) seek() node {
	base := &f.profile.search
	root := node{now: f.alive, base: f.lent.lend(words(base.rows)), rows: f.living, hits: base.rows}
	root.base.fill(base.rows)
	f.items, f.spans = f.items[:0], f.spans[:0]
	f.propose(scope{f.alive, f.living, base})
	best, closest := f.search(root)
	if best.rows > 0 || closest.rows == 0 {
		return best
	}
	f.gather(&closest)
	f.propose(scope{closest.now, closest.rows, &f.near})
	closest.features = 0
	best, closer := f.search(closest)
	switch {
	case best.rows > 0:
		return best
	case closer.score > closest.score:
		return closer
	}
	return closest
}

// gather copies rows of the baseline that a node has, evenly, into a table of their own.
func (f *Finder) gather(n *node) {
	step, passed := (n.hits+nearRows-1)/nearRows, 0
	f.drawn = f.drawn[:0]
	for i, word := range n.base {
		for ; word != 0; word &= word - 1 {
			if passed%step == 0 {
				f.drawn = append(f.drawn, uint16(i*64+bits.TrailingZeros64(word)))
			}
			passed++
		}
	}
	f.near.copy(f.profile.search.columns, f.drawn, &f.sorting)
}

// expand tries each item with each node of a beam. It returns the candidate that covers most of those that are safe as far as
// the search half can tell, if that is more than covered; and leaves in bests those to go on with: what is safe needs no
// more terms, and what covers less than a safe one cannot become better than that.
func (f *Finder) expand(beam []node, covered int) (safe candidate) {
	f.bests = f.bests[:0]
	safe.rows, safe.item = covered, -1
	for p := range beam {
		parent := &beam[p]
		for i := range f.items {
			it := &f.items[i]
			need := max(safe.rows-safe.rows/little, covered+1, f.least)
			if parent.features>>it.feature&1 == 1 || min(it.rows, parent.rows) < need {
				continue
			}
			c := candidate{parent: p, item: i, rows: parent.now.both(it.now)}
			if c.rows < need {
				continue
			}
			c.hits = parent.base.both(f.base(it))
			switch {
			case f.excess(c.rows, c.hits) < float64(f.least):
			case c.hits <= f.allowed && (parent.strong || f.strong(it)):
				if safe.item < 0 || f.safer(c, safe) {
					safe = c
				}
			case c.hits < parent.hits-parent.hits/little: // else it excludes nobody
				c.score = f.score(c.rows, c.hits)
				f.enter(c)
			}
		}
	}
	return safe
}

// strong reports whether an item may decide, alone or with others: its feature is not weak, and it is not what most of the baseline has.
func (f *Finder) strong(it *item) bool {
	return !f.schema[it.feature].Weak && 2*it.size <= f.profile.search.rows
}

// safer reports whether a candidate covers more than another does, or about as much with a last term that holds for less of the
// baseline: what a wider one covers beside may be ordinary traffic that came along.
func (f *Finder) safer(a, b candidate) bool {
	if a.rows < b.rows-b.rows/little || a.rows > b.rows+b.rows/little {
		return a.rows > b.rows
	}
	return f.items[a.item].size < f.items[b.item].size
}

// enter puts a candidate among the best, unless one of those is likely the same, with its items in another order.
func (f *Finder) enter(c candidate) {
	for _, b := range f.bests {
		if b.rows == c.rows && b.hits == c.hits {
			return
		}
	}
	switch {
	case len(f.bests) < beamWidth:
		f.bests = append(f.bests, c)
	case f.bests[beamWidth-1].score < c.score:
		f.bests[beamWidth-1] = c
	default:
		return
	}
	for i := len(f.bests) - 1; i > 0 && f.bests[i].score > f.bests[i-1].score; i-- {
		f.bests[i], f.bests[i-1] = f.bests[i-1], f.bests[i]
	}
}

// grow makes a node of a candidate.
func (f *Finder) grow(beam []node, c candidate) node {
	parent, it := &beam[c.parent], &f.items[c.item]
	n := node{
		now:      f.lent.lend(len(parent.now)),
		base:     f.lent.lend(len(parent.base)),
		rows:     c.rows,
		hits:     c.hits,
		score:    c.score,
		features: parent.features | 1<<it.feature,
		strong:   parent.strong || f.strong(it),
		path:     parent.path,
		length:   parent.length + 1,
	}
	n.path[parent.length] = int32(c.item)
	copy(n.now, parent.now)
	n.now.and(it.now)
	copy(n.base, parent.base)
	n.base.and(f.base(it))
	return n
}

// lifts reports whether a node has at least twice the share of the living rows that it has of the baseline. What has less is
// as likely ordinary traffic of another hour.
func (f *Finder) lifts(n *node) bool {
	return float64(n.rows)*float64(f.profile.search.rows) > 2*float64(n.hits)*float64(f.living)
}

// excess is how many rows of the window are more than the baseline lets expect, of whose search half there are hits.
func (f *Finder) excess(rows, hits int) float64 { return float64(rows) - f.expected*float64(hits) }

func (f *Finder) score(rows, hits int) float64 {
	excess := f.excess(rows, hits)
	return excess * (f.purity(excess, hits) - f.purity(f.excess(f.living, f.profile.search.rows), f.profile.search.rows))
}

// purity is the logarithm of the share that excess has among itself and the baseline, if all of that were as much as what is
// alive.
func (f *Finder) purity(excess float64, hits int) float64 {
	excess = max(excess, float64(f.least))
	others := float64(hits) * float64(f.living) / float64(max(f.profile.search.rows, 1))
	return math.Log2(excess / (excess + others))
}
