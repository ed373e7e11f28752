package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestSkip wants a request to be spared later phases and rules, and no others.
func TestSkip(t *testing.T) {
	all := map[string]bool{"late": true, "cache": true, "response": true}
	tests := []struct {
		name string
		skip spec.RuleSkip
		want map[string]bool // rules that hold nevertheless
	}{
		{"the rest of its phase", spec.RuleSkip{Rest: true}, all},
		{"other rules", spec.RuleSkip{Rules: []string{"lat", "ate"}}, all},
		{"late transforms", spec.RuleSkip{Phases: []string{LateTransform.String()}}, map[string]bool{"cache": true, "response": true}},
		{"cache settings", spec.RuleSkip{Phases: []string{CacheSettings.String()}}, map[string]bool{"late": true, "response": true}},
		{"response headers", spec.RuleSkip{Phases: []string{ResponseHeaders.String()}}, map[string]bool{"late": true, "cache": true}},
		{"a late transform", spec.RuleSkip{Rules: []string{"late"}}, map[string]bool{"cache": true, "response": true}},
		{"a cache setting", spec.RuleSkip{Rules: []string{"cache"}}, map[string]bool{"late": true, "response": true}},
		{"a response header", spec.RuleSkip{Rules: []string{"response"}}, map[string]bool{"late": true, "cache": true}},
	}
	header := func(name string) spec.RuleRewrite {
		return spec.RuleRewrite{Headers: []spec.RuleHeader{{Name: "x-" + name, Value: "1"}}}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New().Compile("test", &spec.Rules{
				Firewall: []spec.Rule{
					{Name: "skip", Expression: "not ssl", Action: spec.RuleSkipping, Skip: tt.skip},
					{Name: "lat", Expression: "ssl", Action: spec.RuleLog},
					{Name: "ate", Expression: "ssl", Action: spec.RuleLog},
				},
				LateTransform:   []spec.Rule{{Name: "late", Expression: "not ssl", Action: spec.RuleRewrites, Rewrite: header("late")}},
				CacheSettings:   []spec.Rule{{Name: "cache", Expression: "not ssl", Action: spec.RuleSetCache, Cache: spec.RuleCache{Bypass: true}}},
				ResponseHeaders: []spec.Rule{{Name: "response", Expression: "not ssl", Action: spec.RuleRewrites, Rewrite: header("response")}},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := &flow.Flow{Conn: new(flow.Conn)}
			f.Request.Scheme, f.Request.Path = "http", "/"
			s.Judge(f, nil)
			f.Verdict.Answer = &flow.Message{Status: 200}
			s.JudgeResponse(f)
			got := make(map[string]bool)
			for _, c := range s.Counts() {
				if c.Matches > 0 && c.Action != spec.RuleSkipping {
					got[(&rule{name: c.Rule}).short()] = true
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || f.Verdict.Settings.Bypass != tt.want["cache"] ||
				(len(f.Verdict.Responding) > 0) != tt.want["response"] || (f.Effective().Get("x-late") != "") != tt.want["late"] {
				t.Errorf("got %+v; -want +got:\n%s", f.Verdict, diff)
			}
		})
	}
}
