package rules

import (
	"net/textproto"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// pairs are the elements of a multimap, or of an array of its names or values.
type pairs struct {
	of   []flow.Field
	part part
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

// Key implements [rules.Items].
func (p *pairs) Key(i int) string { return p.of[i].Name }

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

// cookies appends the cookies of all Cookie fields (RFC 6265 §4.2.1).
func cookies(to []flow.Field, fields []flow.Field) []flow.Field {
	for i := range fields {
		if !flow.Named(fields[i].Name, "cookie") {
			continue
		}
		for rest := fields[i].Value; rest != "" && len(to) < maxCookies; {
			var cookie string
			cookie, rest, _ = strings.Cut(rest, ";")
			name, value, ok := strings.Cut(strings.Trim(cookie, " \t"), "=")
			if ok && name != "" {
				to = append(to, flow.Field{Name: name, Value: value})
			}
		}
	}
	return to
}

// spellings are the names of usual fields in lower case, by how HTTP/1.1's clients write them: those cost no memory.
type spellings map[string]string

func newSpellings() spellings {
	s := make(spellings)
	for _, name := range [...]string{
		"accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "content-length", "content-type", "cookie",
		"dnt", "host", "if-modified-since", "if-none-match", "origin", "pragma", "range", "referer", "sec-ch-ua", "sec-ch-ua-mobile",
		"sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "te", "upgrade-insecure-requests",
		"user-agent", "x-forwarded-for", "x-requested-with", "content-encoding", "date", "etag", "expires", "last-modified", "server",
		"set-cookie", "vary", "location", "transfer-encoding",
	} {
		s[textproto.CanonicalMIMEHeaderKey(name)] = name
	}
	s["DNT"], s["ETag"] = "dnt", "etag"
	return s
}

// lowered appends fields with their names in lower case, as expressions write them.
func (s spellings) lowered(to []flow.Field, fields []flow.Field) []flow.Field {
	for i := range fields {
		name, ok := s[fields[i].Name]
		if !ok {
			name = strings.ToLower(fields[i].Name)
		}
		to = append(to, flow.Field{Name: name, Value: fields[i].Value})
	}
	return to
}
