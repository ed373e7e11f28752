package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

// cluster is an origin of several servers on a network in memory: the n-th is 192.0.2.n and does as the n-th script says.
type cluster struct {
	t    *testing.T
	net  *sim.Network
	room *Room
	zone *spec.Zone
	news []string // what the room told of changes
	mu   sync.Mutex
}

func newCluster(t *testing.T, scripts ...script) *cluster {
	t.Helper()
	c := &cluster{t: t, net: new(sim.Network), room: newRoom(t), zone: zoneOf("")}
	c.room.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		return c.net.Dial(ctx, netip.AddrPort{}, address)
	}
	c.room.Changed = func(zone, server string, up bool, why string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.news = append(c.news, fmt.Sprintf("%s %s %v: %s", zone, server, up, why))
	}
	c.zone.Origin.Servers = nil
	for i, do := range scripts {
		l, err := c.net.Listen(c.address(i))
		if err != nil {
			t.Fatal(err)
		}
		serve(t, l, "http", do)
		c.zone.Origin.Servers = append(c.zone.Origin.Servers, spec.Server{URL: "http://" + c.address(i), Weight: 1})
	}
	c.zone.Origin.Retries = 0
	c.zone.Origin.Health.SlowStart = 0
	return c
}

func (c *cluster) address(i int) string { return fmt.Sprintf("192.0.2.%d:80", i+1) }

// link lays a link before a server.
func (c *cluster) link(i int, l sim.Link) {
	c.t.Helper()
	if err := c.net.SetLink(c.address(i), l); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends n requests, one after the other, and returns how many of them each server answered; the last counts refusals.
func (c *cluster) ask(p *Policy, n int) []int {
	got := make([]int, len(p.servers)+1)
	for range n {
		f := ordinary()
		p.Fetch(f)
		if _, err := drain(f); err != nil || f.Origin.Refusal != nil {
			got[len(p.servers)]++
			continue
		}
		for i := range p.servers {
			if f.Origin.Address == p.servers[i].settings.address {
				got[i]++
			}
		}
	}
	return got
}

// wantNews compares what was told since the last time.
func (c *cluster) wantNews(want ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.news); diff != "" {
		c.t.Errorf("changes told (-want +got):\n%s", diff)
	}
	c.news = nil
}

func (c *cluster) want(what string, got []int, want ...int) {
	c.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("%s: requests by server, then refusals (-want +got):\n%s", what, diff)
	}
}

// okOnce is an answer after which the connection is over.
const okOnce = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

// TestFailTimeout follows a server through failures, its time out and its probation.
func TestFailTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, always(okOnce), always(ok))
		p := compile(t, c.room, c.zone)
		c.link(0, sim.Link{Refuse: true})
		c.want("two failures", c.ask(p, 4), 0, 2, 2)
		c.wantNews()
		c.link(0, sim.Link{})
		c.want("a success between", c.ask(p, 2), 1, 1, 0)
		c.link(0, sim.Link{Refuse: true})
		c.want("three failures in a row", c.ask(p, 12), 0, 9, 3)
		status := p.Servers()[0]
		if status.Up || status.Failures != 5 || status.Requests != 1 || !status.Since.Equal(time.Now()) || !strings.Contains(status.Why, "refused") {
			t.Errorf("status %+v, want down since now after 5 failures and 1 request", status)
		}
		c.wantNews("example http://192.0.2.1:80 false: " + status.Why)
		time.Sleep(10*time.Second - 1)
		c.want("down", c.ask(p, 4), 0, 4, 0)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		c.wantNews("example http://192.0.2.1:80 true: 10s have passed")
		c.want("on probation", c.ask(p, 6), 0, 5, 1)
		c.wantNews("example http://192.0.2.1:80 false: " + p.Servers()[0].Why)
		c.link(0, sim.Link{})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		c.wantNews("example http://192.0.2.1:80 true: 10s have passed")
		c.want("up again", c.ask(p, 8), 4, 4, 0)
		c.link(0, sim.Link{Refuse: true})
		c.want("past probation", c.ask(p, 4), 0, 2, 2)
		c.wantNews()
	})
}

// TestProbation follows a time out, even if the server answered meanwhile.
func TestProbation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, always(okOnce), always(okOnce))
		c.zone.Origin.AllDown = spec.AllDownTry
		p := compile(t, c.room, c.zone)
		for i := range p.servers {
			c.link(i, sim.Link{Refuse: true})
		}
		c.want("all fail", c.ask(p, 6), 0, 0, 6)
		for i := range p.servers {
			c.link(i, sim.Link{})
		}
		c.want("down, but asked all the same", c.ask(p, 4), 2, 2, 0)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		c.link(0, sim.Link{Refuse: true})
		c.want("one failure more", c.ask(p, 10), 0, 9, 1)
	})
}

