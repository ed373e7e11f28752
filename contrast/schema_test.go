package contrast

import (
	"strings"
	"testing"
)

func TestSchemaCheck(t *testing.T) {
	tests := []struct {
		name   string
		schema Schema
		want   string // part of the error; none if empty
	}{
		{"packets", packets(), ""},
		{"none", nil, "schema of 0 features"},
		{"too many", make(Schema, 65), "schema of 65 features"},
		{"no name", Schema{{Name: "a"}, {}}, "feature 1 has no name"},
		{"twice", Schema{{Name: "a"}, {Name: "a"}}, `two features are called "a"`},
		{"long list", Schema{{Name: "a", List: 33}}, "lists 33 values"},
		{"negative list", Schema{{Name: "a", List: -1}}, "lists -1 values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.schema.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error: got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConjunction(t *testing.T) {
	schema := Schema{{Name: "a"}, {Name: "b", Widest: 10}}
	tests := []struct {
		name   string
		c      Conjunction
		values []uint32
		want   bool
		text   string
	}{
		{"no terms", nil, []uint32{1, 2}, false, ""},
		{"value", Conjunction{{0, []Span{{1, 1}}}}, []uint32{1, 2}, true, "a = 1"},
		{"other value", Conjunction{{0, []Span{{2, 2}}}}, []uint32{1, 2}, false, "a = 2"},
		{"range", Conjunction{{1, []Span{{2, 4}}}}, []uint32{1, 4}, true, "b in 2..4"},
		{"below", Conjunction{{1, []Span{{2, 4}}}}, []uint32{1, 1}, false, "b in 2..4"},
		{"list", Conjunction{{1, []Span{{2, 4}, {7, 7}}}}, []uint32{1, 7}, true, "b in 2..4, 7"},
		{"both", Conjunction{{0, []Span{{1, 1}}}, {1, []Span{{2, 4}, {7, 7}}}}, []uint32{1, 3}, true, "a = 1 and b in 2..4, 7"},
		{"one of both", Conjunction{{0, []Span{{1, 1}}}, {1, []Span{{2, 4}}}}, []uint32{1, 5}, false, "a = 1 and b in 2..4"},
		{"absent", Conjunction{{0, []Span{{0, Absent}}}}, []uint32{Absent, 5}, false, "a in 0..4294967295"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.Match(tt.values); got != tt.want {
				t.Errorf("match: got %t, want %t", got, tt.want)
			}
			if got := schema.Format(tt.c); got != tt.text {
				t.Errorf("format: got %q, want %q", got, tt.text)
			}
		})
	}
}
