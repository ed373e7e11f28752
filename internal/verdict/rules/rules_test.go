package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func blocking(name, expression string) spec.Rule {
	return spec.Rule{Name: name, Expression: expression, Action: spec.RuleBlock}
}

func logging(name, expression string) spec.Rule {
	return spec.Rule{Name: name, Expression: expression, Action: spec.RuleLog}
}

func skipping(name, expression string, k spec.RuleSkip) spec.Rule {
	return spec.Rule{Name: name, Expression: expression, Action: spec.RuleSkipping, Skip: k}
}

// TestFirewall has the verdicts of rules in an order.
func TestFirewall(t *testing.T) {
	admin := `starts_with(http.request.uri.path, "/admin")`
	tests := []struct {
		name  string
		rules []spec.Rule
		dry   bool
		want  string // what blocks
		logs  []string
	}{
		{"none holds", []spec.Rule{blocking("a", `http.host eq "x"`)}, false, "", nil},
		{"the first that holds", []spec.Rule{blocking("a", "not ssl"), blocking("b", admin), blocking("c", admin)}, false, "b", nil},
		{"log goes on", []spec.Rule{logging("a", admin), blocking("b", "ssl")}, false, "b", []string{"a"}},
		{"disabled", []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleBlock, Disabled: true}}, false, "", nil},
		{"a dry run", []spec.Rule{blocking("a", "ssl"), blocking("b", "ssl")}, true, "", []string{"a", "b"}},
		{"the rest skipped", []spec.Rule{skipping("s", admin, spec.RuleSkip{Rest: true}), blocking("a", "ssl")}, false, "", nil},
		{"a rule skipped", []spec.Rule{skipping("s", "ssl", spec.RuleSkip{Rules: []string{"a"}}), blocking("a", "ssl"), blocking("b", "ssl")}, false, "b", nil},
		{"skipped too late", []spec.Rule{blocking("a", "ssl"), skipping("s", "ssl", spec.RuleSkip{Rest: true})}, false, "a", nil},
		{"not skipped", []spec.Rule{skipping("s", "not ssl", spec.RuleSkip{Rest: true}), blocking("a", "ssl")}, false, "a", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, &spec.Rules{Firewall: tt.rules})
			f := request("/admin/x")
			outcome, _ := set.Judge(f, dryRun(tt.dry))
			got := ""
			if r := f.Verdict.Refusal; r != nil {
				got = strings.TrimPrefix(r.Rule, "http_request_firewall_custom/")
			}
			if got != tt.want || (outcome == Blocked) != (tt.want != "") {
				t.Errorf("blocked by %q (%v), want %q", got, outcome, tt.want)
			}
			var logs []string
			for _, l := range f.Verdict.Dry {
				logs = append(logs, strings.TrimPrefix(l, "http_request_firewall_custom/"))
			}
			if d := cmp.Diff(tt.logs, logs); d != "" {
				t.Errorf("logged (-want +got):\n%s", d)
			}
		})
	}
}

// TestSpared: what rules may spare a request.
func TestSpared(t *testing.T) {
	set := compile(t, &spec.Rules{
		Firewall:      []spec.Rule{skipping("s", "ssl", spec.RuleSkip{Phases: []string{"limits", "http_request_late_transform"}})},
		LateTransform: []spec.Rule{headers("h", "ssl", spec.RuleHeader{Name: "X-A", Value: "1"})},
	})
	f := request("/")
	if _, spared := set.Judge(f, dryRun(false)); !spared.Limits || !set.SparesLimits() || f.Verdict.Rewritten != nil {
		t.Errorf("spared %+v, rewritten %v, want limits and the late transform spared", spared, f.Verdict.Rewritten)
	}
}

