package contrast

import "slices"

// rare is what part of all rows are few enough to be visited one by one. Others are at most that many values of a column.
const rare = 32

// maxRows is how many rows a table has at most: their numbers fit 16 bits.
const maxRows = 1 << 16

// A table is samples that count alike, by columns, of which each is also sorted. So the rows of any span of values are a run
// of its order, and their number needs no look at the rows.
type table struct {
	rows    int
	columns []column
}

type column struct {
	values   []uint32 // by row
	order    []uint16 // the rows that have a value, by their values
	distinct []uint32 // the values, in order
	starts   []int32  // where in order the rows of each distinct value begin, and behind the last its end
	common   []bitset // the rows of distinct values that many have, nil for the others; only in a profile
}

// find returns the distinct values of a span.
func (c *column) find(s Span) (from, to int) {
	from, ok := slices.BinarySearch(c.distinct, s.Lo)
	if s.Lo == s.Hi {
		if ok {
			return from, from + 1
		}
		return from, from
	}
	n, ok := slices.BinarySearch(c.distinct[from:], s.Hi)
	if ok {
		n++
	}
	return from, from + n
}

// run returns where in order the rows of a span begin and end.
func (c *column) run(s Span) (from, to int) {
	i, j := c.find(s)
	return int(c.starts[i]), int(c.starts[j])
}

// size counts the rows of spans.
func (c *column) size(in []Span) (n int) {
	for _, s := range in {
		from, to := c.run(s)
		n += to - from
	}
	return n
}

// mark sets the bits of the rows of spans.
func (c *column) mark(in []Span, b bitset) {
	for _, s := range in {
		from, to := c.find(s)
		for i := from; i < to; i++ {
			if i < len(c.common) && c.common[i] != nil {
				b.or(c.common[i])
				continue
			}
			for _, row := range c.order[c.starts[i]:c.starts[i+1]] {
				b[row/64] |= 1 << (row % 64)
			}
		}
	}
}

// remember keeps the rows of common values ready as bits.
func (c *column) remember() {
	c.common = make([]bitset, len(c.distinct))
	for i := range c.distinct {
		if n := int(c.starts[i+1] - c.starts[i]); n > len(c.values)/rare {
			b := make(bitset, words(len(c.values)))
			c.mark([]Span{{c.distinct[i], c.distinct[i]}}, b)
			c.common[i] = b
		}
	}
}

// copy makes the table of some rows of other columns.
func (t *table) copy(from []column, rows []uint16, sorting *sorter) {
	t.rows = len(rows)
	for i := range t.columns {
		c := &t.columns[i]
		c.values = c.values[:0]
		for _, row := range rows {
			c.values = append(c.values, from[i].values[row])
		}
		sorting.index(c)
	}
}

// matches counts the rows for which a conjunction holds.
func (t *table) matches(c Conjunction) (n int) {
	t.each(c, func(int) { n++ })
	return n
}

// matchesAny counts the rows for which one of some conjunctions holds.
func (t *table) matchesAny(of []Conjunction) int {
	rows := make(bitset, words(t.rows))
	for _, c := range of {
		t.each(c, rows.set)
	}
	return rows.count()
}

// each calls do for the rows for which a conjunction holds. It visits those of the rarest term only.
func (t *table) each(c Conjunction, do func(row int)) {
	if len(c) == 0 {
		return
	}
	sizes := make([]int, len(t.columns))
	for _, term := range c {
		sizes[term.Feature] = t.columns[term.Feature].size(term.In)
	}
	terms := slices.Clone(c)
	slices.SortFunc(terms, func(a, b Term) int { return sizes[a.Feature] - sizes[b.Feature] })
	rarest := &t.columns[terms[0].Feature]
	for _, s := range terms[0].In {
		from, to := rarest.run(s)
		for _, row := range rarest.order[from:to] {
			if t.holds(terms[1:], int(row)) {
				do(int(row))
			}
		}
	}
}

// holds reports whether all terms hold for a row.
func (t *table) holds(terms []Term, row int) bool {
	for _, term := range terms {
		if !has(term.In, t.columns[term.Feature].values[row]) {
			return false
		}
	}
	return true
}

// A sorter sorts columns. It is a radix sort, so no choice of values makes it slow.
type sorter struct {
	from, to []uint64 // a value and, in the lowest 16 bits, its row
}

// index sorts a column by its values. What the column had before is overwritten, if it has room.
func (s *sorter) index(c *column) {
	n := len(c.values)
	s.from, s.to = slices.Grow(s.from[:0], n), slices.Grow(s.to[:0], n)
	c.order, c.distinct, c.starts = slices.Grow(c.order[:0], n), c.distinct[:0], c.starts[:0]
	every, some := uint32(Absent), uint32(0)
	for row, v := range c.values {
		if v != Absent {
			s.from = append(s.from, uint64(v)<<16|uint64(row))
			every, some = every&v, some|v
		}
	}
	s.to = s.to[:len(s.from)]
	for digit := range 4 {
		if (every^some)>>(8*digit)&0xff != 0 {
			s.pass(16 + 8*digit)
		}
	}
	last := uint64(Absent)
	for i, k := range s.from {
		if v := k >> 16; v != last {
			c.distinct, c.starts, last = append(c.distinct, uint32(v)), append(c.starts, int32(i)), v
		}
		c.order = append(c.order, uint16(k))
	}
	c.starts = append(c.starts, int32(len(c.order)))
}

// pass moves everything to the order of one digit, those with the same staying as they are.
func (s *sorter) pass(shift int) {
	var at [256]int32
	for _, k := range s.from {
		at[k>>shift&0xff]++
	}
	sum := int32(0)
	for i, n := range at {
		at[i], sum = sum, sum+n
	}
	for _, k := range s.from {
		d := k >> shift & 0xff
		s.to[at[d]] = k
		at[d]++
	}
	s.from, s.to = s.to, s.from
}
