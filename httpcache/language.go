package httpcache

import (
	"slices"
	"strings"
)

// maxRanges is how many language ranges of an Accept-Language are looked at. Browsers send a handful.
const maxRanges = 32

// Language is the one of the site's languages that a request's Accept-Language prefers: by the highest weight, among equals the one
// that the request names first, by the lookup scheme of RFC 4647 §3.4 (of "de-CH" and "de" both find "de", and "de" does not find
// "de-CH"). It is the first of the site's languages if the request wants none of them, and "" if the site has not said which it has.
func (p *Policy) Language(fields []Field) string {
	if len(p.Languages) == 0 {
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
			if i := p.lookup(trimOWS(tag)); i >= 0 {
				best, most = i, weight
			}
		}
	}
	return p.Languages[best]
}

// lookup is the index of the site's language that a language range finds, by cutting subtags off its end; -1 if none. "*" finds none.
func (p *Policy) lookup(tag string) int {
	for tag != "" {
		if i := slices.IndexFunc(p.Languages, func(l string) bool { return sameName(l, tag) }); i >= 0 {
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
