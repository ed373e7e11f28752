package rules

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/rules"
)

// value is a text, or an expression that computes one; neither is nothing.
type value struct {
	text string
	from *rules.Rewrite
}

// value compiles what stands under key, or as an expression under expressionKey.
func (c *compiler) value(key, text, expressionKey, expression string) (value, error) {
	switch {
	case expression == "":
		return value{text: text}, nil
	case text != "":
		return value{}, fmt.Errorf("%s: there is %s, too: want one of them", expressionKey, key)
	}
	from, err := rules.CompileValue(c.scheme, expression)
	if err != nil {
		return value{}, fmt.Errorf("%s: %w", expressionKey, err)
	}
	if from.Phase() > c.phase.latest() {
		return value{}, fmt.Errorf("%s: it reads the %s, which is not known yet in this phase", expressionKey, from.Phase())
	}
	return value{from: from}, nil
}

func (v *value) empty() bool { return v.text == "" && v.from == nil }

// of is the value for the request that the machine is at; ok is false if it is missing.
func (v *value) of(m *rules.Machine) (text string, ok bool) {
	if v.from == nil {
		return v.text, true
	}
	b, ok := v.from.Append(nil, m)
	return string(b), ok
}

// redirect sends a visitor elsewhere.
type redirect struct {
	to            value
	status        int
	preserveQuery bool
}

func (c *compiler) redirect() (redirect, error) {
	s := &c.spec.Redirect
	to, err := c.value("redirect.url", s.URL, "redirect.expression", s.Expression)
	d := redirect{to: to, status: s.StatusCode, preserveQuery: s.PreserveQuery}
	if d.status == 0 {
		d.status = http.StatusFound
	}
	switch {
	case err != nil:
		return d, err
	case to.empty():
		return d, fmt.Errorf("redirect: empty: want a url or an expression")
	case to.from == nil && !isTarget(to.text):
		return d, fmt.Errorf("redirect.url: %q is no target: want a URL with scheme and host, or a path", to.text)
	}
	switch d.status {
	case 301, 302, 303, 307, 308:
		return d, nil
	}
	return d, fmt.Errorf("redirect.status_code: %d: want 301, 302, 303, 307 or 308", d.status)
}

// message answers a request; nil if the target can't be computed, or is none.
func (d *redirect) message(m *rules.Machine, q *flow.Request) *flow.Message {
	to, ok := d.to.of(m)
	if !ok || !isTarget(to) {
		return nil
	}
	if d.preserveQuery && q.Query != "" {
		target, fragment, marked := strings.Cut(to, "#")
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		if to = target + separator + q.Query; marked {
			to += "#" + fragment
		}
	}
	return &flow.Message{Status: d.status, Fields: []flow.Field{{Name: "Location", Value: to}, {Name: "Cache-Control", Value: "no-store"}}}
}

// isTarget tells whether a text may be a Location: that of another site, or a path of this one. Two slashes at the start would lead to
// another site by mistake.
func isTarget(text string) bool {
	if !isValue(text) || strings.ContainsAny(text, " \\") {
		return false
	}
	scheme, rest, whole := strings.Cut(text, "://")
	if whole && (scheme == "http" || scheme == "https") {
		return rest != "" && rest[0] != '/'
	}
	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//")
}

// rewrite changes what is asked, or a header.
type rewrite struct {
	path, query value
	headers     []header
}

// header is a change of a field.
type header struct {
	operation flow.Operation
	name, key string // key is in lower case
	value     value
}

