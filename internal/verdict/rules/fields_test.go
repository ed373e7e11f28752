package rules

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
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
		{`http.cookie eq "a=1; %62=2"`, `http.cookie contains "c="`},
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
		{`http.response.code eq 404`, `http.response.code in {200..299}`},
		{`http.response.headers["content-type"][0] eq "Text/HTML; charset=utf-8"`, `any(raw.http.response.headers["server"][*] eq "nginx")`},
		{`any(raw.http.response.headers.names[*] eq "Content-Type")`, `any(http.response.headers.names[*] eq "Set-Cookie")`},
		{`any(len(http.response.headers.values[*])[*] gt 10)`, `any(raw.http.response.headers.values[*] eq "text/html")`},
		{`http.response.content_type.media_type eq "text/html"`, `http.response.content_type.media_type contains "charset"`},
		{`cf.timings.origin_ttfb_msec eq 1500`, `cf.timings.origin_ttfb_msec gt 2000`},
		{`http.host in $listed`, `http.user_agent in $listed`},
		{`http.request.uri.path wildcard "/A/*.php"`, `http.request.uri.path strict wildcard "/A/*"`},
	}
	bodies := []struct{ contentType, body, holds, not string }{
		{jsonType, `{"a":1}`, `http.request.body.raw eq "{\"a\":1}"`, `http.request.body.raw contains "b"`},
		{jsonType, `{"a":1}`, `not http.request.body.truncated`, `http.request.body.truncated`},
		{jsonType, `{"a":1}`, `http.request.body.size eq 7`, `http.request.body.size gt 7`},
		{jsonType, "\xff\xd8\xff\xe0", `http.request.body.mime eq "image/jpeg"`, `http.request.body.mime in {"image/bmp" "image/gif" "image/png" "image/tiff"}`},
		{jsonType, "II*\x00", `http.request.body.mime eq "image/tiff"`, `http.request.body.mime eq "application/json"`},
		{jsonType, "a text", `http.request.body.mime eq "text/plain"`, `http.request.body.mime eq ""`},
		{jsonType, "", `http.request.body.mime eq ""`, `http.request.body.mime eq "text/plain"`},
		{urlencoded, "username=admin&x=%20", `any(http.request.body.form["username"][*] == "admin")`, `any(http.request.body.form["x"][*] == " ")`},
		{urlencoded, "username=admin&x=", `any(http.request.body.form.names[*] == "username")`, `any(http.request.body.form.names[*] == "admin")`},
		{urlencoded, "username=admin&x=", `any(http.request.body.form.values[*] == "admin")`, `any(http.request.body.form.values[*] == "username")`},
		{formType, pictured, `any(http.request.body.multipart["role"][*] == "editor")`, `any(http.request.body.multipart["role"][*] == "admin")`},
		{formType, pictured, `any(http.request.body.multipart.names[*][0] == "picture")`, `any(http.request.body.multipart.names[*][0] == "a.jpg")`},
		{formType, pictured, `any(http.request.body.multipart.values[*] == "editor")`, `any(http.request.body.multipart.values[*] == "role")`},
		{formType, pictured, `any(http.request.body.multipart.filenames[*][0] in {"token.txt" "a.jpg"})`, `http.request.body.multipart.filenames[0][0] in {"token.txt" "a.jpg"}`},
		{formType, pictured, `any(http.request.body.multipart.content_types[*][0] == "image/jpeg")`, `any(http.request.body.multipart.content_types[*][0] == "application/octet-stream")`},
		{formType, pictured, `http.request.body.multipart.content_dispositions[0][0] in {"form-data; name=\"role\""}`, `any(http.request.body.multipart.content_dispositions[*][1] ne "")`},
		{formType, pictured, `any(http.request.body.multipart.content_transfer_encodings[*][0] == "binary")`, `any(http.request.body.multipart.content_transfer_encodings[*][0] == "base64")`},
		{jsonType, pictured, `len(http.request.body.multipart.values) eq 0`, `has_key(http.request.body.multipart, "role")`},
	}
	room, positive, negative := New(), "", ""
	for _, tt := range tests {
		bodies = append(bodies, struct{ contentType, body, holds, not string }{jsonType, `{"a":1}`, tt.holds, tt.not})
	}
	for _, tt := range bodies {
		positive, negative = positive+tt.holds+"\n", negative+tt.not+"\n"
		for i, expression := range []string{tt.holds, tt.not} {
			t.Run(expression, func(t *testing.T) {
				f := request("/a/./b.PHP?x=1&y=%20&x=2", "X-Key: k", "Cookie: a=1; %62=2", "Accept-Language: en;q=0.5, de-CH, *;q=0.1",
					"Referer: https://other.example/", "User-Agent: Curl/8", "X-Forwarded-For: 198.51.100.9", "Content-Type: "+tt.contentType)
				f.Request.Length = int64(len(tt.body))
				f.Request.Locator = located{Country: "FR", Continent: "EU", ASN: 64501}
				f.Request.Source = netip.MustParsePrefix("2001:db8:0:1::/64")
				f.Verdict.VerifiedBot, f.Verdict.BotName, f.Verdict.BotCategory = true, "Googlebot", "search"
				f.Origin.FirstByte = 1500 * time.Millisecond
				f.Origin.Message = &flow.Message{Status: 404, Fields: []flow.Field{{Name: "Content-Type", Value: "Text/HTML; charset=utf-8"}}}
				if got := matches(t, room, expression, f, tt.body); got != (i == 0) {
					t.Errorf("got %t, want %t", got, i == 0)
				}
			})
		}
	}
	for _, f := range allFields() {
		if strings.HasPrefix(f.Name, "cf.tls_client_auth.") {
			continue // TestCertificateFields has those
		}
		if !speaksOf(positive, &f) || !speaksOf(negative, &f) {
			t.Errorf("%s is not tested, with an expression that holds and one that does not", f.Name)
		}
	}
}

// pictured is a form with a file.
const pictured = "--b\r\nContent-Disposition: form-data; name=\"role\"\r\n\r\neditor\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\r\n--b--"

// matches tells whether an expression of any phase holds for a request with a body, and its response.
func matches(t *testing.T, room *Room, expression string, f *flow.Flow, body string) bool {
	t.Helper()
	trial, err := room.Try(expression, listed{"www.example.org": true, "203.0.113.7": true})
	if err != nil {
		t.Fatal(err)
	}
	j := trial.judge
	j.begin(f)
	j.source.body, j.source.message = &peeked{text: body, whole: true}, f.Message()
	return trial.filter.Match(j.machine)
}

// speaksOf tells whether a text has a field, by any of its names.
func speaksOf(text string, f *field) bool {
	isName := func(r rune) bool { return strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._", r) }
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isName(r) }) {
		if word == f.Name || slices.Contains(f.Aliases, word) {
			return true
		}
	}
	return false
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