// TestLoneServer fails as often as it likes: there is nobody else to ask.
func TestLoneServer(t *testing.T) {
	for _, idle := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, always(ok), always(ok))
			if c.zone.Origin.Servers[1].Weight = 0; !idle {
				c.zone.Origin.Servers = c.zone.Origin.Servers[:1]
			}
			p := compile(t, c.room, c.zone)
			c.link(0, sim.Link{Refuse: true})
			c.ask(p, 10)
			c.link(0, sim.Link{})
			if got := c.ask(p, 1); got[0] != 1 || p.Servers()[0].Failures != 10 {
				t.Errorf("got %v after %+v, want an answer after 10 failures", got, p.Servers()[0])
			}
			c.wantNews()
		})
	}
}

// TestFailures says what is a server's failure, and what isn't.
func TestFailures(t *testing.T) {
	once := func(second script) script { // answers, and then does something else on the same connection
		return func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, ok)
			second(c, r)
		}
	}
	closes := func(c net.Conn, r *bufio.Reader) { ask(r) }
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		link   sim.Link
		script script
		first  bool // there has been a request on the connection
		want   uint64
	}{
		{"well", nil, sim.Link{}, always(ok), false, 0},
		{"an error of the application", nil, sim.Link{}, always("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), false, 0},
		{"no connection", nil, sim.Link{Refuse: true}, always(ok), false, 1},
		{"no connection in time", nil, sim.Link{Blackhole: true}, always(ok), false, 1},
		{"no head", nil, sim.Link{}, silent(""), false, 1},
		{"not http", nil, sim.Link{}, answers("220 mail.example ESMTP\r\n\r\n"), false, 1},
		{"hangs up", nil, sim.Link{}, closes, false, 1},
		{"hangs up after a rest", nil, sim.Link{}, once(closes), true, 0},
		{"no head after a rest", nil, sim.Link{}, once(silent("")), true, 1},
		{"coded", nil, sim.Link{}, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), false, 1},
		{"wrong chunk", nil, sim.Link{}, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), false, 1},
		{"truncated", nil, sim.Link{}, answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), false, 1},
		{"stalled", nil, sim.Link{}, silent("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), false, 1},
		{"client gone while connecting", func(f *flow.Flow) { time.AfterFunc(time.Second, f.Abort.Fire) }, sim.Link{Blackhole: true}, always(ok), false, 0},
		{"client gone before the head", func(f *flow.Flow) { time.AfterFunc(time.Second, f.Abort.Fire) }, sim.Link{}, silent(""), false, 0},
		{"client gone within the body", func(f *flow.Flow) { time.AfterFunc(time.Second, f.Abort.Fire) }, sim.Link{},
			silent("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), false, 0},
		{"content broken off", func(f *flow.Flow) { posting(f, "hello", true).Request.Length++ }, sim.Link{}, always(ok), false, 0},
		{"much content broken off", func(f *flow.Flow) { posting(f, strings.Repeat("x", 100_000), true).Request.Length++ }, sim.Link{}, always(ok), false, 0},
		{"no room for a tunnel", func(f *flow.Flow) { f.Request.Upgrade = "websocket" }, sim.Link{}, silent(switching), false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, tt.script)
				p := compile(t, c.room, c.zone)
				if tt.first {
					c.want("first", c.ask(p, 1), 1, 0)
				}
				c.link(0, tt.link)
				f := ordinary()
				if tt.change != nil {
					tt.change(f)
				}
				p.Fetch(f)
				drain(f)
				if got := p.Servers()[0]; got.Failures != tt.want || (got.Why != "") != (tt.want > 0) {
					t.Errorf("%d failures (%s), want %d; refusal %+v", got.Failures, got.Why, tt.want, f.Origin.Refusal)
				}
				f.Admission.Lease.(*lease).wait()
				if n := p.Servers()[0].InFlight; n != 0 {
					t.Errorf("%d requests in flight, want none", n)
				}
			})
		})
	}
}

// TestShortageIsOurs: a node that is out of sockets must not take all servers for dead.
func TestShortageIsOurs(t *testing.T) {
	z := weighted(spec.BalanceRoundRobin, 1, 1)
	r := newRoom(t)
	r.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
	}
	p := compile(t, r, z)
	p.Fetch(ordinary())
	if s := p.Servers(); s[0].Failures+s[1].Failures != 0 {
		t.Errorf("failures %+v, want none", s)
	}
}

func TestAllDown(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *spec.Origin)
		checks bool // what took the servers down
		want   *flow.Refusal
	}{
		{"refuse, failures", nil, false, nil}, // which anybody can cause who knows a page that breaks
		{"refuse, checks", nil, true, &flow.Refusal{Reason: flow.OriginDown, Status: 503, Rule: "origin.health", RetryAfter: 5 * time.Second,
			Detail: "no server is up; http://192.0.2.1:80: health check: any error; http://192.0.2.2:80: health check: any error"}},
		{"try, failures", func(o *spec.Origin) { o.AllDown = spec.AllDownTry }, false, nil},
		{"try, checks", func(o *spec.Origin) { o.AllDown = spec.AllDownTry }, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, always(ok), always(ok))
				if tt.change != nil {
					tt.change(&c.zone.Origin)
				}
				p := compile(t, c.room, c.zone)
				for i := range p.servers {
					if tt.checks {
						p.servers[i].takeDown()
					} else {
						p.servers[i].failed(&spec.Health{MaxFails: 1, FailTimeout: time.Minute}, false, errAny)
					}
				}
				f := ordinary()
				f.Exchange.(*client).asked = false
				p.Fetch(posting(f, "x", true))
				if diff := cmp.Diff(tt.want, f.Origin.Refusal); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
				drain(f)
				if asked := f.Exchange.(*client).asked; asked == (tt.want != nil) {
					t.Errorf("the client's content was read: %v", asked)
				}
				if n := f.Admission.Lease.(*lease).count(); n != 1 {
					t.Errorf("lease released %d times, want 1", n)
				}
			})
		})
	}
}

