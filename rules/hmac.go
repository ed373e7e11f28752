package rules

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
)

// timedHMAC checks tokens of the form message, separator, time, "-", MAC: Cloudflare's is_timed_hmac_valid_v0. The MAC is HMAC-SHA256
// (RFC 2104) of the message and the time, ten digits of UNIX seconds.
type timedHMAC struct {
	inner, outer [sha256.BlockSize]byte
	ttl          int64
	separator    int
	urlSafe      bool // the MAC is in base64url without padding; else in base64, and that URL-encoded
}

const timeDigits = 10

func buildTimedHMAC(c *compiler, n *callNode, args []operand) (expr, error) {
	flags, err := c.flags(n, args, 5, "s")
	if err != nil {
		return nil, err
	}
	h := &timedHMAC{ttl: integer(args, 2, 0), urlSafe: flags != ""}
	separator := integer(args, 4, 0)
	if h.ttl < 0 || separator < 0 || separator > MaxLength {
		return nil, c.errorf(n, "the time to live and the length of the separator must not be negative")
	}
	h.separator = int(separator)
	h.setKey(text(args, 0))
	return newCall(func(m *Machine, args []Value) Value {
		before := m.mark()
		defer m.release(before)
		token, ok := m.bytes(&args[0])
		return BoolValue(ok && h.valid(m, token, args[1].Int()))
	}, args[1], args[3]), nil
}

func (h *timedHMAC) setKey(key string) {
	k := []byte(key)
	if len(k) > sha256.BlockSize {
		sum := sha256.Sum256(k)
		k = sum[:]
	}
	copy(h.inner[:], k)
	copy(h.outer[:], k)
	for i := range h.inner {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
}

// valid tells whether a token was made with the key, less than the time to live before now.
func (h *timedHMAC) valid(m *Machine, token []byte, now int64) bool {
	dash := bytes.LastIndexByte(token, '-')
	if h.urlSafe {
		dash = len(token) - base64.RawURLEncoding.EncodedLen(sha256.Size) - 1
	}
	message := dash - timeDigits - h.separator
	if message < 1 || token[dash] != '-' {
		return false
	}
	stamp := token[dash-timeDigits : dash]
	issued, err := strconv.ParseUint(string(stamp), 10, 63)
	if err != nil || now-int64(issued) >= h.ttl {
		return false
	}
	var given [sha256.Size]byte
	if !h.decode(m, token[dash+1:], &given) {
		return false
	}
	sum, ok := h.sum(m, token[:message], stamp)
	return ok && subtle.ConstantTimeCompare(sum[:], given[:]) == 1
}

// decode reads a MAC as the client wrote it.
func (h *timedHMAC) decode(m *Machine, text []byte, mac *[sha256.Size]byte) bool {
	if !m.room(len(text)) {
		return false
	}
	encoding := base64.RawURLEncoding.Strict()
	if !h.urlSafe {
		encoding = base64.StdEncoding.Strict()
		text = h.unescape(m, text)
	}
	if len(text) != encoding.EncodedLen(sha256.Size) {
		return false
	}
	var room [sha256.Size + 2]byte // Decode wants it for padding
	n, err := encoding.Decode(room[:], text)
	copy(mac[:], room[:])
	return err == nil && n == sha256.Size
}

// unescape undoes %HH, and leaves + as it is: it is a digit of base64.
func (h *timedHMAC) unescape(m *Machine, text []byte) []byte {
	start := len(m.arena)
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, ok := unhex(text[i+1 : i+3]); ok {
				m.arena = append(m.arena, byte(c))
				i += 2
				continue
			}
		}
		m.arena = append(m.arena, text[i])
	}
	return m.arena[start:]
}

// sum is the HMAC of message and stamp, made in the arena.
func (h *timedHMAC) sum(m *Machine, message, stamp []byte) (sum [sha256.Size]byte, ok bool) {
	if !m.room(2*sha256.BlockSize + len(message) + len(stamp) + sha256.Size) {
		return sum, false
	}
	start := len(m.arena)
	m.arena = append(append(append(m.arena, h.inner[:]...), message...), stamp...)
	sum = sha256.Sum256(m.arena[start:])
	m.arena = append(append(m.arena[:start], h.outer[:]...), sum[:]...)
	return sha256.Sum256(m.arena[start:]), true
}
