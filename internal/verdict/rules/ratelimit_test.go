package rules

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// limiting is a rule that allows requests a minute, by characteristics.
func limiting(name, expression string, requests int, characteristics ...string) spec.Rule {
	return spec.Rule{Name: name, Expression: expression, Action: spec.RuleBlock, RateLimit: spec.RuleRateLimit{
		Characteristics: characteristics, Requests: requests, Period: time.Minute,
	}}
}

// limited is a zone with such rules.
func limited(of ...spec.Rule) *spec.Rules { return &spec.Rules{RateLimit: of} }

// from makes a request of a client's, now.
func from(client, target string, fields ...string) *flow.Flow {
	f := request(target, fields...)
	f.Request.Client = netip.MustParseAddr(client)
	f.Request.Source = prefixes.Source(f.Request.Client)
	f.Request.Received = time.Now()
	return f
}

// passes judges a request's head, and reports whether it may go on.
func passes(s *Ruleset, f *flow.Flow) bool {
	outcome, _ := s.Judge(f, dryRun(false))
	return outcome == Passed
}

// respond settles a flow that the origin has answered.
func respond(s *Ruleset, f *flow.Flow, status int, bytes int64, fields ...flow.Field) {
	f.Origin.Attempts, f.Origin.Message = 1, &flow.Message{Status: status, Fields: fields}
	f.Response.Status, f.Response.Bytes = status, bytes
	s.Settle(f)
}

// TestCharacteristics: of two requests, the second is one too many if it has the same.
func TestCharacteristics(t *testing.T) {
	const key = `http.request.headers["x-key"]`
	plain := func() *flow.Flow { return from("203.0.113.7", "/a?t=1", "X-Key: k", "Cookie: s=1") }
	tests := []struct {
		name            string
		characteristics []string
		second          *flow.Flow
		same            bool
	}{
		{"address", []string{"ip.src"}, from("203.0.113.7", "/b"), true},
		{"another address", []string{"ip.src"}, from("203.0.113.8", "/a"), false},
		{"an edge of Cloudflare's", []string{"cf.colo.id", "ip.src"}, from("203.0.113.8", "/a"), false},
		{"all together", []string{"cf.colo.id"}, from("203.0.113.8", "/b"), true},
		{"IPv4 prefix", []string{"ip.src.prefix"}, from("203.0.113.8", "/a"), false},
		{"network by a function", []string{"cidr(ip.src, 24, 48)"}, from("203.0.113.8", "/a"), true},
		{"header", []string{key}, from("203.0.113.8", "/", "x-key: k"), true},
		{"another header", []string{key}, from("203.0.113.7", "/a", "X-Key: l"), false},
		{"header's element", []string{key + "[0]"}, from("203.0.113.8", "/", "X-Key: k", "X-Key: l"), true},
		{"header missing", []string{key}, from("203.0.113.7", "/a"), false},
		{"header empty", []string{key + "[0]"}, from("203.0.113.7", "/a", "X-Key: "), false},
		{"cookie", []string{`http.request.cookies["s"]`}, from("203.0.113.8", "/", "Cookie: t=2; s=1"), true},
		{"query", []string{`http.request.uri.args["t"]`}, from("203.0.113.8", "/b?t=1"), true},
		{"path and address", []string{"http.request.uri.path", "ip.src"}, from("203.0.113.7", "/b"), false},
		{"number", []string{"http.request.timestamp.msec"}, plain(), true},
		{"boolean", []string{"ssl"}, from("203.0.113.8", "/b"), true},
		{"country nobody knows", []string{"ip.src.country"}, from("203.0.113.8", "/b"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, limited(limiting("r", "ssl", 1, tt.characteristics...)))
			first := plain()
			tt.second.Request.Received = first.Request.Received
			if !passes(set, first) {
				t.Fatal("the first is refused")
			}
			if got := passes(set, tt.second); got == tt.same {
				t.Errorf("passed %v, want the same count %v", got, tt.same)
			}
		})
	}
	t.Run("IPv6 prefix", func(t *testing.T) {
		set := compile(t, limited(limiting("r", "ssl", 1, "ip.src.prefix")))
		got := []bool{passes(set, from("2001:db8::1", "/")), passes(set, from("2001:db8::2", "/")), passes(set, from("2001:db8:0:1::1", "/"))}
		if want := []bool{true, false, true}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("passed %v, want %v", got, want)
		}
	})
}