func (c *compiler) rewrite() (w rewrite, err error) {
	s := &c.spec.Rewrite
	if w.path, err = c.value("rewrite.path", s.Path, "rewrite.path_expression", s.PathExpression); err != nil {
		return w, err
	}
	if w.query, err = c.value("rewrite.query", s.Query, "rewrite.query_expression", s.QueryExpression); err != nil {
		return w, err
	}
	targets := !w.path.empty() || !w.query.empty()
	switch inTarget := c.phase == Transform; {
	case inTarget && len(s.Headers) > 0:
		return w, fmt.Errorf("rewrite.headers: this phase rewrites the path and the query: headers are rewritten in %s", LateTransform)
	case !inTarget && targets:
		return w, fmt.Errorf("rewrite: this phase rewrites headers: the path and the query are rewritten in %s", Transform)
	case inTarget && !targets:
		return w, fmt.Errorf("rewrite: empty: want a path or a query")
	case !inTarget && len(s.Headers) == 0:
		return w, fmt.Errorf("rewrite.headers: empty")
	case w.path.text != "" && !strings.HasPrefix(w.path.text, "/"):
		return w, fmt.Errorf("rewrite.path: %q is no path: want one that begins with /", w.path.text)
	}
	for i := range s.Headers {
		h, err := c.header(&s.Headers[i])
		if err != nil {
			return w, fmt.Errorf("rewrite.headers[%d].%w", i, err)
		}
		w.headers = append(w.headers, h)
	}
	return w, nil
}

func (c *compiler) header(s *spec.RuleHeader) (header, error) {
	h := header{name: s.Name, key: strings.ToLower(s.Name)}
	var err error
	h.value, err = c.value("value", s.Value, "expression", s.Expression)
	switch {
	case err != nil:
		return h, err
	case !isToken(h.key) || protected(h.key):
		return h, fmt.Errorf("name: %q can't be changed", s.Name)
	case !isValue(s.Value):
		return h, fmt.Errorf("value: %q can't stand in a header", s.Value)
	}
	switch s.Operation {
	case "set", "":
		h.operation = flow.Set
	case "add":
		h.operation = flow.Add
	case "remove":
		h.operation = flow.Remove
		if !h.value.empty() {
			return h, fmt.Errorf("value: what is removed has none")
		}
	default:
		return h, fmt.Errorf("operation: %q is none: want set, add or remove", s.Operation)
	}
	if h.operation != flow.Remove && h.value.empty() {
		return h, fmt.Errorf("value: missing, and no expression either")
	}
	return h, nil
}

// changes are those of a rewrite for one request, behind those that there are.
func (w *rewrite) changes(m *rules.Machine, to []flow.Change) []flow.Change {
	for i := range w.headers {
		h := &w.headers[i]
		text, ok := h.value.of(m)
		if ok && isValue(text) {
			to = append(to, flow.Change{Operation: h.operation, Name: h.name, Key: h.key, Value: text})
		}
	}
	return to
}

// target puts the rewritten path and query into a request. What is computed and is no path, or no query, leaves it as it was.
func (w *rewrite) target(m *rules.Machine, q *flow.Request) {
	path, pathOK := w.path.of(m)
	query, queryOK := w.query.of(m)
	if pathOK && path != "" {
		if normal, ok := flow.NormalPath(strings.ReplaceAll(escaped(path), "?", "%3F")); ok && strings.HasPrefix(path, "/") {
			q.Path = normal
		}
	}
	switch {
	case w.query.empty() || !queryOK:
	case query == "" || query == "-":
		q.Query, q.HasQuery = "", false
	default:
		q.Query, q.HasQuery = escaped(strings.TrimPrefix(query, "?")), true
	}
}

// escaped escapes what may not stand in a request target (RFC 3986 §3.3).
func escaped(text string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' {
			b.WriteByte('%')
			b.WriteByte(upper[c>>4])
			b.WriteByte(upper[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// protected are the fields that are the connection's, the framing's or ours.
func protected(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length", "expect",
		"via", "cdn-loop", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "date", "age", "cache-status":
		return true
	}
	return strings.HasPrefix(name, ":")
}

func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// isValue tells whether a text can be a field's value (RFC 9110 §5.5).
func isValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) && strings.Trim(s, " \t") == s
}
