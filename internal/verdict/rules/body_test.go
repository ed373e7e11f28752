package rules

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// sent is an exchange of which there is only a body, that arrives in pieces.
type sent struct {
	flow.Exchange
	rest string
}

// ReadBody implements [flow.Exchange].
func (s *sent) ReadBody(p []byte) (int, error) {
	if s.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 7)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// post makes a request with a body.
func post(client, contentType, body string) *flow.Flow {
	f := from(client, "/login", "Content-Type: "+contentType)
	f.Request.Method, f.Request.Length, f.Exchange = "POST", int64(len(body)), &sent{rest: body}
	return f
}

const (
	urlencoded = "application/x-www-form-urlencoded"
	jsonType   = "application/json"
)

// TestBodyLimits counts requests by what is in their bodies, and leaves those to be read.
func TestBodyLimits(t *testing.T) {
	type step struct {
		client, contentType, body string
		want                      bool
	}
	about := func(change func(*spec.Rule)) spec.Rule {
		r := limiting("r", `http.request.uri.path eq "/login"`, 2)
		change(&r)
		return r
	}
	per := func(characteristics ...string) spec.Rule {
		return about(func(r *spec.Rule) { r.RateLimit.Characteristics = characteristics })
	}
	tests := []struct {
		name  string
		rule  spec.Rule
		steps []step
	}{
		{"a text of JSON", per(`lookup_json_string(http.request.body.raw, "user")`), []step{
			{"203.0.113.1", jsonType, `{"user":"ann"}`, true}, {"203.0.113.2", jsonType, `{"user":"ann"}`, true}, {"203.0.113.3", jsonType, `{ "user": "ann", "x": 1 }`, false},
			{"203.0.113.3", jsonType, `{"user":"bob"}`, true}, {"203.0.113.3", jsonType, `{"user":""}`, true}, {"203.0.113.3", jsonType, `{}`, true},
			{"203.0.113.4", jsonType, `no JSON`, true}, {"203.0.113.5", jsonType, `[]`, false},
		}},
		{"a number of JSON", per(`lookup_json_integer(http.request.body.raw, "product", "id")`), []step{
			{"203.0.113.1", jsonType, `{"product":{"id":5}}`, true}, {"203.0.113.1", jsonType, `{"product":{"id":5}}`, true},
			{"203.0.113.1", jsonType, `{"product":{"id":6}}`, true}, {"203.0.113.1", jsonType, `{"product":{"id":5}}`, false},
		}},
		{"a form's field", per(`http.request.body.form["user"]`), []step{
			{"203.0.113.1", urlencoded, "user=ann&x=1", true}, {"203.0.113.1", urlencoded, "x=2&user=ann", true}, {"203.0.113.1", urlencoded, "user=bob", true},
			{"203.0.113.1", urlencoded, "user=ann", false}, {"203.0.113.1", jsonType, "user=ann", true},
		}},
		{"an element, and the client", per(`http.request.body.form["user"][0]`, "ip.src"), []step{
			{"203.0.113.1", urlencoded, "user=ann", true}, {"203.0.113.1", urlencoded, "user=ann&user=bob", true}, {"203.0.113.2", urlencoded, "user=ann", true},
			{"203.0.113.1", urlencoded, "user=ann", false},
		}},
		{"the whole", per("http.request.body.raw"), []step{
			{"203.0.113.1", jsonType, "a", true}, {"203.0.113.1", jsonType, "a", true}, {"203.0.113.1", jsonType, "b", true}, {"203.0.113.2", jsonType, "a", false},
		}},
		{"what the rule is about", about(func(r *spec.Rule) {
			r.Expression, r.RateLimit.Characteristics = `lookup_json_string(http.request.body.raw, "action") eq "price"`, []string{"ip.src"}
		}), []step{
			{"203.0.113.1", jsonType, `{"action":"price"}`, true}, {"203.0.113.1", jsonType, `{"action":"buy"}`, true}, {"203.0.113.1", jsonType, `{"action":"price"}`, true},
			{"203.0.113.1", jsonType, `{"action":"price"}`, false}, {"203.0.113.1", jsonType, `{"action":"buy"}`, true}, {"203.0.113.2", jsonType, `{"action":"price"}`, true},
		}},
		{"what counts", about(func(r *spec.Rule) {
			r.RateLimit.Counting, r.RateLimit.Characteristics = `http.request.body.raw contains "wrong"`, []string{"ip.src"}
		}), []step{
			{"203.0.113.1", jsonType, "right", true}, {"203.0.113.1", jsonType, "wrong", true}, {"203.0.113.1", jsonType, "wrong", true},
			{"203.0.113.1", jsonType, "right", false}, {"203.0.113.2", jsonType, "right", true},
		}},
		{"to the origin, as all of them are", about(func(r *spec.Rule) {
			r.RateLimit.ToOrigin, r.RateLimit.Characteristics = true, []string{"http.request.body.size"}
		}), []step{
			{"203.0.113.1", jsonType, "ab", true}, {"203.0.113.1", jsonType, "cd", true}, {"203.0.113.1", jsonType, "abc", true}, {"203.0.113.1", jsonType, "ef", false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := compile(t, limited(tt.rule))
				for i, step := range tt.steps {
					f := post(step.client, step.contentType, step.body)
					if !passes(set, f) || !set.ReadsBodies() {
						t.Fatalf("step %d: judged by its head", i)
					}
					set.JudgeBody(f, dryRun(false))
					set.JudgeContent(f, dryRun(false))
					if got := f.Verdict.Refusal == nil; got != step.want {
						t.Fatalf("step %d: %s of %s passed %v, want %v", i, step.body, step.client, got, step.want)
					}
					if b, err := io.ReadAll(readerOf(f)); string(b) != step.body || err != nil {
						t.Fatalf("step %d: the origin reads %q, %v, want %q", i, b, err, step.body)
					}
				}
			})
		})
	}
}

