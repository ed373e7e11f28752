package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

// TestPreview: what rules would do is told, and what they do is not counted.
func TestPreview(t *testing.T) {
	at := func(path string) string { return `http.request.uri.path eq "` + path + `"` }
	set := compile(t, &spec.Rules{
		DynamicRedirect: []spec.Rule{{Name: "moved", Expression: at("/moved"), Action: spec.RuleRedirects, Redirect: spec.RuleRedirect{URL: "/here", StatusCode: 301}}},
		Transform: []spec.Rule{
			{Name: "a", Expression: at("/a"), Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{Path: "/b"}},
			{Name: "b", Expression: at("/b"), Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{Path: "/c", Query: "v=1"}},
		},
		Config: []spec.Rule{{Name: "raw", Expression: at("/raw"), Action: spec.RuleSetConfig, Config: spec.RuleConfig{NoCompression: true}}},
		Origin: []spec.Rule{
			{Name: "app", Expression: at("/app"), Action: spec.RuleRoutes, Route: spec.RuleRoute{HostHeader: "app.internal"}},
			{Name: "api", Expression: at("/api"), Action: spec.RuleRoutes, Route: spec.RuleRoute{Pool: "api", HostHeader: "api.internal"}},
		},
		Firewall: []spec.Rule{
			logging("seen", at("/seen")), blocking("no", at("/no")),
			skipping("uncached", at("/spared"), spec.RuleSkip{Phases: []string{CacheSettings.String()}}),
		},
		LateTransform: []spec.Rule{headers("tell", at("/told"), spec.RuleHeader{Name: "X-A", Value: "1"})},
		CacheSettings: []spec.Rule{
			{Name: "keep", Expression: `http.request.uri.path in {"/c" "/spared"}`, Action: spec.RuleSetCache, Cache: spec.RuleCache{EdgeTTL: time.Hour}},
			{Name: "pass", Expression: at("/live"), Action: spec.RuleSetCache, Cache: spec.RuleCache{Bypass: true}},
		},
	})
	const kept = "responses are kept for 1h0m0s, whatever they say, unless they are private or set a cookie"
	tests := []struct {
		path    string
		outcome Outcome
		want    []Effect
	}{
		{"/", Passed, nil},
		{"/moved", Redirected, []Effect{{"http_request_dynamic_redirect/moved", "redirects with 301 to /here"}}},
		{"/a", Passed, []Effect{
			{"http_request_transform/a, http_request_transform/b", "the target is now /c?v=1"}, {"http_request_cache_settings/keep", kept},
		}},
		{"/raw", Passed, []Effect{{"http_config_settings/raw", "nothing is compressed"}}},
		{"/app", Passed, []Effect{{"http_request_origin/app", "the origin is sent Host: app.internal"}}},
		{"/api", Passed, []Effect{{"http_request_origin/api", "pool api is asked; the origin is sent Host: api.internal"}}},
		{"/seen", Passed, []Effect{{"http_request_firewall_custom/seen", "logged, or spared others: it goes on"}}},
		{"/no", Blocked, []Effect{{"http_request_firewall_custom/no", "refuses it with 403"}}},
		{"/spared", Passed, []Effect{{"http_request_firewall_custom/uncached", "logged, or spared others: it goes on"}}},
		{"/told", Passed, []Effect{{"http_request_late_transform/tell", "the header that the cache and the origin see is changed"}}},
		{"/live", Passed, []Effect{{"http_request_cache_settings/pass", "the cache is bypassed"}}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			outcome, got := set.Preview(request(tt.path), dryRun(false))
			if diff := cmp.Diff(tt.want, got); diff != "" || outcome != tt.outcome {
				t.Errorf("got outcome %v, want %v; effects -want +got:\n%s", outcome, tt.outcome, diff)
			}
		})
	}
	for _, c := range set.Counts() {
		if c.Matches != 0 {
			t.Errorf("rule %s counted %d requests that nobody made, want 0", c.Rule, c.Matches)
		}
	}
	f := request("/no")
	if set.Judge(f, dryRun(false)); f.Verdict.Refusal == nil || count(set, "no") != 1 {
		t.Error("a request that came after it was not judged, or not counted")
	}
}

// count is how often a rule of the firewall held.
func count(s *Ruleset, name string) uint64 {
	for _, c := range s.Counts() {
		if c.Rule == Firewall.String()+"/"+name {
			return c.Matches
		}
	}
	return 0
}
