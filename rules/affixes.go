package rules

import (
	"slices"
	"sort"
)

// affixes find which of many literals a text begins with, or which it ends with. They are sorted as read from that end. Those that a
// text begins with are all prefixes of the longest of them, and that is a prefix of the last literal that is not after the text.
type affixes struct {
	places   map[string]int // in literals, until it is built
	literals []string
	leaves   [][]int
	parents  []int // the longest other literal that a literal begins with, -1: none
	end      bool  // they are suffixes, and read from the end
}

func (a *affixes) add(n int, literal string) {
	if i, ok := a.places[literal]; ok {
		a.leaves[i] = append(a.leaves[i], n)
		return
	}
	if a.places == nil {
		a.places = make(map[string]int)
	}
	a.places[literal] = len(a.literals)
	a.literals = append(a.literals, literal)
	a.leaves = append(a.leaves, []int{n})
}

// build sorts what was added, to be read from the beginning or the end.
func (a *affixes) build(end bool) {
	a.end, a.places = end, nil
	order := make([]int, len(a.literals))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return compareFrom(a.literals[i], a.literals[j], end) })
	literals, leaves := a.literals, a.leaves
	a.literals, a.leaves = make([]string, len(order)), make([][]int, len(order))
	for to, from := range order {
		a.literals[to], a.leaves[to] = literals[from], leaves[from]
		parent := to - 1
		for parent >= 0 && !beginsFrom(a.literals[to], a.literals[parent], end) {
			parent = a.parents[parent]
		}
		a.parents = append(a.parents, parent)
	}
}

// findAffixes tells f the leaves whose literals a text begins with, or ends with.
func findAffixes[T string | []byte](a *affixes, text T, f found) {
	i := sort.Search(len(a.literals), func(i int) bool { return compareFrom(text, a.literals[i], a.end) < 0 }) - 1
	for i >= 0 && !beginsFrom(text, a.literals[i], a.end) {
		i = a.parents[i]
	}
	for ; i >= 0; i = a.parents[i] {
		f.all(a.leaves[i])
	}
}

// compareFrom compares a text to a literal, both read from the beginning or from the end.
func compareFrom[T string | []byte](text T, literal string, end bool) int {
	for i := range min(len(text), len(literal)) {
		a, b := text[i], literal[i]
		if end {
			a, b = text[len(text)-1-i], literal[len(literal)-1-i]
		}
		if a != b {
			return int(a) - int(b)
		}
	}
	return len(text) - len(literal)
}

func beginsFrom[T string | []byte](text T, literal string, end bool) bool {
	n := len(literal)
	if n > len(text) {
		return false
	}
	if end {
		return string(text[len(text)-n:]) == literal
	}
	return string(text[:n]) == literal
}
