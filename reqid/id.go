package reqid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	idText     = 20 // characters of an id's text: 96 bits and 4 of padding
	blockText  = 26 // characters of a sealed block's text: 128 bits and 2 of padding
	sealedText = idText + blockText
)

// ErrNotID is within every error about a text that is not an id, sealed or not.
var ErrNotID = errors.New("not a request id")

// An ID names a request: 48 bits of Unix time in milliseconds, 16 bits of node, 32 bits of sequence, all big-endian. IDs
// sort by time, as bytes and as text.
type ID [12]byte

// Time returns when the id was made, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// Node returns the number of the node that made the id.
func (id ID) Node() uint16 {
	return binary.BigEndian.Uint16(id[6:8])
}

// Append appends the id's text: 20 lower-case characters.
func (id ID) Append(dst []byte) []byte {
	return appendBase32(dst, id[:])
}

// String returns the id's text.
func (id ID) String() string {
	return string(id.Append(make([]byte, 0, idText)))
}

// Parse parses the text of an id (20 characters) or of a sealed id (46), and says which. It takes what people make of it:
// space around it, upper case, O for 0, and I or L for 1. Every other text fails with ErrNotID; the error says why.
func Parse(text string) (id ID, sealed [16]byte, isSealed bool, err error) {
	text = strings.TrimSpace(text)
	switch len(text) {
	case sealedText:
		if err := decodeBase32(sealed[:], text, idText); err != nil {
			return ID{}, [16]byte{}, false, err
		}
	case idText:
	default:
		return ID{}, [16]byte{}, false, fmt.Errorf("%w: it has %d characters, not %d or, sealed, %d",
			ErrNotID, len(text), idText, sealedText)
	}
	if err := decodeBase32(id[:], text[:idText], 0); err != nil {
		return ID{}, [16]byte{}, false, err
	}
	return id, sealed, len(text) == sealedText, nil
}

// alphabet is Crockford's base 32: no i, l, o, u; in ASCII order, so that text sorts as the bytes do.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// appendBase32 appends src in base 32, most significant bits first, the last character padded with zero bits.
func appendBase32(dst, src []byte) []byte {
	for ; len(src) >= 5; src = src[5:] { // 40 bits are 8 characters
		v := uint64(binary.BigEndian.Uint32(src))<<8 | uint64(src[4])
		dst = append(dst, alphabet[v>>35&31], alphabet[v>>30&31], alphabet[v>>25&31], alphabet[v>>20&31],
			alphabet[v>>15&31], alphabet[v>>10&31], alphabet[v>>5&31], alphabet[v&31])
	}
	var bits uint32
	n := 0
	for _, b := range src {
		bits, n = bits<<8|uint32(b), n+8
		for ; n >= 5; n -= 5 {
			dst = append(dst, alphabet[bits>>(n-5)&31])
		}
	}
	if n > 0 {
		dst = append(dst, alphabet[bits<<(5-n)&31])
	}
	return dst
}

// decodeBase32 fills dst from text[from:], which must have as many characters as that takes.
func decodeBase32(dst []byte, text string, from int) error {
	var bits uint32
	n, next := 0, 0
	for i := from; i < len(text); i++ {
		v, ok := value(text[i])
		if !ok {
			return fmt.Errorf("%w: character %d, %s, is none of 0-9 and a-z without u",
				ErrNotID, i+1, strconv.QuoteToASCII(text[i:i+1]))
		}
		bits, n = bits<<5|v, n+5
		if n >= 8 {
			n -= 8
			dst[next] = byte(bits >> n)
			next++
		}
	}
	if bits&(1<<n-1) != 0 {
		return fmt.Errorf("%w: character %d cannot be %q there", ErrNotID, len(text), text[len(text)-1])
	}
	return nil
}

// value returns the five bits of a character, upper case and Crockford's confusable letters allowed.
func value(c byte) (uint32, bool) {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	switch c {
	case 'o':
		c = '0'
	case 'i', 'l':
		c = '1'
	}
	v := strings.IndexByte(alphabet, c)
	return uint32(v), v >= 0
}
