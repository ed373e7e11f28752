package origin

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
)

// settled waits until the exchange is over, and sees to it that the share was given back once.
func settled(t *testing.T, p *Policy, f *flow.Flow) {
	t.Helper()
	l := f.Admission.Lease.(*lease)
	l.wait()
	eventually(t, "no request in flight", func() bool {
		n := int64(0)
		for _, s := range p.Servers() {
			n += s.InFlight
		}
		return n == 0
	})
	if n := l.count(); n != 1 {
		t.Errorf("lease released %d times, want 1", n)
	}
}

// TestStreamOutcomes is TestOutcomes over HTTP/2.
func TestStreamOutcomes(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<12) // 64 KiB, which is the first window of a connection
	type outcome struct {
		Reason   flow.Reason
		Status   int // of the response, or of the refusal
		Body     string
		Length   int64
		Err      error
		Attempts int
		Conns    int
	}
	ok := func(p *peer, id uint32) {
		p.head(id, false, ":status: 200", "content-length: 2")
		p.data(id, true, "ok")
	}
	heads := func(lines ...string) func(p *peer, id uint32) {
		return func(p *peer, id uint32) { p.head(id, true, lines...) }
	}
	lines := func(n int) []string {
		all := []string{":status: 200"}
		for i := range n {
			all = append(all, fmt.Sprintf("x-%d: y", i))
		}
		return all
	}
	fine := outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Conns: 1}
	broken := outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1, Conns: 1}
	ended := outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		say    func(p *peer, id uint32)
		want   outcome
	}{
		{"small", nil, ok, fine},
		{"no length", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "o")
			p.data(id, true, "k")
		}, outcome{Status: 200, Body: "ok", Length: -1, Attempts: 1, Conns: 1}},
		{"end apart", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200", "content-length: 2")
			p.data(id, false, "ok")
			p.data(id, true, "")
		}, fine},
		{"no content", nil, heads(":status: 200"), outcome{Status: 200, Attempts: 1, Conns: 1}},
		{"length of nothing", nil, heads(":status: 200", "content-length: 0"), outcome{Status: 200, Attempts: 1, Conns: 1}},
		{"204", nil, heads(":status: 204"), outcome{Status: 204, Attempts: 1, Conns: 1}},
		{"204 that does not end", nil, func(p *peer, id uint32) { p.head(id, false, ":status: 204") }, outcome{Status: 204, Attempts: 1, Conns: 1}},
		{"not modified", nil, heads(":status: 304", "content-length: 9"), outcome{Status: 304, Length: 9, Attempts: 1, Conns: 1}},
		{"not modified, no length", nil, heads(":status: 304"), outcome{Status: 304, Length: -1, Attempts: 1, Conns: 1}},
		{"head", func(f *flow.Flow) { f.Request.Method = "HEAD" }, heads(":status: 200", "content-length: 7"),
			outcome{Status: 200, Length: 7, Attempts: 1, Conns: 1}},
		{"big", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			for i := 0; i < len(big); i += 16 << 10 {
				p.data(id, i+16<<10 == len(big), big[i:i+16<<10])
			}
		}, outcome{Status: 200, Body: big, Length: -1, Attempts: 1, Conns: 1}},
		{"large head", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200", "x: "+big[:50<<10], "content-length: 2")
			p.data(id, true, "ok")
		}, fine},
		{"continue unasked", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 100")
			ok(p, id)
		}, fine},
		{"reset once all is said", nil, func(p *peer, id uint32) {
			ok(p, id)
			p.WriteRSTStream(id, http2.ErrCodeNo)
		}, fine},

		{"reset", nil, func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeInternal) }, broken},
		{"wants HTTP/1.1", nil, func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeHTTP11Required) }, broken},
		{"refuses", nil, func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 2, Conns: 1}},
		{"goes away on a new connection", nil, func(p *peer, id uint32) { p.WriteGoAway(0, http2.ErrCodeNo, nil) },
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 2}},
		{"is not calm", nil, func(p *peer, id uint32) { p.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) },
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 2}},
		{"closes", nil, func(p *peer, id uint32) { p.conn.Close() }, ended},
		{"resets the connection", nil, func(p *peer, id uint32) { reset(p.conn) }, ended},
		{"breaks the protocol", nil, func(p *peer, id uint32) {
			p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, EndHeaders: true})
		},
			ended},
		{"huge head", nil, heads(":status: 200", "x: "+big, "y: "+big[:100]), broken},
		{"gigantic head", nil, heads(":status: 200", "x: "+big+big+big), ended},
		{"too many fields", nil, heads(lines(201)...), broken},
		{"many fields", nil, heads(lines(200)...), outcome{Status: 200, Attempts: 1, Conns: 1}},
		{"no status", nil, heads("x: y"), broken},
		{"bad status", nil, heads(":status: 99"), broken},
		{"no number", nil, heads(":status: ok"), broken},
		{"upper case", nil, heads(":status: 200", "X: y"), broken},
		{"interim that ends", nil, heads(":status: 103"), broken},
		{"endless interim", nil, func(p *peer, id uint32) {
			for range 17 {
				p.head(id, false, ":status: 103")
			}
		}, broken},
		{"large interim", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 103", "x: "+big[:40<<10])
			p.head(id, false, ":status: 103", "x: "+big[:40<<10])
		}, broken},
		{"switches", func(f *flow.Flow) { f.Request.Upgrade = "foo" }, func(p *peer, id uint32) { p.head(id, false, ":status: 101") }, broken},
		{"upgrade ignored", func(f *flow.Flow) { f.Request.Upgrade = "foo" }, ok, fine},
		{"data first", nil, func(p *peer, id uint32) { p.data(id, true, "x") }, broken},

		{"less than announced", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200", "content-length: 5")
			p.data(id, true, "abc")
		}, outcome{Status: 200, Body: "abc", Length: 5, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},
		{"nothing of what was announced", nil, heads(":status: 200", "content-length: 5"),
			outcome{Status: 200, Length: 5, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},
		{"more than announced", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200", "content-length: 2")
			p.data(id, true, "okevil")
		}, outcome{Status: 200, Body: "ok", Length: 2, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},
		{"reset in the content", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
			p.WriteRSTStream(id, http2.ErrCodeInternal)
		}, outcome{Status: 200, Body: "abc", Length: -1, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},
		{"closes in the content", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
			p.conn.Close()
		}, outcome{Status: 200, Body: "abc", Length: -1, Err: io.ErrUnexpectedEOF, Attempts: 1}},
		{"too many trailers", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
			p.head(id, true, lines(201)[1:]...)
		}, outcome{Status: 200, Body: "abc", Length: -1, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},
		{"huge trailers", nil, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
			p.head(id, true, "x: "+big[:40<<10], "y: "+big[:40<<10], "z: "+big[:50<<10])
		}, outcome{Status: 200, Body: "abc", Length: -1, Err: io.ErrUnexpectedEOF, Attempts: 1, Conns: 1}},

		{"client gone before", func(f *flow.Flow) { f.Abort.Fire() }, ok, outcome{Reason: flow.ClientGone, Status: 499}},
		{"content", func(f *flow.Flow) { posting(f, "hello", true) }, ok, fine},
		{"content of unknown length", func(f *flow.Flow) { posting(f, "hello", false) }, ok, fine},
		{"content, none back", func(f *flow.Flow) { posting(f, "hello", false) }, heads(":status: 204"), outcome{Status: 204, Attempts: 1, Conns: 1}},
		{"content broken off", func(f *flow.Flow) { posting(f, "hello", true); f.Request.Length = 6 }, ok,
			outcome{Reason: flow.BodyBroken, Status: 400}},
		{"big content broken off", func(f *flow.Flow) { posting(f, big, true); f.Request.Length++ }, ok,
			outcome{Reason: flow.BodyBroken, Status: 400, Attempts: 1, Conns: 1}},
		{"host that cannot be", func(f *flow.Flow) { f.Request.Authority = "a b" }, ok, outcome{Reason: flow.Malformed, Status: 400, Conns: 1}},
	}
	for _, way := range streamWays {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				room, zone := way.open(t, saying(tt.say))
				p := compile(t, room, zone)
				f := ordinary()
				if tt.change != nil {
					tt.change(f)
				}
				p.Fetch(f)
				got := outcome{Status: f.Origin.Status, Attempts: f.Origin.Attempts}
				if r := f.Origin.Refusal; r != nil {
					got.Reason, got.Status = r.Reason, r.Status
					if r.Detail == "" || f.Origin.Message != nil {
						t.Errorf("refusal %+v with message %v, want a detail and none", r, f.Origin.Message)
					}
				} else {
					got.Length = f.Origin.Message.Length
					got.Body, got.Err = drain(f)
				}
				same := cmp.Comparer(func(a, b error) bool { return a == nil && b == nil || errors.Is(a, b) || errors.Is(b, a) })
				eventually(t, "the connections that are wanted", func() bool {
					got.Conns, _ = connections(p, 0)
					return got.Conns == tt.want.Conns
				})
				if diff := cmp.Diff(tt.want, got, same); diff != "" {
					t.Errorf("outcome (-want +got):\n%.2000s\nrefusal: %+v, error: %v", diff, f.Origin.Refusal, got.Err)
				}
				eventually(t, "all connections idle", func() bool {
					all, idle := connections(p, 0)
					return all == idle
				})
				settled(t, p, f)
			})
		}
	}
}

