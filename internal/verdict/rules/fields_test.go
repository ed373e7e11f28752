package rules

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/rules"
)

// TestFields has an expression that holds, and one that does not, for each field.
func TestFields(t *testing.T) {
	tests := []struct{ holds, not string }{
		{`http.host eq "www.example.org"`, `http.host eq "example.org"`},
		{`http.request.method eq "GET"`, `http.request.method in {"POST" "PUT"}`},
		{`http.request.version eq "HTTP/2"`, `http.request.version eq "HTTP/1.1"`},
		{`http.request.uri.path eq "/a/b.PHP"`, `http.request.uri.path contains ".."`},
		{`http.request.uri.path.extension eq "php"`, `http.request.uri.path.extension eq "PHP"`},
		{`http.request.uri.query eq "x=1&y=%20&x=2"`, `http.request.uri.query eq ""`},
		{`http.request.uri eq "/a/b.PHP?x=1&y=%20&x=2"`, `http.request.uri eq "/a/b.PHP"`},
		{`http.request.full_uri eq "https://www.example.org/a/b.PHP?x=1&y=%20&x=2"`, `starts_with(http.request.full_uri, "http://")`},
		{`http.request.uri.args["x"][1] eq "2"`, `any(http.request.uri.args["y"][*] eq " ")`},
		{`any(http.request.uri.args.names[*] eq "y")`, `any(http.request.uri.args.names[*] eq "z")`},
		{`len(http.request.uri.args.values) eq 3`, `any(http.request.uri.args.values[*] eq "3")`},
		{`http.request.timestamp.sec eq 1700000000`, `http.request.timestamp.sec lt 1700000000`},
		{`http.request.timestamp.msec eq 123`, `http.request.timestamp.msec eq 0`},
		{`ssl`, `not ssl`},
		{`raw.http.request.uri.path eq "/a/./b.PHP"`, `raw.http.request.uri.path eq "/a/b.PHP"`},
		{`raw.http.request.uri.path.extension eq "php"`, `raw.http.request.uri.path.extension eq ""`},
		{`raw.http.request.uri.query eq "x=1&y=%20&x=2"`, `raw.http.request.uri.query eq "x=1"`},
		{`raw.http.request.uri eq "/a/./b.PHP?x=1&y=%20&x=2"`, `raw.http.request.uri eq "/"`},
		{`ends_with(raw.http.request.full_uri, "/a/./b.PHP?x=1&y=%20&x=2")`, `raw.http.request.full_uri eq ""`},
		{`raw.http.request.uri.args["x"][0] eq "1"`, `raw.http.request.uri.args["x"][0] eq "2"`},
		{`any(raw.http.request.uri.args.names[*] eq "x")`, `any(raw.http.request.uri.args.names[*] eq "q")`},
		{`any(raw.http.request.uri.args.values[*] eq "%20")`, `any(raw.http.request.uri.args.values[*] eq " ")`},
		{`http.request.headers["x-key"][0] eq "k"`, `http.request.headers["X-Key"][0] eq "k"`},
		{`any(http.request.headers.names[*] eq "X-Key")`, `any(http.request.headers.names[*] eq "x-key")`},
		{`any(http.request.headers.values[*] eq "k")`, `any(http.request.headers.values[*] eq "K")`},
		{`not http.request.headers.truncated`, `http.request.headers.truncated`},
		{`http.request.cookies["b"][0] eq "2"`, `http.request.cookies["c"][0] eq "2"`},
		{`http.request.accepted_languages[0] eq "de-CH"`, `http.request.accepted_languages[0] eq "en"`},
		{`http.cookie eq "a=1; b=2"`, `http.cookie contains "c="`},
		{`http.referer eq "https://other.example/"`, `http.referer eq ""`},
		{`lower(http.user_agent) contains "curl"`, `http.user_agent eq ""`},
		{`http.x_forwarded_for eq "198.51.100.9"`, `http.x_forwarded_for eq ""`},
		{`ip.src in {203.0.113.0/24}`, `ip.src eq 203.0.113.8`},
		{`cf.edge.server_ip eq 192.0.2.1`, `edge.server_ip eq 192.0.2.2`},
		{`cf.edge.server_port eq 443`, `edge.server_port eq 80`},
		{`cf.edge.client_port eq 50123`, `edge.client_port eq 443`},
		{`cf.edge.client_tcp`, `not edge.client_tcp`},
		{`cf.threat_score lt 10`, `cf.threat_score ge 1`},
		{`len(cf.ray_id) gt 10`, `http.request.id eq ""`},
		{`len(cf.random_seed) eq 16`, `random_seed eq ""`},
		{`cf.bot_management.ja4 eq ""`, `len(tls.ja4) gt 0`},
		{`http.fingerprint eq ""`, `http.fingerprint contains "h"`},
		{`cf.tls_version eq "TLSv1.3"`, `tls.version eq "TLSv1.2"`},
		{`tls.cipher eq "TLS_AES_128_GCM_SHA256"`, `cf.tls_cipher eq ""`},
		{`tls.server_name eq "www.example.org"`, `tls.server_name eq ""`},
		{`cf.tls_client_hello_length eq 508`, `tls.hello_length eq 0`},
		{`not cf.tls_client_auth.cert_verified`, `tls.client_verified`},
		{`tls.client_subject eq ""`, `cf.tls_client_auth.cert_subject_dn eq "CN=x"`},
		{`ip.src.prefix in {2001:db8:0:1::/64}`, `ip.src.prefix eq 2001:db8:0:1::7`},
		{`ip.src.country eq "FR"`, `ip.geoip.country eq "US"`},
		{`ip.src.continent eq "EU"`, `ip.src.continent eq "NA"`},
		{`ip.src.asnum in {64496 64500..64510}`, `ip.geoip.asnum eq 1`},
		{`ip.src.is_in_european_union`, `not ip.geoip.is_in_european_union`},
		{`cf.client.bot`, `not cf.bot_management.verified_bot`},
		{`bot.name eq "Googlebot"`, `bot.name eq ""`},
		{`cf.verified_bot_category eq "search"`, `bot.category eq "ai"`},
		{`http.host in $listed`, `http.user_agent in $listed`},
		{`http.request.uri.path wildcard "/A/*.php"`, `http.request.uri.path strict wildcard "/A/*"`},
	}
	room, seen := New(), make(map[string]bool)
	for _, tt := range tests {
		for i, expression := range []string{tt.holds, tt.not} {
			for name := range strings.FieldsFuncSeq(expression, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._", r) }) {
				seen[name] = true
			}
			t.Run(expression, func(t *testing.T) {
				set, err := room.Compile("test", &spec.Rules{Firewall: []spec.Rule{{Name: "r", Expression: expression, Action: spec.RuleBlock}}},
					listed{"www.example.org": true})
				if err != nil {
					t.Fatal(err)
				}
				f := request("/a/./b.PHP?x=1&y=%20&x=2", "X-Key: k", "Cookie: a=1; b=2", "Accept-Language: en;q=0.5, de-CH, *;q=0.1",
					"Referer: https://other.example/", "User-Agent: Curl/8", "X-Forwarded-For: 198.51.100.9")
				f.Request.Locator = located{Country: "FR", Continent: "EU", ASN: 64501}
				f.Request.Source = netip.MustParsePrefix("2001:db8:0:1::/64")
				f.Verdict.VerifiedBot, f.Verdict.BotName, f.Verdict.BotCategory = true, "Googlebot", "search"
				if outcome, _ := set.Judge(f, dryRun(false)); outcome == Blocked != (i == 0) {
					t.Errorf("got %v, want %t", outcome == Blocked, i == 0)
				}
			})
		}
	}
	for _, f := range allFields() {
		if !seen[f.Name] && f.Phase == rules.Head && !strings.HasPrefix(f.Name, "cf.tls_client_auth.") {
			t.Errorf("%s is not tested", f.Name)
		}
	}
}

