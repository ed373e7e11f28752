// Package hfp tells the software that sends HTTP requests by their heads: a fingerprint of the protocol and of the names of
// the header fields, in their order. Browsers, libraries and the tools of attackers differ in both, and a tool that names itself
// a browser seldom sends a browser's fields as the browser does.
//
// Its text is the protocol, the number of names and the first twelve hexadecimal digits of their hash: "h11n14_9c1185a5c5e9".
// The names are those as received, upper and lower case and repetitions included, joined by commas; hashed by XXH64 without a seed. Left out are
// names that tell of the request and not of who sends it, or that a proxy may have added; see [Counts]. In HTTP/2 the hash of how the
// connection began follows, "h20n14_9c1185a5c5e9_52a1e0c9f3ab": the client's settings, its first window update and the order of
// its pseudo-header fields; see [ConnOf]. docs/fingerprints.md has examples.
//
// It costs one pass over the names and no allocation. Names beyond the first [MaxNames] bytes count in number only, settings beyond as
// many not at all. It never fails.
// Whoever copies another's head has its fingerprint: it tells tools that do not hide from tools that do not hide.
package hfp

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Field is a header field, as all of the house has it.
type Field = struct{ Name, Value string }

// Setting is a parameter of a SETTINGS frame (RFC 9113 §6.5.1), as all of the house has it.
type Setting = struct {
	ID    uint16
	Value uint32
}

// MaxNames is how many bytes of joined names are hashed, and of what is known of a connection.
const MaxNames = 512

// Fingerprint is one request's. It can be compared. The zero Fingerprint is that of no request.
type Fingerprint struct {
	protocol Protocol
	names    uint8
	hash     uint64 // 48 bits
	conn     uint64 // 48 bits; of HTTP/2
}

// Conn is what a connection's requests have in common in HTTP/2.
type Conn struct{ hash uint64 }

// Protocol is what carries a request.
type Protocol uint8

// The protocols, as a fingerprint begins with them.
const (
	HTTP10 Protocol = iota + 1 // h10
	HTTP11                     // h11
	http2                      // h20, with a Conn
)

// most is the highest number of names that shows.
const most = 99

// hashBits are those of the hash that show.
const hashBits = 48

// Of returns the fingerprint of a request's header fields, as they were received.
func Of(p Protocol, fields []Field) Fingerprint {
	var room [MaxNames]byte
	names, n := room[:0], 0
	for i := range fields {
		name := fields[i].Name
		if !Counts(name) {
			continue
		}
		if n++; len(names)+len(name) < MaxNames {
			names = append(append(names, name...), ',')
		}
	}
	if len(names) > 0 {
		names = names[:len(names)-1]
	}
	return Fingerprint{protocol: p, names: uint8(min(n, most)), hash: xxhash.Sum64(names) >> (64 - hashBits)}
}

// OfHTTP2 returns the fingerprint of a request's header fields on a connection. Pseudo-header fields are not among them, and neither
// is Host, which some clients send beside :authority.
func OfHTTP2(c *Conn, fields []Field) Fingerprint {
	f := Of(http2, fields)
	f.conn = c.hash
	return f
}

// ConnOf tells how a client began its HTTP/2 connection: the parameters of its first SETTINGS frame in their order, the first
// increment of the connection's window before the first request, 0 if there was none, and the order of the first request's
// pseudo-header fields, a letter each. What is hashed is "1:65536,2:0,4:6291456|15663105|masp", without the parameters that some
// clients add for no other purpose than to be unknown (GREASE), whose ids are 0x?a?a.
func ConnOf(settings []Setting, window uint32, pseudo string) Conn {
	const longest, most = len("65535:4294967295,"), 8
	var room [MaxNames + 32]byte
	text := room[:0]
	for _, s := range settings {
		if s.ID&0x0f0f == 0x0a0a || len(text)+longest > MaxNames {
			continue
		}
		if len(text) > 0 {
			text = append(text, ',')
		}
		text = append(strconv.AppendUint(text, uint64(s.ID), 10), ':')
		text = strconv.AppendUint(text, uint64(s.Value), 10)
	}
	text = append(strconv.AppendUint(append(text, '|'), uint64(window), 10), '|')
	text = append(text, pseudo[:min(len(pseudo), most)]...)
	return Conn{xxhash.Sum64(text) >> (64 - hashBits)}
}

// Counts tells whether a name is one of those that a fingerprint is made of. It is not if its presence depends on what is asked
// (Authorization, Cache-Control, Content-*, Cookie, Expect, If-*, Origin, Pragma, Priority, Range, Referer, Sec-Fetch-User, Transfer-Encoding,
// Upgrade-Insecure-Requests), or if proxies add it (CDN-Loop, Forwarded, Via, X-Forwarded-*, X-Real-IP).
func Counts(name string) bool {
	if name == "" {
		return true
	}
	switch name[0] | 0x20 {
	case 'a':
		return !is(name, "authorization")
	case 'c':
		return !begins(name, "content-") && !is(name, "cookie") && !is(name, "cache-control") && !is(name, "cdn-loop")
	case 'e':
		return !is(name, "expect")
	case 'f':
		return !is(name, "forwarded")
	case 'i':
		return !begins(name, "if-")
	case 'o':
		return !is(name, "origin")
	case 'p':
		return !is(name, "pragma") && !is(name, "priority")
	case 'r':
		return !is(name, "referer") && !is(name, "range")
	case 's':
		return !is(name, "sec-fetch-user")
	case 't':
		return !is(name, "transfer-encoding")
	case 'u':
		return !is(name, "upgrade-insecure-requests")
	case 'v':
		return !is(name, "via")
	case 'x':
		return !begins(name, "x-forwarded-") && !is(name, "x-real-ip")
	}
	return true
}

// is compares a name to one in lower case.
func is(name, lower string) bool {
	last := len(lower) - 1 // names of one length mostly differ there
	return len(name) == len(lower) && name[last]|0x20 == lower[last] && begins(name, lower)
}

// begins tells whether a name begins with a prefix in lower case.
func begins(name, lower string) bool {
	if len(name) < len(lower) {
		return false
	}
	for i := range len(lower) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Append appends the fingerprint's text, "" for the zero Fingerprint: letters, digits and _.
func (f Fingerprint) Append(b []byte) []byte {
	if f == (Fingerprint{}) {
		return b
	}
	b = append(b, [...]string{HTTP10: "h10n", HTTP11: "h11n", http2: "h20n"}[f.protocol]...)
	b = append(b, '0'+f.names/10, '0'+f.names%10)
	b = appendHash(b, f.hash)
	if f.protocol == http2 {
		b = appendHash(b, f.conn)
	}
	return b
}

// appendHash appends what shows of a hash, behind a _.
func appendHash(b []byte, hash uint64) []byte {
	b = append(b, '_')
	for shift := hashBits - 4; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[hash>>shift&15])
	}
	return b
}

// String is the fingerprint's text.
func (f Fingerprint) String() string { return string(f.Append(nil)) }
