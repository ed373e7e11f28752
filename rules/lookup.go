package rules

// A lookup puts one value to many tests at once.
type lookup struct {
	left  expr
	over  *each // every element that left is of, or nil
	cost  int
	equal map[string][]int // eq and in, of Bytes
	// starts_with and ends_with
	prefixes, suffixes affixes
	contains           automaton
	hints              automaton // of regular expressions
	ranges             segments
	present            []int // what holds for every value that is not missing
}

func newLookup(e *compareExpr, over *each) lookup {
	l := lookup{left: e.left, over: over, cost: e.cost}
	if over != nil {
		l.cost *= manyElements
	}
	return l
}

// indexed tells the tests that lookups do, or have hints for.
func indexed(t test) bool {
	switch t := t.(type) {
	case *regexTest:
		return t.hint != nil
	case *bytesTest, *setTest, *prefixTest, *suffixTest, *containsTest, *rangeTest:
		return true
	}
	return false
}

// likelihood weighs tests by how often they hold of what they are asked.
func likelihood(t test) int {
	switch t := t.(type) {
	case *bytesTest:
		return 1
	case *setTest:
		return 1 + len(t.literals)/8
	case *rangeTest:
		return 2
	case *prefixTest:
		return affixLikelihood(t.literal)
	case *suffixTest:
		return affixLikelihood(t.literal)
	}
	return 4
}

// affixLikelihood: everything begins with nothing, and all paths with a slash.
func affixLikelihood(literal string) int {
	if len(literal) < 3 {
		return 20
	}
	return 2
}

// add gives a leaf to the lookup.
func (l *lookup) add(n int, t test) {
	switch t := t.(type) {
	case *bytesTest:
		l.addEqual(n, t.literal)
	case *setTest:
		for literal := range t.literals {
			l.addEqual(n, literal)
		}
	case *prefixTest:
		l.prefixes.add(n, t.literal)
	case *suffixTest:
		l.suffixes.add(n, t.literal)
	case *containsTest:
		if t.text == "" {
			l.present = append(l.present, n)
		} else {
			l.contains.add(n, t.text)
		}
	case *rangeTest:
		l.ranges.add(n, t.ranges)
	}
}

func (l *lookup) addEqual(n int, literal string) {
	if l.equal == nil {
		l.equal = make(map[string][]int)
	}
	l.equal[literal] = append(l.equal[literal], n)
}

// build makes the indexes of what was added, and returns leaves for which there was no room: those are not looked up.
func (l *lookup) build() (left []int) {
	l.prefixes.build(false)
	l.suffixes.build(true)
	left = append(l.contains.build(false), l.hints.build(true)...)
	return append(left, l.ranges.build()...)
}

// look finds out about one value.
func (l *lookup) look(m *Machine, f found) {
	if field, ok := l.left.(*fieldExpr); ok { // as most are: it makes nothing, and its value need not be copied
		if v := m.field(field.index); !v.Missing() {
			l.find(v, f)
		}
		return
	}
	before := m.mark()
	if v := l.left.eval(m); !v.Missing() {
		l.find(&v, f)
	}
	m.release(before)
}

// find tells f all leaves that hold of a value.
func (l *lookup) find(v *Value, f found) {
	f.all(l.present)
	switch {
	case v.typ != Bytes:
		f.all(l.ranges.at(v.num))
	case v.raw != nil:
		f.all(l.equal[string(v.raw)])
		findBytes(l, v.raw, f)
	default:
		f.all(l.equal[v.str])
		findBytes(l, v.str, f)
	}
}

func findBytes[T string | []byte](l *lookup, text T, f found) {
	findAffixes(&l.prefixes, text, f)
	findAffixes(&l.suffixes, text, f)
	scan(&l.contains, text, f)
	scan(&l.hints, text, f)
}
