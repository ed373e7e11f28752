package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

var noon = time.Date(2015, 5, 17, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	plain := Line{Time: noon, Client: "192.0.2.1", Method: "GET", Target: "/a?b", Proto: "HTTP/1.1", Status: 200, Bytes: 12}
	with := func(change func(*Line)) Line {
		l := plain
		change(&l)
		return l
	}
	tests := []struct {
		name, text string
		want       Line
	}{
		{"common", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12`, plain},
		{"combined", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "http://r.test/" "curl/8"`,
			with(func(l *Line) { l.Referer, l.Agent = "http://r.test/", "curl/8" })},
		{"nothing known", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "-" "-"`, plain},
		{"more behind", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "-" "curl/8" "10.0.0.1" 0.003`,
			with(func(l *Line) { l.Agent = "curl/8" })},
		{"another zone of time", `192.0.2.1 - - [17/May/2015:14:00:00 +0200] "GET /a?b HTTP/1.1" 200 12`, plain},
		{"no size", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 304 -`,
			with(func(l *Line) { l.Status, l.Bytes = 304, 0 })},
		{"a user with a space", `192.0.2.1 - j doe [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12`, plain},
		{"a host before", `a.test:443 192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12`,
			with(func(l *Line) { l.Host = "a.test" })},
		{"IPv6", `2001:db8::1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12`,
			with(func(l *Line) { l.Client = "2001:db8::1" })},
		{"a name", `host.test - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12`,
			with(func(l *Line) { l.Client = "host.test" })},
		{"escaped", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "\\a" "q\"\x41\xzz\t"`,
			with(func(l *Line) { l.Referer, l.Agent = `\a`, "q\"Axzz\t" })},
		{"a space in the target", `192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a b HTTP/1.1" 200 12`,
			with(func(l *Line) { l.Target = "/a%20b" })},
		{"nginx in JSON", `{"time_iso8601":"2015-05-17T12:00:00+00:00","remote_addr":"192.0.2.1","request":"GET /a?b HTTP/1.1","status":"200","body_bytes_sent":"12","http_user_agent":"-","http_host":"a.test"}`,
			with(func(l *Line) { l.Host = "a.test" })},
		{"Caddy", `{"level":"info","ts":1431864000.0,"request":{"client_ip":"192.0.2.1","proto":"HTTP/1.1","method":"GET","host":"a.test","uri":"/a?b","headers":{"User-Agent":["curl/8"]}},"size":12,"status":200}`,
			with(func(l *Line) { l.Host, l.Agent = "a.test", "curl/8" })},
		{"Traefik", `{"StartUTC":"2015-05-17T12:00:00Z","ClientHost":"192.0.2.1","RequestMethod":"GET","RequestPath":"/a?b","RequestProtocol":"HTTP/1.1","RequestScheme":"https","DownstreamStatus":200,"DownstreamContentSize":12}`,
			with(func(l *Line) { l.Scheme = "https" })},
		{"ours", `{"time":"2015-05-17T12:00:00.000Z","id":"x","zone":"z","client":"192.0.2.0/24","visitor":"ab","method":"GET","host":"a.test","target":"/a?b","proto":"HTTP/1.1","tls":"1.3","status":200,"bytes":12,"verdict":"pass","cache":"hit","agent":"curl/8"}`,
			with(func(l *Line) {
				l.Client, l.Visitor, l.Zone, l.Host, l.Scheme, l.Agent, l.Origin = "192.0.2.0/24", "ab", "z", "a.test", "https", "curl/8", spared
			})},
		{"ours, from the origin", `{"time":"2015-05-17T12:00:00.000Z","client":"192.0.2.1","method":"GET","target":"/a?b","proto":"HTTP/1.1","status":200,"bytes":12,"verdict":"pass","cache":"miss","origin_attempts":1}`,
			with(func(l *Line) { l.Scheme, l.Origin = "http", reached })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseFails(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "it is empty"},
		{"192.0.2.1 - -", "there is no time in brackets"},
		{`192.0.2.1 - - [yesterday] "GET / HTTP/1.1" 200 1`, `"yesterday" is no time such as 02/Jan/2006:15:04:05 -0700`},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] GET / 200 1`, "the request is not there"},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1`, "the request has no end"},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "\x16\x03\x01" 400 1`, "is no HTTP"},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /" 400 1`, "is no HTTP"},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "CONNECT a:443 HTTP/1.1" 400 1`, "CONNECT is for proxies"},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" OK 1`, `the status "OK" is none`},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 many`, `the size "many" is no number of bytes`},
		{`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "cut o`, "the agent has no end"},
		{`{"a":`, "it is no JSON object"},
		{`{"client":"192.0.2.1"}`, `"" is no time`},
		{`{"time":1431864000,"uri":"/","method":"GET"}`, "it has no client"},
		{`{"time":1431864000,"client":"192.0.2.1"}`, "it has no request"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if _, err := Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestFields: a map of fields comes before the usual places.
func TestFields(t *testing.T) {
	parse, err := newParser(JSON, map[string]string{"client": "peer.ip", "time": "at"})
	if err != nil {
		t.Fatal(err)
	}
	var got Line
	if err := parse(`{"at":1431864000123,"peer":{"ip":"192.0.2.1"},"client":"no","method":"GET","uri":"/"}`, &got); err != nil {
		t.Fatal(err)
	}
	want := Line{Time: noon.Add(123 * time.Millisecond), Client: "192.0.2.1", Method: "GET", Target: "/"}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Microsecond })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := newParser(JSON, map[string]string{"colour": "c"}); err == nil || !strings.Contains(err.Error(), "there is no colour to map") {
		t.Errorf("got %v, want an error that names the field", err)
	}
}

