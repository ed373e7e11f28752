package response

import (
	"strings"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// format is the kind of page that Accept prefers among those it names (RFC 9110 §12.5.1). Whoever names none is sent text: feed
// readers, scripts and git take anything, but can't read HTML.
func format(fields []flow.Field) pageFormat {
	best, most := asText, 0
	for i := range fields {
		if !flow.Named(fields[i].Name, "accept") {
			continue
		}
		for accepted := range h1.Tokens(fields[i].Value) {
			mediaType, parameters, weighted := strings.Cut(accepted, ";")
			if weighted {
				mediaType = strings.TrimRight(mediaType, " \t")
			}
			as, ok := formatOf(mediaType)
			if !ok {
				continue
			}
			if w := weight(parameters); w > most {
				best, most = as, w
			}
			if most == maxWeight { // as a browser's first is
				return best
			}
		}
	}
	return best
}

// formatOf is the format of a media type; ok is false if there is none.
func formatOf(mediaType string) (as pageFormat, ok bool) {
	const suffix = "+json" // RFC 6839 §3.1
	switch {
	case h1.EqualFold(mediaType, "text/html"):
		return asHTML, true
	case h1.EqualFold(mediaType, "text/plain"):
		return asText, true
	case h1.EqualFold(mediaType, "application/json"),
		len(mediaType) > len(suffix) && h1.EqualFold(mediaType[len(mediaType)-len(suffix):], suffix):
		return asJSON, true
	}
	return asText, false
}

// maxWeight is that of what is acceptable without reservation.
const maxWeight = 1000

// weight is the q among a media range's parameters in thousandths (RFC 9110 §12.4.2); a broken one counts as not acceptable.
func weight(parameters string) int {
	if parameters == "" {
		return maxWeight
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.Trim(parameter, " \t"), "=")
		if h1.EqualFold(name, "q") {
			return quality(value)
		}
	}
	return maxWeight
}

func quality(s string) int {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	q := int(whole[0] - '0')
	for i := range 3 {
		q *= 10
		if i < len(fraction) {
			if fraction[i] < '0' || fraction[i] > '9' {
				return 0
			}
			q += int(fraction[i] - '0')
		}
	}
	if q > maxWeight {
		return 0
	}
	return q
}
