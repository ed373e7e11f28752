package httpcache

import "strings"

// Coding is a content coding (RFC 9110 §8.4.1) that a stored response may be sent in.
type Coding uint8

const (
	Identity Coding = iota // as it was stored
	Gzip                   // RFC 1952
	Brotli                 // RFC 7932
	Zstd                   // RFC 8878
)

// NumCodings is how many there are, Identity included.
const NumCodings = 4

// String is the coding's name in Content-Encoding.
func (c Coding) String() string {
	names := [NumCodings]string{"identity", "gzip", "br", "zstd"}
	if int(c) >= len(names) {
		return "unknown"
	}
	return names[c]
}

// ParseCoding finds a coding by its name; "x-gzip" is gzip (RFC 9110 §8.4.1.3).
func ParseCoding(name string) (c Coding, ok bool) {
	switch len(name) {
	case 2:
		return Brotli, sameName(name, "br")
	case 4:
		if sameName(name, "zstd") {
			return Zstd, true
		}
		return Gzip, sameName(name, "gzip")
	case 6:
		return Gzip, sameName(name, "x-gzip")
	case 8:
		return Identity, sameName(name, "identity")
	}
	return Identity, false
}

// CodingSet is a set of codings, a bit each.
type CodingSet uint8

// With is the set with one more.
func (s CodingSet) With(c Coding) CodingSet { return s | 1<<c }

// Has reports whether a coding is in the set.
func (s CodingSet) Has(c Coding) bool { return s&(1<<c) != 0 }

// AcceptEncoding is how much a client wants each coding, in thousandths; 0 is not at all. Identity is wanted by one thousandth
// where nothing is said of it: it is acceptable, and the last choice (RFC 9110 §12.5.3).
type AcceptEncoding [NumCodings]int16

// maxWeight is that of what is wanted without reservation (RFC 9110 §12.4.2).
const maxWeight = 1000

// ParseAcceptEncoding reads the Accept-Encoding of a request (RFC 9110 §12.5.3). Without the field any coding is acceptable by
// the letter, but who does not send it mostly can't decode, so it means identity alone, as does an empty one. Of a coding that
// is listed twice the lowest weight counts, and a weight that is broken counts as 0, but does not forbid identity. Codings that
// this package does not know are passed over. It does not allocate.
func ParseAcceptEncoding(fields []Field) (a AcceptEncoding) {
	const unlisted = -1
	star := int16(unlisted)
	a = AcceptEncoding{unlisted, unlisted, unlisted, unlisted}
	broken := false
	for line := range lines(fields, "Accept-Encoding") {
		for line != "" {
			var element string
			element, line, _ = cutElement(line)
			name, weight, ok := parseWeighted(element)
			c, known := ParseCoding(name)
			switch {
			case name == "*":
				star, broken = lowest(star, weight), broken || !ok
			case known && (ok || c != Identity):
				a[c] = lowest(a[c], weight)
			}
		}
	}
	for c := Gzip; c < NumCodings; c++ {
		if a[c] < 0 {
			a[c] = max(star, 0)
		}
	}
	switch {
	case a[Identity] >= 0:
	case star < 0 || broken:
		a[Identity] = 1
	default:
		a[Identity] = star
	}
	return a
}

// lowest is the lower of a weight that may be missing (-1) and another.
func lowest(old, weight int16) int16 {
	if old < 0 {
		return weight
	}
	return min(old, weight)
}

// parseWeighted reads a member of a list with weights: "name" or "name;q=0.5". The weight is 0 and ok false if what follows the
// name is no weight.
func parseWeighted(element string) (name string, weight int16, ok bool) {
	name, parameter, weighted := strings.Cut(element, ";")
	if !weighted {
		return element, maxWeight, true
	}
	name = trimOWS(name)
	key, value, _ := strings.Cut(trimOWS(parameter), "=")
	if !sameName(key, "q") {
		return name, 0, false
	}
	weight, ok = parseWeight(value)
	return name, weight, ok
}

// parseWeight reads a qvalue: 0 to 1 with at most three digits behind the point.
func parseWeight(s string) (weight int16, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0, false
	}
	weight = int16(whole[0] - '0')
	for i := range 3 {
		weight *= 10
		if i < len(fraction) {
			if !isDigit(fraction[i]) {
				return 0, false
			}
			weight += int16(fraction[i] - '0')
		}
	}
	if weight > maxWeight {
		return 0, false
	}
	return weight, true
}

// Prefer returns the coding that a client gets of those in a set: the one it wants most, of equals the first in order, which is
// the server's; Identity, if it wants none of them or wants that more. Identity is also the answer to a client that refuses it
// but takes nothing else that is there: RFC 9110 §12.4.1 lets a server disregard the field.
func (a *AcceptEncoding) Prefer(order []Coding, among CodingSet) Coding {
	best, most := Identity, max(a[Identity], 1)-1
	for _, c := range order {
		if a[c] > most && among.Has(c) {
			best, most = c, a[c]
		}
	}
	return best
}

// RefusesIdentity reports whether the client takes coded responses only.
func (a *AcceptEncoding) RefusesIdentity() bool { return a[Identity] == 0 }

// Normal is an Accept-Encoding that means the same but for the weights: which codings of this package are acceptable, and
// whether identity is. All of the field's many spellings have one of 16 normal forms, so that a response that varies by it has
// no more variants than that (RFC 9111 §4.1). Whoever asks the origin on behalf of all requests with one normal form has to send
// that form: only then is what the origin chooses acceptable to each of them. It does not allocate.
func (a *AcceptEncoding) Normal() string {
	i := 0
	for c := range NumCodings {
		if a[c] > 0 {
			i |= 1 << c
		}
	}
	forms := [1 << NumCodings]string{
		"identity;q=0", "identity",
		"gzip, identity;q=0", "gzip",
		"br, identity;q=0", "br",
		"gzip, br, identity;q=0", "gzip, br",
		"zstd, identity;q=0", "zstd",
		"gzip, zstd, identity;q=0", "gzip, zstd",
		"br, zstd, identity;q=0", "br, zstd",
		"gzip, br, zstd, identity;q=0", "gzip, br, zstd",
	}
	return forms[i]
}

// acceptEncoding is the field's name in Vary.
const acceptEncoding = "accept-encoding"
