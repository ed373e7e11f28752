package request

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func TestClient(t *testing.T) {
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("198.51.100.7/32"),
	}
	const proxy = "198.51.100.7"
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"proxy says nothing", proxy, nil, proxy},
		{"proxy names one", proxy, []string{"192.0.2.1"}, "192.0.2.1"},
		{"spoofed before", proxy, []string{"8.8.8.8, 192.0.2.1"}, "192.0.2.1"},
		{"spoofed in a field of its own", proxy, []string{"8.8.8.8", "192.0.2.1"}, "192.0.2.1"},
		{"two proxies", proxy, []string{"8.8.8.8, 192.0.2.1, 10.1.2.3"}, "192.0.2.1"},
		{"two proxies, two fields", proxy, []string{"192.0.2.1", "10.1.2.3"}, "192.0.2.1"},
		{"proxies only", proxy, []string{"10.1.1.1, 10.1.2.3"}, "10.1.1.1"},
		{"garbage", proxy, []string{"192.0.2.1, unknown"}, proxy},
		{"garbage before a proxy", proxy, []string{"192.0.2.1, <script>, 10.1.2.3"}, "10.1.2.3"},
		{"empty", proxy, []string{""}, proxy},
		{"empty members", proxy, []string{" , 192.0.2.1 ,\t, "}, "192.0.2.1"},
		{"port", proxy, []string{"192.0.2.1:5511"}, "192.0.2.1"},
		{"ipv6", proxy, []string{"2001:db8::1"}, "2001:db8::1"},
		{"ipv6 in brackets", proxy, []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"ipv6 with port", proxy, []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"ipv6 with zone", proxy, []string{"fe80::1%eth0"}, "fe80::1"},
		{"ipv4 in ipv6", proxy, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"proxy as ipv4 in ipv6", proxy, []string{"192.0.2.1, ::ffff:10.0.0.1"}, "192.0.2.1"},
		{"ipv6 proxy", "2001:db8:1::5", []string{"192.0.2.1"}, "192.0.2.1"},
	}
	node := spec.DefaultNode()
	node.TrustedProxies = trusted
	room := New(&node, nil, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields := []flow.Field{{Name: "Host", Value: "a"}}
			for _, v := range tt.forwarded {
				fields = append(fields, flow.Field{Name: "X-Forwarded-For", Value: v})
			}
			if got := room.client(netip.MustParseAddr(tt.peer), fields); got.String() != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestBelieve wants X-Forwarded-For and X-Forwarded-Proto to be believed of trusted proxies alone.
func TestBelieve(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: "
	tests := []struct{ name, trusted, proto, client, scheme string }{
		{"trusted, in private", "198.51.100.7/32", "https", "192.0.2.1", "https"},
		{"trusted, in the clear", "198.51.100.7/32", "http", "192.0.2.1", "http"},
		{"not trusted", "198.51.100.8/32", "https", "198.51.100.7", "http"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := new(corridor)
			trust := func(n *spec.Node) { n.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tt.trusted)} }
			open(path, trust, head+tt.proto+"\r\n\r\n").run(t)
			if len(path.seen) != 1 {
				t.Fatalf("got %d requests, want 1", len(path.seen))
			}
			if q := path.seen[0]; q.Client.String() != tt.client || q.Source.Addr() != q.Client || q.Scheme != tt.scheme {
				t.Errorf("got client %v of %v over %s, want %s over %s", q.Client, q.Source, q.Scheme, tt.client, tt.scheme)
			}
		})
	}
}