// TestCounting has what each kind of count lets through, of requests that have an answer each.
func TestCounting(t *testing.T) {
	type step struct {
		path   string
		status int // that the origin answers; 0 for a hit of 200
		bytes  int64
		want   bool
	}
	counting := func(change func(*spec.RuleRateLimit)) spec.Rule {
		r := limiting("r", `starts_with(http.request.uri.path, "/login")`, 2, "ip.src")
		change(&r.RateLimit)
		return r
	}
	tests := []struct {
		name  string
		rule  spec.Rule
		steps []step
	}{
		{"requests", counting(func(*spec.RuleRateLimit) {}), []step{
			{"/login", 200, 1, true}, {"/", 200, 1, true}, {"/login", 0, 1, true}, {"/login", 200, 1, false}, {"/", 200, 1, true},
		}},
		{"other requests", counting(func(l *spec.RuleRateLimit) { l.Counting = `http.request.uri.path eq "/try"` }), []step{
			{"/login", 200, 1, true}, {"/login", 200, 1, true}, {"/login", 200, 1, true}, {"/try", 200, 1, true}, {"/try", 200, 1, true}, {"/login", 200, 1, false},
			{"/try", 200, 1, true},
		}},
		{"a part of its own requests", counting(func(l *spec.RuleRateLimit) { l.Counting = `http.request.uri.path eq "/login/x"` }), []step{
			{"/login", 200, 1, true}, {"/login/x", 200, 1, true}, {"/login/x", 200, 1, true}, {"/login/x", 200, 1, false}, {"/login", 200, 1, false},
		}},
		{"requests to the origin", counting(func(l *spec.RuleRateLimit) { l.ToOrigin = true }), []step{
			{"/login", 0, 1, true}, {"/login", 0, 1, true}, {"/login", 0, 1, true}, {"/login", 200, 1, true}, {"/login", 200, 1, true}, {"/login", 200, 1, false},
			{"/login", 0, 1, true},
		}},
		{"responses", counting(func(l *spec.RuleRateLimit) { l.Counting = "http.response.code eq 401" }), []step{
			{"/login", 200, 1, true}, {"/login", 200, 1, true}, {"/login", 401, 1, true}, {"/login", 200, 1, true}, {"/else", 401, 1, true}, {"/login", 200, 1, false},
			{"/else", 200, 1, true},
		}},
		{"responses of the origin", counting(func(l *spec.RuleRateLimit) { l.Counting, l.ToOrigin = "http.response.code eq 200", true }), []step{
			{"/login", 0, 1, true}, {"/login", 0, 1, true}, {"/login", 200, 1, true}, {"/login", 200, 1, true}, {"/login", 200, 1, false},
		}},
		{"responses by header", counting(func(l *spec.RuleRateLimit) { l.Counting = `any(http.response.headers["x-failed"][*] eq "1")` }), []step{
			{"/login", 200, 1, true}, {"/login", 403, 1, true}, {"/login", 403, 1, true}, {"/login", 200, 1, false},
		}},
		{"bytes", counting(func(l *spec.RuleRateLimit) { l.Requests, l.BytesPerPeriod = 0, 1000 }), []step{
			{"/login", 200, 999, true}, {"/", 200, 5000, true}, {"/login", 200, 1, true}, {"/login", 200, 1, false},
		}},
		{"many bytes", counting(func(l *spec.RuleRateLimit) { l.Requests, l.BytesPerPeriod = 0, 1<<40 }), []step{
			{"/login", 200, 1<<40 - 1<<20, true}, {"/login", 200, 1 << 20, true}, {"/login", 200, 1, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := compile(t, limited(tt.rule))
				for i, step := range tt.steps {
					f := from("203.0.113.7", step.path)
					got := passes(set, f)
					if step.status != 0 && got {
						set.JudgeBody(f, dryRun(false))
						got = f.Verdict.Refusal == nil
					}
					if got != step.want {
						t.Fatalf("step %d, %s: passed %v, want %v", i, step.path, got, step.want)
					}
					switch {
					case !got:
					case step.status == 0:
						f.Cache.Message = &flow.Message{Status: 200}
						f.Response.Status, f.Response.Bytes = 200, step.bytes
						set.Settle(f)
					case step.status == 403:
						respond(set, f, step.status, step.bytes, flow.Field{Name: "X-Failed", Value: "1"})
					default:
						respond(set, f, step.status, step.bytes)
					}
				}
			})
		})
	}
}

