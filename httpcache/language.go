package httpcache

import (
	"slices"
	"strings"
)

// maxRanges is how many language ranges of an Accept-Language are looked at. Browsers send a handful.
const maxRanges = 32

// Languages are those that a site has, as tags in lower case (RFC 5646), the one it falls back on first. If there are any, all that counts of
// a request's Accept-Language is which of them it prefers.
type Languages []string

const acceptLanguage = "accept-language"

// Preferred is the one of the site's languages that a request's Accept-Language prefers: by the highest weight, among equals the one
// that the request names first, by the lookup scheme of RFC 4647 §3.4 (of "de-CH" and "de" both find "de", and "de" does not find
// "de-CH"). It is the first of the site's languages if the request wants none of them, and "" if the site has not said which it has.
func (l Languages) Preferred(fields []Field) string {
	if len(l) == 0 {
		return ""
	}
	best, most, seen := 0, 0, 0
	for line := range lines(fields, "Accept-Language") {
		for line != "" && seen < maxRanges {
			var element string
			element, line, _ = cutElement(line)
			tag, parameters, _ := strings.Cut(element, ";")
			weight := qvalue(parameters)
			seen++
			if weight <= most {
				continue
			}
			if i := l.lookup(trimOWS(tag)); i >= 0 {
				best, most = i, weight
			}
		}
	}
	return l[best]
}

// appendKey appends what Accept-Language adds to a secondary cache key, as [Languages.AppendVaryKey] has it.
func (l Languages) appendKey(dst []byte, fields []Field) []byte {
	if len(l) > 0 {
		dst = append(dst, 2)
		return append(appendText(dst, l.Preferred(fields)), 0)
	}
	for line := range lines(fields, acceptLanguage) {
		for more := true; more; {
			var member string
			member, line, more = cutElement(line)
			dst = append(dst, 1)
			dst = appendText(dst, member)
			lowerASCII(dst[len(dst)-len(member):])
		}
	}
	return append(dst, 0)
}

// lowerASCII turns letters into lower case, in place.
func lowerASCII(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// lookup is the index of the site's language that a language range finds, by cutting subtags off its end; -1 if none. "*" finds none.
func (l Languages) lookup(tag string) int {
	for tag != "" {
		if i := slices.IndexFunc(l, func(has string) bool { return sameName(has, tag) }); i >= 0 {
			return i
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	return -1
}

// qvalue is the weight among a list's parameters, in thousandths (RFC 9110 §12.4.2): 1000 without one, 0 for a broken one.
func qvalue(parameters string) int {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(trimOWS(parameter), "=")
		if !sameName(name, "q") {
			continue
		}
		whole, fraction, _ := strings.Cut(value, ".")
		if whole != "0" && whole != "1" || len(fraction) > 3 {
			return 0
		}
		q := int(whole[0] - '0')
		for i := range 3 {
			q *= 10
			if i < len(fraction) {
				if !isDigit(fraction[i]) {
					return 0
				}
				q += int(fraction[i] - '0')
			}
		}
		if q > 1000 {
			return 0
		}
		return q
	}
	return 1000
}
