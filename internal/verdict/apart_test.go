package verdict

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/prefixes"
)

// drawing draws what owners and visitors come up with.
type drawing struct{ *rapid.T }

func one[T any](d drawing, what string, of ...T) T { return rapid.SampledFrom(of).Draw(d.T, what) }

func (d drawing) number(what string, from, to int) int {
	return rapid.IntRange(from, to).Draw(d.T, what)
}

func (d drawing) rule(name string, action spec.RuleAction) spec.Rule {
	return spec.Rule{Name: name, Action: action, Expression: one(d, "expression",
		`not ssl`, `http.request.uri.path eq "/a"`, `starts_with(http.request.uri.path, "/b")`, `ip.src in {203.0.113.0/31}`,
		`http.request.headers["x-key"][0] contains "1"`, `http.request.uri.query contains "q" or http.request.uri.path eq "/b/1"`,
	)}
}

// firewall is a rule that refuses, notes or spares.
func (d drawing) firewall(name string) spec.Rule {
	r := d.rule(name, one(d, "action", spec.RuleBlock, spec.RuleLog, spec.RuleSkipping))
	if r.Action == spec.RuleSkipping {
		r.Skip = spec.RuleSkip{Rest: rapid.Bool().Draw(d.T, "rest"), Phases: []string{one(d, "phase", "http_ratelimit", "limits", "http_request_late_transform")}}
	}
	return r
}

func (d drawing) rateLimit(name string) spec.Rule {
	r := d.rule(name, one(d, "action", spec.RuleBlock, spec.RuleBlock, spec.RuleLog))
	r.RateLimit = spec.RuleRateLimit{
		Characteristics: []string{one(d, "characteristic", "ip.src", `http.request.headers["x-key"]`, "cf.colo.id", "http.request.uri.path")},
		Requests:        d.number("requests", 1, 3), Period: 10 * time.Second,
		Mitigation: one(d, "mitigation", 0, time.Minute), ToOrigin: rapid.Bool().Draw(d.T, "to origin"),
		Counting: one(d, "counting", "", "", "http.response.code ge 400", `http.request.uri.path eq "/a"`),
	}
	return r
}

// rules are some of every phase.
func (d drawing) rules() (s spec.Rules) {
	some := func(phase *[]spec.Rule, draw func(name string) spec.Rule) {
		for i := range d.number("rules", 0, 3) {
			*phase = append(*phase, draw(fmt.Sprint("r", i)))
		}
	}
	with := func(action spec.RuleAction, set func(*spec.Rule)) func(string) spec.Rule {
		return func(name string) spec.Rule {
			r := d.rule(name, action)
			set(&r)
			return r
		}
	}
	header := spec.RuleRewrite{Headers: []spec.RuleHeader{{Name: "X-Key", Operation: "add", Value: "9"}}}
	some(&s.DynamicRedirect, with(spec.RuleRedirects, func(r *spec.Rule) { r.Expression, r.Redirect.URL = `http.request.uri.path eq "/moved"`, "/" }))
	some(&s.Transform, with(spec.RuleRewrites, func(r *spec.Rule) { r.Rewrite.Path = one(d, "path", "/a", "/b/1", "/c") }))
	some(&s.Config, with(spec.RuleSetConfig, func(r *spec.Rule) { r.Config.NoCompression = true }))
	some(&s.Origin, with(spec.RuleRoutes, func(r *spec.Rule) { r.Route.Pool = one(d, "pool", "x", "y") }))
	some(&s.Firewall, d.firewall)
	some(&s.RateLimit, d.rateLimit)
	some(&s.LateTransform, with(spec.RuleRewrites, func(r *spec.Rule) { r.Rewrite = header }))
	some(&s.CacheSettings, with(spec.RuleSetCache, func(r *spec.Rule) { r.Cache.EdgeTTL = time.Hour }))
	some(&s.ResponseHeaders, with(spec.RuleRewrites, func(r *spec.Rule) { r.Rewrite = header }))
	return s
}

func (d drawing) zone(name string) spec.Zone {
	z := spec.DefaultZone()
	z.Name, z.Rules, z.Action = name, d.rules(), one(d, "dry", spec.ActionBlock, spec.ActionBlock, spec.ActionLog)
	z.Lists.Allow = one(d, "allow", nil, nil, []netip.Prefix{netip.MustParsePrefix("203.0.113.3/32")})
	z.Lists.Deny = one(d, "deny", nil, nil, []netip.Prefix{netip.MustParsePrefix("203.0.113.2/31")})
	z.Limits.Requests = one(d, "limit", spec.Rate{}, spec.Rate{Requests: 1, Per: 2 * time.Second, Burst: 1})
	z.Limits.OriginRequests = one(d, "origin limit", spec.Rate{}, spec.Rate{Requests: 1, Per: 10 * time.Second})
	return z
}

