package rules

import (
	"net/url"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// pairs are the elements of a multimap, or of an array of its names or values.
type pairs struct {
	of   []flow.Field
	part part
	fold bool // its names are those of header fields, which are the same in any case
}

// part is what of pairs an array has.
type part uint8

const (
	both part = iota
	names
	values
)

// Len implements [rules.Items].
func (p *pairs) Len() int { return len(p.of) }

// Under implements [rules.Items].
func (p *pairs) Under(i int, key string) bool {
	if p.fold {
		return flow.Named(p.of[i].Name, key)
	}
	return p.of[i].Name == key
}

// Key implements [rules.Items].
func (p *pairs) Key(i int) string {
	if p.fold {
		return strings.ToLower(p.of[i].Name)
	}
	return p.of[i].Name
}

// At implements [rules.Items].
func (p *pairs) At(i int) rules.Value {
	if p.part == names {
		return rules.BytesValue(p.of[i].Name)
	}
	return rules.BytesValue(p.of[i].Value)
}

// texts are an array of texts.
type texts struct{ of []string }

// Len implements [rules.Items].
func (t *texts) Len() int { return len(t.of) }

// Under implements [rules.Items].
func (*texts) Under(int, string) bool { return false }

// Key implements [rules.Items].
func (*texts) Key(int) string { return "" }

// At implements [rules.Items].
func (t *texts) At(i int) rules.Value { return rules.BytesValue(t.of[i]) }

const (
	maxArguments = 256 // of a query that are looked at
	maxCookies   = 256 // of a request
)

// arguments appends what a query consists of, not decoded, in its order.
func arguments(to []flow.Field, query string) []flow.Field {
	for len(query) > 0 && len(to) < maxArguments {
		argument, rest, _ := strings.Cut(query, "&")
		if query = rest; argument != "" {
			name, value, _ := strings.Cut(argument, "=")
			to = append(to, flow.Field{Name: name, Value: value})
		}
	}
	return to
}

// cookies appends the cookies of all Cookie fields (RFC 6265 §4.2.1), with their names decoded, as some frameworks encode them.
func cookies(to []flow.Field, fields []flow.Field) []flow.Field {
	for i := range fields {
		if !flow.Named(fields[i].Name, "cookie") {
			continue
		}
		for rest := fields[i].Value; rest != "" && len(to) < maxCookies; {
			var cookie string
			cookie, rest, _ = strings.Cut(rest, ";")
			name, value, ok := strings.Cut(strings.Trim(cookie, " \t"), "=")
			if decoded, err := url.PathUnescape(name); err == nil {
				name = decoded
			}
			if ok && name != "" {
				to = append(to, flow.Field{Name: name, Value: value})
			}
		}
	}
	return to
}
