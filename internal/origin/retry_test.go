package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
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
	givesUp := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, ok)
		ask(r)
		io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
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
		{"gave up waiting", "GET", "", 1, false, givesUp, result{200, 2, 1, false}},
		{"gave up waiting, post", "POST", "", 1, false, givesUp, result{408, 1, 0, true}},
		{"gave up waiting, no retries", "GET", "", 0, false, givesUp, result{408, 1, 0, true}},
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

// TestAnotherServer has a first server that fails in some way, and a second that is well.
func TestAnotherServer(t *testing.T) {
	dies := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, ok)
		ask(r)
	}
	hangsUp := func(_ net.Conn, r *bufio.Reader) { ask(r) }
	type result struct {
		Status, Attempts, Asked, Server int
	}
	get := func(f *flow.Flow) {}
	post := func(f *flow.Flow) { posting(f, "hello", true) }
	tests := []struct {
		name    string
		request func(f *flow.Flow)
		retries int
		refuse  bool // no budget for more
		link    sim.Link
		script  script
		first   bool // there has been a request on a connection to the first server
		want    result
	}{
		{"no connection", get, 1, false, sim.Link{Refuse: true}, always(ok), false, result{200, 1, 1, 2}},
		{"no connection for content", post, 1, false, sim.Link{Refuse: true}, always(ok), false, result{200, 1, 1, 2}},
		{"no connection for much content", func(f *flow.Flow) { posting(f, strings.Repeat("x", 100_000), false) }, 1, false,
			sim.Link{Refuse: true}, always(ok), false, result{200, 1, 1, 2}},
		{"no connection for expected content", func(f *flow.Flow) { posting(f, "hello", true).Request.Expect = true }, 1, false,
			sim.Link{Refuse: true}, always(ok), false, result{200, 1, 1, 2}},
		{"no connection in time", get, 1, false, sim.Link{Blackhole: true}, always(ok), false, result{200, 1, 1, 2}},
		{"client gone meanwhile", func(f *flow.Flow) { time.AfterFunc(time.Second, f.Abort.Fire) }, 1, false,
			sim.Link{Blackhole: true}, always(ok), false, result{499, 0, 0, 1}},
		{"no retries", get, 0, false, sim.Link{Refuse: true}, always(ok), false, result{502, 0, 0, 1}},
		{"no budget", get, 1, true, sim.Link{Refuse: true}, always(ok), false, result{502, 0, 1, 1}},
		{"died at rest", get, 1, false, sim.Link{}, dies, true, result{200, 2, 1, 2}},
		{"died at rest, content", post, 1, false, sim.Link{}, dies, false, result{200, 1, 0, 1}},
		{"hangs up", get, 1, false, sim.Link{}, hangsUp, false, result{200, 2, 1, 2}},
		{"hangs up, content", post, 1, false, sim.Link{}, hangsUp, false, result{502, 1, 0, 1}},
		{"hangs up, no budget", get, 1, true, sim.Link{}, hangsUp, false, result{502, 1, 1, 1}},
		{"says nothing", get, 1, false, sim.Link{}, silent(""), false, result{504, 1, 0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, tt.script, always(ok))
				c.zone.Origin.Retries = tt.retries
				p := compile(t, c.room, c.zone)
				if tt.first {
					c.want("before", c.ask(p, 2), 1, 1, 0)
				}
				c.link(0, tt.link)
				f := ordinary()
				tt.request(f)
				l := f.Admission.Lease.(*lease)
				l.refuse = tt.refuse
				p.Fetch(f)
				if body, err := drain(f); f.Origin.Refusal == nil && (body != "ok" || err != nil) {
					t.Errorf("body %q, %v, want ok", body, err)
				}
				got := result{f.Origin.Status, f.Origin.Attempts, l.attempts, 0}
				if r := f.Origin.Refusal; r != nil {
					got.Status = r.Status
				}
				for i := range p.servers {
					if f.Origin.Address == c.address(i) {
						got.Server = i + 1
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("result (-want +got):\n%s\nrefusal: %+v", diff, f.Origin.Refusal)
				}
				l.wait()
				if s := p.Servers(); l.count() != 1 || s[0].InFlight+s[1].InFlight != 0 {
					t.Errorf("lease released %d times, servers %+v, want once and none in flight", l.count(), s)
				}
			})
		})
	}
}

// TestEveryServerOnce: as many retries as there are servers find the only one that answers, and none is asked twice in vain.
func TestEveryServerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, always(ok), always(ok), always(ok), always(ok), always(ok))
		c.zone.Origin.Retries, c.zone.Origin.Health.MaxFails = 10, 0
		p := compile(t, c.room, c.zone)
		for i := range p.servers {
			c.link(i, sim.Link{Refuse: true})
		}
		c.want("none well", c.ask(p, 1), 0, 0, 0, 0, 0, 1)
		for i, s := range p.Servers() {
			if s.Failures != 1 {
				t.Errorf("server %d failed %d times, want once", i, s.Failures)
			}
		}
		c.link(3, sim.Link{})
		c.want("one well", c.ask(p, 10), 0, 0, 0, 10, 0, 0)
	})
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
					kept := p.servers[0].idle[0]
					said <- true
					<-said
					eventually(t, "stale", func() bool { return kept.stale(method == "GET") })
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
	room, zone := ways[2].open(t, always(ok))
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
	if n := p.servers[0].idleCount(); n != 2 {
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
				z.Origin.TLS.CA = ca
			}
			z.Origin.TLS.Insecure, z.Origin.TLS.ServerName = tt.insecure, tt.serverName
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
	if fetch(compile(t, r, z)); dials != 1 {
		t.Errorf("%d dials after the idle timeout changed, want 1", dials)
	}
	z.Origin.Servers[0].URL += "/"
	other := compile(t, r, z)
	if fetch(other); dials != 2 {
		t.Errorf("%d dials after the origin's settings changed, want 2", dials)
	}
	r.Close()
	if a, b := first.servers[0].idleCount(), other.servers[0].idleCount(); a+b != 0 {
		t.Errorf("%d idle connections after Close, want 0", a+b)
	}
	if fetch(other); other.servers[0].idleCount() != 0 {
		t.Error("a connection was kept after Close")
	}
}
