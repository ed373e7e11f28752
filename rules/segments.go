package rules

import "slices"

// segments say of every number in which ranges it is: those of the segment that it falls into.
type segments struct {
	ranges []ownedRange
	starts []number // of segments, sorted
	leaves [][]int  // by segment
}

// An ownedRange is a range that a leaf asks for.
type ownedRange struct {
	numbers
	leaf int
}

// maxSegments bounds how many leaves all segments name together: ranges within ranges within ranges could make them many.
const maxSegments = 1 << 20

func (s *segments) add(n int, ranges []numbers) {
	for _, r := range ranges {
		s.ranges = append(s.ranges, ownedRange{r, n})
	}
}

// build cuts all numbers where a range begins or is over. If that gets too large, it returns all leaves instead.
func (s *segments) build() (left []int) {
	type edge struct {
		at   number
		leaf int
		over bool
	}
	var edges []edge
	for _, r := range s.ranges {
		edges = append(edges, edge{r.from, r.leaf, false})
		if after := r.to.next(); r.to.less(after) { // nothing is behind the last address
			edges = append(edges, edge{after, r.leaf, true})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.compare(b.at) })
	open := make(map[int]bool) // a leaf's ranges are apart, so that it has one open at most
	total := 0
	for i, e := range edges {
		if e.over {
			delete(open, e.leaf)
		} else {
			open[e.leaf] = true
		}
		if i+1 < len(edges) && edges[i+1].at == e.at {
			continue
		}
		if total += len(open); total > maxSegments {
			return s.giveUp()
		}
		s.starts = append(s.starts, e.at)
		s.leaves = append(s.leaves, sortedKeys(open))
	}
	s.ranges = nil
	return nil
}

// giveUp leaves nothing to be found, and returns who asked.
func (s *segments) giveUp() []int {
	all := make(map[int]bool)
	for _, r := range s.ranges {
		all[r.leaf] = true
	}
	*s = segments{}
	return sortedKeys(all)
}

func sortedKeys(m map[int]bool) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// at returns the leaves of the ranges that n is in.
func (s *segments) at(n number) []int {
	i, exact := slices.BinarySearchFunc(s.starts, n, number.compare)
	if exact {
		return s.leaves[i]
	}
	if i == 0 {
		return nil
	}
	return s.leaves[i-1]
}
