package record

import (
	"encoding/binary"
	"unicode/utf8"
)

// The longest texts a line keeps, in bytes as written, give or take one escape; a client chooses them.
const (
	maxTarget = 2048
	maxText   = 512
)

// appendWord writes a word of our own as a JSON string behind its key and opening quote.
func appendWord(b []byte, key, word string) []byte {
	return append(append(append(b, key...), word...), '"')
}

// appendText writes a text as a JSON string behind its key and opening quote, or nothing at all if it is empty.
func appendText(b []byte, key, s string, limit int) []byte {
	if s == "" {
		return b
	}
	return appendRest(append(b, key...), s, limit)
}

// appendRest writes a text and its closing quote.
func appendRest(b []byte, s string, limit int) []byte {
	from := len(b)
	b = append(b, s[:min(len(s), limit)]...)
	if !plain(b[from:]) {
		b = appendEscaped(b[:from], s, limit)
	}
	return append(b, '"')
}

// plain tells whether b is ASCII that needs no escape. It looks at all of b before it answers: most texts are plain.
func plain(b []byte) bool {
	if len(b) < 8 {
		for _, c := range b {
			if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
				return false
			}
		}
		return true
	}
	marks := marks8(binary.LittleEndian.Uint64(b[len(b)-8:])) // the last ones, some of them for the second time
	for ; len(b) >= 16; b = b[16:] {
		marks |= marks8(binary.LittleEndian.Uint64(b)) | marks8(binary.LittleEndian.Uint64(b[8:]))
	}
	if len(b) >= 8 {
		marks |= marks8(binary.LittleEndian.Uint64(b))
	}
	return marks&high == 0
}

// What the lowest bit of each of eight bytes is, and the highest.
const ones, high = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080

// marks8 is plain for eight bytes at once: they are plain if it sets no high bit. A byte below n borrows from its high bit when n is
// subtracted, DEL carries into its own when 1 is added, and one that equals x leaves nothing of x ⊕ x for 1 to borrow from: where no
// high bit was set before, one that is set afterwards shows such a byte.
func marks8(v uint64) uint64 {
	quotes, slashes := v^ones*'"', v^ones*'\\'
	return v | (v - ones*' ') | (v + ones) | (quotes - ones) | (slashes - ones)
}

// appendEscaped writes s until limit bytes are written. What is not UTF-8 becomes U+FFFD; control characters are escaped, so that no
// terminal obeys a line.
func appendEscaped(b []byte, s string, limit int) []byte {
	const hex = "0123456789abcdef"
	for end := len(b) + limit; s != "" && len(b) < end; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || 0x7f <= r && r < 0xa0:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return b
}
