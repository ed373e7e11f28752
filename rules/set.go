package rules

import (
	"math/bits"
	"slices"
)

// Set is filters in an order. What several ask is answered once a request: literals that are compared with the same value are
// looked up together, and a filter that needs one of them to be there is judged only if it is.
type Set struct {
	filters []*Filter
	trees   []branch
	leaves  []answer
	lookups []lookup
	eager   []int  // the lookups that say which filters are judged
	always  bitset // the filters that are judged in any case
	phase   Phase
}

// A branch is a part of a filter, with leaves by number. The op of a leaf is noOp; true and false join nothing, by and and or.
type branch struct {
	op   op
	leaf int
	args []branch
}

// An answer says how a leaf is answered.
type answer struct {
	expr   expr
	uses   int   // in how many places filters ask for it
	lookup int   // which answers it, -1: none
	wanted []int // the filters that are judged if it holds
	// Of a regular expression with a hint, a lookup says only whether it may match.
	hinted bool
	// A literal of hints is an answer, too, but no filter's: these are the leaves that may hold if it was found.
	hints []int
}

// eagerCost is what a value may cost, in ns, that is looked at before it is known whether a filter asks for it.
const eagerCost = 600

// NewSet returns the set of filters, which have to be of one scheme. Judging it asks for values that cost little, as the scheme says,
// even where no filter turns out to need them; filters of different phases want sets of their own. It takes about 200 bytes of memory
// for a byte of literals, 1 KiB at worst.
func NewSet(filters []*Filter) *Set {
	s := &Set{filters: slices.Clone(filters), always: newBits(len(filters))}
	numbers := make(map[string]int)
	for _, f := range filters {
		s.trees = append(s.trees, s.branch(f.root, numbers))
		s.phase = max(s.phase, f.phase)
	}
	s.index()
	eager := make(map[int]bool)
	for i := range s.trees {
		needed, ok := s.needed(&s.trees[i])
		if !ok {
			s.always.set(i)
			continue
		}
		for _, n := range needed {
			a := &s.leaves[n]
			a.wanted = append(a.wanted, i)
			if !eager[a.lookup] {
				eager[a.lookup] = true
				s.eager = append(s.eager, a.lookup)
			}
		}
	}
	return s
}

// branch numbers the leaves of an expression.
func (s *Set) branch(e expr, numbers map[string]int) branch {
	switch e := e.(type) {
	case *constant:
		b := branch{op: orOp}
		if e.value.Bool() {
			b.op = andOp
		}
		return b
	case *notExpr:
		return branch{op: notOp, args: []branch{s.branch(e.arg, numbers)}}
	case *logicalExpr:
		b := branch{op: e.op}
		for _, arg := range e.args {
			b.args = append(b.args, s.branch(arg, numbers))
		}
		return b
	case *leaf:
		n, ok := numbers[e.key]
		if !ok {
			n = len(s.leaves)
			numbers[e.key] = n
			s.leaves = append(s.leaves, answer{expr: e.expr, lookup: -1})
		}
		s.leaves[n].uses++
		return branch{leaf: n}
	}
	panic("rules: a condition that is neither leaf nor logical")
}

// index gives the leaves that compare the same value with literals one lookup together.
func (s *Set) index() {
	places := make(map[string]int)
	literals := make(map[string]int) // of hints: their answers
	for n := range s.leaves {
		e, over := comparison(s.leaves[n].expr)
		if e == nil || !indexed(e.test) {
			continue
		}
		i, ok := places[e.key]
		if !ok {
			i = len(s.lookups)
			places[e.key] = i
			s.lookups = append(s.lookups, newLookup(e, over))
		}
		s.leaves[n].lookup = i
		re, ok := e.test.(*regexTest)
		if !ok {
			s.lookups[i].add(n, e.test)
			continue
		}
		s.leaves[n].hinted = true
		for _, literal := range re.hint {
			s.addHint(n, i, literal, e.key+" "+literal, literals)
		}
	}
	for i := range s.lookups {
		for _, n := range s.lookups[i].build() {
			s.leaves[n].lookup = -1
			for _, hinted := range s.leaves[n].hints {
				s.leaves[hinted].lookup, s.leaves[hinted].hinted = -1, false
			}
		}
	}
}

// comparison returns the comparison that a leaf is, or that it makes of any element of an array.
func comparison(e expr) (*compareExpr, *each) {
	switch e := e.(type) {
	case *compareExpr:
		return e, nil
	case *quantifier:
		if of, ok := e.of.(*compareExpr); ok && !e.all {
			return of, e.over
		}
	}
	return nil, nil
}

// addHint has a lookup look for a literal, which is an answer of its own, because leaves have hints in common.
func (s *Set) addHint(leaf, lookup int, literal, key string, literals map[string]int) {
	n, ok := literals[key]
	if !ok {
		n = len(s.leaves)
		literals[key] = n
		s.leaves = append(s.leaves, answer{lookup: lookup})
		s.lookups[lookup].hints.add(n, literal)
	}
	s.leaves[n].hints = append(s.leaves[n].hints, leaf)
}

