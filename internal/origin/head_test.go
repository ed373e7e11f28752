package origin

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

// id is the text of the zero reqid.ID.
var id = func() string { var f flow.Flow; return f.Request.ID.String() }()

func TestRequestAsSent(t *testing.T) {
	const marks = "CDN-Loop: seawall-edge-1\nVia: 1.1 edge-1\nX-Request-Id: ID\n\n"
	const from = "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: https\nX-Forwarded-Host: www.example.org\n" +
		"Forwarded: for=198.51.100.7;host=www.example.org;proto=https\nX-Client: 198.51.100.7\n"
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		want   string
	}{
		{"order and case are kept", func(f *flow.Flow) {
			f.Request.Path, f.Request.HasQuery, f.Request.Query = "/a%20b", true, "q=1"
			f.Request.Fields = []flow.Field{{"uSeR-aGent", "x"}, {"Host", "www.example.org"}, {"accept", "*/*"}, {"Cookie", "a=b"}}
		}, "GET /a%20b?q=1 HTTP/1.1\nHost: www.example.org\nuSeR-aGent: x\naccept: */*\nCookie: a=b\n" + from + marks},
		{"an empty query", func(f *flow.Flow) { f.Request.HasQuery = true },
			"GET /? HTTP/1.1\nHost: www.example.org\n" + from + marks},
		{"fields of the connection", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{
				{"Connection", "close, X-Hop"}, {"x-hop", "1"}, {"Keep-Alive", "1"}, {"Proxy-Connection", "x"}, {"TE", "gzip"},
				{"Transfer-Encoding", "chunked"}, {"Trailer", "x"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "x"}, {"Expect", "100-continue"},
				{"Proxy-Authorization", "x"}, {"Proxy-Authenticate", "x"}, {"Content-Length", "0"}, {"Proxy", "x"}, {"X-Request-ID", "x"},
			}
		}, "GET / HTTP/1.1\nHost: www.example.org\n" + from + marks},
		{"claims of a stranger", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{
				{"X-Forwarded-For", "10.1.1.1"}, {"x_forwarded_for", "10.1.1.1"}, {"Forwarded", "for=10.1.1.1"}, {"X-Forwarded-Proto", "http"},
				{"X-Forwarded-Host", "x"}, {"X-Forwarded-Port", "1"}, {"X-Real-IP", "10.1.1.1"}, {"X-Client", "10.1.1.1"}, {"X_CLIENT", "10.1.1.1"},
				{"True-Client-IP", "10.1.1.1"}, {"CF-Connecting-IP", "10.1.1.1"}, {"X-Original-URL", "/admin"}, {"X-Forwarder", "kept"},
			}
		}, "GET / HTTP/1.1\nHost: www.example.org\nX-Forwarder: kept\n" + from + marks},
		{"claims of a trusted proxy", func(f *flow.Flow) {
			f.Conn.Remote = netip.MustParseAddrPort("[::ffff:10.0.0.2]:1")
			f.Request.Client = netip.MustParseAddr("2001:db8::1")
			f.Request.Fields = []flow.Field{
				{"X-Forwarded-For", "2001:db8::1"}, {"X-Forwarded-Proto", "http"}, {"Forwarded", `for="[2001:db8::1]"`},
				{"X-Real-IP", "2001:db8::1"}, {"X-Client", "spoofed"}, {"X-Forwarded-For", "10.0.0.3"},
			}
		}, "GET / HTTP/1.1\nHost: www.example.org\nX-Forwarded-Proto: http\nX-Real-IP: 2001:db8::1\n" +
			"X-Forwarded-For: 2001:db8::1, 10.0.0.3, 10.0.0.2\nX-Forwarded-Host: www.example.org\n" +
			"Forwarded: for=\"[2001:db8::1]\", for=10.0.0.2;host=www.example.org;proto=https\nX-Client: 2001:db8::1\n" + marks},
		{"IPv6 and a port", func(f *flow.Flow) {
			f.Request.Client = netip.MustParseAddr("2001:db8::1")
			f.Request.Authority = "[2001:db8::2]:8080"
			f.Request.Scheme = "http"
		}, "GET / HTTP/1.1\nHost: [2001:db8::2]:8080\nX-Forwarded-For: 2001:db8::1\nX-Forwarded-Proto: http\n" +
			"X-Forwarded-Host: [2001:db8::2]:8080\nForwarded: for=\"[2001:db8::1]\";host=\"[2001:db8::2]:8080\";proto=http\n" +
			"X-Client: 2001:db8::1\n" + marks},
		{"no host", func(f *flow.Flow) { f.Request.Authority, f.Request.Proto = "", "HTTP/1.0" },
			"GET / HTTP/1.1\nHost: origin.example:8080\nX-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: https\n" +
				"Forwarded: for=198.51.100.7;proto=https\nX-Client: 198.51.100.7\n" + strings.Replace(marks, "Via: 1.1", "Via: 1.0", 1)},
		{"a chain of networks", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{{"CDN-Loop", "other"}, {"Via", "1.1 other"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nCDN-Loop: other\nVia: 1.1 other\n" + from + marks},
		{"the cache wants the whole", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, f.Target()
			f.Cache.Validators = []flow.Field{{"If-None-Match", `"s"`}}
			f.Request.Fields = []flow.Field{
				{"If-None-Match", `"c"`}, {"If-Modified-Since", "x"}, {"Range", "bytes=0-1"}, {"If-Range", "x"}, {"If-Match", `"m"`},
			}
		}, "GET / HTTP/1.1\nHost: www.example.org\nIf-Match: \"m\"\nIf-None-Match: \"s\"\n" + from + marks},
		{"for a page that anybody gets", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, flow.Asked{Authority: "www.example.org", UnsetCookies: true}
			f.Request.Fields = []flow.Field{{"Cookie", "a=b"}, {"A", "b"}, {"cookie", "c=d"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nA: b\n" + from + marks},
		{"for one that varies by a cookie", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, flow.Asked{Authority: "www.example.org", UnsetCookies: true, Cookie: "c=d"}
			f.Request.Fields = []flow.Field{{"Cookie", "a=b; c=d"}, {"A", "b"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nA: b\nCookie: c=d\n" + from + marks},
		{"the cache wants one language", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, f.Target()
			f.Cache.Asked.Language = "de"
			f.Request.Fields = []flow.Field{{"Accept-Language", "de-CH, fr"}, {"A", "b"}, {"accept_language", "fr"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nA: b\nAccept-Language: de\n" + from + marks},
		{"the cache wants what suits others, too", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, f.Target()
			f.Cache.Asked.AcceptEncoding = "gzip, br"
			f.Request.Fields = []flow.Field{{"Accept-Encoding", "br;q=1.0, deflate"}, {"accept-encoding", "gzip;q=0.2"}, {"Accept", "x"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nAccept: x\nAccept-Encoding: gzip, br\n" + from + marks},
		{"codings pass where the cache has no part", func(f *flow.Flow) {
			f.Cache.Asked.AcceptEncoding = "gzip"
			f.Request.Fields = []flow.Field{{"Accept-Encoding", "br;q=1.0, deflate"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nAccept-Encoding: br;q=1.0, deflate\n" + from + marks},
		{"the cache is not asked", func(f *flow.Flow) {
			f.Cache.Validators = []flow.Field{{"If-None-Match", `"s"`}}
			f.Request.Fields = []flow.Field{{"If-None-Match", `"c"`}, {"Range", "bytes=0-1"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nIf-None-Match: \"c\"\nRange: bytes=0-1\n" + from + marks},
		{"an upgrade", func(f *flow.Flow) {
			f.Request.Upgrade = "websocket"
			f.Request.Fields = []flow.Field{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "k"}, {"TE", "trailers;q=1"}}
		}, "GET / HTTP/1.1\nHost: www.example.org\nSec-WebSocket-Key: k\nConnection: Upgrade, TE\nUpgrade: websocket\nTE: trailers\n" + from + marks},
		{"content of known length", func(f *flow.Flow) {
			f.Request.Method, f.Request.Length = "PUT", 3
			f.Request.Fields = []flow.Field{{"Content-Length", "3"}, {"Content-Type", "text/plain"}, {"Trailer", "x"}}
		}, "PUT / HTTP/1.1\nHost: www.example.org\nContent-Type: text/plain\nContent-Length: 3\n" + from + marks},
		{"content of unknown length", func(f *flow.Flow) {
			f.Request.Method, f.Request.Length = "POST", -1
			f.Request.Fields = []flow.Field{{"Transfer-Encoding", "chunked"}, {"Trailer", "x"}}
		}, "POST / HTTP/1.1\nHost: www.example.org\nTrailer: x\nTransfer-Encoding: chunked\n" + from + marks},
		{"no content where some is usual", func(f *flow.Flow) { f.Request.Method = "POST" },
			"POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 0\n" + from + marks},
	}
	z := zoneOf("http://origin.example:8080")
	z.Origin.ClientHeader = "X-Client"
	p := compile(t, newRoom(t), z)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := ordinary()
			tt.change(f)
			b, err := p.appendHead(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), id, "ID")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestHeadOfTooManyNominations(t *testing.T) {
	p := compile(t, newRoom(t), zoneOf("http://192.0.2.1"))
	f := ordinary()
	f.Request.Fields = []flow.Field{{"Connection", strings.Repeat("x,", maxNominated+1)}}
	p.Fetch(f)
	if r := f.Origin.Refusal; r == nil || r.Reason != flow.Malformed || f.Origin.Attempts != 0 {
		t.Errorf("refusal %+v after %d attempts, want Malformed after none", r, f.Origin.Attempts)
	}
	if got := f.Admission.Lease.(*lease).released; got != 1 {
		t.Errorf("lease released %d times, want 1", got)
	}
}

func BenchmarkAppendHead(b *testing.B) {
	z := zoneOf("http://192.0.2.1")
	z.Origin.ClientHeader = "X-Real-IP"
	p, err := newRoom(b).Compile(z)
	if err != nil {
		b.Fatal(err)
	}
	f := browsing(ordinary())
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = p.appendHead(buf[:0], f); err != nil {
			b.Fatal(err)
		}
	}
}

// browsing gives f the fields of a browser.
func browsing(f *flow.Flow) *flow.Flow {
	f.Request.Fields = []flow.Field{
		{"Host", "www.example.org"},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{"Accept-Language", "en-GB,en;q=0.5"},
		{"Accept-Encoding", "gzip, deflate, br, zstd"},
		{"Connection", "keep-alive"},
		{"Cookie", "session=0123456789abcdef"},
		{"Upgrade-Insecure-Requests", "1"},
		{"Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Mode", "navigate"},
		{"Sec-Fetch-Site", "none"},
		{"Priority", "u=0, i"},
	}
	return f
}