func TestFill(t *testing.T) {
	tests := []struct {
		name   string
		line   Line
		want   string // scheme host path query
		client string
	}{
		{"a path", Line{Client: "192.0.2.1", Target: "/a/%7Eb/../c?d"}, "https a.test /a/c d", "192.0.2.1"},
		{"a URL", Line{Client: "::ffff:192.0.2.1", Target: "http://B.test:80/x?y"}, "https b.test /x y", "192.0.2.1"},
		{"a URL without a path", Line{Client: "192.0.2.1:55", Target: "http://b.test"}, "https b.test / ", "192.0.2.1"},
		{"known", Line{Client: "2001:db8::1", Target: "/", Host: "c.test", Scheme: "http"}, "http c.test / ", "2001:db8::1"},
		{"a network", Line{Client: "192.0.2.0/24", Visitor: "a", Target: "/"}, "https a.test / ", "192.0.2.140"},
		{"a network of IPv6", Line{Client: "2001:db8:5::/48", Visitor: "a", Target: "/"}, "https a.test / ", "2001:db8:5:8cec::"},
		{"a name", Line{Client: "host.test", Target: "/"}, "https a.test / ", "2001:db8:c74d:efda::"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var q flow.Request
			if err := (&Asked{"https", "a.test"}).fill(&q, &tt.line); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join([]string{q.Scheme, q.Host, q.Path, q.Query}, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := q.Client.String(); got != tt.client {
				t.Errorf("client: got %s, want %s", got, tt.client)
			}
		})
	}
	for _, target := range []string{"/%zz", "/%00", "a.test:443", ""} {
		var q flow.Request
		if err := (&Asked{}).fill(&q, &Line{Client: "192.0.2.1", Target: target}); err == nil && target != "" {
			t.Errorf("%q: got %q, want an error", target, q.Path)
		}
	}
}

// FuzzParse: whatever a log has in it, a line becomes a request or an error.
func FuzzParse(f *testing.F) {
	f.Add(`192.0.2.1 - - [17/May/2015:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "\\a" "q\"\x41\xzz\t"`)
	f.Add(`a.test:443 host.test - - [17/May/2015:12:00:00 +0000] "OPTIONS * HTTP/1.1" 304 -`)
	f.Add(`{"ts":1431864000.5,"request":{"client_ip":"192.0.2.0/24","method":"GET","uri":"http://x?y","headers":{"User-Agent":["a"]}}}`)
	f.Add(`{"time":"2015-05-17T12:00:00.000Z","client":"2001:db8::/48","method":"GET","target":"/","status":200,"verdict":"pass","cache":"hit"}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		var q flow.Request
		if err := (&Asked{"https", "a.test"}).fill(&q, &l); err != nil {
			return
		}
		if !q.Client.IsValid() || !q.Source.Contains(q.Client) || q.Path != "*" && q.Path[0] != '/' {
			t.Errorf("got client %v of %v and path %q", q.Client, q.Source, q.Path)
		}
		kindOf(l.Agent)
	})
}

// FuzzTrial: whatever stands for a request, it becomes one or an error.
func FuzzTrial(f *testing.F) {
	f.Add("GET /a?b HTTP/1.1\nHost: a.test\nUser-Agent: x\n\n")
	f.Add("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
	f.Add("")
	rules := None()
	f.Fuzz(func(t *testing.T, text string) {
		made, err := (&Trial{Request: text}).flow(rules)
		if err == nil && !made.Request.Client.IsValid() {
			t.Errorf("got no client of %q", text)
		}
	})
}
