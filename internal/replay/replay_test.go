package replay

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// load puts rules of this text in force.
func load(tb testing.TB, text string) *Rules {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	r, err := Load(path, "")
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// hit is a line, so many seconds after noon.
func hit(second int, client, request, agent string) string {
	return fmt.Sprintf("%s - - [%s] \"%s HTTP/1.1\" 200 10 \"-\" \"%s\"\n", client, noon.Add(time.Duration(second)*time.Second).Format(timeLayout), request, agent)
}

func replayed(tb testing.TB, log string, rules, against *Rules) *Report {
	tb.Helper()
	report, err := Run(strings.NewReader(log), rules, against, Options{Samples: 2})
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	google  = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)

const blockAdmin = `http_request_firewall_custom:
  - {name: admin, expression: 'starts_with(http.request.uri.path, "/admin")', action: block}
  - {name: curl, expression: 'http.user_agent contains "curl"', action: log}
  - {name: nobody, expression: 'http.host eq "other.test"', action: block}
`

func TestRun(t *testing.T) {
	log := hit(0, "192.0.2.1", "GET /", firefox) + hit(1, "192.0.2.2", "GET /admin", "curl/8") + hit(2, "192.0.2.2", "GET /", "curl/8") +
		hit(3, "192.0.2.3", "GET /admin/x", google) + "nonsense\n\n" + hit(4, "192.0.2.3", "GET /admin/y", google)
	got := replayed(t, log, load(t, blockAdmin), nil)
	count := func(requests, clients int, share float64, kinds map[Kind]int) Count {
		return Count{Requests: requests, Clients: clients, Share: share, Kinds: kinds}
	}
	sample := func(line, second int, client, target, agent, why string, kind Kind) Sample {
		return Sample{Line: line, Time: noon.Add(time.Duration(second) * time.Second), Client: client, Kind: kind, Method: "GET",
			Host: "example.org", Target: target, Status: 200, Agent: agent, Why: why}
	}
	const why = `starts_with(http.request.uri.path, "/admin"), where http.request.uri.path = `
	refused := count(3, 2, 0.6, map[Kind]int{Crawlers: 2, Tools: 1})
	want := &Report{
		Format: Combined, Lines: 7, Broken: 1, BrokenLines: []Broken{{5, "there is no time in brackets"}}, From: noon, To: noon.Add(4 * time.Second),
		All: count(5, 3, 1, map[Kind]int{Browsers: 1, Crawlers: 2, Tools: 2}),
		Rules: Outcome{Source: got.Rules.Source, Refused: refused, Rules: []Rule{
			{Name: "http_request_firewall_custom/admin", Action: "block", Count: refused, Samples: []Sample{
				sample(2, 1, "192.0.2.2", "/admin", "curl/8", why+`"/admin"`, Tools), sample(4, 3, "192.0.2.3", "/admin/x", google, why+`"/admin/x"`, Crawlers),
			}},
			{Name: "http_request_firewall_custom/curl", Action: "log", Count: count(1, 1, 0.2, map[Kind]int{Tools: 1}), Samples: []Sample{
				sample(3, 2, "192.0.2.2", "/", "curl/8", "", Tools),
			}},
			{Name: "http_request_firewall_custom/nobody", Action: "block"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestClock: limits see the time of the log, however long ago that was.
func TestClock(t *testing.T) {
	rules := load(t, "limits: {requests: 1/10s, origin_requests: 1/60s}\n")
	log := hit(0, "192.0.2.1", "GET /a.css", firefox) + hit(1, "192.0.2.1", "GET /b.css", firefox) + hit(1, "192.0.2.9", "GET /b.css", firefox) +
		hit(11, "192.0.2.1", "GET /c.css", firefox) + hit(22, "192.0.2.1", "GET /page", firefox) + hit(33, "192.0.2.1", "GET /page", firefox) +
		hit(90, "192.0.2.1", "GET /page", firefox)
	got := replayed(t, log, rules, nil)
	refused := make(map[string]int)
	for _, r := range got.Rules.Rules {
		refused[r.Name] = r.Requests
	}
	if diff := cmp.Diff(map[string]int{"limits.requests": 1, "limits.origin_requests": 1}, refused); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAgainst(t *testing.T) {
	log := hit(0, "192.0.2.1", "GET /admin", firefox) + hit(1, "192.0.2.2", "GET /old", google) + hit(2, "192.0.2.3", "GET /both", firefox)
	now := load(t, `rules: {http_request_firewall_custom: [{name: a, expression: 'http.request.uri.path in {"/admin" "/both"}', action: block}]}`)
	before := load(t, `rules: {http_request_firewall_custom: [{name: b, expression: 'http.request.uri.path in {"/old" "/both"}', action: block}]}`)
	got := replayed(t, log, now, before)
	targets := func(c Change) (all []string) {
		for _, s := range c.Samples {
			all = append(all, s.Target+" "+s.Kind.String()+" "+s.Why)
		}
		return all
	}
	if diff := cmp.Diff([]string{"/admin browsers http_request_firewall_custom/a"}, targets(got.Diff.NewlyRefused)); diff != "" {
		t.Errorf("newly refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/old crawlers http_request_firewall_custom/b"}, targets(got.Diff.NoLongerRefused)); diff != "" {
		t.Errorf("no longer refused (-want +got):\n%s", diff)
	}
	var shown bytes.Buffer
	if err := got.Write(&shown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"newly refused: 1 (33.33%) from 1 client: browsers 1\n", "  line 1: 192.0.2.1 GET example.org/admin, browsers\n"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("got %s, want it to have %q", shown.String(), want)
		}
	}
}

// TestBroken: the first ten are shown, and a line that is too long is one of them.
func TestBroken(t *testing.T) {
	log := strings.Repeat("x", 3*maxLine) + "\n" + strings.Repeat("?\n", 20) + hit(0, "192.0.2.1", "GET /\x1b[2J", firefox)
	got := replayed(t, log, load(t, blockAdmin), nil)
	if got.Broken != 21 || len(got.BrokenLines) != brokenShown || got.BrokenLines[0] != (Broken{1, "it has more than 65536 bytes"}) {
		t.Errorf("got %d broken, shown %v", got.Broken, got.BrokenLines)
	}
	if got.Lines != 22 || got.All.Requests != 1 {
		t.Errorf("got %d lines, %d requests, want 22 and 1", got.Lines, got.All.Requests)
	}
	want := errors.New("no more")
	if _, err := Run(brokenReader{want}, load(t, blockAdmin), nil, Options{}); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// TestReport: what would not print is not sent to a terminal.
func TestReport(t *testing.T) {
	got := replayed(t, hit(0, "192.0.2.1", "GET /admin\x1b[2J", firefox), load(t, blockAdmin), nil)
	var shown bytes.Buffer
	if err := got.Write(&shown); err != nil {
		t.Fatal(err)
	}
	if s := shown.String(); strings.Contains(s, "\x1b") || !strings.Contains(s, "/admin\uFFFD[2J") {
		t.Errorf("got %q", s)
	}
}

// TestResponses: rules for responses see status and bytes of the line.
func TestResponses(t *testing.T) {
	rules := load(t, `rules: {http_response_headers_transform: [{name: ok, action: rewrite, rewrite: {headers: [{name: X, value: "1"}]},
  expression: 'http.response.code eq 200 and http.response.headers["content-length"][0] eq "10"'}]}`)
	got := replayed(t, hit(0, "192.0.2.1", "GET /", firefox), rules, nil)
	if r := got.Rules.Rules[0]; r.Requests != 1 || r.Action != "rewrite" {
		t.Errorf("got %+v, want one match", r)
	}
}

const two = `node: {name: n, data: data}
zones:
  - {name: a, hosts: ["*.a.test", a.test], origin: {url: "http://127.0.0.1:1"}}
  - {name: b, hosts: [b.test], origin: {url: "http://127.0.0.1:1"}, profiles: [api]}
`

func TestZones(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seawall.yaml")
	if err := os.WriteFile(path, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]string{"": "has 2 zones: want the name of one: a, b", "c": `has no zone "c": want one of a, b`} {
		if _, err := Load(path, zone); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", zone, err, want)
		}
	}
	rules, err := Load(path, "a")
	if err != nil {
		t.Fatal(err)
	}
	line := func(zone string) string {
		return `{"time":"2015-05-17T12:00:00.000Z","zone":"` + zone + `","client":"192.0.2.1","method":"GET","target":"/","proto":"HTTP/1.1","verdict":"pass","cache":"hit"}` + "\n"
	}
	report, err := Run(strings.NewReader(line("a")+line("b")), rules, nil, Options{Zone: "a"})
	if err != nil || report.All.Requests != 1 || report.OtherZones != 1 || report.Format != Seawall {
		t.Errorf("got %+v, %v, want one request of a, and one of another zone", report, err)
	}
	if got := rules.host(); got != "a.test" {
		t.Errorf("host: got %q, want a.test", got)
	}
}

// TestLoadFails: a mistake is named with its place.
func TestLoadFails(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"expression", "http_request_firewall_custom:\n  - {name: a, expression: 'http.hots eq \"x\"', action: block}\n", "rules.yaml:2: rules.http_request_firewall_custom[0].expression: "},
		{"key", "rulez: {}\n", "rules.yaml:1: rulez: is no key here"},
		{"profile", "profiles: [wordpres]\n", `rules.yaml:1: profiles[0]: "wordpres" is unknown: want api, `},
		{"own expression behind a profile's", "profiles: [api]\nrules:\n  http_request_firewall_custom:\n    - {name: a, action: block, expression: '1'}\n", "rules.yaml:4: rules.http_request_firewall_custom[4].expression: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path, ""); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Profile("nothing"); err == nil || !strings.Contains(err.Error(), `no profile "nothing": want one of `+strings.Join(profiles.Names(), ", ")) {
		t.Errorf("got %v, want an error that lists the profiles", err)
	}
}

func BenchmarkRun(b *testing.B) {
	rules, err := Profile("wordpress")
	if err != nil {
		b.Fatal(err)
	}
	var log strings.Builder
	for i := range 1000 {
		log.WriteString(hit(i/10, fmt.Sprintf("192.0.2.%d", i%250), "GET /page?n="+fmt.Sprint(i), firefox))
	}
	b.ReportAllocs()
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		replayed(b, log.String(), rules, nil)
	}
}
