package verdict

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/verdict/rules"
)

const nodePhase, nodeLimits = "node/http_request_firewall_custom/", "node/http_ratelimit/"

// guarded is a node that denies two paths, spares one of them some clients, and lets an address have one request of /once a minute.
func guarded() *spec.Node {
	return &spec.Node{
		Lists: []spec.List{{Name: "friends", Kind: spec.ListIP, Values: []string{"198.51.100.0/24"}}},
		Rules: spec.NodeRules{
			Firewall: []spec.Rule{
				{Name: "friends", Expression: "ip.src in $friends", Action: spec.RuleSkipping, Skip: spec.RuleSkip{Rules: []string{"env"}, Phases: []string{"http_ratelimit"}}},
				{Name: "env", Expression: `http.request.uri.path eq "/.env"`, Action: spec.RuleBlock},
				{Name: "git", Expression: `starts_with(http.request.uri.path, "/.git/")`, Action: spec.RuleBlock, Response: spec.RuleResponse{StatusCode: 404}},
				{Name: "look", Expression: `http.request.uri.path eq "/look"`, Action: spec.RuleLog},
			},
			RateLimit: []spec.Rule{{
				Name: "once", Expression: `http.request.uri.path eq "/once"`, Action: spec.RuleBlock,
				RateLimit: spec.RuleRateLimit{Characteristics: []string{"ip.src"}, Requests: 1, Period: time.Minute},
			}},
		},
	}
}

// lenient is a zone that spares everybody all that it can.
func lenient(z *spec.Zone) {
	z.Action = spec.ActionLog
	z.Lists.Allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	z.Rules.Firewall = []spec.Rule{{Name: "all", Expression: `http.host ne "x"`, Action: spec.RuleSkipping, Skip: spec.RuleSkip{
		Rest: true, Phases: []string{"http_request_firewall_custom", "http_ratelimit", "limits"},
	}}}
}

func guardedRoom(t *testing.T, n *spec.Node) *Room {
	t.Helper()
	r := New(nil)
	if _, problems := r.Configure(n); len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

func at(address, path string) *flow.Flow {
	f := newFlow(address)
	f.Request.Host, f.Request.Path, f.Request.Method = "site.test", path, "GET"
	return f
}

// TestGuard: the node's rules refuse whatever a zone spares; only they spare anybody themselves.
func TestGuard(t *testing.T) {
	tests := []struct {
		name, address, path string
		times               int
		want                string // the rule that refuses, "" for none
		status              int
	}{
		{"nothing", "203.0.113.1", "/", 1, "", 0},
		{"a path", "203.0.113.1", "/.env", 1, nodePhase + "env", 403},
		{"a path, for friends", "198.51.100.7", "/.env", 1, "", 0},
		{"another path", "203.0.113.1", "/.git/config", 1, nodePhase + "git", 404},
		{"another path, for friends", "198.51.100.7", "/.git/config", 1, nodePhase + "git", 404},
		{"a dry run", "203.0.113.1", "/look", 1, "", 0},
		{"as often as may be", "203.0.113.1", "/once", 1, "", 0},
		{"too often", "203.0.113.1", "/once", 2, nodeLimits + "once", 429},
		{"too often, for friends", "198.51.100.7", "/once", 2, "", 0},
	}
	for _, tt := range tests {
		for name, change := range map[string]func(*spec.Zone){"lenient": lenient, "plain": func(*spec.Zone) {}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := compile(t, guardedRoom(t, guarded()), change)
					var f *flow.Flow
					for range tt.times {
						f = at(tt.address, tt.path)
						p.Judge(f)
					}
					got, status := "", 0
					if r := f.Verdict.Refusal; r != nil {
						got, status = r.Rule, r.Status
					}
					if got != tt.want || status != tt.status {
						t.Errorf("got refused by %q with %d, want by %q with %d", got, status, tt.want, tt.status)
					}
				})
			})
		}
	}
}

