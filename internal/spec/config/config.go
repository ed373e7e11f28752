package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// Config is what one reading of the files came to.
type Config struct {
	// Node is not to be used if NodeProblem says what is wrong with it: a node keeps its last good form.
	Node        spec.Node
	NodeProblem *Problem
	// Zones are those that decoded, no two of one name: in the order of the main file, then of the folder. They share memory, and are
	// not to be changed.
	Zones []spec.Zone
	// Refused are those that did not decode: they keep their last good form. If a zone of that name is among Zones, it was given
	// twice, and the refused one is nothing to keep.
	Refused []Refused
	// Broken are the files of lists that can't be used: these lists are as they were, and empty if nothing is known of that.
	Broken []*Problem
	// Files are all files and folders that were read, or were to be: what has to be watched for changes.
	Files []string

	node, defaults place
	zones          map[string]place
}

// Refused is a zone that can't be used as it is written.
type Refused struct {
	Zone    string
	Problem *Problem
}

// Problem is a mistake in a file, as FILE:LINE: KEY: TEXT.
type Problem struct {
	File string
	// Line and Column are counted from 1; 0 is unknown. Only mistakes of syntax have a column.
	Line, Column int
	// Key is the path of the key in the zone, such as origin.servers[0].url; one of the node begins with "node.", one of the defaults
	// with "defaults."; "" is the file itself.
	Key  string
	Text string
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// place is where something was written.
type place struct {
	file  string
	line  int
	marks []mark
}

// find is the line of a key, 0 if it is not there.
func (p *place) find(key string) int {
	for _, m := range p.marks {
		if m.key == key {
			return m.line
		}
	}
	return 0
}

// Where tells where a zone's key was written, or one of the node's if zone is "". What was not written stands where the section does
// that it belongs to, in the end the zone. The line is 0 if there is none, the file "" for a zone that is not among Zones.
func (c *Config) Where(zone, key string) (file string, line int) {
	p, defaults := c.node, place{}
	if zone != "" {
		p, defaults = c.zones[zone], c.defaults
	}
	for ; key != ""; key = parent(key) {
		if line := p.find(key); line > 0 {
			return p.file, line
		}
		if line := defaults.find(key); line > 0 {
			return defaults.file, line
		}
	}
	return p.file, p.line
}

// parent is the path of what holds a key.
func parent(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

var (
	zonePrefix = regexp.MustCompile(`^zone ("[^"]*"|[^ :]*): `)
	keyPrefix  = regexp.MustCompile(`^([a-z_]+)(\.[a-z_]+|\[[0-9]+\])*`)
)

// Explain gives a room's error about a zone, or the node if zone is "", a place. The error begins with the key that is wrong, maybe
// after the name of the zone; if not, it is about the whole.
func (c *Config) Explain(zone string, err error) *Problem {
	of := sections()[zoneType]
	if zone == "" {
		of = sections()[nodeType]
	}
	p := &Problem{Text: err.Error()}
	for found := zonePrefix.FindString(p.Text); found != ""; found = zonePrefix.FindString(p.Text) {
		p.Text = p.Text[len(found):]
	}
	if m := keyPrefix.FindStringSubmatch(p.Text); m != nil && of.byKey[m[1]] != nil {
		p.Key = m[0]
		p.Text = strings.TrimLeft(p.Text[len(p.Key):], ": ")
	}
	p.File, p.Line = c.Where(zone, p.Key)
	if zone == "" && p.Key != "" {
		p.Key = "node." + p.Key
	}
	return p
}
