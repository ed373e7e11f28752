package rules

import (
	"net/url"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// Bounds of what is looked at of a body in parts.
const (
	maxFormParts = 256
	maxPartLines = 32 // of a part's header
	maxPartTexts = 8  // parameters of one name
	maxBoundary  = 70 // bytes: RFC 2046 §5.1.1
)

// multipart is a body in parts, as forms with files are sent (RFC 7578; RFC 2046 §5.1). It is read for what a lenient application might make
// of it: lines may end in a line feed alone, parameters may repeat, and what is cut off counts as far as it goes. All texts are parts of
// the body, read once from front to back.
type multipart struct {
	named  []flow.Field // the parts that have a name, with that
	byName multimap

	values                                                texts
	names, filenames, types, dispositions, transferCoding lists
}

// lists are an array of arrays of texts.
type lists struct{ of []texts }

// Len implements [rules.Items].
func (l *lists) Len() int { return len(l.of) }

// Under implements [rules.Items].
func (*lists) Under(int, string) bool { return false }

// Key implements [rules.Items].
func (*lists) Key(int) string { return "" }

// At implements [rules.Items].
func (l *lists) At(i int) rules.Value { return rules.ItemsValue(arrayType(), &l.of[i]) }

func (l *lists) add(of ...string) { l.of = append(l.of, texts{of}) }

// multipartFields are the parts of the request's body. The arrays of arrays have one for each part, of which the inner is what that says: mostly
// one text, or none.
func multipartFields() []field {
	whole := func(name string, t rules.Type, value func(m *multipart) rules.Items) field {
		return field{
			rules.Field{Name: name, Type: t, Cost: bodyCost, Phase: rules.Body},
			func(s *source) rules.Value { return rules.ItemsValue(t, value(s.multipart())) },
		}
	}
	const name = "http.request.body.multipart"
	lists := rules.ArrayOf(arrayType())
	return []field{
		whole(name, multimapType(), func(m *multipart) rules.Items { return &m.byName.all }),
		whole(name+".names", lists, func(m *multipart) rules.Items { return &m.names }),
		whole(name+".values", arrayType(), func(m *multipart) rules.Items { return &m.values }),
		whole(name+".filenames", lists, func(m *multipart) rules.Items { return &m.filenames }),
		whole(name+".content_types", lists, func(m *multipart) rules.Items { return &m.types }),
		whole(name+".content_dispositions", lists, func(m *multipart) rules.Items { return &m.dispositions }),
		whole(name+".content_transfer_encodings", lists, func(m *multipart) rules.Items { return &m.transferCoding }),
	}
}

// multipart is the body in parts; there are none of a body of another type.
func (s *source) multipart() *multipart {
	if s.parts == nil {
		s.parts = new(multipart)
		if declared := s.request.Get("content-type"); strings.HasPrefix(s.contentType(), "multipart/") {
			if boundary := parameters(declared, "boundary"); len(boundary) > 0 {
				s.parts.read(s.content().text, boundary[0])
			}
		}
	}
	return s.parts
}

// read takes a body apart.
func (m *multipart) read(body, boundary string) {
	if boundary == "" || len(boundary) > maxBoundary {
		return
	}
	delimiter := "--" + boundary
	_, from, more := nextDelimiter(body, 0, delimiter)
	for more && len(m.values.of) < maxFormParts {
		var end, next int
		end, next, more = nextDelimiter(body, from, delimiter)
		m.add(body[from:end])
		from = next
	}
	m.byName.see(m.named, false)
}

// nextDelimiter finds the line that ends a part, or the preamble: where the line break before it begins, and where it is over. There is more
// behind it unless it is the last, or was not found.
func nextDelimiter(body string, from int, delimiter string) (end, next int, more bool) {
	for at := from; ; {
		i := strings.Index(body[at:], delimiter)
		if i < 0 {
			return len(body), len(body), false
		}
		begin := at + i
		at = begin + len(delimiter)
		if begin > 0 && body[begin-1] != '\n' {
			continue
		}
		end = max(from, begin-len(lineBreak(body[:begin])))
		rest := body[at:]
		if strings.HasPrefix(rest, "--") {
			return end, len(body), false
		}
		switch rest = strings.TrimLeft(rest, " \t"); {
		case rest == "":
			return end, len(body), false
		case strings.HasPrefix(rest, "\n"):
			return end, len(body) - len(rest) + 1, true
		case strings.HasPrefix(rest, "\r\n"):
			return end, len(body) - len(rest) + 2, true
		}
	}
}

// lineBreak is what a text ends with, if that is a line break.
func lineBreak(text string) string {
	switch {
	case strings.HasSuffix(text, "\r\n"):
		return "\r\n"
	case strings.HasSuffix(text, "\n"):
		return "\n"
	}
	return ""
}

// add takes in a part: its header, an empty line, its value.
func (m *multipart) add(part string) {
	var header []flow.Field
	for lines := 0; part != ""; lines++ {
		var line string
		line, part, _ = strings.Cut(part, "\n")
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			break
		}
		if lines < maxPartLines {
			header = appendLine(header, line)
		}
	}
	m.values.of = append(m.values.of, part)
	dispositions := under(header, "content-disposition")
	m.dispositions.add(dispositions...)
	m.types.add(under(header, "content-type")...)
	m.transferCoding.add(under(header, "content-transfer-encoding")...)
	var names, filenames []string
	for _, d := range dispositions {
		names = append(names, parameters(d, "name")...)
		filenames = append(filenames, parameters(d, "filename")...)
	}
	m.names.add(names...)
	m.filenames.add(filenames...)
	if len(names) > 0 {
		m.named = append(m.named, flow.Field{Name: names[0], Value: part})
	}
}

