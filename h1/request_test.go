package h1

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// get is a request head with the given lines behind "Host: a".
func get(lines ...string) string {
	return "GET / HTTP/1.1\r\n" + strings.Join(append([]string{"Host: a"}, lines...), "\r\n") + "\r\n\r\n"
}

// post is get for POST.
func post(lines ...string) string { return strings.Replace(get(lines...), "GET", "POST", 1) }

func TestRequestParse(t *testing.T) {
	tests := []struct {
		name string
		head string
		want Request
	}{
		{"origin form", "GET /a/b?c=d&e HTTP/1.1\r\nHost: Example.org:8080\r\n\r\n", Request{
			Method: "GET", Target: "/a/b?c=d&e", Path: "/a/b", Query: "c=d&e", HasQuery: true, Minor: 1,
			Host: "Example.org:8080", Fields: []Field{{"Host", "Example.org:8080"}}}},
		{"empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "GET", Target: "/?", Path: "/", HasQuery: true, Minor: 1, Host: "a", Fields: []Field{{"Host", "a"}}}},
		{"question mark in query", "GET //x?a?b HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "GET", Target: "//x?a?b", Path: "//x", Query: "a?b", HasQuery: true, Minor: 1, Host: "a",
			Fields: []Field{{"Host", "a"}}}},
		{"order, case and repetition kept", get("x-B: 1", "X-a:2", "X-b: \t3 \t", "x-empty:", "x-blank:  "), Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "a",
			Fields: []Field{{"Host", "a"}, {"x-B", "1"}, {"X-a", "2"}, {"X-b", "3"}, {"x-empty", ""}, {"x-blank", ""}}}},
		{"obs-text and tab in value", get("X: caf\xc3\xa9\tau lait \x80\xff"), Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "a",
			Fields: []Field{{"Host", "a"}, {"X", "caf\xc3\xa9\tau lait \x80\xff"}}}},
		{"leading empty line, RFC 9112 2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "a", Fields: []Field{{"Host", "a"}}}},
		{"absolute form", "GET HTTP://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "GET", Target: "HTTP://A:80/x?y", Form: Absolute, Scheme: "HTTP", Host: "A:80", Path: "/x", Query: "y",
			HasQuery: true, Minor: 1, Fields: []Field{{"Host", "a"}}}},
		{"absolute form without path", "OPTIONS https://a?q HTTP/1.1\r\nHost: A:443\r\n\r\n", Request{
			Method: "OPTIONS", Target: "https://a?q", Form: Absolute, Scheme: "https", Host: "a", Query: "q",
			HasQuery: true, Minor: 1, Fields: []Field{{"Host", "A:443"}}}},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "OPTIONS", Target: "*", Form: Asterisk, Minor: 1, Host: "a", Fields: []Field{{"Host", "a"}}}},
		{"authority form", "CONNECT a:443 HTTP/1.1\r\nHost: A\r\n\r\n", Request{
			Method: "CONNECT", Target: "a:443", Form: Authority, Host: "a:443", Minor: 1, Fields: []Field{{"Host", "A"}}}},
		{"ipv6", "GET / HTTP/1.1\r\nHost: [2001:DB8::1]:443\r\n\r\n", Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "[2001:DB8::1]:443",
			Fields: []Field{{"Host", "[2001:DB8::1]:443"}}}},
		{"any token is a method", "M-SEARCH!~ / HTTP/1.1\r\nHost: a\r\n\r\n", Request{
			Method: "M-SEARCH!~", Target: "/", Path: "/", Minor: 1, Host: "a", Fields: []Field{{"Host", "a"}}}},
		{"http/1.0 without host closes", "GET / HTTP/1.0\r\n\r\n", Request{
			Method: "GET", Target: "/", Path: "/", Close: true, Fields: []Field{}}},
		{"http/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Request{
			Method: "GET", Target: "/", Path: "/", Fields: []Field{{"Connection", "Keep-Alive"}}}},
		{"http/1.0 close beats keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", Request{
			Method: "GET", Target: "/", Path: "/", Close: true, Fields: []Field{{"Connection", "keep-alive, close"}}}},
		{"http/1.0 ignores expect and upgrade", "POST / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n" +
			"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", Request{
			Method: "POST", Target: "/", Path: "/", Close: true, Framing: Length, Length: 1, Fields: []Field{
				{"Connection", "upgrade"}, {"Upgrade", "x"}, {"Expect", "100-continue"}, {"Content-Length", "1"}}}},
		{"length", post("content-LENGTH: 9223372036854775807", "Expect: 100-Continue"), Request{
			Method: "POST", Target: "/", Path: "/", Minor: 1, Host: "a", Framing: Length, Length: 1<<63 - 1, Expect100: true,
			Fields: []Field{{"Host", "a"}, {"content-LENGTH", "9223372036854775807"}, {"Expect", "100-Continue"}}}},
		{"length 0 is a length, and nothing to wait for", post("Content-Length: 0", "Expect: 100-continue"), Request{
			Method: "POST", Target: "/", Path: "/", Minor: 1, Host: "a", Framing: Length,
			Fields: []Field{{"Host", "a"}, {"Content-Length", "0"}, {"Expect", "100-continue"}}}},
		{"chunked", post("Transfer-Encoding: Chunked", "TE: trailers;q=1, trailers"), Request{
			Method: "POST", Target: "/", Path: "/", Minor: 1, Host: "a", Framing: Chunked, Trailers: true,
			Fields: []Field{{"Host", "a"}, {"Transfer-Encoding", "Chunked"}, {"TE", "trailers;q=1, trailers"}}}},
		{"close and upgrade in one list", get("Connection: close, Upgrade", "Upgrade: websocket"), Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "a", Close: true, Upgrade: "websocket",
			Fields: []Field{{"Host", "a"}, {"Connection", "close, Upgrade"}, {"Upgrade", "websocket"}}}},
		{"upgrade that connection does not name", get("Upgrade: websocket", "Connection: x", "connection:,keep-alive"), Request{
			Method: "GET", Target: "/", Path: "/", Minor: 1, Host: "a",
			Fields: []Field{{"Host", "a"}, {"Upgrade", "websocket"}, {"Connection", "x"}, {"connection", ",keep-alive"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Request
			if err := got.Parse(tt.head, Limits{}); err != nil {
				t.Fatalf("Parse(%q) = %v", tt.head, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q) differs (-want +got):\n%s", tt.head, diff)
			}
			if end, err := End([]byte(tt.head), 0, Limits{}); end != len(tt.head) || err != nil {
				t.Errorf("End = %d, %v; want %d", end, err, len(tt.head))
			}
		})
	}
}