// TestGuardCounts: matches are the node's, in whatever zone, and so is what was undone.
func TestGuardCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guardedRoom(t, guarded())
		defer r.Exceptions.Close()
		one := compile(t, r, func(z *spec.Zone) { z.Name = "one" })
		other := compile(t, r, func(z *spec.Zone) { z.Name = "other" })
		one.Judge(at("203.0.113.1", "/once"))
		f := at("203.0.113.1", "/once")
		if other.Judge(f); f.Verdict.Refusal == nil {
			t.Error("got no refusal, want zones counted together")
		}
		got := make(map[string]uint64)
		for _, c := range r.Rules() {
			got[c.Rule] = c.Matches
		}
		want := map[string]uint64{nodePhase + "friends": 0, nodePhase + "env": 0, nodePhase + "git": 0, nodePhase + "look": 0, nodeLimits + "once": 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if n := len(one.Rules()); n != 0 {
			t.Errorf("got %d rules of the zone, want none", n)
		}
		if diff := cmp.Diff([]string{nodePhase + "env"}, r.Undoable("env")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, err := r.Exceptions.Add(exceptions.Exception{Zone: spec.AllZones, Rule: nodePhase + "env", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		f = at("203.0.113.9", "/.env")
		if one.Judge(f); f.Verdict.Refusal != nil || !f.Verdict.Undone || len(f.Verdict.Dry) != 1 {
			t.Errorf("got %+v, want only noted", f.Verdict)
		}
	})
}

// TestGuardRefused: what can't be judged by a head alone is refused, and all stays as it was.
func TestGuardRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.NodeRules)
		want   string
	}{
		{"a field", func(s *spec.NodeRules) { s.Firewall[1].Expression = "http.hots" }, "rules.http_request_firewall_custom[1].expression: column 1: unknown field http.hots"},
		{"a list", func(s *spec.NodeRules) { s.Firewall[0].Expression = "ip.src in $foes" }, "rules.http_request_firewall_custom[0].expression: column 11: list $foes: there is no list foes"},
		{"the body", func(s *spec.NodeRules) { s.Firewall[1].Expression = `http.request.body.raw contains "x"` }, "rules.http_request_firewall_custom[1].expression: it reads the body: the node's rules judge by the request's head alone"},
		{"a zone's limits", func(s *spec.NodeRules) { s.Firewall[0].Skip.Phases = []string{"limits"} }, `rules.http_request_firewall_custom[0].skip.phases[0]: "limits" is none that the node's rules can spare: want http_ratelimit`},
		{"the response", func(s *spec.NodeRules) { s.RateLimit[0].RateLimit.Counting = "http.response.code eq 401" }, "rules.http_ratelimit[0].ratelimit: the node's rules count requests as they come"},
		{"the body", func(s *spec.NodeRules) {
			s.RateLimit[0].RateLimit.Characteristics = []string{`http.request.body.form["user"][0]`}
		}, "rules.http_ratelimit[0].ratelimit: the node's rules count requests as they come"},
		{"what reaches the origin", func(s *spec.NodeRules) { s.RateLimit[0].RateLimit.ToOrigin = true }, "rules.http_ratelimit[0].ratelimit: the node's rules count requests as they come"},
		{"an action", func(s *spec.NodeRules) { s.Firewall[1].Action = spec.RuleRoutes }, `rules.http_request_firewall_custom[1].action: "route" is none of this phase: want block, log, skip`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := guardedRoom(t, guarded())
			p := compile(t, r, lenient)
			bad := guarded()
			tt.change(&bad.Rules)
			_, problems := r.Configure(bad)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), tt.want) {
				t.Errorf("got %v, want %s", problems, tt.want)
			}
			if diff := cmp.Diff(guarded().Rules, r.NodeRules()); diff != "" {
				t.Errorf("what is in force (-want +got):\n%s", diff)
			}
			f := at("203.0.113.1", "/.env")
			if p.Judge(f); f.Verdict.Refusal == nil {
				t.Error("got no refusal, want that of the last good rules")
			}
			if _, problems := r.Configure(&spec.Node{}); len(problems) > 0 || r.Rules() != nil {
				t.Errorf("without any: got %v and %d rules, want none", problems, len(r.Rules()))
			}
		})
	}
}

// TestGuardPreviewed: who asks what would become of a request is told of the node's rules, too.
func TestGuardPreviewed(t *testing.T) {
	p := compile(t, guardedRoom(t, guarded()), lenient)
	tests := []struct {
		path    string
		outcome rules.Outcome
		want    []rules.Effect
	}{
		{"/.env", rules.Blocked, []rules.Effect{{Rules: nodePhase + "env", Does: "refuses it with 403"}}},
		{"/look", rules.Passed, []rules.Effect{
			{Rules: nodePhase + "look", Does: "logged, or spared others: it goes on"},
			{Rules: "http_request_firewall_custom/all", Does: "logged, or spared others: it goes on"},
		}},
	}
	for _, tt := range tests {
		outcome, got := p.Preview(at("203.0.113.1", tt.path))
		if diff := cmp.Diff(tt.want, got); diff != "" || outcome != tt.outcome {
			t.Errorf("%s: got outcome %d, want %d; effects, -want +got:\n%s", tt.path, outcome, tt.outcome, diff)
		}
	}
}
