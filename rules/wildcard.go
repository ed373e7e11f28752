package rules

import (
	"bytes"
	"slices"
	"strings"
)

// wildcard is a pattern of literal parts with a * between each two. It stands for the whole of a value.
type wildcard struct {
	parts  [][]byte
	strict bool // upper and lower case differ; else the parts are in lower case
}

// compileWildcard reads a pattern, in which \* and \\ stand for * and \. Its error is a clause.
func compileWildcard(pattern string, strict bool) (wildcard, string) {
	w := wildcard{strict: strict}
	var part []byte
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '*' && i > 0 && len(part) == 0 && len(w.parts) > 0:
			return w, "a wildcard has no ** in it"
		case c == '*':
			w.parts, part = append(w.parts, part), nil
			continue
		case c == '\\':
			if i++; i == len(pattern) || pattern[i] != '*' && pattern[i] != '\\' {
				return w, `want \* or \\ in a wildcard: a \ is written \\, best in a raw string`
			}
			c = pattern[i]
		}
		if !strict {
			c = lowerByte(c)
		}
		part = append(part, c)
	}
	w.parts = append(w.parts, part)
	return w, ""
}

// fold returns a value's bytes in the case of the pattern; false if the arena has no room for them.
func (w *wildcard) fold(m *Machine, v *Value) ([]byte, bool) {
	if w.strict && v.raw != nil {
		return v.raw, true
	}
	start := len(m.arena)
	if !m.room(v.size()) {
		return nil, false
	}
	m.arena = v.Append(m.arena)
	folded := m.arena[start:]
	if !w.strict {
		lowerAll(folded)
	}
	return folded, true
}

// match tells whether the pattern stands for text. Every * takes as little as it can: the first place of the next part leaves the
// most for what follows, so nothing is tried twice. What each takes goes into taken, if that is not nil: from, to.
func (w *wildcard) match(text []byte, taken *[]int) bool {
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(w.parts) == 1 {
		return bytes.Equal(text, first)
	}
	if len(text) < len(first)+len(last) || !bytes.HasPrefix(text, first) || !bytes.HasSuffix(text, last) {
		return false
	}
	at, end := len(first), len(text)-len(last)
	for _, part := range w.parts[1 : len(w.parts)-1] {
		i := bytes.Index(text[at:end], part)
		if i < 0 {
			return false
		}
		if taken != nil {
			*taken = append(*taken, at, at+i)
		}
		at += i + len(part)
	}
	if taken != nil {
		*taken = append(*taken, at, end)
	}
	return true
}

// wildcardTest is wildcard and strict wildcard.
type wildcardTest struct{ wildcard }

func (t *wildcardTest) holds(m *Machine, v Value) bool {
	text, ok := t.fold(m, &v)
	return ok && t.match(text, nil)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func lowerAll(b []byte) {
	for i, c := range b {
		b[i] = lowerByte(c)
	}
}

// A template is a replacement text with references to what was captured.
type template []piece

// A piece is literal text, and behind it the group that goes in, or none.
type piece struct {
	text  string
	group int // -1: none
}

// maxReferences is how many references Cloudflare allows in a replacement.
const maxReferences = 8

// compileTemplate reads $$ and ${1} in a replacement; groups is how many there are, with group 0. Its error is a clause.
func compileTemplate(s string, groups int) (template, string) {
	var t template
	var text strings.Builder
	references := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '$' {
			text.WriteByte(s[i])
			continue
		}
		rest := s[i+1:]
		if strings.HasPrefix(rest, "$") {
			text.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(rest, '}')
		if !strings.HasPrefix(rest, "{") || end != 2 || !isDigit(rest[1]) {
			return nil, "want $$, or a reference like ${1}, behind $ in the replacement"
		}
		group := int(rest[1] - '0')
		if group >= groups {
			return nil, "the replacement refers to ${" + rest[1:2] + "}, and there is no such group"
		}
		if references++; references > maxReferences {
			return nil, "the replacement has more than 8 references"
		}
		t = append(t, piece{text.String(), group})
		text.Reset()
		i += end + 1
	}
	return append(t, piece{text.String(), -1}), ""
}

// expand appends the template to the arena; locations are pairs of offsets in source, one a group, negative if it took no part.
func (t template) expand(m *Machine, source *Value, locations []int) bool {
	for _, p := range t {
		from, to := 0, 0
		if p.group >= 0 && locations[2*p.group] >= 0 {
			from, to = locations[2*p.group], locations[2*p.group+1]
		}
		if !m.room(len(p.text) + to - from) {
			return false
		}
		m.arena = append(m.arena, p.text...)
		m.arena = source.appendPart(m.arena, from, to)
	}
	return true
}

// appendPart appends v[from:to] to b.
func (v *Value) appendPart(b []byte, from, to int) []byte {
	if v.raw != nil {
		return append(b, v.raw[from:to]...)
	}
	return append(b, v.str[from:to]...)
}

// replaceWildcard is wildcard_replace: what the template makes of a whole value for which the pattern stands, else the value.
func replaceWildcard(w wildcard, t template) func(*Machine, Value) Value {
	return func(m *Machine, v Value) Value {
		folded, ok := w.fold(m, &v)
		if !ok {
			return Value{}
		}
		locations := slices.Grow([]int(nil), 2*len(w.parts)) // a rewrite may allocate
		locations = append(locations, 0, len(folded))
		if !w.match(folded, &locations) {
			return v
		}
		start := len(m.arena)
		if !t.expand(m, &v, locations) {
			return Value{}
		}
		return m.made(start)
	}
}
