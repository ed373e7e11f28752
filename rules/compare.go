package rules

import (
	"regexp"
	"slices"
	"strings"
)

// A test is an operator with its literals, to which values are put that are not missing.
type test interface {
	holds(m *Machine, v Value) bool
}

// bytesTest is eq, of Bytes.
type bytesTest struct{ literal string }

func (t *bytesTest) holds(_ *Machine, v Value) bool { return v.is(t.literal) }

// is tells whether the bytes of a value are those.
func (v *Value) is(s string) bool {
	if v.raw != nil {
		return string(v.raw) == s
	}
	return v.str == s
}

// setTest is in, of Bytes.
type setTest struct{ literals map[string]struct{} }

func (t *setTest) holds(_ *Machine, v Value) bool {
	if v.raw != nil {
		_, ok := t.literals[string(v.raw)]
		return ok
	}
	_, ok := t.literals[v.str]
	return ok
}

// negatedTest is ne.
type negatedTest struct{ of test }

func (t *negatedTest) holds(m *Machine, v Value) bool { return !t.of.holds(m, v) }

// orderTest is lt, le, gt and ge, of Bytes.
type orderTest struct {
	op      op
	literal string
}

func (t *orderTest) holds(_ *Machine, v Value) bool {
	var order int
	if v.raw != nil {
		order = compareBytes(v.raw, t.literal)
	} else {
		order = strings.Compare(v.str, t.literal)
	}
	switch t.op {
	case ltOp:
		return order < 0
	case leOp:
		return order <= 0
	case gtOp:
		return order > 0
	}
	return order >= 0
}

// compareBytes is strings.Compare, of which the compiler sees that it needs no string.
func compareBytes(b []byte, s string) int {
	switch {
	case string(b) < s:
		return -1
	case string(b) > s:
		return 1
	}
	return 0
}

// A span of numbers, both ends included.
type numbers struct{ from, to number }

// rangeTest is what numbers can be asked: their order, and whether they are in a set. The ranges are sorted and apart.
type rangeTest struct{ ranges []numbers }

func (t *rangeTest) holds(_ *Machine, v Value) bool {
	i, _ := slices.BinarySearchFunc(t.ranges, v.num, func(r numbers, n number) int { return r.to.compare(n) })
	return i < len(t.ranges) && !v.num.less(t.ranges[i].from)
}

// merge sorts ranges and joins those that touch.
func merge(ranges []numbers) []numbers {
	slices.SortFunc(ranges, func(a, b numbers) int { return a.from.compare(b.from) })
	merged := ranges[:0]
	for _, r := range ranges {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if !last.to.less(r.from) || last.to.next() == r.from {
				if last.to.less(r.to) {
					last.to = r.to
				}
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

// bitTest is bitwise_and.
type bitTest struct{ mask int64 }

func (t *bitTest) holds(_ *Machine, v Value) bool { return v.Int()&t.mask != 0 }

// containsTest is contains.
type containsTest struct{ needle }

func (t *containsTest) holds(_ *Machine, v Value) bool { return v.find(&t.needle) >= 0 }

// prefixTest is starts_with, whose literal a Set looks up with others.
type prefixTest struct{ literal string }

func (t *prefixTest) holds(_ *Machine, v Value) bool {
	if v.raw != nil {
		return hasPrefix(v.raw, t.literal)
	}
	return strings.HasPrefix(v.str, t.literal)
}

// suffixTest is ends_with.
type suffixTest struct{ literal string }

func (t *suffixTest) holds(_ *Machine, v Value) bool {
	if v.raw != nil {
		return hasSuffix(v.raw, t.literal)
	}
	return strings.HasSuffix(v.str, t.literal)
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

// regexTest is matches.
type regexTest struct {
	re    *regexp.Regexp
	hint  hint
	hints *automaton // nil if there is no hint
}

func (t *regexTest) holds(_ *Machine, v Value) bool {
	if v.raw != nil {
		return (t.hints == nil || among(t.hints, v.raw)) && t.re.Match(v.raw)
	}
	return (t.hints == nil || among(t.hints, v.str)) && t.re.MatchString(v.str)
}

// listTest is in $name.
type listTest struct {
	list List
	typ  Type
}

func (t *listTest) holds(m *Machine, v Value) bool {
	switch {
	case t.typ == IP:
		return t.list.ContainsIP(v.IP())
	case t.typ == Int:
		return t.list.ContainsInt(v.Int())
	case v.raw != nil:
		return t.list.ContainsBytes(v.raw)
	}
	start := len(m.arena)
	if !m.room(v.size()) {
		return false
	}
	m.arena = append(m.arena, v.str...)
	return t.list.ContainsBytes(m.arena[start:])
}