// TestBlock: the answers of refusals.
func TestBlock(t *testing.T) {
	tests := []struct {
		name        string
		response    spec.RuleResponse
		status      int
		body, media string
	}{
		{"the page", spec.RuleResponse{}, 403, "", ""},
		{"a status", spec.RuleResponse{StatusCode: 404}, 404, "", ""},
		{"a content", spec.RuleResponse{Content: "no."}, 403, "no.", "text/plain; charset=utf-8"},
		{"all", spec.RuleResponse{StatusCode: 451, Content: "{}", ContentType: "application/json"}, 451, "{}", "application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := blocking("b", `http.request.uri.path eq "/x"`)
			r.Response = tt.response
			f := request("/x")
			compile(t, &spec.Rules{Firewall: []spec.Rule{r}}).Judge(f, dryRun(false))
			refusal := f.Verdict.Refusal
			if refusal == nil || refusal.Status != tt.status || refusal.Reason != flow.RuleBlocked {
				t.Fatalf("got %+v, want status %d", refusal, tt.status)
			}
			if want := `http.request.uri.path eq "/x", where http.request.uri.path = "/x"`; refusal.Detail != want {
				t.Errorf("got the detail %q, want %q", refusal.Detail, want)
			}
			body, media := "", ""
			if m := f.Verdict.Answer; m != nil {
				body, media = string(m.Body), flow.Get(m.Fields, "content-type")
			}
			if body != tt.body || media != tt.media {
				t.Errorf("got %q of type %q, want %q of type %q", body, media, tt.body, tt.media)
			}
		})
	}
}

// TestEvidence: what a refusal says gets into the log, so that it has no whole address, and of what may be secret its beginning only.
func TestEvidence(t *testing.T) {
	set := compile(t, &spec.Rules{Firewall: []spec.Rule{blocking("b",
		`ip.src in {203.0.113.0/24} and http.cookie contains "x" and http.request.headers["authorization"][0] ne "" and not http.host eq "y"`)}})
	f := request("/", "Cookie: session=0123456789abcdefx0123456789abcdef", "Authorization: Bearer 0123456789abcdef0123456789abcdef")
	set.Judge(f, dryRun(false))
	detail := f.Verdict.Refusal.Detail
	for _, secret := range []string{"203.0.113.7", "abcdefx0123456789abcdef", "abcdef0123456789abcdef"} {
		if strings.Contains(detail, secret) {
			t.Errorf("%q has %s", detail, secret)
		}
	}
	for _, shown := range []string{"ip.src = 203.0.113.0/24", `http.cookie = "session=`, `http.host = "www.example.org"`} {
		if !strings.Contains(detail, shown) {
			t.Errorf("%q has no %s", detail, shown)
		}
	}
}

func TestRedirect(t *testing.T) {
	tests := []struct {
		name     string
		redirect spec.RuleRedirect
		status   int
		want     string // "" for none
	}{
		{"a URL", spec.RuleRedirect{URL: "https://b.example/x"}, 302, "https://b.example/x"},
		{"a path", spec.RuleRedirect{URL: "/y", StatusCode: 301}, 301, "/y"},
		{"with the query", spec.RuleRedirect{URL: "/y", StatusCode: 308, PreserveQuery: true}, 308, "/y?a=b"},
		{"with the query behind one", spec.RuleRedirect{URL: "/y?c", PreserveQuery: true}, 302, "/y?c&a=b"},
		{"computed", spec.RuleRedirect{Expression: `concat("https://b.example", http.request.uri.path)`}, 302, "https://b.example/old/x"},
		{"replaced", spec.RuleRedirect{Expression: `wildcard_replace(http.request.full_uri, "https://*/old/*", "https://${1}/new/${2}")`}, 302, "https://www.example.org/new/x?a=b"},
		{"missing", spec.RuleRedirect{Expression: `http.request.uri.args["none"][0]`}, 0, ""},
		{"an open redirect to a path of two slashes", spec.RuleRedirect{Expression: `concat("/", http.request.uri.path)`}, 0, ""},
		{"what splits a header", spec.RuleRedirect{Expression: `url_decode(http.request.headers["x-to"][0])`}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, &spec.Rules{DynamicRedirect: []spec.Rule{{Name: "r", Expression: "ssl", Action: spec.RuleRedirects, Redirect: tt.redirect}}})
			f := request("/old/x?a=b", "X-To: /%0d%0aSet-Cookie: a=b")
			outcome, _ := set.Judge(f, dryRun(false))
			status, to := 0, ""
			if m := f.Verdict.Answer; m != nil {
				status, to = m.Status, flow.Get(m.Fields, "location")
			}
			if status != tt.status || to != tt.want || (outcome == Redirected) != (tt.want != "") {
				t.Errorf("got %d to %q, want %d to %q", status, to, tt.status, tt.want)
			}
		})
	}
}

