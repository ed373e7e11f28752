package httpcache

import (
	"slices"
	"strings"
)

// withhold takes the argument of a qualified no-cache or private: names of fields that are not to be stored or not to be reused, while
// the rest of the response is (RFC 9111 §5.2.2.4, §5.2.2.7). It reports false if the directive has to count as unqualified, which both
// sections allow: without names, with what is no name, with too many, or with a field that the rest can't do without.
func (d *responseDirectives) withhold(arg string) bool {
	var listed []string
	for more := true; more; {
		var name string
		name, arg, more = cutElement(arg)
		switch name = strings.ToLower(name); {
		case name == "":
		case !isToken(name) || indispensable(name) || len(d.withheld)+len(listed) == maxVary:
			return false
		default:
			listed = append(listed, strings.Clone(name))
		}
	}
	d.withheld = append(d.withheld, listed...)
	return len(listed) > 0
}

func (d *responseDirectives) withholds(lower string) bool { return slices.Contains(d.withheld, lower) }

// indispensable names the fields without which the rest of a response would be read otherwise, kept longer, or guarded less.
func indispensable(lower string) bool {
	for _, prefix := range [...]string{"content-", "access-control-", "cross-origin-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	switch lower {
	case "age", "cache-control", "cdn-cache-control", "seawall-cache-control", "surrogate-control", "date", "etag", "expires",
		"last-modified", "location", "vary", "clear-site-data", "origin-agent-cluster", "permissions-policy", "referrer-policy",
		"strict-transport-security", "x-content-type-options", "x-frame-options", "x-permitted-cross-domain-policies",
		"x-xss-protection":
		return true
	}
	return false
}

// WithheldFields appends the fields of a response that are for the client alone that caused it: [Metadata.StoredFields] leaves them out.
func (m *Metadata) WithheldFields(dst, fields []Field) []Field {
	for i := range fields {
		if m.withholds(fields[i].Name) {
			dst = append(dst, fields[i])
		}
	}
	return dst
}

func (m *Metadata) withholds(name string) bool {
	for _, w := range m.Withheld {
		if sameName(w, name) {
			return true
		}
	}
	return false
}