// TestMitigation: once over, a client is refused for the whole time, is told so, and then begins anew.
func TestMitigation(t *testing.T) {
	tests := []struct {
		name       string
		mitigation time.Duration
		counting   string
		wait       time.Duration // of the first that is refused
		again      time.Duration // of one that comes a second before that
		free       time.Duration // when all may be asked again
	}{
		{"none", 0, "", 30 * time.Second, time.Second, time.Minute},
		{"longer than the period", 10 * time.Minute, "", 10 * time.Minute, time.Second, 10 * time.Minute},
		{"shorter than the wait", 10 * time.Second, "", 30 * time.Second, 10 * time.Second, time.Minute},
		{"of responses", 10 * time.Minute, "http.response.code eq 401", 10 * time.Minute, time.Second, 10 * time.Minute},
		{"of other requests", 10 * time.Minute, "ssl", 10 * time.Minute, time.Second, 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := limiting("r", `http.request.method eq "GET"`, 2, "ip.src")
				r.RateLimit.Mitigation, r.RateLimit.Counting = tt.mitigation, tt.counting
				set := compile(t, limited(r))
				ask := func() *flow.Flow {
					f := from("203.0.113.7", "/")
					if passes(set, f) {
						respond(set, f, 401, 1)
					}
					return f
				}
				ask()
				ask()
				refusal := ask().Verdict.Refusal
				if refusal == nil || refusal.RetryAfter != tt.wait {
					t.Fatalf("got %+v, want a refusal for %v", refusal, tt.wait)
				}
				time.Sleep(tt.wait - time.Second)
				if again := ask().Verdict.Refusal; again == nil || again.RetryAfter != tt.again {
					t.Fatalf("a second before: got %+v, want a refusal for %v", again, tt.again)
				}
				time.Sleep(tt.free - tt.wait + time.Second)
				for i := range 2 {
					if f := ask(); f.Verdict.Refusal != nil {
						t.Fatalf("request %d after it: got %+v, want none", i, f.Verdict.Refusal)
					}
				}
			})
		})
	}
}

// TestOwed: a response that is much more than may be is paid for by waiting.
func TestOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limiting("r", "ssl", 0, "ip.src")
		r.RateLimit.BytesPerPeriod = 1000
		set := compile(t, limited(r))
		f := from("203.0.113.7", "/")
		passes(set, f)
		respond(set, f, 200, 3000)
		for _, tt := range []struct {
			after time.Duration
			want  bool
		}{{0, false}, {119 * time.Second, false}, {121 * time.Second, true}} {
			next := from("203.0.113.7", "/")
			next.Request.Received = f.Request.Received.Add(tt.after)
			if got := passes(set, next); got != tt.want {
				t.Errorf("after %v: passed %v, want %v", tt.after, got, tt.want)
			}
		}
	})
}

// TestExcess has what a refusal is.
func TestExcess(t *testing.T) {
	r := limiting("r", "ssl", 1, "ip.src", `http.request.headers["x-key"][0]`)
	set := compile(t, limited(r))
	ask := func() *flow.Flow {
		f := from("203.0.113.7", "/", "X-Key: "+strings.Repeat("k", 2000))
		f.Request.Received = time.Unix(1_700_000_000, 0)
		set.Judge(f, dryRun(false))
		return f
	}
	ask()
	f := ask()
	want := `more than 1 requests per 1m0s, counted by ip.src, http.request.headers["x-key"][0]; refused until 2023-11-14T22:14:20Z, where ` +
		`ip.src = 203.0.113.0/24; http.request.headers["x-key"][0] = "` + strings.Repeat("k", 23) + `…`
	got := f.Verdict.Refusal
	if got == nil || got.Detail != want || got.Status != 429 || got.Reason != flow.RuleLimit || got.Rule != "http_ratelimit/r" || got.RetryAfter != time.Minute {
		t.Errorf("got %+v, want %s", got, want)
	}
	if f.Verdict.Action != flow.Block || f.Verdict.Answer != nil {
		t.Errorf("got %v, %v, want a block with the page that explains itself", f.Verdict.Action, f.Verdict.Answer)
	}
	for range 2 * explained {
		got = ask().Verdict.Refusal
	}
	if !strings.HasSuffix(got.Detail, `["x-key"][0]`) {
		t.Errorf("of many a second: got %s, want no evidence", got.Detail)
	}
}