// TestRequest wants each request in its normal form.
func TestRequest(t *testing.T) {
	type form struct {
		Proto, Method, Host, Path, Query string
		HasQuery                         bool
		Length                           int64
		Expect                           bool
		Upgrade                          string
	}
	tests := []struct {
		name, head string
		want       form
	}{
		{"get", "GET /a HTTP/1.1\r\nHost: A.example:80\r\n\r\n", form{Proto: "HTTP/1.1", Method: "GET", Host: "a.example", Path: "/a"}},
		{"query", "GET /?x=%zz&/../y HTTP/1.1\r\nHost: a\r\n\r\n",
			form{Proto: "HTTP/1.1", Method: "GET", Host: "a", Path: "/", Query: "x=%zz&/../y", HasQuery: true}},
		{"empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", form{Proto: "HTTP/1.1", Method: "GET", Host: "a", Path: "/", HasQuery: true}},
		{"1.0 without host", "GET / HTTP/1.0\r\n\r\n", form{Proto: "HTTP/1.0", Method: "GET", Path: "/"}},
		{"absolute", "GET http://B.example HTTP/1.1\r\nHost: b.example\r\n\r\n", form{Proto: "HTTP/1.1", Method: "GET", Host: "b.example", Path: "/"}},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", form{Proto: "HTTP/1.1", Method: "OPTIONS", Host: "a", Path: "*"}},
		{"absolute asterisk", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", form{Proto: "HTTP/1.1", Method: "OPTIONS", Host: "a", Path: "*"}},
		{"options of a path", "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", form{Proto: "HTTP/1.1", Method: "OPTIONS", Host: "a", Path: "/"}},
		{"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
			form{Proto: "HTTP/1.1", Method: "POST", Host: "a", Path: "/", Length: 2, Expect: true}},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			form{Proto: "HTTP/1.1", Method: "POST", Host: "a", Path: "/", Length: -1}},
		{"upgrade", "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
			form{Proto: "HTTP/1.1", Method: "GET", Host: "a", Path: "/ws", Upgrade: "websocket"}},
		{"upgrade to h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo, H2C\r\n\r\n",
			form{Proto: "HTTP/1.1", Method: "GET", Host: "a", Path: "/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := new(corridor)
			open(path, nil, tt.head).run(t)
			if len(path.seen) != 1 || path.seen[0].Refusal != nil {
				t.Fatalf("got %+v, want one request", path.seen)
			}
			q := path.seen[0]
			got := form{q.Proto, q.Method, q.Host, q.Path, q.Query, q.HasQuery, q.Length, q.Expect, q.Upgrade}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if q.Scheme != "http" || q.Client.String() != "198.51.100.7" || q.Source.String() != "198.51.100.7/32" || q.ID.Time().IsZero() {
				t.Errorf("got %+v", q)
			}
		})
	}
}

// TestRefusals wants each fault in a message to become a flow with its reason, an answer, and an end where what follows is unsure.
func TestRefusals(t *testing.T) {
	loop := func(n *spec.Node) { n.Name = "edge1" }
	tests := []struct {
		name, head string
		reason     flow.Reason
		status     int
		next       flow.Next
	}{
		{"no http", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", flow.Malformed, 400, flow.Linger},
		{"bare line feed", "GET / HTTP/1.1\nHost: a\n\n", flow.Malformed, 400, flow.Linger},
		{"no host", "GET / HTTP/1.1\r\n\r\n", flow.Malformed, 400, flow.Linger},
		{"length and coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			flow.Malformed, 400, flow.Linger},
		{"long line", "GET /" + strings.Repeat("a", 9<<10), flow.TooLarge, 414, flow.Linger},
		{"long head", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 40<<10), flow.TooLarge, 431, flow.Linger},
		{"many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n", flow.TooLarge, 431, flow.Linger},
		{"version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", flow.Unsupported, 505, flow.Linger},
		{"coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", flow.Unsupported, 501, flow.Linger},
		{"escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", flow.Malformed, 400, flow.More},
		{"connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", flow.Unsupported, 501, flow.More},
		{"trace", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", flow.Unsupported, 501, flow.More},
		{"loop", "GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: other, seawall-edge1; v=1\r\n\r\n", flow.Loop, 508, flow.More},
		{"another's loop", "GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: seawall-edge11, xseawall-edge1\r\n\r\n", 0, 200, flow.More},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := new(corridor)
			c := open(path, loop, tt.head)
			got := c.run(t)
			if len(path.seen) != 1 {
				t.Fatalf("got %d flows, want 1", len(path.seen))
			}
			var reason flow.Reason
			if r := path.seen[0].Refusal; r != nil {
				reason = r.Reason
			}
			if reason != tt.reason || c.next != tt.next || !strings.HasPrefix(got, "HTTP/1.1 "+strconv.Itoa(tt.status)+" ") {
				t.Errorf("got %v, %.20q, then %d, want %v, %d, then %d", reason, got, c.next, tt.reason, tt.status, tt.next)
			}
			if closes := strings.Contains(got, "\r\nConnection: close\r\n"); closes != (tt.next != flow.More) {
				t.Errorf("announced the end: %t", closes)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	path := new(corridor)
	c := open(path, nil)
	c.session.Timeout([]byte("GET /"), &c.out, time.Now())
	const want = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 8\r\nConnection: close\r\n\r\nrefused\n"
	if got := string(c.out.Head); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(path.seen) != 1 || path.seen[0].Refusal.Reason != flow.HeadTimeout {
		t.Errorf("got %+v, want one flow that timed out", path.seen)
	}
}
