package rules

import "slices"

// automaton finds all of many literals in a text that it reads once (Aho and Corasick, 1975). It is made whole: for every state and
// every class of bytes there is one next state.
type automaton struct {
	patterns []pattern
	places   map[string]int // in patterns
	class    [256]uint16    // bytes that are in no literal are of class 0
	classes  int
	// next is, by state and class, the next state shifted left by one, with a 1 if a literal ends there.
	next []uint32
	ends []end // by state
}

// A pattern is a literal that leaves ask for.
type pattern struct {
	literal string
	leaves  []int
}

// An end is a place where literals end.
type end struct {
	leaves  []int
	shorter uint32 // the state of the longest literal that ends here, too, but began later; 0: none
}

// maxStates bounds an automaton, which has at most four bytes a state for each of the 257 classes there may be.
const maxStates = 16 << 10

func (a *automaton) add(n int, literal string) {
	if i, ok := a.places[literal]; ok {
		a.patterns[i].leaves = append(a.patterns[i].leaves, n)
		return
	}
	if a.places == nil {
		a.places = make(map[string]int)
	}
	a.places[literal] = len(a.patterns)
	a.patterns = append(a.patterns, pattern{literal, []int{n}})
}

// build makes the automaton of what was added, and returns the leaves of literals for which there was no room. If it folds, the
// literals are in lower case, and ASCII letters of either case are found.
func (a *automaton) build(fold bool) (left []int) {
	states, classes := 1, 1
	kept := a.patterns[:0:0]
	for _, p := range a.patterns {
		if states += len(p.literal); states > maxStates {
			states -= len(p.literal)
			left = append(left, p.leaves...)
			continue
		}
		kept = append(kept, p)
		for _, c := range []byte(p.literal) {
			if a.class[c] == 0 {
				a.class[c] = uint16(classes)
				classes++
			}
		}
	}
	for c := 'a'; fold && c <= 'z'; c++ {
		a.class[c-'a'+'A'] = a.class[c]
	}
	a.patterns, a.places, a.classes = nil, nil, classes
	if len(kept) > 0 {
		a.link(a.trie(kept))
	}
	return left
}

// trie makes the states of all beginnings of literals, and returns them in the order of their depth.
func (a *automaton) trie(patterns []pattern) (byDepth []uint32) {
	a.next, a.ends = make([]uint32, a.classes), make([]end, 1)
	depths := []int{0}
	for _, p := range patterns {
		state := uint32(0)
		for depth, c := range []byte(p.literal) {
			at := state*uint32(a.classes) + uint32(a.class[c])
			if a.next[at] == 0 {
				a.next[at] = uint32(len(a.ends))
				a.next = append(a.next, make([]uint32, a.classes)...)
				a.ends, depths = append(a.ends, end{}), append(depths, depth+1)
				byDepth = append(byDepth, a.next[at])
			}
			state = a.next[at]
		}
		a.ends[state].leaves = p.leaves
	}
	slices.SortStableFunc(byDepth, func(i, j uint32) int { return depths[i] - depths[j] })
	return byDepth
}

// link gives every state a next one for every class: where no literal goes on, that of the longest end of what was read that a
// literal begins with.
func (a *automaton) link(byDepth []uint32) {
	classes := uint32(a.classes)
	fallback := make([]uint32, len(a.ends))
	for _, state := range append([]uint32{0}, byDepth...) {
		for class := range classes {
			next := &a.next[state*classes+class]
			over := a.next[fallback[state]*classes+class]
			switch {
			case *next == 0 && state != 0:
				*next = over
			case *next != 0 && state != 0:
				fallback[*next] = over
			}
		}
	}
	for _, state := range byDepth {
		if f := fallback[state]; len(a.ends[f].leaves) > 0 {
			a.ends[state].shorter = f
		} else {
			a.ends[state].shorter = a.ends[f].shorter
		}
	}
	for i, state := range a.next {
		ends := uint32(0)
		if len(a.ends[state].leaves) > 0 || a.ends[state].shorter != 0 {
			ends = 1
		}
		a.next[i] = state<<1 | ends
	}
}

// scan tells f the leaves whose literals are in a text.
func scan[T string | []byte](a *automaton, text T, f found) {
	if len(a.next) == 0 {
		return
	}
	state := uint32(0)
	for i := range len(text) {
		next := a.next[state*uint32(a.classes)+uint32(a.class[text[i]])]
		if state = next >> 1; next&1 != 0 {
			a.tell(state, f)
		}
	}
}

// among tells whether a literal is in a text.
func among[T string | []byte](a *automaton, text T) bool {
	state := uint32(0)
	for i := range len(text) {
		next := a.next[state*uint32(a.classes)+uint32(a.class[text[i]])]
		if next&1 != 0 {
			return true
		}
		state = next >> 1
	}
	return false
}

// tell tells f the leaves whose literals end in a state. What is known has been told with all that is shorter, so that a text
// is told of a literal once, however often it is in there.
func (a *automaton) tell(state uint32, f found) {
	if len(a.ends[state].leaves) == 0 {
		state = a.ends[state].shorter
	}
	for ; state != 0; state = a.ends[state].shorter {
		e := &a.ends[state]
		if f.has(e.leaves[0]) {
			return
		}
		f.all(e.leaves)
	}
}
