package httpcache

import (
	"encoding/binary"
	"slices"
	"strings"
)

// maxVary is how many names Vary may list; every one costs each lookup a walk over the request's fields.
const maxVary = 16

// parseVary returns the names that Vary lists: lower case, sorted, each once. ok is false if no later request can be
// known to match (RFC 9111 §4.1).
func parseVary(fields []Field) (names []string, ok bool) {
	for line := range lines(fields, "Vary") {
		for line != "" {
			name, rest, _ := cutElement(line)
			line = rest
			switch {
			case name == "":
			case name == "*", !isToken(name), len(names) == maxVary:
				return nil, false
			default:
				names = append(names, strings.Clone(strings.ToLower(name)))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// AppendVaryKey appends the secondary cache key of a request for a response whose [Metadata.Vary] is vary: two requests
// have the same key only if all named fields match (RFC 9111 §4.1). A field's lines are taken as one comma-separated
// list, whose members are compared without the whitespace around them. Accept-Language is compared without regard to case, as its
// specification has it (RFC 9110 §12.5.4), or by [Policy.Language] where the site has said which languages it has. Accept-Encoding is
// compared by its meaning, in the form that [AcceptEncoding.Normal] gives it. Nothing else is normalised, and a missing field is not
// the same as an empty one. Names and members are written with their lengths, so that no value can imitate another key.
func (p *Policy) AppendVaryKey(dst []byte, vary []string, fields []Field) []byte {
	for _, name := range vary {
		dst = appendText(dst, name)
		language := name == "accept-language"
		if language && len(p.Languages) > 0 {
			dst = append(dst, 2)
			dst = append(appendText(dst, p.Language(fields)), 0)
			continue
		}
		if name == acceptEncoding {
			accept := ParseAcceptEncoding(fields)
			dst = append(appendMembers(dst, accept.Normal(), false), 0)
			continue
		}
		for line := range lines(fields, name) {
			dst = appendMembers(dst, line, language)
		}
		dst = append(dst, 0)
	}
	return dst
}

// lowerASCII turns letters into lower case, in place.
func lowerASCII(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// appendMembers appends the members of a list.
func appendMembers(dst []byte, line string, lower bool) []byte {
	for more := true; more; {
		var member string
		member, line, more = cutElement(line)
		dst = append(dst, 1)
		if dst = appendText(dst, member); lower {
			lowerASCII(dst[len(dst)-len(member):])
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