// readerOf reads a flow's body as the origin's room does.
func readerOf(f *flow.Flow) io.Reader { return bodyReader{f} }

type bodyReader struct{ f *flow.Flow }

func (r bodyReader) Read(p []byte) (int, error) { return r.f.Exchange.ReadBody(p) }

// TestBodyLimitsSpared: who is spared rate limits is not counted by those that read bodies, and who is spared the firewall's rest is.
func TestBodyLimitsSpared(t *testing.T) {
	byUser := limiting("user", "ssl", 1, `http.request.body.form["user"]`)
	tests := []struct {
		name  string
		rules []spec.Rule // of the firewall
		want  bool        // whether the second of two passes
	}{
		{"nobody", nil, false},
		{"all limits, by the head", []spec.Rule{skipping("s", "ssl", spec.RuleSkip{Phases: []string{"http_ratelimit"}})}, true},
		{"the limit, by the head", []spec.Rule{skipping("s", "ssl", spec.RuleSkip{Rules: []string{"user"}})}, true},
		{"all limits, by the body", []spec.Rule{skipping("s", `http.request.body.raw contains "user"`, spec.RuleSkip{Phases: []string{"http_ratelimit"}})}, true},
		{"the limit, by the body", []spec.Rule{skipping("s", `http.request.body.raw contains "user"`, spec.RuleSkip{Rules: []string{"user"}})}, true},
		{"the firewall's rest", []spec.Rule{skipping("s", "ssl", spec.RuleSkip{Rest: true})}, false},
		{"another body", []spec.Rule{skipping("s", `http.request.body.raw contains "else"`, spec.RuleSkip{Rules: []string{"user"}})}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := compile(t, &spec.Rules{Firewall: tt.rules, RateLimit: []spec.Rule{byUser}})
				var f *flow.Flow
				for range 2 {
					f = post("203.0.113.1", urlencoded, "user=ann")
					set.Judge(f, dryRun(false))
					set.JudgeContent(f, dryRun(false))
				}
				if got := f.Verdict.Refusal == nil; got != tt.want {
					t.Fatalf("passed %v, want %v", got, tt.want)
				}
				if r := f.Verdict.Refusal; r != nil && (r.Reason != flow.RuleLimit || r.Status != 429 || !strings.Contains(r.Detail, `where http.request.body.form["user"] = ["ann"]`)) {
					t.Errorf("refused with %+v", r)
				}
			})
		})
	}
}
