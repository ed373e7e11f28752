package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

// TestRetries has a connection in the pool that dies on its second request without an answer.
func TestRetries(t *testing.T) {
	dies := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, ok)
		ask(r)
	}
	begins := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, ok)
		ask(r)
		io.WriteString(c, "HTTP/1.1 2")
	}
	resets := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, ok)
		ask(r)
		reset(c)
	}
	type result struct {
		Status, Attempts, Asked int
		Reused                  bool
	}
	tests := []struct {
		name    string
		method  string
		body    string
		retries int
		refuse  bool
		script  script
		want    result
	}{
		{"get", "GET", "", 1, false, dies, result{200, 2, 1, false}},
		{"reset", "GET", "", 1, false, resets, result{200, 2, 1, false}},
		{"delete", "DELETE", "", 3, false, dies, result{200, 2, 1, false}},
		{"post", "POST", "", 1, false, dies, result{502, 1, 0, true}},
		{"put with content", "PUT", "x", 1, false, dies, result{502, 1, 0, true}},
		{"no retries", "GET", "", 0, false, dies, result{502, 1, 0, true}},
		{"no budget", "GET", "", 1, true, dies, result{502, 1, 1, true}},
		{"response began", "GET", "", 1, false, begins, result{502, 1, 0, true}},
	}
	for _, way := range ways[:1] {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				room, zone := way.open(t, tt.script, always(ok))
				zone.Origin.Retries = tt.retries
				p := compile(t, room, zone)
				first := ordinary()
				p.Fetch(first)
				drain(first)
				f := ordinary()
				f.Request.Method = tt.method
				if tt.body != "" {
					posting(f, tt.body, true).Request.Method = tt.method
				}
				l := f.Admission.Lease.(*lease)
				l.refuse = tt.refuse
				p.Fetch(f)
				drain(f)
				got := result{f.Origin.Status, f.Origin.Attempts, l.attempts, f.Origin.Reused}
				if r := f.Origin.Refusal; r != nil {
					got.Status = r.Status
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("result (-want +got):\n%s", diff)
				}
				if n := l.count(); n != 1 {
					t.Errorf("lease released %d times, want 1", n)
				}
			})
		}
	}
}

// TestStaleConnections keeps connections that end, or say something, while they are idle: no request of any method may suffer.
func TestStaleConnections(t *testing.T) {
	tests := []struct {
		name string
		idle func(c net.Conn)
	}{
		{"closed", func(c net.Conn) { c.Close() }},
		{"reset", reset},
		{"half-closed", func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }},
		{"answers unasked", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") }},
	}
	for _, way := range ways {
		if way.name == "conn" {
			continue // has no socket to look at: see TestUncheckedConnection
		}
		for _, tt := range tests {
			for _, method := range []string{"GET", "POST"} {
				t.Run(way.name+"/"+tt.name+"/"+method, func(t *testing.T) {
					said, end := make(chan bool), make(chan bool)
					defer close(end)
					room, zone := way.open(t, func(c net.Conn, r *bufio.Reader) {
						ask(r)
						io.WriteString(c, ok)
						<-said
						tt.idle(c)
						said <- true
						<-end
					}, always(ok))
					p := compile(t, room, zone)
					first := ordinary()
					p.Fetch(first)
					drain(first)
					kept := p.endpoint.idle[0]
					said <- true
					<-said
					eventually(t, "stale", kept.stale)
					f := ordinary()
					if method == "POST" {
						posting(f, strings.Repeat("x", 40<<10), true)
					}
					p.Fetch(f)
					body, err := drain(f)
					if body != "ok" || err != nil || f.Origin.Attempts != 1 || f.Origin.Reused {
						t.Errorf("body %q, %v, origin %+v, refusal %+v, want ok over a new connection", body, err, f.Origin, f.Origin.Refusal)
					}
					if l := f.Admission.Lease.(*lease); l.count() != 1 || l.attempts != 0 {
						t.Errorf("lease released %d times, asked %d times, want 1 and 0", l.count(), l.attempts)
					}
				})
			}
		}
	}
}