func TestTransform(t *testing.T) {
	tests := []struct {
		name    string
		rewrite []spec.RuleRewrite
		want    string
	}{
		{"a path", []spec.RuleRewrite{{Path: "/index.php"}}, "/index.php?a=b"},
		{"a query", []spec.RuleRewrite{{Query: "x=1"}}, "/old/x?x=1"},
		{"both", []spec.RuleRewrite{{PathExpression: `regex_replace(http.request.uri.path, "^/old/", "/new/")`, QueryExpression: `concat("path=", http.request.uri.path)`}}, "/new/x?path=/old/x"},
		{"no query", []spec.RuleRewrite{{Query: "-"}}, "/old/x"},
		{"one after the other", []spec.RuleRewrite{{Path: "/a"}, {PathExpression: `concat(http.request.uri.path, "/b")`}}, "/a/b?a=b"},
		{"a missing one", []spec.RuleRewrite{{PathExpression: `http.request.uri.args["none"][0]`}}, "/old/x?a=b"},
		{"no path", []spec.RuleRewrite{{PathExpression: `http.request.uri.args["a"][0]`}}, "/old/x?a=b"},
		{"one that climbs", []spec.RuleRewrite{{PathExpression: `concat("/a/", "../../etc/", "x y?z#")`}}, "/etc/x%20y%3Fz%23?a=b"},
		{"line ends", []spec.RuleRewrite{{QueryExpression: `url_decode(http.request.headers["x-evil"][0])`}}, "/old/x?a%0D%0Ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s spec.Rules
			for i, w := range tt.rewrite {
				s.Transform = append(s.Transform, spec.Rule{Name: string(rune('a' + i)), Expression: "ssl", Action: spec.RuleRewrites, Rewrite: w})
			}
			f := request("/old/x?a=b", "X-Evil: a%0d%0ab")
			compile(t, &s).Judge(f, dryRun(false))
			q := f.Effective()
			if got := uri(q.Path, q.Query, q.HasQuery); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if f.Request.Path != "/old/x" || f.Request.Query != "a=b" {
				t.Errorf("the client's request became %q, %q", f.Request.Path, f.Request.Query)
			}
		})
	}
}

func headers(name, expression string, h ...spec.RuleHeader) spec.Rule {
	return spec.Rule{Name: name, Expression: expression, Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{Headers: h}}
}

func TestHeaders(t *testing.T) {
	set := compile(t, &spec.Rules{
		LateTransform: []spec.Rule{
			headers("a", "ssl", spec.RuleHeader{Name: "X-Country", Expression: "ip.src.country"}, spec.RuleHeader{Name: "x-old", Operation: "remove"},
				spec.RuleHeader{Name: "X-Add", Operation: "add", Value: "2"}, spec.RuleHeader{Name: "X-Bad", Expression: `url_decode(http.request.headers["x-old"][0])`}),
			headers("b", "not ssl", spec.RuleHeader{Name: "X-Never", Value: "1"}),
		},
		ResponseHeaders: []spec.Rule{headers("c", "http.response.code eq 200", spec.RuleHeader{Name: "Server", Operation: "remove"},
			spec.RuleHeader{Name: "X-Path", Expression: "http.request.uri.path"})},
	})
	f := request("/p", "X-Old: a%0ab", "X-Country: ZZ", "X-Add: 1", "Accept: */*")
	f.Request.Locator = located{Country: "FR"}
	set.Judge(f, dryRun(false))
	want := []flow.Field{{Name: "X-Add", Value: "1"}, {Name: "Accept", Value: "*/*"}, {Name: "X-Country", Value: "FR"}, {Name: "X-Add", Value: "2"}}
	if d := cmp.Diff(want, f.Effective().Fields); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if len(f.Request.Fields) != 4 || f.Request.Fields[0].Name != "X-Old" {
		t.Errorf("the client's fields became %v", f.Request.Fields)
	}
	f.Origin.Message = &flow.Message{Status: 200}
	set.JudgeResponse(f)
	got := flow.Apply([]flow.Field{{Name: "Server", Value: "x"}, {Name: "A", Value: "b"}}, f.Verdict.Responding)
	if d := cmp.Diff([]flow.Field{{Name: "A", Value: "b"}, {Name: "X-Path", Value: "/p"}}, got); d != "" {
		t.Errorf("response (-want +got):\n%s", d)
	}
}

