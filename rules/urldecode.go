package rules

import (
	"strings"
	"unicode/utf8"
)

func buildURLDecode(c *compiler, n *callNode, args []operand) (expr, error) {
	options, err := c.flags(n, args, 1, "ru")
	if err != nil {
		return nil, err
	}
	d := urlDecoder{recursive: strings.Contains(options, "r"), unicode: strings.Contains(options, "u")}
	return newCall(func(m *Machine, args []Value) Value {
		if args[0].findByte('%') < 0 && args[0].findByte('+') < 0 {
			return args[0]
		}
		text, ok := m.bytes(&args[0])
		if !ok || !m.room(len(text)) {
			return Value{}
		}
		start := len(m.arena)
		m.arena = d.append(m.arena, text)
		return m.made(start)
	}, args[0]), nil
}

// urlDecoder undoes the coding of URLs: + and %20 are spaces, and what is no code stays as it is.
type urlDecoder struct {
	recursive bool // what was decoded is decoded again, until nothing is left to decode
	unicode   bool // %u2601 is U+2601 in UTF-8
}

// append decodes text to the end of b. Nothing gets longer.
//
// Codes can't overlap, so it does not matter in which order they are decoded: it is enough to look, whenever a byte has been added,
// whether it completes one. Recursive decoding looks at what it has added, else codes must not begin before what was decoded last.
func (d urlDecoder) append(b, text []byte) []byte {
	fresh := len(b) // codes begin here or later
	for _, c := range text {
		if c == '+' {
			c = ' '
		}
		b = append(b, c)
		for {
			decoded, ok := d.last(b, fresh)
			if !ok {
				break
			}
			if b = decoded; !d.recursive {
				fresh = len(b)
				break
			}
			if b[len(b)-1] == '+' {
				b[len(b)-1] = ' '
			}
		}
	}
	return b
}

// last decodes the code that b ends with, if it begins at least at fresh.
func (d urlDecoder) last(b []byte, fresh int) ([]byte, bool) {
	const short, long = len("%20"), len("%u2601")
	if n := len(b) - short; n >= fresh && b[n] == '%' {
		if c, ok := unhex(b[n+1:]); ok {
			return append(b[:n], byte(c)), true
		}
	}
	if n := len(b) - long; d.unicode && n >= fresh && b[n] == '%' && b[n+1]|0x20 == 'u' {
		if r, ok := unhex(b[n+2:]); ok && utf8.ValidRune(r) {
			return utf8.AppendRune(b[:n], r), true
		}
	}
	return b, false
}

// unhex reads hexadecimal digits.
func unhex(b []byte) (n rune, ok bool) {
	for _, c := range b {
		switch lower := c | 0x20; {
		case isDigit(c):
			n = n<<4 | rune(c-'0')
		case 'a' <= lower && lower <= 'f':
			n = n<<4 | rune(lower-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