// TestLimitActions has who is refused, and how.
func TestLimitActions(t *testing.T) {
	own := limiting("r", "ssl", 1, "ip.src")
	own.Response = spec.RuleResponse{StatusCode: 503, Content: "later"}
	log := limiting("r", "ssl", 1, "ip.src")
	log.Action = spec.RuleLog
	origin := limiting("origin", "ssl", 1, "ip.src")
	origin.RateLimit.ToOrigin = true
	skip := func(k spec.RuleSkip, of ...spec.Rule) *spec.Rules {
		return &spec.Rules{Firewall: []spec.Rule{skipping("s", "ssl", k)}, RateLimit: of}
	}
	tests := []struct {
		name    string
		rules   *spec.Rules
		dry     bool
		want    string // what blocks the second
		status  int
		content string
		logs    int
	}{
		{"block", limited(limiting("r", "ssl", 1, "ip.src")), false, "r", 429, "", 0},
		{"a response of its own", limited(own), false, "r", 503, "later", 0},
		{"log", limited(log), false, "", 0, "", 1},
		{"a dry run", limited(limiting("r", "ssl", 1, "ip.src"), origin), true, "", 0, "", 2},
		{"the first that is exceeded", limited(limiting("a", "ssl", 2, "ip.src"), limiting("b", "ssl", 1, "ip.src")), false, "b", 429, "", 0},
		{"the phase skipped", skip(spec.RuleSkip{Phases: []string{"http_ratelimit"}}, own, origin), false, "", 0, "", 0},
		{"a rule skipped", skip(spec.RuleSkip{Rules: []string{"a"}}, limiting("a", "ssl", 1, "ip.src"), limiting("b", "ssl", 1, "ip.src")), false, "b", 429, "", 0},
		{"a later rule skipped", skip(spec.RuleSkip{Rules: []string{"origin"}}, origin), false, "", 0, "", 0},
		{"on its way to the origin", limited(origin), false, "origin", 429, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, tt.rules)
			var f *flow.Flow
			for range 2 {
				f = from("203.0.113.7", "/")
				if outcome, _ := set.Judge(f, dryRun(tt.dry)); outcome == Passed {
					set.JudgeBody(f, dryRun(tt.dry))
				}
				if f.Verdict.Refusal == nil {
					respond(set, f, 200, 1)
				}
			}
			var rule, content string
			var status int
			if r := f.Verdict.Refusal; r != nil {
				rule, status = strings.TrimPrefix(r.Rule, "http_ratelimit/"), r.Status
			}
			if f.Verdict.Answer != nil {
				content = string(f.Verdict.Answer.Body)
			}
			if rule != tt.want || status != tt.status || content != tt.content || len(f.Verdict.Dry) != tt.logs {
				t.Errorf("got %q with %d, %q, logs %v, want %q with %d, %q, %d", rule, status, content, f.Verdict.Dry, tt.want, tt.status, tt.content, tt.logs)
			}
		})
	}
}

// TestNotCounted: what a rule or a full queue refuses is not counted as asked of the origin, and counts see the header as the client sent it.
func TestNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toOrigin := limiting("origin", "ssl", 1, `http.request.headers["x-key"]`)
		toOrigin.RateLimit.ToOrigin = true
		failed := limiting("failed", "ssl", 1, `http.request.headers["x-key"]`)
		failed.RateLimit.Counting = "http.response.code eq 429 or http.response.code eq 401"
		s := limited(toOrigin, failed)
		s.LateTransform = []spec.Rule{{Name: "hide", Expression: "ssl", Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{
			Headers: []spec.RuleHeader{{Name: "x-key", Operation: "remove"}},
		}}}
		set := compile(t, s)
		ask := func(key string, attempts, status int) *flow.Flow {
			f := from("203.0.113.7", "/", "X-Key: "+key)
			if passes(set, f) {
				set.JudgeBody(f, dryRun(false))
			}
			switch f.Response.Status = status; {
			case f.Verdict.Refusal != nil:
				f.Response.Status = 429
				set.Settle(f)
			case attempts == 0:
				f.Admission.Refusal = &flow.Refusal{Reason: flow.QueueFull, Status: 503}
				set.Settle(f)
				set.Settle(f) // gives nothing back twice
			default:
				respond(set, f, status, 1)
			}
			return f
		}
		rule := func(f *flow.Flow) string {
			if f.Verdict.Refusal == nil {
				return ""
			}
			return strings.TrimPrefix(f.Verdict.Refusal.Rule, "http_ratelimit/")
		}
		for i, tt := range []struct {
			key              string
			attempts, status int
			want             string
		}{
			{"a", 0, 503, ""}, {"a", 0, 503, ""}, {"a", 1, 200, ""}, {"a", 1, 200, "origin"}, {"a", 0, 503, "origin"}, {"a", 0, 503, "origin"},
			{"b", 1, 401, ""}, {"b", 1, 200, "failed"}, {"c", 1, 200, ""},
		} {
			if got := rule(ask(tt.key, tt.attempts, tt.status)); got != tt.want {
				t.Errorf("step %d: got %q, want %q", i, got, tt.want)
			}
		}
	})
}