// refusals is the corpus of heads that are refused, each with its status and reason. It also seeds the fuzz targets.
var refusals = []struct {
	name   string
	head   string
	status int
	reason string
}{
	// Line ends, RFC 9112 §2.2.
	{"lf only", "GET / HTTP/1.1\nHost: a\n\n", 400, "bare line feed"},
	{"lf after request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare line feed"},
	{"lf after field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, "bare line feed"},
	{"lf ends head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare line feed"},
	{"lf in name", get("X\nY: a"), 400, "bare line feed"},
	{"lf in method", "GE\nT / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare line feed"},
	{"lf in target", "GET /\nX HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare line feed"},
	{"lf hides a length", post("X: a\nContent-Length: 5"), 400, "bare line feed"},
	{"cr hides a length", post("X: a\rContent-Length: 5"), 400, "bare carriage return"},
	{"cr hides a coding", post("Content-Length: 5", "X: a\rTransfer-Encoding: chunked"), 400, "bare carriage return"},
	{"cr ends line", "GET / HTTP/1.1\rHost: a\r\r", 400, "bare carriage return"},
	{"cr in version", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "bare carriage return"},
	{"cr in method", "G\rET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare carriage return"},
	{"cr in target", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare carriage return"},
	{"cr before name", get("\rX: a"), 400, "bare carriage return"},
	{"cr before colon", get("X\r: a"), 400, "bare carriage return"},
	{"cr cr lf", get("X: a\r"), 400, "bare carriage return"},
	{"cr lf cr", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 400, "bare carriage return"},
	{"two leading empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "empty first line"},
	{"only empty lines", "\r\n\r\n", 400, "empty first line"},
	{"nothing", "", 400, "incomplete head"},
	{"no empty line", "GET / HTTP/1.1\r\nHost: a\r\n", 400, "incomplete head"},
	{"cut off", "GET / HTTP/1.1\r\nHost: a", 400, "incomplete head"},
	{"bytes after the head", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bytes after the head"},

	// Method, RFC 9110 §9.1 and RFC 9112 §3.1.
	{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"method is no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"nul in method", "GET\x00 / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"tab after method", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"space before method", "  GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"obs-text in method", "G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"method alone", "GET\r\nHost: a\r\n\r\n", 400, "bad method"},
	{"tls hello", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "bad method"},
	{"method of 33 bytes", strings.Repeat("M", 33) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method too long"},

	// Target, RFC 9112 §3.2.
	{"two spaces before target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad character in target"},
	{"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"tab in target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad character in target"},
	{"nul in target", "GET /a\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad character in target"},
	{"del in target", "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad character in target"},
	{"obs-text in target", "GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad character in target"},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "fragment in target"},
	{"no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"query alone", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"backslash", "GET \\a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"asterisk for get", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"asterisk and path", "OPTIONS */a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"authority for get", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"path for connect", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"connect without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"connect with url", "CONNECT http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"opaque uri", "GET mailto:x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"scheme is no token", "GET ht/tp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad target form"},
	{"other scheme", "GET gopher://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad scheme in target"},
	{"absolute form without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad host"},
	{"absolute form with userinfo", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, "bad host"},
	{"absolute form with backslash", "GET http://a\\@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, "bad host"},
	{"long request line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "first line too long"},

	// Version, RFC 9110 §2.5, RFC 9112 §2.3 and appendix C.
	{"http/0.9", "GET /\r\n\r\n", 400, "missing version"},
	{"http/0.9 spelled out", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "unsupported version"},
	{"http/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "unsupported version"},
	{"http/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505, "unsupported version"},
	{"http/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "unsupported version"},
	{"version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"leading zero", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"major only", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"no number", "GET / HTTP/x.y\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"empty version", "GET / \r\nHost: a\r\n\r\n", 400, "bad version"},
	{"space after version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "bad version"},
	{"two spaces before version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad version"},
	{"other protocol", "GET / ICY/1.1\r\nHost: a\r\n\r\n", 400, "not http"},
	{"request in request line", "GET / HTTP/1.1 GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad version"},

	// Field lines, RFC 9112 §5.
	{"space before first field, 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "space before the first field"},
	{"tab before first field, 2.2", "GET / HTTP/1.1\r\n\tX: b\r\nHost: a\r\n\r\n", 400, "space before the first field"},
	{"fold, 5.2", get("X: a", " b"), 400, "folded field line"},
	{"fold with tab, 5.2", get("X: a", "\tb"), 400, "folded field line"},
	{"fold hides a coding", post("X: a", " Transfer-Encoding: chunked"), 400, "folded field line"},
	{"folded coding", post("Transfer-Encoding:", " chunked"), 501, "unsupported transfer-encoding"},
	{"folded length", post("Content-Length:", " 5"), 400, "bad content-length"},
	{"blank line that is not empty", get("X: a", " "), 400, "folded field line"},
	{"space before colon, 5.1", post("Transfer-Encoding : chunked"), 400, "space before colon"},
	{"tab before colon, 5.1", post("Content-Length\t: 5"), 400, "space before colon"},
	{"spaces before colon, 5.1", post("Content-Length  \t : 5"), 400, "space before colon"},
	{"vertical tab before colon", post("Transfer-Encoding\v: chunked"), 400, "bad field name"},
	{"nul before colon", post("Content-Length\x00: 5"), 400, "bad field name"},
	{"obs-text in name", post("Transfer-Encoding\xa0: chunked"), 400, "bad field name"},
	{"byte order mark", post("\xef\xbb\xbfContent-Length: 5"), 400, "bad field name"},
	{"no colon", get("X"), 400, "bad field name"},
	{"no name", get(": a"), 400, "bad field name"},
	{"space in name", get("X Y: a"), 400, "bad field name"},
	{"quoted name", get(`"X": a`), 400, "bad field name"},
	{"name with slash", get("X/Y: a"), 400, "bad field name"},
	{"request line as field", get("GET /admin HTTP/1.1"), 400, "bad field name"},
	{"nul in value, RFC 9110 5.5", get("X: a\x00b"), 400, "control character in field value"},
	{"control in value", get("X: a\x01b"), 400, "control character in field value"},
	{"vertical tab in value", get("X: \va"), 400, "control character in field value"},
	{"form feed in value", get("X: a\f"), 400, "control character in field value"},
	{"del in value", get("X: a\x7f"), 400, "control character in field value"},
	{"escape far in value", get("X: " + strings.Repeat("a", 37) + "\x1b" + strings.Repeat("a", 9)), 400, "control character in field value"},
	{"too many fields", get(strings.Split(strings.Repeat("X: a,", 100), ",")[:100]...), 431, "too many fields"},
	{"head too long", get("X: " + strings.Repeat("a", 33000)), 431, "head too long"},

	// Host, RFC 9112 §3.2 and RFC 9110 §7.2.
	{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "missing host"},
	{"no host with absolute form", "GET http://a/ HTTP/1.1\r\n\r\n", 400, "missing host"},
	{"no host with connect", "CONNECT a:1 HTTP/1.1\r\n\r\n", 400, "missing host"},
	{"two hosts", get("Host: b"), 400, "several hosts"},
	{"two hosts alike", get("host: a"), 400, "several hosts"},
	{"two hosts, empty first", "GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", 400, "several hosts"},
	{"two hosts in http/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "several hosts"},
	{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad host"},
	{"list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "bad host"},
	{"hosts with space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad host"},
	{"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad host"},
	{"host with query", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", 400, "bad host"},
	{"host with fragment", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", 400, "bad host"},
	{"host with scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400, "bad host"},
	{"host with userinfo", "GET / HTTP/1.1\r\nHost: x@a\r\n\r\n", 400, "bad host"},
	{"host with percent", "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", 400, "bad host"},
	{"host with quote", "GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", 400, "bad host"},
	{"host with markup", "GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", 400, "bad host"},
	{"host with obs-text", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400, "bad host"},
	{"port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, "bad host"},
	{"empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400, "bad host"},
	{"two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400, "bad host"},
	{"port too high", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "bad host"},
	{"port too long", "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n", 400, "bad host"},
	{"port with sign", "GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", 400, "bad host"},
	{"port of letters", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400, "bad host"},
	{"ipv6 without brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400, "bad host"},
	{"ipv6 unclosed", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "bad host"},
	{"ipv6 with more behind", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400, "bad host"},
	{"ipv6 with zone", "GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n", 400, "bad host"},
	{"ipv4 in brackets", "GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", 400, "bad host"},
	{"ipvfuture", "GET / HTTP/1.1\r\nHost: [v1.a:b]\r\n\r\n", 400, "bad host"},
	{"empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400, "bad host"},
	{"hex in brackets", "GET / HTTP/1.1\r\nHost: [1:2:3]\r\n\r\n", 400, "bad host"},
	{"bad host beside absolute form", "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad host"},
	{"absolute form disagrees", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, "target and host disagree"},
	{"absolute form disagrees on port", "GET http://a:80/ HTTP/1.1\r\nHost: a:8080\r\n\r\n", 400, "target and host disagree"},
	{"default port of the other scheme", "GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, "target and host disagree"},
	{"absolute form disagrees in http/1.0", "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n", 400, "target and host disagree"},
	{"connect disagrees", "CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 400, "target and host disagree"},
	{"connect disagrees on port", "CONNECT a:443 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, "target and host disagree"},

	// Lengths: CL.CL, RFC 9110 §8.6 and RFC 9112 §6.3.
	{"two lengths", post("Content-Length: 5", "Content-Length: 6"), 400, "several content-lengths"},
	{"two lengths alike", post("Content-Length: 5", "content-length: 5"), 400, "several content-lengths"},
	{"list of lengths", post("Content-Length: 5, 6"), 400, "bad content-length"},
	{"list of lengths alike", post("Content-Length: 5,5"), 400, "bad content-length"},
	{"empty length", post("Content-Length:"), 400, "bad content-length"},
	{"length with plus", post("Content-Length: +5"), 400, "bad content-length"},
	{"negative length", post("Content-Length: -5"), 400, "bad content-length"},
	{"hexadecimal length", post("Content-Length: 0x5"), 400, "bad content-length"},
	{"length with point", post("Content-Length: 5.0"), 400, "bad content-length"},
	{"length with exponent", post("Content-Length: 5e0"), 400, "bad content-length"},
	{"length with underscore", post("Content-Length: 1_0"), 400, "bad content-length"},
	{"length with space", post("Content-Length: 1 0"), 400, "bad content-length"},
	{"quoted length", post(`Content-Length: "5"`), 400, "bad content-length"},
	{"length in other digits", post("Content-Length: \xd9\xa5"), 400, "bad content-length"},
	{"length of 2^63", post("Content-Length: 9223372036854775808"), 400, "bad content-length"},
	{"length of 2^64+5", post("Content-Length: 18446744073709551621"), 400, "bad content-length"},
	{"length as cgi would read it", post("Content_Length: 5"), 400, "field name imitates a length"},
	{"content in connect, RFC 9110 9.3.6", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400, "content in connect"},

	// Codings: CL.TE, TE.CL and TE.TE, RFC 9112 §6.1.
	{"length and coding", post("Content-Length: 5", "Transfer-Encoding: chunked"), 400, "content-length with transfer-encoding"},
	{"coding and length", post("Transfer-Encoding: chunked", "Content-Length: 5"), 400, "content-length with transfer-encoding"},
	{"coding and length 0", post("Transfer-Encoding: chunked", "Content-Length: 0"), 400, "content-length with transfer-encoding"},
	{"coding unknown", post("Transfer-Encoding: xchunked"), 501, "unsupported transfer-encoding"},
	{"coding cut short", post("Transfer-Encoding: chunke"), 501, "unsupported transfer-encoding"},
	{"coding gzip", post("Transfer-Encoding: gzip"), 501, "unsupported transfer-encoding"},
	{"coding gzip, chunked", post("Transfer-Encoding: gzip, chunked"), 501, "unsupported transfer-encoding"},
	{"coding chunked, gzip", post("Transfer-Encoding: chunked, gzip"), 501, "unsupported transfer-encoding"},
	{"coding identity", post("Transfer-Encoding: identity"), 501, "unsupported transfer-encoding"},
	{"coding chunked, identity", post("Transfer-Encoding: chunked, identity"), 501, "unsupported transfer-encoding"},
	{"coding twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501, "unsupported transfer-encoding"},
	{"coding twice in a list", post("Transfer-Encoding: chunked, chunked"), 501, "unsupported transfer-encoding"},
	{"coding then another", post("Transfer-Encoding: chunked", "Transfer-Encoding: x"), 501, "unsupported transfer-encoding"},
	{"coding after another", post("Transfer-Encoding: x", "Transfer-Encoding: chunked"), 501, "unsupported transfer-encoding"},
	{"coding empty", post("Transfer-Encoding:"), 501, "unsupported transfer-encoding"},
	{"coding with comma", post("Transfer-Encoding: chunked,"), 501, "unsupported transfer-encoding"},
	{"coding after comma", post("Transfer-Encoding: ,chunked"), 501, "unsupported transfer-encoding"},
	{"coding with parameter", post("Transfer-Encoding: chunked;q=1"), 501, "unsupported transfer-encoding"},
	{"coding quoted", post(`Transfer-Encoding: "chunked"`), 501, "unsupported transfer-encoding"},
	{"coding with vertical tab", post("Transfer-Encoding: \vchunked"), 400, "control character in field value"},
	{"coding with nul", post("Transfer-Encoding: chunked\x00"), 400, "control character in field value"},
	{"coding with no-break space", post("Transfer-Encoding: \xa0chunked"), 501, "unsupported transfer-encoding"},
	{"coding with dotless letters", post("Transfer-Encoding: chun\xe2\x84\xaaed"), 501, "unsupported transfer-encoding"},
	{"coding as cgi would read it", post("Transfer_Encoding: chunked"), 400, "field name imitates a length"},
	{"coding in http/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "transfer-encoding in http/1.0"},
	{"coding in connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "content in connect"},
	{"two upgrades", get("Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket"), 400, "several upgrades"},
}

func TestRequestRefused(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			err := r.Parse(tt.head, Limits{})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("Parse(%q) = %v, want an *Error", tt.head, err)
			}
			if want := (Error{tt.status, tt.reason}); *got != want {
				t.Errorf("Parse(%q) = %+v, want %+v", tt.head, *got, want)
			}
		})
	}
}

// TestControlCharacters tries every byte at every place of a head where one could be smuggled in.
func TestControlCharacters(t *testing.T) {
	places := []struct {
		name, format string
		valid        *[256]bool
	}{
		{"method", "G%sT / HTTP/1.1\r\nHost: a\r\n\r\n", &isToken},
		{"target", "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", &isTarget},
		{"target, long", "GET /abcdefghijk%slmnopqrstuvwxyz HTTP/1.1\r\nHost: a\r\n\r\n", &isTarget},
		{"host", "GET / HTTP/1.1\r\nHost: a%sb\r\n\r\n", &isHost},
		{"name", "GET / HTTP/1.1\r\nHost: a\r\nX%sY-: b\r\n\r\n", &isToken},
		{"name, long", "GET / HTTP/1.1\r\nHost: a\r\nabcdefghij%sklmnopqrstuvwxyz-: b\r\n\r\n", &isToken},
		{"value", "GET / HTTP/1.1\r\nHost: a\r\nX: b%sc\r\n\r\n", &isValue},
		{"value, long", "GET / HTTP/1.1\r\nHost: a\r\nX: abcdefghij%sklmnopqrstuvwxyz\r\n\r\n", &isValue},
	}
	for _, tt := range places {
		t.Run(tt.name, func(t *testing.T) {
			for c := range 256 {
				head := fmt.Sprintf(tt.format, string([]byte{byte(c)}))
				want := tt.valid[c]
				switch { // what has a meaning there
				case strings.HasPrefix(tt.name, "name") && c == ':':
					want = true
				case tt.name == "target" && c == ' ', tt.name == "method" && c == ' ', tt.name == "host" && c == ':':
					want = false
				}
				var r Request
				if err := r.Parse(head, Limits{}); (err == nil) != want {
					t.Errorf("Parse(%q) = %v, want accepted: %v", head, err, want)
				}
			}
		})
	}
}

func TestRequestLimits(t *testing.T) {
	const head = "GET /abc HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"
	line := strings.Index(head, "\r\n")
	tests := []struct {
		name   string
		lim    Limits
		status int // 0: accepted
	}{
		{"exact", Limits{line, len(head), 2}, 0},
		{"line", Limits{line - 1, len(head), 2}, 414},
		{"head", Limits{line, len(head) - 1, 2}, 431},
		{"fields", Limits{line, len(head), 1}, 431},
		{"defaults", Limits{-1, 0, 0}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			if got := status(r.Parse(head, tt.lim)); got != tt.status {
				t.Errorf("Parse with %+v: status %d, want %d", tt.lim, got, tt.status)
			}
			if r.Parse("\r\n"+head, Limits{line, len(head) + 2, 2}) != nil {
				t.Error("a leading empty line counts as part of the first line")
			}
		})
	}
}

// status is that of err, 0 if it is nil.
func status(err error) int {
	var e *Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Status
}

func TestParseDoesNotAllocate(t *testing.T) {
	bad := post("Content-Length: 5", "Transfer-Encoding: chunked")
	odd := "GET / HTTP/1.1\r\nHost: [::zz]\r\n\r\n"
	list := get("Connection: keep-alive, Upgrade", "Upgrade: x", "TE: trailers, x")
	buf := []byte(browserGet)
	var r Request
	var resp Response
	got := testing.AllocsPerRun(100, func() {
		End(buf, 0, Limits{})
		r.Parse(browserGet, Limits{})
		r.Parse(list, Limits{})
		r.Parse(bad, Limits{})
		r.Parse(odd, Limits{})
		resp.Parse(originOK, "GET", Limits{})
	})
	if got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