// visit is one request, and how it is answered.
type visit struct {
	client, path, key string
	at                time.Time
	status, attempts  int
}

func (d drawing) visit(at time.Time) visit {
	return visit{
		client: one(d, "client", "203.0.113.0", "203.0.113.1", "203.0.113.2", "203.0.113.3"), path: one(d, "path", "/a", "/b/1", "/moved", "/"),
		key: one(d, "key", "1", "2"), at: at, status: one(d, "status", 200, 404), attempts: d.number("attempts", 0, 1),
	}
}

// walk takes a request down the verdict's part of the path, and tells what came of it.
func (v *visit) walk(p *Policy) string {
	f := &flow.Flow{Conn: new(flow.Conn), Clock: &v.at}
	q := &f.Request
	q.Client = netip.MustParseAddr(v.client)
	q.Source, q.Received = prefixes.Source(q.Client), v.at
	q.Method, q.Scheme, q.Host, q.Authority, q.Path, q.Target = "GET", "http", "site.test", "site.test", v.path, v.path
	q.Fields = []flow.Field{{Name: "X-Key", Value: v.key}}
	if p.Judge(f); f.Verdict.Refusal == nil && f.Verdict.Answer == nil {
		if p.JudgeBody(f); f.Verdict.Refusal == nil {
			f.Origin.Attempts, f.Origin.Message, f.Response.Status = v.attempts, &flow.Message{Status: v.status}, v.status
			p.JudgeResponse(f)
		}
	}
	p.Settle(f)
	r := f.Verdict
	text := fmt.Sprintf("%v by %q, dry %q, undone %v, %+v, response %+v", r.Action, r.Rule, r.Dry, r.Undone, r.Settings, r.Responding)
	if e := r.Rewritten; e != nil {
		text += fmt.Sprintf(", rewritten to %s?%s at %q, %v", e.Path, e.Query, e.Pool, e.Fields)
	}
	if r.Refusal != nil {
		text += fmt.Sprintf(", refused: %+v", *r.Refusal)
	}
	return text
}

// TestNoZoneChangesAnother is promise 3: what a zone's visitors get is the same whatever rules another zone has, whoever is refused there, and however
// full its tables are.
func TestNoZoneChangesAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawing{rt}
		own, other := d.zone("own"), d.zone("other")
		many := d.rateLimit("flooded")
		many.Expression, many.RateLimit.Characteristics = `http.host eq "site.test"`, []string{`http.request.headers["x-key"]`, "ip.src"}
		for i := range one(d, "flooded rules", 0, 90) { // so many that their tables are small
			many.Name = fmt.Sprint("flooded", i)
			other.Rules.RateLimit = append(other.Rules.RateLimit, many)
		}
		alone, beside := New(nil), New(nil)
		defer beside.Exceptions.Close()
		attacked := compiled(rt, beside, &other)
		quiet, neighbour := compiled(rt, alone, &own), compiled(rt, beside, &own)
		if rapid.Bool().Draw(rt, "undone") {
			undo(rt, beside, exceptions.Exception{Zone: "other", Rule: "http_ratelimit/r0"})
			undo(rt, beside, exceptions.Exception{Zone: "other", Address: netip.MustParsePrefix("203.0.113.0/24")})
		}
		now := time.Unix(1_700_000_000, 0)
		flood := d.number("flood at", 0, 20)
		for step := range d.number("steps", 1, 40) {
			now = now.Add(time.Duration(d.number("ms", 0, 500)) * time.Millisecond)
			if step == flood && len(other.Rules.RateLimit) > 3 {
				for i := range 2000 {
					v := visit{fmt.Sprintf("198.51.%d.%d", i>>8, i&0xff), "/a", fmt.Sprint(i), now, 404, 1}
					v.walk(attacked)
				}
			}
			v := d.visit(now)
			if rapid.Bool().Draw(rt, "of the other") {
				v.walk(attacked)
				continue
			}
			if diff := cmp.Diff(v.walk(quiet), v.walk(neighbour)); diff != "" {
				rt.Fatalf("step %d, %+v (-alone +beside another zone):\n%s", step, v, diff)
			}
		}
	})
}

func compiled(t *rapid.T, r *Room, z *spec.Zone) *Policy {
	p, err := r.Compile(z)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func undo(t *rapid.T, r *Room, e exceptions.Exception) {
	e.Until = time.Now().Add(time.Hour)
	if _, err := r.Exceptions.Add(e); err != nil {
		t.Fatal(err)
	}
}