// TestCountsSurvive: what was counted stays with the zone's and the rule's name.
func TestCountsSurvive(t *testing.T) {
	room := New()
	next := func(zone, name string) *Ruleset {
		set, err := room.Compile(zone, limited(limiting(name, "ssl", 1, "ip.src")), nil)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	first := next("zone", "r")
	passes(first, from("203.0.113.7", "/"))
	for _, tt := range []struct {
		zone, rule string
		want       bool
	}{{"zone", "r", false}, {"zone", "s", true}, {"other", "r", true}} {
		if got := passes(next(tt.zone, tt.rule), from("203.0.113.7", "/")); got != tt.want {
			t.Errorf("%s of %s: passed %v, want %v", tt.rule, tt.zone, got, tt.want)
		}
	}
	runtime.KeepAlive(first)
}

// TestTablesAreBounded: whatever is configured has the room's memory and a least for each rule, and gives it back.
func TestTablesAreBounded(t *testing.T) {
	room := New()
	var many []spec.Rule
	for i := range maxRateLimits {
		r := limiting(fmt.Sprint(i), "ssl", 1, "ip.src")
		r.RateLimit.Mitigation = time.Minute
		many = append(many, r)
	}
	const zones = 60
	func() {
		var sets []*Ruleset
		for i := range zones {
			set, err := room.Compile(fmt.Sprint(i), limited(many...), nil)
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, set)
		}
		least := zones * 2 * maxRateLimits * leastCount
		if got, most := room.tables.taken, roomCounts+least; got < least || got > most {
			t.Errorf("got room for %d counts, want %d to %d", got, least, most)
		}
		runtime.KeepAlive(sets)
	}()
	for range 1000 {
		runtime.GC()
		runtime.Gosched()
		room.tables.mu.Lock()
		left := room.tables.taken
		room.tables.mu.Unlock()
		if left == 0 {
			return
		}
	}
	t.Error("tables that nobody uses are kept")
}

// TestZonesApart is promise 3: whatever is invented against another zone's rules, what a zone's clients get is what an exact count gives
// them, and nothing grows.
func TestZonesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := New()
		own, err := room.Compile("own", limited(limiting("r", "ssl", 3, "ip.src")), nil)
		if err != nil {
			t.Fatal(err)
		}
		attacked := limiting("r", "ssl", 1, "ip.src", `http.request.headers["x-key"]`)
		attacked.RateLimit.Mitigation = time.Hour
		other, err := room.Compile("other", limited(attacked), nil)
		if err != nil {
			t.Fatal(err)
		}
		exact := make(map[string]int)
		now, invented := time.Now(), 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			client := fmt.Sprintf("203.0.113.%d", rapid.IntRange(0, 3).Draw(t, "client"))
			for range rapid.IntRange(0, 300).Draw(t, "invented") {
				invented++
				f := from(client, "/", fmt.Sprintf("X-Key: %d", invented/2))
				f.Request.Received = now
				passes(other, f)
			}
			f := from(client, "/")
			f.Request.Received = now
			got := passes(own, f)
			exact[client]++
			if want := exact[client] <= 3; got != want {
				t.Fatalf("request %d of %s after %d invented keys: passed %v, want %v", exact[client], client, invented, got, want)
			}
		}
	})
}

