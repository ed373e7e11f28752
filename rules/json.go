package rules

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how deep the documents are that lookups read.
const maxJSONDepth = 64

// A jsonKey is a step into a document: a member's name, or an element's place.
type jsonKey struct {
	name  string
	place int // -1: it is a name
}

func buildLookup(c *compiler, n *callNode, args []operand) (expr, error) {
	var path []jsonKey
	for i := 1; i < len(args); i++ {
		key := jsonKey{place: -1}
		if args[i].typ == Bytes {
			key.name = text(args, i)
		} else if place := integer(args, i, 0); place >= 0 && place <= math.MaxInt32 {
			key.place = int(place)
		} else {
			return nil, c.errorf(n.args[i], "want a place from 0, or a name")
		}
		path = append(path, key)
	}
	look := lookupString
	if n.name == "lookup_json_integer" {
		look = lookupInteger
	}
	return newCall(func(m *Machine, args []Value) Value {
		var from, to int
		if v := &args[0]; v.raw != nil {
			from, to = seek(m, v.raw, path)
		} else {
			from, to = seek(m, v.str, path)
		}
		if from == to {
			return Value{}
		}
		return look(m, args[0].part(from, to))
	}, args[0]), nil
}

// lookupString returns the text of a JSON string, missing if v is none.
func lookupString(m *Machine, v Value) Value {
	if v.first() != '"' {
		return Value{}
	}
	v = v.part(1, v.size()-1)
	if v.findByte('\\') < 0 {
		return v
	}
	start := len(m.arena)
	if !m.room(v.size()) {
		return Value{}
	}
	if v.raw != nil {
		m.arena = unescapeJSON(m.arena, v.raw)
	} else {
		m.arena = unescapeJSON(m.arena, v.str)
	}
	return m.made(start)
}

// first is the first byte.
func (v *Value) first() byte {
	if v.raw != nil {
		return v.raw[0]
	}
	return v.str[0]
}

// lookupInteger returns a plain integer, without fraction and exponent; missing if v is none.
func lookupInteger(_ *Machine, v Value) Value {
	if v.size() > len("-9223372036854775808") {
		return Value{}
	}
	var digits [20]byte
	n, err := strconv.ParseInt(string(v.Append(digits[:0])), 10, 64)
	if err != nil {
		return Value{}
	}
	return IntValue(n)
}

// seek returns where in a document the value at path is, from == to if there is none or the document is not valid JSON (RFC 8259).
// It reads the document once. Of members of one name the last counts, as for most who read JSON.
func seek[T string | []byte](m *Machine, doc T, path []jsonKey) (from, to int) {
	s := jsonScanner[T]{m: m, doc: doc}
	from, to = s.value(path, true)
	if s.space(); s.bad || s.at != len(doc) {
		return 0, 0
	}
	return from, to
}

type jsonScanner[T string | []byte] struct {
	m     *Machine
	doc   T
	at    int
	depth int
	bad   bool
}

