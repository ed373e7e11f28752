package rules

import (
	"testing"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestRedirectQuery wants a request's query to go along, in its place, where the rule says so.
func TestRedirectQuery(t *testing.T) {
	tests := []struct {
		name, to, query string
		preserve        bool
		want            string
	}{
		{"a path", "/new", "a=b", false, "/new"},
		{"with the query", "/new", "a=b", true, "/new?a=b"},
		{"with no query", "/new", "", true, "/new"},
		{"beside a query", "https://a.test/new?x=y", "a=b", true, "https://a.test/new?x=y&a=b"},
		{"before a fragment", "/new#part", "a=b", true, "/new?a=b#part"},
		{"before a fragment with a question", "/new#why?", "a=b", true, "/new?a=b#why?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New().Compile("test", &spec.Rules{DynamicRedirect: []spec.Rule{{
				Name: "r", Expression: "not ssl", Action: spec.RuleRedirects, Redirect: spec.RuleRedirect{URL: tt.to, PreserveQuery: tt.preserve},
			}}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := &flow.Flow{Conn: new(flow.Conn)}
			f.Request.Scheme, f.Request.Path, f.Request.Query = "http", "/old", tt.query
			if outcome, _ := s.Judge(f, nil); outcome != Redirected {
				t.Fatalf("got outcome %d, want a redirect", outcome)
			}
			if got := f.Verdict.Answer.Fields[0].Value; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