// TestStreamRequestAsSent compares what an origin gets over HTTP/2 with what it gets over HTTP/1.1: the same fields, but for those of a
// connection.
func TestStreamRequestAsSent(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		want   []string // beside the fields that are the same
	}{
		{"browsing", func(f *flow.Flow) { browsing(f) }, []string{":method: GET", ":path: /", ":authority: www.example.org", ":scheme: http"}},
		{"a query", func(f *flow.Flow) { f.Request.Path, f.Request.HasQuery, f.Request.Query = "/a%20b", true, "q=%3f?&" },
			[]string{":method: GET", ":path: /a%20b?q=%3f?&", ":authority: www.example.org", ":scheme: http"}},
		{"an empty query", func(f *flow.Flow) { f.Request.HasQuery = true },
			[]string{":method: GET", ":path: /?", ":authority: www.example.org", ":scheme: http"}},
		{"slashes", func(f *flow.Flow) { f.Request.Path = "//www.example.org//x" },
			[]string{":method: GET", ":path: //www.example.org//x", ":authority: www.example.org", ":scheme: http"}},
		{"a host's slashes", func(f *flow.Flow) { f.Request.Path = "//evil.example/x" },
			[]string{":method: GET", ":path: //evil.example/x", ":authority: www.example.org", ":scheme: http"}},
		{"the server", func(f *flow.Flow) { f.Request.Method, f.Request.Path = "OPTIONS", "*" },
			[]string{":method: OPTIONS", ":path: *", ":authority: www.example.org", ":scheme: http"}},
		{"strange bytes", func(f *flow.Flow) { f.Request.Path = "/%zz|\"<>\\^`{}" },
			[]string{":method: GET", ":path: /%zz|\"<>\\^`{}", ":authority: www.example.org", ":scheme: http"}},
		{"no host", func(f *flow.Flow) { f.Request.Authority, f.Request.Proto = "", "HTTP/1.0" },
			[]string{":method: GET", ":path: /", ":authority: ORIGIN", ":scheme: http"}},
		{"port", func(f *flow.Flow) { f.Request.Authority = "WWW.example.org:8080" },
			[]string{":method: GET", ":path: /", ":authority: WWW.example.org:8080", ":scheme: http"}},
		{"many of a name", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{{"X-A", "1"}, {"x-b", "2"}, {"x-a", "3"}, {"X_A", "4"}, {"accept", "*/*"}, {"ACCEPT", "x"}}
		}, []string{":method: GET", ":path: /", ":authority: www.example.org", ":scheme: http"}},
		{"fields of the connection", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{
				{"Connection", "close, X-Hop"}, {"x-hop", "1"}, {"Keep-Alive", "1"}, {"Proxy-Connection", "x"}, {"TE", "gzip"}, {"Upgrade", "h2c"},
				{"HTTP2-Settings", "x"}, {"Expect", "100-continue"}, {"Content-Length", "0"}, {"Transfer-Encoding", "chunked"},
			}
			f.Request.Upgrade = "h2c"
		}, []string{":method: GET", ":path: /", ":authority: www.example.org", ":scheme: http"}},
		{"gRPC", func(f *flow.Flow) {
			posting(f, "x", false)
			f.Request.Proto, f.Request.Path = "HTTP/2.0", "/a.B/C"
			f.Request.Fields = []flow.Field{{"te", "trailers"}, {"content-type", "application/grpc+proto"}, {"grpc-timeout", "1S"}, {"x-bin", "AAE="}}
		}, []string{":method: POST", ":path: /a.B/C", ":authority: www.example.org", ":scheme: http", "te: trailers"}},
		{"content of known length", func(f *flow.Flow) {
			posting(f, "abc", true)
			f.Request.Fields = []flow.Field{{"Content-Length", "3"}, {"Trailer", "x"}}
		}, []string{":method: POST", ":path: /", ":authority: www.example.org", ":scheme: http", "content-length: 3"}},
		{"no content where some is usual", func(f *flow.Flow) { f.Request.Method = "POST" },
			[]string{":method: POST", ":path: /", ":authority: www.example.org", ":scheme: http", "content-length: 0"}},
		{"the cache wants the whole", func(f *flow.Flow) {
			f.Cache.Whole, f.Cache.Asked = true, f.Target()
			f.Cache.Validators = []flow.Field{{"If-None-Match", `"s"`}}
			f.Request.Fields = []flow.Field{{"If-None-Match", `"c"`}, {"Range", "bytes=0-1"}}
		}, []string{":method: GET", ":path: /", ":authority: www.example.org", ":scheme: http"}},
	}
	heard := make(chan []string, 1)
	s := serve(t, loopback(t), "http", frames(func(p *peer) {
		for f := p.next(); f != nil; f = p.next() {
			if h, ok := f.(*http2.MetaHeadersFrame); ok {
				var lines []string
				for _, field := range h.Fields {
					lines = append(lines, field.Name+": "+field.Value)
				}
				heard <- lines
				p.head(h.StreamID, true, ":status: 204")
			}
		}
	}))
	z := overStreams(zoneOf(s.url))
	z.Origin.ClientHeader = "X-Client"
	p := compile(t, newRoom(t), z)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := ordinary()
			tt.change(f)
			text, err := p.appendHead(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], "ORIGIN", s.listener.Addr().String())
			}
			for _, line := range strings.Split(strings.TrimSpace(string(text)), "\r\n")[1:] {
				name, value, _ := strings.Cut(line, ": ")
				switch name = strings.ToLower(name); name {
				case "host", "connection", "te", "transfer-encoding", "content-length", "upgrade":
				default:
					want = append(want, name+": "+value)
				}
			}
			p.Fetch(f)
			if drain(f); f.Origin.Status != 204 {
				t.Fatalf("refusal %+v", f.Origin.Refusal)
			}
			got := <-heard
			for i, line := range got {
				if i < 4 != strings.HasPrefix(line, ":") {
					t.Errorf("field %d is %q: want four pseudo-header fields first", i, line)
				}
			}
			for _, name := range []string{"x-a: ", "accept: "} { // fields of one name stay in their order
				if diff := cmp.Diff(of(name, want), of(name, got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// of returns the lines that begin with a prefix.
func of(prefix string, lines []string) (some []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			some = append(some, line)
		}
	}
	return some
}