// space passes white space and returns the byte behind it, 0 at the end.
func (s *jsonScanner[T]) space() byte {
	for ; s.at < len(s.doc); s.at++ {
		switch c := s.doc[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// fail makes all that follows fail, too.
func (s *jsonScanner[T]) fail() (from, to int) {
	s.bad, s.at = true, len(s.doc)
	return 0, 0
}

// pass passes one byte.
func (s *jsonScanner[T]) pass(c byte) {
	if s.space() != c {
		s.fail()
		return
	}
	s.at++
}

// value passes one value, and returns where in it the value at path is; it only passes it unless that is wanted.
func (s *jsonScanner[T]) value(path []jsonKey, wanted bool) (from, to int) {
	if s.depth++; s.depth > maxJSONDepth {
		return s.fail()
	}
	defer func() { s.depth-- }()
	c, start := s.space(), s.at
	switch {
	case c == '{' || c == '[':
		from, to = s.container(c, path, wanted)
	case c == '"':
		s.text()
	case c == '-' || isDigit(c):
		s.number()
	default:
		s.word()
	}
	if wanted && len(path) == 0 {
		return start, s.at
	}
	return from, to
}

// container passes an object or an array.
func (s *jsonScanner[T]) container(open byte, path []jsonKey, wanted bool) (from, to int) {
	closing := open + 2 // of [ and of { alike
	s.at++
	if s.space() == closing {
		s.at++
		return 0, 0
	}
	wanted = wanted && len(path) > 0
	for i := 0; !s.bad; i++ {
		here := wanted && open == '[' && path[0].place == i
		if open == '{' {
			s.space()
			begin, end := s.text()
			s.pass(':')
			here = wanted && path[0].place < 0 && !s.bad && s.names(begin, end, path[0].name)
		}
		if here {
			from, to = s.value(path[1:], true)
		} else {
			s.value(nil, false)
		}
		if s.space() == closing {
			s.at++
			return from, to
		}
		s.pass(',')
	}
	return s.fail()
}

// text passes a string, and returns where its characters are.
func (s *jsonScanner[T]) text() (from, to int) {
	if s.at >= len(s.doc) || s.doc[s.at] != '"' {
		return s.fail()
	}
	from = s.at + 1
	for s.at++; s.at < len(s.doc); s.at++ {
		switch c := s.doc[s.at]; {
		case c == '"':
			s.at++
			return from, s.at - 1
		case c < ' ':
			return s.fail()
		case c == '\\':
			if s.at++; !s.escape() {
				return s.fail()
			}
		}
	}
	return s.fail()
}

// escape tells whether what is behind a \ may be, and goes to its last byte.
func (s *jsonScanner[T]) escape() bool {
	if s.at >= len(s.doc) {
		return false
	}
	if s.doc[s.at] != 'u' {
		return strings.IndexByte(`"\/bfnrt`, s.doc[s.at]) >= 0
	}
	if s.at += 4; s.at >= len(s.doc) {
		return false
	}
	_, ok := unhex([]byte(s.doc[s.at-3 : s.at+1]))
	return ok
}

// names tells whether the characters of a string, their escapes undone, are a name.
func (s *jsonScanner[T]) names(from, to int, name string) bool {
	plain := true
	for i := from; i < to && plain; i++ {
		plain = s.doc[i] != '\\'
	}
	if plain {
		return string(s.doc[from:to]) == name
	}
	start := len(s.m.arena)
	if !s.m.room(to - from) {
		return false
	}
	s.m.arena = unescapeJSON(s.m.arena, s.doc[from:to])
	same := string(s.m.arena[start:]) == name
	s.m.arena = s.m.arena[:start]
	return same
}

// number passes -0.1e+2 and the like.
func (s *jsonScanner[T]) number() {
	if s.doc[s.at] == '-' {
		s.at++
	}
	zero := s.at < len(s.doc) && s.doc[s.at] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		s.fail()
	}
	if s.at < len(s.doc) && s.doc[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			s.fail()
		}
	}
	if s.at < len(s.doc) && s.doc[s.at]|0x20 == 'e' {
		if s.at++; s.at < len(s.doc) && (s.doc[s.at] == '+' || s.doc[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			s.fail()
		}
	}
}

func (s *jsonScanner[T]) digits() (n int) {
	for s.at < len(s.doc) && isDigit(s.doc[s.at]) {
		s.at++
		n++
	}
	return n
}

// word passes true, false or null.
func (s *jsonScanner[T]) word() {
	for _, word := range [...]string{"true", "false", "null"} {
		if end := s.at + len(word); end <= len(s.doc) && string(s.doc[s.at:end]) == word {
			s.at = end
			return
		}
	}
	s.fail()
}

// unescapeJSON appends the characters of a valid string to b. Half a surrogate pair becomes U+FFFD. Nothing gets longer.
func unescapeJSON[T string | []byte](b []byte, text T) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		i++
		if text[i] != 'u' {
			b = append(b, unescapeByte(text[i]))
			continue
		}
		r, _ := unhex([]byte(text[i+1 : i+5]))
		i += 4
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+6 < len(text) && text[i+1] == '\\' && text[i+2] == 'u' {
				low, _ = unhex([]byte(text[i+3 : i+7]))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 6
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

func unescapeByte(c byte) byte {
	if i := strings.IndexByte("bfnrt", c); i >= 0 {
		return "\b\f\n\r\t"[i]
	}
	return c
}