// TestResponseFields is TestFields for those of responses.
func TestResponseFields(t *testing.T) {
	tests := []struct {
		expression string
		want       bool
	}{
		{`http.response.code eq 404`, true},
		{`http.response.code in {200..299}`, false},
		{`http.response.headers["content-type"][0] eq "Text/HTML; charset=utf-8"`, true},
		{`any(http.response.headers.names[*] eq "Set-Cookie")`, false},
		{`any(http.response.headers.values[*] contains "charset")`, true},
		{`http.response.content_type.media_type eq "text/html"`, true},
		{`http.response.content_type.media_type eq "text/html" and http.request.uri.path eq "/x"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.expression, func(t *testing.T) {
			set := compile(t, &spec.Rules{ResponseHeaders: []spec.Rule{{Name: "r", Expression: tt.expression, Action: spec.RuleRewrites,
				Rewrite: spec.RuleRewrite{Headers: []spec.RuleHeader{{Name: "X-Seen", Value: "1"}}}}}})
			f := request("/x")
			f.Origin.Message = &flow.Message{Status: 404, Fields: []flow.Field{{Name: "Content-Type", Value: "Text/HTML; charset=utf-8"}}}
			set.JudgeResponse(f)
			if got := len(f.Verdict.Responding) == 1; got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

// TestFieldsDocumented: docs/rules.md lists each field and its other names.
func TestFieldsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range allFields() {
		for _, name := range append(f.Aliases, f.Name) {
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s is not there", name)
			}
		}
	}
}