// appendLine takes in a line of a header, or what continues the one before (RFC 5322 §2.2.3).
func appendLine(header []flow.Field, line string) []flow.Field {
	if line[0] == ' ' || line[0] == '\t' {
		if n := len(header); n > 0 {
			header[n-1].Value += " " + strings.Trim(line, " \t")
		}
		return header
	}
	name, value, _ := strings.Cut(line, ":")
	return append(header, flow.Field{Name: strings.TrimRight(name, " \t"), Value: strings.Trim(value, " \t")})
}

// under returns the values of a header's fields of a name.
func under(header []flow.Field, name string) (values []string) {
	for i := range header {
		if flow.Named(header[i].Name, name) {
			values = append(values, header[i].Value)
		}
	}
	return values
}

// parameters returns the values that a field has for a parameter, extended ones among them (RFC 8187 §3.2).
func parameters(field, name string) (values []string) {
	_, rest, _ := strings.Cut(field, ";")
	for rest != "" && len(values) < maxPartTexts {
		rest = strings.TrimLeft(rest, " \t;")
		end := strings.IndexAny(rest, "=;")
		if end < 0 || rest[end] == ';' {
			_, rest, _ = strings.Cut(rest, ";")
			continue
		}
		key := strings.ToLower(strings.TrimRight(rest[:end], " \t"))
		var value string
		value, rest = parameterValue(strings.TrimLeft(rest[end+1:], " \t"))
		switch key {
		case name:
			values = append(values, value)
		case name + "*":
			values = append(values, extended(value))
		}
	}
	return values
}

// parameterValue cuts a value off, quoted or not. In quotes, a backslash is one, as browsers write names of files, but for those before a quote.
func parameterValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ";")
		return strings.TrimRight(value, " \t"), rest
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if strings.HasPrefix(text[i+1:], `"`) {
				i++
			}
		case '"':
			_, rest, _ = strings.Cut(text[i+1:], ";")
			return strings.ReplaceAll(text[1:i], `\"`, `"`), rest
		}
	}
	return text[1:], ""
}

// extended decodes what a charset and a language stand before; what is no such value stays as it is.
func extended(value string) string {
	parts := strings.SplitN(value, "'", 3)
	if decoded, err := url.PathUnescape(parts[len(parts)-1]); err == nil && len(parts) == 3 {
		return decoded
	}
	return value
}