// TestInventedKeys: clients over their limit stay so, while many more keys are invented than there is room for; and that costs no memory.
func TestInventedKeys(t *testing.T) {
	room := New()
	room.tables.taken = roomCounts // so that a rule has the least there is
	set, err := room.Compile("zone", limited(limiting("r", "ssl", 10, `http.request.headers["x-key"]`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ask := func(key string) bool {
		f := from("203.0.113.7", "/", "X-Key: "+key)
		f.Request.Received = now
		return passes(set, f)
	}
	const over = 50
	for i := range over {
		for range 10 {
			ask(fmt.Sprint("over", i))
		}
	}
	counted := set.phases[RateLimit].rules[0].limit.counted
	before := counted.Stats(now).Capacity
	for i := range 20 * leastCount {
		if !ask(fmt.Sprint("invented", i)) {
			t.Fatal("a new key was refused")
		}
	}
	if got := counted.Stats(now); got.Capacity != before || got.Forgotten == 0 {
		t.Fatalf("got %+v, want the capacity of %d, all used", got, before)
	}
	var free int
	for i := range over {
		if ask(fmt.Sprint("over", i)) {
			free++
		}
	}
	if free > over/10 {
		t.Errorf("%d of %d keys over their limit were forgotten", free, over)
	}
}

func TestRateLimitErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.Rule)
		want   string
	}{
		{"no characteristics", func(r *spec.Rule) { r.RateLimit.Characteristics = nil },
			"ratelimit.characteristics: there are 0: want 1 to 8, such as ip.src; cf.colo.id alone counts all together"},
		{"too many", func(r *spec.Rule) { r.RateLimit.Characteristics = make([]string, 9) }, "ratelimit.characteristics: there are 9: want 1 to 8"},
		{"not here", func(r *spec.Rule) { r.RateLimit.Characteristics = []string{"cf.unique_visitor_id"} },
			"ratelimit.characteristics[0]: cf.unique_visitor_id is Cloudflare's alone: want ip.src.prefix"},
		{"no expression", func(r *spec.Rule) { r.RateLimit.Characteristics = []string{"ip.source"} },
			"ratelimit.characteristics[0]: column 1: unknown field ip.source"},
		{"not known yet", func(r *spec.Rule) { r.RateLimit.Characteristics = []string{"http.response.code"} },
			"ratelimit.characteristics[0]: it reads the response: want what is known when the request is judged"},
		{"no rate", func(r *spec.Rule) { r.RateLimit.Requests = 0 }, "ratelimit: want either requests_per_period or bytes_per_period"},
		{"both", func(r *spec.Rule) { r.RateLimit.BytesPerPeriod = 5 }, "ratelimit: want either requests_per_period or bytes_per_period"},
		{"negative", func(r *spec.Rule) { r.RateLimit.Requests = -1 }, "ratelimit.requests_per_period: rate of -1 per 1m0s"},
		{"no period", func(r *spec.Rule) { r.RateLimit.Period = 0 }, "ratelimit.period: 0s: want 1s to 24h0m0s"},
		{"mitigation too long", func(r *spec.Rule) { r.RateLimit.Mitigation = 25 * time.Hour }, "ratelimit.mitigation_timeout: 25h0m0s: want 0, or 1s to 24h0m0s"},
		{"mitigation negative", func(r *spec.Rule) { r.RateLimit.Mitigation = -1 }, "ratelimit.mitigation_timeout: -1ns: want 0, or 1s to 24h0m0s"},
		{"expression of a response", func(r *spec.Rule) { r.Expression = "http.response.code eq 401" },
			"expression: it reads the response, which is not known yet in this phase"},
		{"bytes by the body", func(r *spec.Rule) {
			r.RateLimit.Requests, r.RateLimit.BytesPerPeriod, r.RateLimit.Characteristics = 0, 5, []string{`http.request.body.form["user"]`}
		}, "ratelimit: it reads the request's body, which is gone when responses are counted: want a count of requests"},
		{"responses by the body", func(r *spec.Rule) {
			r.RateLimit.Counting = `http.response.code eq 401 and http.request.body.raw contains "x"`
		},
			"ratelimit: it reads the request's body, which is gone when responses are counted"},
		{"counting expression", func(r *spec.Rule) { r.RateLimit.Counting = "http.response.code" }, "ratelimit.counting_expression: column 1: "},
		{"status", func(r *spec.Rule) { r.Response.StatusCode = 200 }, "response.status_code: 200: want 400 to 599"},
		{"action", func(r *spec.Rule) { r.Action = spec.RuleSkipping }, `action: "skip" is none of this phase: want block, log`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := limiting("r", "ssl", 1, "ip.src")
			tt.change(&r)
			_, err := New().Compile("zone", limited(r), nil)
			if got, want := fmt.Sprint(err), "rules.http_ratelimit[0]."+tt.want; !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	_, err := New().Compile("zone", limited(make([]spec.Rule, maxRateLimits+1)...), nil)
	if got, want := fmt.Sprint(err), "rules.http_ratelimit: 101 rules: want at most 100"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLimitsTogether has clients ask at the same time, for the race detector: each gets what he may and no more.
func TestLimitsTogether(t *testing.T) {
	r := limiting("r", "ssl", 100, `http.request.headers["x-key"]`)
	set := compile(t, limited(r))
	now := time.Now()
	passed := make(chan int)
	const clients = 8
	for range clients {
		go func() {
			n := 0
			for range 50 {
				f := from("203.0.113.7", "/", "X-Key: k")
				f.Request.Received = now
				if passes(set, f) {
					n++
				}
			}
			passed <- n
		}()
	}
	sum := 0
	for range clients {
		sum += <-passed
	}
	if sum != 100 {
		t.Errorf("%d of %d passed, want 100", sum, clients*50)
	}
}

func TestLimitsDoNotAllocate(t *testing.T) {
	origin := limiting("origin", "ssl", 1_000_000, "ip.src")
	origin.RateLimit.ToOrigin = true
	failed := limiting("failed", "ssl", 1_000_000, "ip.src.prefix")
	failed.RateLimit.Counting, failed.RateLimit.Mitigation = "http.response.code eq 401", time.Hour
	set := compile(t, limited(limiting("r", "ssl", 1_000_000, "ip.src", `http.request.headers["x-key"]`), origin, failed))
	f := from("203.0.113.7", "/", "X-Key: k")
	f.Origin.Attempts, f.Origin.Message, f.Response.Status = 1, &flow.Message{Status: 401}, 401
	least := math.Inf(1)
	for range 100 { // the race detector has pools lose some of what they are given
		least = min(least, testing.AllocsPerRun(1, func() {
			set.Judge(f, dryRun(false))
			set.JudgeBody(f, dryRun(false))
			set.Settle(f)
		}))
	}
	if least > 0 {
		t.Errorf("got %v allocations, want none", least)
	}
}

func BenchmarkRateLimit(b *testing.B) {
	for _, tt := range []struct {
		name     string
		requests int
		rules    int
	}{{"allowed", 6_000_000, 1}, {"allowed by ten", 6_000_000, 10}, {"refused", 1, 1}} {
		b.Run(tt.name, func(b *testing.B) {
			var of []spec.Rule
			for i := range tt.rules {
				of = append(of, limiting(fmt.Sprint(i), `starts_with(http.request.uri.path, "/")`, tt.requests, "ip.src", `http.request.headers["x-key"]`))
			}
			set := compile(b, limited(of...))
			f := from("203.0.113.7", "/", "User-Agent: Mozilla/5.0", "Accept: */*", "X-Key: k")
			passes(set, f)
			b.ReportAllocs()
			for b.Loop() {
				f.Request.Received = f.Request.Received.Add(50 * time.Microsecond)
				f.Verdict = flow.Verdict{}
				set.Judge(f, dryRun(false))
			}
		})
	}
}

// BenchmarkWhole is what an ordinary request pays for a hundred typical rules and ten rate limits, of which one counts it.
func BenchmarkWhole(b *testing.B) {
	of := typical(100)
	for i, text := range []string{
		`http.request.uri.path eq "/login"`, `http.request.method eq "POST"`, `starts_with(http.request.uri.path, "/api/")`,
		`http.request.uri.path contains "search"`, `http.host eq "other.example.org"`, `http.request.uri.path eq "/xmlrpc.php"`,
		`http.request.uri.query ne ""`, `http.user_agent contains "curl"`, `http.request.uri.path.extension eq "php"`,
	} {
		of.RateLimit = append(of.RateLimit, limiting(fmt.Sprint(i), text, 100, "ip.src"))
	}
	of.RateLimit = append(of.RateLimit, limiting("all", "true", 6_000_000, "ip.src.prefix"))
	set := compile(b, of)
	f := from("203.0.113.7", "/c/1k", "User-Agent: Mozilla/5.0", "Accept: */*")
	b.ReportAllocs()
	for b.Loop() {
		f.Request.Received = f.Request.Received.Add(50 * time.Microsecond)
		f.Verdict = flow.Verdict{}
		if outcome, _ := set.Judge(f, dryRun(false)); outcome != Passed {
			b.Fatalf("got %v, want it to pass", outcome)
		}
	}
}