// TestDownDetail is bounded, whatever the servers say.
func TestDownDetail(t *testing.T) {
	weights := make([]int, 200)
	for i := range weights {
		weights[i] = 1
	}
	p := compile(t, newRoom(t), weighted(spec.BalanceRoundRobin, weights...))
	for i := range p.servers {
		p.servers[i].checked(&spec.Health{Fall: 1}, "", errors.New(strings.Repeat("x\n\xff", 1000)))
	}
	f := ordinary()
	p.Fetch(f)
	d := f.Origin.Refusal.Detail
	if len(d) > maxDetail+100 || !utf8.ValidString(d) || strings.Contains(d, "\n") || !strings.Contains(d, "http://192.0.2.1: health check: x") || !strings.Contains(d, " more") {
		t.Errorf("detail of %d bytes: %q", len(d), d)
	}
}

// TestSlowStart: a server that has come up gets a tenth of its share and then more and more of it.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, always(ok), always(ok))
		c.zone.Origin.Health.SlowStart = 10 * time.Second
		p := compile(t, c.room, c.zone)
		c.want("first start", c.ask(p, 10), 5, 5, 0)
		p.servers[1].takeDown()
		c.want("down", c.ask(p, 10), 10, 0, 0)
		p.servers[1].raise()
		c.want("at once", c.ask(p, 11), 10, 1, 0)
		time.Sleep(5 * time.Second)
		c.want("half way", c.ask(p, 155), 100, 55, 0)
		time.Sleep(5 * time.Second)
		c.want("after it", c.ask(p, 10), 5, 5, 0)
		if p.current().until != (time.Time{}) {
			t.Error("the shares are still looked at again and again")
		}
	})
}

// TestHealthOutlivesPolicies compiles a zone again: what is known of its servers stays unless their settings change.
func TestHealthOutlivesPolicies(t *testing.T) {
	tests := []struct {
		name   string
		change func(z *spec.Zone)
		kept   bool
	}{
		{"the same", func(z *spec.Zone) {}, true},
		{"another weight", func(z *spec.Zone) { z.Origin.Servers[0].Weight = 5 }, true},
		{"another order", func(z *spec.Zone) {
			s := z.Origin.Servers
			z.Origin.Servers = []spec.Server{s[1], s[0]}
		}, true},
		{"another budget", func(z *spec.Zone) { z.Budget.Concurrent = 3 }, true},
		{"other timeouts", func(z *spec.Zone) { z.Origin.IdleTimeout, z.Origin.ConnectTimeout = 1, 1 }, true},
		{"another authority for cleartext", func(z *spec.Zone) { z.Origin.TLS.Insecure = true }, true},
		{"another url", func(z *spec.Zone) { z.Origin.Servers[0].URL += "/" }, false},
		{"tls", func(z *spec.Zone) { z.Origin.Servers[0].URL = "https://192.0.2.1:80" }, false},
		{"PROXY protocol", func(z *spec.Zone) { z.Origin.ProxyProtocol = "v2" }, false},
		{"another zone", func(z *spec.Zone) { z.Name = "other" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, always(ok), always(ok))
				p := compile(t, c.room, c.zone)
				c.ask(p, 4)
				p.servers[0].takeDown()
				z := *c.zone
				z.Origin.Servers = append([]spec.Server(nil), z.Origin.Servers...)
				tt.change(&z)
				q := compile(t, c.room, &z)
				for i, s := range q.Servers() {
					if strings.Contains(s.URL, "192.0.2.1:") && (s.Up == tt.kept || (s.Requests == 2) != tt.kept) {
						t.Errorf("server %d: %+v, want it kept: %v", i, s, tt.kept)
					}
				}
				c.want("the policy before", c.ask(p, 4), 0, 4, 0)
			})
		})
	}
}

// TestChangesConcern only the zone whose server changes.
func TestChangesConcern(t *testing.T) {
	room := newRoom(t)
	z := weighted(spec.BalanceRoundRobin, 1, 1)
	p := compile(t, room, z)
	z.Name = "other"
	q := compile(t, room, z)
	before := q.current()
	for i := range p.servers {
		p.servers[i].takeDown()
	}
	if len(p.current().shares) != 0 || q.current() != before {
		t.Errorf("%d servers are up, want none; the other zone's set changed: %v", len(p.current().shares), q.current() != before)
	}
}
