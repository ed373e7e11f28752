package rules

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A hint is literals of which one at least is, whatever the case of ASCII letters, in every text that a regular expression matches. To
// look for those first spares most texts the regular expression, which is a hundred times slower. They are in lower case.
type hint []string

// Bounds of hints: what is shorter is everywhere, and what is more is hardly faster.
const (
	minHint  = 3
	maxHints = 64
)

// hintOf returns the hint of a regular expression, nil if there is none.
func hintOf(re *syntax.Regexp) hint {
	h := literalsOf(re)
	if len(h) > maxHints || h.shortest() < minHint {
		return nil
	}
	return h
}

// shortest is the length of the shortest literal, 0 if there is none.
func (h hint) shortest() int {
	if len(h) == 0 {
		return 0
	}
	least := len(h[0])
	for _, literal := range h[1:] {
		least = min(least, len(literal))
	}
	return least
}

// literalsOf returns literals of which one at least is in every match, nil if nothing is known. The expression was simplified: nothing in
// it is repeated by number.
func literalsOf(re *syntax.Regexp) hint {
	switch re.Op {
	case syntax.OpLiteral:
		if literal := literalOf(re); literal != "" {
			return hint{literal}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literalsOf(re.Sub[0])
	case syntax.OpConcat: // all of them are in there: the best will do
		var best hint
		for _, sub := range re.Sub {
			if h := literalsOf(sub); h.shortest() > best.shortest() {
				best = h
			}
		}
		return best
	case syntax.OpAlternate: // one of them is
		var all hint
		for _, sub := range re.Sub {
			h := literalsOf(sub)
			if h == nil {
				return nil
			}
			all = append(all, h...)
		}
		return all
	}
	return nil
}

// literalOf returns the longest part of a literal whose matches are the same bytes but for the case of ASCII letters.
func literalOf(re *syntax.Regexp) string {
	text := string(re.Rune)
	if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
		return "" // U+FFFD matches bytes that are no UTF-8
	}
	if re.Flags&syntax.FoldCase == 0 {
		return lowerText(text)
	}
	longest := ""
	for _, part := range strings.FieldsFunc(text, foldsOddly) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return lowerText(longest)
}

// foldsOddly tells the letters that have more than one other case, or one that is no ASCII: K is also the Kelvin sign, s the long ſ.
func foldsOddly(r rune) bool { return r >= utf8.RuneSelf || strings.ContainsRune("kKsS", r) }

// lowerText is lower of a literal.
func lowerText(s string) string {
	b := []byte(s)
	lowerAll(b)
	return string(b)
}

// automaton returns what looks for the literals.
func (h hint) automaton() *automaton {
	if h == nil {
		return nil
	}
	a := new(automaton)
	for n, literal := range h {
		a.add(n, literal)
	}
	if len(a.build(true)) > 0 {
		return nil // they have no room
	}
	return a
}
