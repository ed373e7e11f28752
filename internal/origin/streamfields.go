package origin

import (
	"strings"

	"github.com/seawall/seawall/internal/flow"
)

// streamFields are the fields of the flow's request as an origin gets them over HTTP/2: those of [Policy.appendHead], without what belongs
// to a connection of HTTP/1.1.
func (p *Policy) streamFields(f *flow.Flow) ([]flow.Field, error) {
	var s sight
	b, err := p.appendFields(make([]byte, 0, 1<<10), f, &s)
	if err != nil {
		return nil, err
	}
	if s.trailers {
		b = append(b, "te: trailers\r\n"...)
	}
	return fieldLines(string(p.appendOwn(b, f, &s))), nil
}

// fieldLines takes apart what was appended field by field, as substrings.
func fieldLines(text string) []flow.Field {
	fields := make([]flow.Field, 0, strings.Count(text, "\r\n"))
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, flow.Field{Name: name, Value: value})
	}
	return fields
}
