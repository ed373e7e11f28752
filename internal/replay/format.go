package replay

import (
	"strings"
)

// Format is what a log's lines look like.
type Format string

// The formats. Auto goes by the first line.
const (
	Auto     Format = "auto"
	Combined Format = "combined"
	Common   Format = "common"
	JSON     Format = "json"
	Seawall  Format = "seawall"
)

// guess is the format of a line.
func guess(line string) Format {
	switch {
	case !strings.HasPrefix(strings.TrimLeft(line, " \t"), "{"):
		return Combined // which has all of common
	case strings.Contains(line, `"verdict":"`) && strings.Contains(line, `"cache":"`):
		return Seawall
	}
	return JSON
}

// parser reads a line into l, which is empty.
type parser func(text string, l *Line) error

func newParser(f Format, fields map[string]string) (parser, error) {
	switch f {
	case Seawall:
		return parseOurs, nil
	case JSON:
		p, err := newJSONParser(fields)
		if err != nil {
			return nil, err
		}
		return p.parse, nil
	}
	return new(textParser).parse, nil
}

// Parse reads one line of a log, in the format that it seems to have.
func Parse(text string) (Line, error) {
	var l Line
	parse, err := newParser(guess(text), nil)
	if err != nil {
		return l, err
	}
	if err := parse(text, &l); err != nil {
		return l, err
	}
	return l, l.check()
}
