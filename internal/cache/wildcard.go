package cache

import "strings"

// wildcard is a pattern in which each * stands for anything, cut at them: the first and the last part are at the ends.
type wildcard []string

func wildcards(patterns []string) []wildcard {
	var all []wildcard
	for _, p := range patterns {
		all = append(all, strings.Split(p, "*"))
	}
	return all
}

// match takes time in proportion to the text for each part of the pattern.
func (w wildcard) match(s string) bool {
	first, last := w[0], w[len(w)-1]
	if len(w) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range w[1 : len(w)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// matchAny reports whether one of the patterns fits.
func matchAny(all []wildcard, s string) bool {
	for _, w := range all {
		if w.match(s) {
			return true
		}
	}
	return false
}