func TestSettings(t *testing.T) {
	set := compile(t, &spec.Rules{
		Config: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleSetConfig, Config: spec.RuleConfig{NoCompression: true}}},
		Origin: []spec.Rule{{Name: "b", Expression: "ssl", Action: spec.RuleRoutes, Route: spec.RuleRoute{HostHeader: "app.internal:8080"}}},
		CacheSettings: []spec.Rule{
			{Name: "c", Expression: "ssl", Action: spec.RuleSetCache, Cache: spec.RuleCache{EdgeTTL: 60}},
			{Name: "d", Expression: `http.request.uri.path eq "/live"`, Action: spec.RuleSetCache, Cache: spec.RuleCache{Bypass: true}},
		},
	})
	for _, tt := range []struct {
		path string
		want flow.Settings
	}{
		{"/", flow.Settings{EdgeTTL: 60, NoCompression: true}},
		{"/live", flow.Settings{EdgeTTL: 60, NoCompression: true, Bypass: true}},
	} {
		f := request(tt.path)
		set.Judge(f, dryRun(false))
		if f.Verdict.Settings != tt.want || f.Effective().HostHeader != "app.internal:8080" {
			t.Errorf("%s: got %+v to %q, want %+v", tt.path, f.Verdict.Settings, f.Effective().HostHeader, tt.want)
		}
	}
}