// needed returns leaves that are looked up eagerly, of which at least one holds where the branch does; of several such choices,
// the one that is likely to have the fewest filters judged. It is false if there is none.
func (s *Set) needed(b *branch) (leaves []int, ok bool) {
	switch b.op {
	case noOp:
		l := s.leaves[b.leaf].lookup
		return []int{b.leaf}, l >= 0 && s.lookups[l].cost <= eagerCost
	case orOp:
		for i := range b.args {
			more, ok := s.needed(&b.args[i])
			if !ok {
				return nil, false
			}
			leaves = append(leaves, more...)
		}
		return leaves, true
	case andOp:
		least := 0
		for i := range b.args {
			choice, found := s.needed(&b.args[i])
			if !found {
				continue
			}
			if weight := s.weight(choice); !ok || weight < least {
				leaves, least, ok = choice, weight, true
			}
		}
		return leaves, ok
	}
	return nil, false
}

// weight is how many filters one may expect to have to judge because of leaves.
func (s *Set) weight(leaves []int) int {
	sum := 0
	for _, n := range leaves {
		a := &s.leaves[n]
		e, _ := comparison(a.expr)
		sum += a.uses * likelihood(e.test)
	}
	return sum
}

// Len returns the number of filters.
func (s *Set) Len() int { return len(s.filters) }

// Filter returns a filter by its place.
func (s *Set) Filter(i int) *Filter { return s.filters[i] }

// Phase is the phase in which all that the filters read is known.
func (s *Set) Phase() Phase { return s.phase }

// judged is what a Machine knows of a request's answers to a Set.
type judged struct {
	set        *Set
	looked     bitset // by lookup
	known      bitset // by leaf that was evaluated
	truth      bitset // by leaf
	possible   bitset // by leaf that has a hint
	candidates bitset // by filter: the others don't hold
}

// Next returns the first filter, from a place on, that holds for the request that m was last reset to, or -1. So this visits all
// that hold, in their order:
//
//	for i := set.Next(m, 0); i >= 0; i = set.Next(m, i+1) {
//
// A machine remembers the answers of one set at a time.
func (s *Set) Next(m *Machine, from int) int {
	if m.judged.set != s {
		s.begin(m)
	}
	candidates := m.judged.candidates
	for word := from >> 6; word < len(candidates); word++ {
		rest := candidates[word]
		if word == from>>6 {
			rest &= ^uint64(0) << (from & 63)
		}
		for ; rest != 0; rest &= rest - 1 {
			i := word<<6 | bits.TrailingZeros64(rest)
			if s.holds(m, &s.trees[i]) {
				return i
			}
		}
	}
	return -1
}

// begin finds out which filters have to be judged.
func (s *Set) begin(m *Machine) {
	j := &m.judged
	j.set = s
	j.looked = j.looked.sized(len(s.lookups))
	j.known = j.known.sized(len(s.leaves))
	j.truth = j.truth.sized(len(s.leaves))
	j.possible = j.possible.sized(len(s.leaves))
	j.candidates = j.candidates.sized(len(s.filters))
	copy(j.candidates, s.always)
	for _, i := range s.eager {
		s.look(m, i)
	}
}

// holds judges a branch.
func (s *Set) holds(m *Machine, b *branch) bool {
	switch b.op {
	case noOp:
		return s.answer(m, b.leaf)
	case notOp:
		return !s.holds(m, &b.args[0])
	case xorOp:
		odd := false
		for i := range b.args {
			odd = odd != s.holds(m, &b.args[i])
		}
		return odd
	}
	for i := range b.args {
		if s.holds(m, &b.args[i]) == (b.op == orOp) {
			return b.op == orOp
		}
	}
	return b.op == andOp
}

// answer answers a leaf, at most once a request.
func (s *Set) answer(m *Machine, n int) bool {
	a, j := &s.leaves[n], &m.judged
	if a.lookup >= 0 {
		if !j.looked.has(a.lookup) {
			s.look(m, a.lookup)
		}
		if !a.hinted || !j.possible.has(n) {
			return j.truth.has(n)
		}
	}
	if !j.known.has(n) {
		j.known.set(n)
		before := m.mark()
		if truth(a.expr, m) {
			j.truth.set(n)
		}
		m.release(before)
	}
	return j.truth.has(n)
}

// look answers all leaves of a lookup.
func (s *Set) look(m *Machine, i int) {
	m.judged.looked.set(i)
	l := &s.lookups[i]
	before := m.mark()
	if l.over == nil {
		l.look(m, found{s, m})
	} else {
		l.over.walk(m, func() bool {
			l.look(m, found{s, m})
			return true
		})
	}
	m.release(before)
}

// found takes note of leaves that hold.
type found struct {
	set *Set
	m   *Machine
}

func (f found) has(n int) bool { return f.m.judged.truth.has(n) }

func (f found) all(leaves []int) {
	j := &f.m.judged
	for _, n := range leaves {
		a := &f.set.leaves[n]
		j.truth.set(n)
		f.judge(a.wanted)
		for _, hinted := range a.hints {
			j.possible.set(hinted)
			f.judge(f.set.leaves[hinted].wanted)
		}
	}
}

// judge makes candidates of filters.
func (f found) judge(filters []int) {
	for _, i := range filters {
		f.m.judged.candidates.set(i)
	}
}