// TestUncheckedConnection has connections without a socket: only what may be repeated is sent on a used one.
func TestUncheckedConnection(t *testing.T) {
	room, zone := ways[1].open(t, always(ok))
	p := compile(t, room, zone)
	for _, tt := range []struct {
		method string
		reused bool
	}{{"GET", false}, {"GET", true}, {"POST", false}} {
		f := ordinary()
		f.Request.Method = tt.method
		p.Fetch(f)
		drain(f)
		if f.Origin.Status != 200 || f.Origin.Reused != tt.reused {
			t.Errorf("%s: status %d, reused %v, want 200, %v", tt.method, f.Origin.Status, f.Origin.Reused, tt.reused)
		}
	}
	if n := p.endpoint.idleCount(); n != 2 {
		t.Errorf("%d idle connections, want 2", n)
	}
}

// TestSecureOrigin verifies certificates unless told not to.
func TestSecureOrigin(t *testing.T) {
	tests := []struct {
		name         string
		ca, insecure bool
		serverName   string
		want         flow.Reason
	}{
		{"verified", true, false, "", flow.NoReason},
		{"verified by another name", true, false, "example.com", flow.NoReason},
		{"unknown authority", false, false, "", flow.OriginUnreachable},
		{"wrong name", true, false, "other.test", flow.OriginUnreachable},
		{"insecure", false, true, "other.test", flow.NoReason},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ca := secure(t, always(ok))
			z := zoneOf(s.url)
			if tt.ca {
				z.Origin.CA = ca
			}
			z.Origin.Insecure, z.Origin.ServerName = tt.insecure, tt.serverName
			f := ordinary()
			compile(t, newRoom(t), z).Fetch(f)
			drain(f)
			got := flow.NoReason
			if f.Origin.Refusal != nil {
				got = f.Origin.Refusal.Reason
			}
			if got != tt.want {
				t.Errorf("reason %v (%+v), want %v", got, f.Origin.Refusal, tt.want)
			}
		})
	}
}

func TestRecompile(t *testing.T) {
	dials := 0
	r := newRoom(t)
	r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	z := zoneOf(serve(t, loopback(t), "http", always(ok)).url)
	fetch := func(p *Policy) {
		f := ordinary()
		p.Fetch(f)
		drain(f)
	}
	first := compile(t, r, z)
	fetch(first)
	z.Origin.ClientHeader = "X-Real-IP"
	fetch(compile(t, r, z))
	if dials != 1 {
		t.Errorf("%d dials after the same origin was compiled again, want 1", dials)
	}
	z.Origin.IdleTimeout++
	other := compile(t, r, z)
	if fetch(other); dials != 2 {
		t.Errorf("%d dials after the origin's settings changed, want 2", dials)
	}
	r.Close()
	if a, b := first.endpoint.idleCount(), other.endpoint.idleCount(); a+b != 0 {
		t.Errorf("%d idle connections after Close, want 0", a+b)
	}
	if fetch(other); other.endpoint.idleCount() != 0 {
		t.Error("a connection was kept after Close")
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		name                  string
		url, ca, header, want string
	}{
		{"no scheme", "example.org", "", "", `origin.url: "example.org" needs a scheme, http or https`},
		{"other scheme", "ftp://example.org", "", "", `origin.url: "ftp://example.org" needs a scheme, http or https`},
		{"no host", "http://:80", "", "", `origin.url: "http://:80" has no host`},
		{"path", "http://example.org/x", "", "", `origin.url: "http://example.org/x" may have nothing behind the host and port`},
		{"user", "http://a:b@example.org", "", "", "origin.url: a user or password has no place here"},
		{"no such file", "https://example.org", "/nonexistent.pem", "", "origin.ca: open /nonexistent.pem: no such file or directory"},
		{"no certificate", "https://example.org", "retry_test.go", "", "origin.ca: retry_test.go has no certificate in PEM form"},
		{"no name", "https://example.org", "", "a b", `origin.client_header: "a b" cannot carry an address; use a field of its own, such as X-Real-IP`},
		{"taken name", "https://example.org", "", "Host", `origin.client_header: "Host" cannot carry an address; use a field of its own, such as X-Real-IP`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := zoneOf(tt.url)
			z.Origin.CA, z.Origin.ClientHeader = tt.ca, tt.header
			_, err := newRoom(t).Compile(z)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