// TestRefused: rules that don't compile, and what is said of them.
func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		s    spec.Rules
		want string
	}{
		{"no name", spec.Rules{Firewall: []spec.Rule{blocking("", "ssl")}}, `rules.http_request_firewall_custom[0].name: missing`},
		{"one name twice", spec.Rules{Firewall: []spec.Rule{blocking("a", "ssl"), blocking("a", "ssl")}}, `rules.http_request_firewall_custom[1].name: there is a rule "a" in this phase already`},
		{"an unknown field", spec.Rules{Firewall: []spec.Rule{blocking("a", `ssl and http.hots eq "x"`)}}, `rules.http_request_firewall_custom[0].expression: column 9: `},
		{"a response's field", spec.Rules{Firewall: []spec.Rule{blocking("a", `http.response.code eq 200`)}}, `rules.http_request_firewall_custom[0].expression: it reads the response, which is not known yet in this phase`},
		{"an action of another phase", spec.Rules{Transform: []spec.Rule{blocking("a", "ssl")}}, `rules.http_request_transform[0].action: "block" is none of this phase: want rewrite`},
		{"a status", spec.Rules{Firewall: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleBlock, Response: spec.RuleResponse{StatusCode: 200}}}}, `rules.http_request_firewall_custom[0].response.status_code: 200: want 400 to 599`},
		{"nothing to skip", spec.Rules{Firewall: []spec.Rule{skipping("a", "ssl", spec.RuleSkip{})}}, `rules.http_request_firewall_custom[0].skip: empty`},
		{"no such rule", spec.Rules{Firewall: []spec.Rule{skipping("a", "ssl", spec.RuleSkip{Rules: []string{"b"}})}}, `rules.http_request_firewall_custom[0].skip.rules[0]: no rule of this phase or a later one is called "b"`},
		{"an earlier phase", spec.Rules{Firewall: []spec.Rule{skipping("a", "ssl", spec.RuleSkip{Phases: []string{"http_request_transform"}})}}, `rules.http_request_firewall_custom[0].skip.phases[0]: "http_request_transform" is no later phase`},
		{"no target", spec.Rules{DynamicRedirect: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRedirects}}}, `rules.http_request_dynamic_redirect[0].redirect: empty`},
		{"a bad target", spec.Rules{DynamicRedirect: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRedirects, Redirect: spec.RuleRedirect{URL: "//evil"}}}}, `rules.http_request_dynamic_redirect[0].redirect.url: "//evil" is no target`},
		{"two targets", spec.Rules{DynamicRedirect: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRedirects, Redirect: spec.RuleRedirect{URL: "/", Expression: "http.host"}}}}, `rules.http_request_dynamic_redirect[0].redirect.expression: there is redirect.url, too`},
		{"headers too early", spec.Rules{Transform: []spec.Rule{headers("a", "ssl", spec.RuleHeader{Name: "X", Value: "1"})}}, `rules.http_request_transform[0].rewrite.headers: this phase rewrites the path and the query`},
		{"a path too late", spec.Rules{LateTransform: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{Path: "/"}}}}, `rules.http_request_late_transform[0].rewrite: this phase rewrites headers`},
		{"framing", spec.Rules{LateTransform: []spec.Rule{headers("a", "ssl", spec.RuleHeader{Name: "Content-Length", Value: "1"})}}, `rules.http_request_late_transform[0].rewrite.headers[0].name: "Content-Length" can't be changed`},
		{"a value of two lines", spec.Rules{LateTransform: []spec.Rule{headers("a", "ssl", spec.RuleHeader{Name: "X", Value: "1\r\n2"})}}, `rules.http_request_late_transform[0].rewrite.headers[0].value: "1\r\n2" can't stand in a header`},
		{"no settings", spec.Rules{CacheSettings: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleSetCache}}}, `rules.http_request_cache_settings[0].cache: empty`},
		{"nowhere", spec.Rules{Origin: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRoutes}}}, `rules.http_request_origin[0].route: empty: want a pool or a host_header`},
		{"no host", spec.Rules{Origin: []spec.Rule{{Name: "a", Expression: "ssl", Action: spec.RuleRoutes, Route: spec.RuleRoute{HostHeader: "a b"}}}}, `rules.http_request_origin[0].route.host_header: "a b" is no host`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New().Compile("test", &tt.s, nil)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestCounts: matches outlive a set of rules, and samples say whom they were about.
func TestCounts(t *testing.T) {
	room := New()
	s := &spec.Rules{Firewall: []spec.Rule{logging("a", `http.request.uri.path eq "/x"`), blocking("b", "not ssl")}}
	first, err := room.Compile("test", s, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		first.Judge(request("/x", "User-Agent: curl/8"), dryRun(false))
	}
	second, err := room.Compile("test", s, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := room.Compile("other", s, nil)
	if err != nil {
		t.Fatal(err)
	}
	second.Judge(request("/x"), dryRun(false))
	counts := second.Counts()
	if counts[0].Rule != "http_request_firewall_custom/a" || counts[0].Matches != 4 || counts[1].Matches != 0 || other.Counts()[0].Matches != 0 {
		t.Errorf("got %+v, and %+v of another zone", counts, other.Counts())
	}
	if samples := counts[0].Samples(); len(samples) != 1 || samples[0].Agent != "curl/8" || samples[0].Path != "/x" ||
		!strings.Contains(samples[0].Evidence, `http.request.uri.path = "/x"`) {
		t.Errorf("got the samples %+v, want one of the first second", samples)
	}
	first.Counts()
}

// TestAllocations: judging costs no memory but for what a match leaves behind.
func TestAllocations(t *testing.T) {
	set := compile(t, typical(100))
	f := request("/index.html?x=1", "User-Agent: Mozilla/5.0", "Accept: */*", "Cookie: a=1; b=2")
	least := testing.AllocsPerRun(1, func() { set.Judge(f, dryRun(false)) })
	for range 100 { // the race detector has pools lose some of what they are given
		least = min(least, testing.AllocsPerRun(1, func() { set.Judge(f, dryRun(false)) }))
	}
	if least > 0 {
		t.Errorf("got %v allocations, want none", least)
	}
}

// typical are n rules of the usual kinds, none of which holds for ordinary requests.
func typical(n int) *spec.Rules {
	kinds := []string{
		`http.request.uri.path eq "/wp-login.php%d"`, `starts_with(http.request.uri.path, "/admin%d/")`, `http.user_agent contains "badbot%d"`,
		`http.host eq "shop%d.example.org" and http.request.method eq "POST"`, `ip.src in {198.51.100.%d 2001:db8:%d::/48}`,
		`http.request.uri.query contains "union select %d"`, `any(http.request.headers["x-api-key"][*] eq "leaked%d")`,
		`http.request.cookies["session"][0] eq "stolen%d"`, `lower(http.request.uri.path) contains "/etc/passwd%d"`,
		`http.request.uri.path.extension eq "sql%d" and not ip.src in {192.0.2.0/24}`,
	}
	s := new(spec.Rules)
	for i := range n {
		text := strings.ReplaceAll(kinds[i%len(kinds)], "%d", strings.Repeat("1", 1+i/10%2))
		s.Firewall = append(s.Firewall, blocking("r"+string(rune('a'+i%26))+strings.Repeat("x", i/26), text))
	}
	return s
}

func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(map[int]string{1: "1", 10: "10", 100: "100", 1000: "1000"}[n], func(b *testing.B) {
			set := compile(b, typical(n))
			f := request("/index.html?x=1", "User-Agent: Mozilla/5.0", "Accept: */*", "Cookie: a=1; b=2")
			b.ReportAllocs()
			for b.Loop() {
				set.Judge(f, dryRun(false))
			}
		})
	}
}
