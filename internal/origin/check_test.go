package origin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

// patient answers health checks as it is set to, and requests always; it notes the times of checks.
type patient struct {
	answer atomic.Value // string
	mu     sync.Mutex
	checks []time.Time
}

func (p *patient) serve(c net.Conn, r *bufio.Reader) {
	for {
		q, _, isRequest := ask(r)
		if !isRequest {
			return
		}
		if q.URL.Path != "/healthz" {
			io.WriteString(c, ok)
			continue
		}
		p.mu.Lock()
		p.checks = append(p.checks, time.Now())
		p.mu.Unlock()
		io.WriteString(c, p.answer.Load().(string))
		return
	}
}

// since returns the times of the checks so far, and forgets them.
func (p *patient) since() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	checks := p.checks
	p.checks = nil
	return checks
}

const bodylessOnce = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

// infirmary is a cluster of patients that are checked every 10 seconds.
func infirmary(t *testing.T, n int) (*cluster, []*patient) {
	t.Helper()
	patients, scripts := make([]*patient, n), make([]script, n)
	for i := range patients {
		patients[i] = new(patient)
		patients[i].answer.Store(bodylessOnce)
		scripts[i] = patients[i].serve
	}
	c := newCluster(t, scripts...)
	c.zone.Origin.Health.Path, c.zone.Origin.Health.Interval = "/healthz", 10*time.Second
	return c, patients
}

// unbounded is a budget that is never used up.
func unbounded() flow.Lease { return new(lease) }

// TestChecks takes a server down after three bad checks, and up after two good ones.
func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, patients := infirmary(t, 2)
		p := compile(t, c.room, c.zone)
		time.Sleep(time.Minute)
		if n := len(patients[0].since()); n != 0 {
			t.Fatalf("%d checks before Checks, want none", n)
		}
		p.Checks(unbounded)
		time.Sleep(61 * time.Second)
		for i := range patients {
			checks := patients[i].since()
			if len(checks) < 5 {
				t.Errorf("%d checks in a minute, want 5 at least", len(checks))
			}
			for k := 1; k < len(checks); k++ {
				if gap := checks[k].Sub(checks[k-1]); gap < 9*time.Second || gap > 11*time.Second {
					t.Errorf("%v between checks, want 10s give or take a tenth", gap)
				}
			}
		}
		patients[0].answer.Store("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndown")
		time.Sleep(17 * time.Second) // three checks take 18 s at least, and 33 s at most
		c.wantNews()
		time.Sleep(17 * time.Second)
		c.wantNews("example http://192.0.2.1:80 false: health check: status 503, want 200-399")
		c.want("down", c.ask(p, 4), 0, 4, 0)
		s := p.Servers()[0]
		if s.Up || s.Checked.OK || s.Checked.Outcome != "status 503, want 200-399" || time.Since(s.Checked.Time) > 11*time.Second || s.Requests+s.Failures != 0 {
			t.Errorf("status %+v, want down by a check", s)
		}
		patients[0].answer.Store(bodylessOnce)
		time.Sleep(8 * time.Second)
		c.wantNews()
		time.Sleep(15 * time.Second)
		c.wantNews("example http://192.0.2.1:80 true: passed 2 checks in a row")
		if s := p.Servers()[0]; !s.Up || !s.Checked.OK || s.Checked.Outcome != "204" {
			t.Errorf("status %+v, want up by a check", s)
		}
		c.want("up again", c.ask(p, 4), 2, 2, 0)
		c.room.Close()
	})
}

func TestCheckOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		link   sim.Link
		script script
		want   string // "" if the server is well
	}{
		{"well", sim.Link{}, always(okOnce), ""},
		{"well, keeping the connection", sim.Link{}, always(ok), ""},
		{"interim responses", sim.Link{}, always("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okOnce), ""},
		{"in chunks", sim.Link{}, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), ""},
		{"a large head", sim.Link{}, answers("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 50<<10) + "\r\n\r\n"), ""},
		{"an endless body", sim.Link{}, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for err := error(nil); err == nil; _, err = io.WriteString(c, strings.Repeat("x", 1000)) {
			}
		}, ""},
		{"a silent body", sim.Link{}, silent("HTTP/1.1 200 OK\r\n\r\n"), ""},
		{"another status", sim.Link{}, always("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "status 404, want 200-399"},
		{"no connection", sim.Link{Refuse: true}, always(ok), "connection refused"},
		{"no connection in time", sim.Link{Blackhole: true}, always(ok), "no answer within 2s"},
		{"no answer", sim.Link{}, silent(""), "no answer within 2s"},
		{"half an answer", sim.Link{}, silent("HTTP/1.1 200 OK\r\n"), "no answer within 2s"},
		{"hangs up", sim.Link{}, func(_ net.Conn, r *bufio.Reader) { ask(r) }, "the origin closed the connection without an answer"},
		{"not http", sim.Link{}, answers("220 mail.example ESMTP\r\n\r\n"), "response: bad status line"},
		{"a huge head", sim.Link{}, answers("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10)), "response: head too long"},
		{"another protocol", sim.Link{}, answers(switching), errUnasked.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, tt.script)
				c.zone.Origin.Health.Path, c.zone.Origin.Health.Fall = "/", 1
				p := compile(t, c.room, c.zone)
				c.link(0, tt.link)
				taken := new(lease)
				(&checker{check: p.check, endpoint: p.servers[0].endpoint, take: func() flow.Lease { return taken }}).once(t.Context())
				s := p.Servers()[0]
				if s.Checked.OK != (tt.want == "") || s.Up != s.Checked.OK || !strings.Contains(s.Checked.Outcome, tt.want) {
					t.Errorf("status %+v, want %q", s, tt.want)
				}
				if n, idle := taken.count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
					t.Errorf("lease released %d times, %d idle connections, want 1 and 0", n, idle)
				}
			})
		})
	}
}

// TestStreamCheckOutcomes is TestCheckOutcomes over HTTP/2.
func TestStreamCheckOutcomes(t *testing.T) {
	status := func(text string) script {
		return saying(func(p *peer, id uint32) { p.head(id, true, ":status: "+text) })
	}
	tests := []struct {
		name   string
		link   sim.Link
		script script
		want   string // "" if the server is well
	}{
		{"well", sim.Link{}, status("204"), ""},
		{"interim responses", sim.Link{}, saying(func(p *peer, id uint32) {
			p.head(id, false, ":status: 103")
			p.head(id, true, ":status: 200")
		}), ""},
		{"an endless body", sim.Link{}, saying(func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			for range 100 {
				p.data(id, false, strings.Repeat("x", 2600)) // as far as our window goes
			}
			p.wait()
		}), ""},
		{"a silent body", sim.Link{}, saying(func(p *peer, id uint32) { p.head(id, false, ":status: 200"); p.wait() }), ""},
		{"another status", sim.Link{}, status("404"), "status 404, want 200-399"},
		{"no connection", sim.Link{Refuse: true}, status("204"), "connection refused"},
		{"no connection in time", sim.Link{Blackhole: true}, status("204"), "no answer within 2s"},
		{"no answer", sim.Link{}, frames((*peer).wait), "no answer within 2s"},
		{"hangs up", sim.Link{}, saying(func(p *peer, _ uint32) { p.conn.Close() }), "the connection ended"},
		{"gives up", sim.Link{}, saying(func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeInternal) }), "INTERNAL_ERROR"},
		{"not HTTP/2", sim.Link{}, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, ok)
			r.WriteTo(io.Discard)
		}, "the server answers in HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, tt.script)
				c.zone.Origin.Health.Path, c.zone.Origin.Health.Fall = "/", 1
				p := compile(t, c.room, overStreams(c.zone))
				c.link(0, tt.link)
				taken := new(lease)
				(&checker{check: p.check, endpoint: p.servers[0].endpoint, take: func() flow.Lease { return taken }}).once(t.Context())
				s := p.Servers()[0]
				if s.Checked.OK != (tt.want == "") || s.Up != s.Checked.OK || !strings.Contains(s.Checked.Outcome, tt.want) {
					t.Errorf("status %+v, want %q", s, tt.want)
				}
				if n := taken.count(); n != 1 {
					t.Errorf("lease released %d times, want 1", n)
				}
			})
		})
	}
}

// TestStreamCheckAsSent is what a server sees of a check over HTTP/2.
func TestStreamCheckAsSent(t *testing.T) {
	heard := make(chan []string, 1)
	room, z := streamWays[2].open(t, frames(func(p *peer) {
		f, ok := p.next().(*http2.MetaHeadersFrame)
		if !ok {
			return
		}
		var lines []string
		for _, field := range f.Fields {
			lines = append(lines, field.Name+": "+field.Value)
		}
		heard <- lines
		p.head(f.StreamID, true, ":status: 204")
		p.wait()
	}))
	z.Hosts, z.Origin.Health.Path = []string{"www.example.org"}, "/healthz?a=b"
	p := compile(t, room, z)
	(&checker{check: p.check, endpoint: p.servers[0].endpoint, take: unbounded}).once(t.Context())
	got := <-heard
	slices.Sort(got)
	want := []string{":authority: www.example.org", ":method: GET", ":path: /healthz?a=b", ":scheme: https", "accept: */*", "user-agent: seawall-health"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if s := p.Servers()[0]; !s.Checked.OK {
		t.Errorf("status %+v, want a check that was well", s)
	}
}

// TestCheckAsSent is what a server sees of a check.
func TestCheckAsSent(t *testing.T) {
	tests := []struct {
		name  string
		host  string
		hosts []string
		want  string
	}{
		{"the zone's first host", "", []string{"*.example.org", "www.example.org", "example.org"}, "www.example.org"},
		{"the owner's", "health.test:81", []string{"www.example.org"}, "health.test:81"},
		{"only wildcards", "", []string{"*.example.org", "*"}, "192.0.2.1:8080"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := zoneOf("http://192.0.2.1:8080")
			z.Hosts, z.Origin.Health.Host, z.Origin.Health.Path = tt.hosts, tt.host, "/healthz?a=b"
			got := string(compile(t, newRoom(t), z).check.request)
			want := "GET /healthz?a=b HTTP/1.1\r\nHost: " + tt.want + "\r\nUser-Agent: seawall-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChecksWithoutBudget are left out, and count as nothing.
func TestChecksWithoutBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, patients := infirmary(t, 1)
		p := compile(t, c.room, c.zone)
		var room atomic.Bool
		p.Checks(func() flow.Lease {
			if room.Load() {
				return new(lease)
			}
			return nil
		})
		time.Sleep(5 * time.Minute)
		if n, s := len(patients[0].since()), p.Servers()[0]; n != 0 || !s.Up || !s.Checked.Time.IsZero() {
			t.Errorf("%d checks, status %+v, want none and up", n, s)
		}
		room.Store(true)
		time.Sleep(12 * time.Second)
		if n := len(patients[0].since()); n == 0 {
			t.Error("no checks with room in the budget")
		}
		c.room.Close()
	})
}

// TestChecksEnd with the room, with another policy, and with a policy that has none.
func TestChecksEnd(t *testing.T) {
	tests := []struct {
		name  string
		end   func(c *cluster, z *spec.Zone) *Policy
		every time.Duration // from then on; 0 for never
		up    bool
	}{
		{"another interval", func(c *cluster, z *spec.Zone) *Policy {
			z.Origin.Health.Interval = time.Minute
			p := compile(c.t, c.room, z)
			p.Checks(unbounded)
			return p
		}, time.Minute, false},
		{"no checks", func(c *cluster, z *spec.Zone) *Policy {
			z.Origin.Health.Path = ""
			p := compile(c.t, c.room, z)
			p.Checks(unbounded)
			return p
		}, 0, true},
		{"not in force yet", func(c *cluster, z *spec.Zone) *Policy {
			z.Origin.Health.Interval = time.Minute
			return compile(c.t, c.room, z)
		}, 10 * time.Second, false},
		{"closed", func(c *cluster, z *spec.Zone) *Policy {
			c.room.Close()
			p := compile(c.t, c.room, z)
			p.Checks(unbounded)
			return p
		}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, patients := infirmary(t, 1)
				patients[0].answer.Store("HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
				p := compile(t, c.room, c.zone)
				p.Checks(unbounded)
				time.Sleep(time.Minute)
				z := *c.zone
				q := tt.end(c, &z)
				patients[0].since()
				time.Sleep(10 * time.Minute)
				checks := patients[0].since()
				if tt.every == 0 && len(checks) > 0 || tt.every > 0 && (len(checks) < int(9*time.Minute/tt.every) || len(checks) > int(11*time.Minute/tt.every)+1) {
					t.Errorf("%d checks in 10 minutes, want one every %v", len(checks), tt.every)
				}
				if up := q.Servers()[0].Up; up != tt.up {
					t.Errorf("up %v, want %v", up, tt.up)
				}
				c.room.Close()
				runtime.KeepAlive(p)
			})
		})
	}
}

// TestFrequentReloads must not keep checks from being made.
func TestFrequentReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, patients := infirmary(t, 1)
		for range 300 {
			p := compile(t, c.room, c.zone)
			p.Checks(unbounded)
			time.Sleep(time.Second)
			runtime.KeepAlive(p)
		}
		checks := patients[0].since()
		for k := 1; k < len(checks); k++ {
			if gap := checks[k].Sub(checks[k-1]); gap < 9*time.Second || gap > 12*time.Second {
				t.Errorf("%v between checks, want about 10s", gap)
			}
		}
		if n := len(checks); n < 20 {
			t.Errorf("%d checks in five minutes, want about 30", n)
		}
		c.room.Close()
	})
}

// TestForgottenPolicy makes no more checks once nothing refers to it.
func TestForgottenPolicy(t *testing.T) {
	room := newRoom(t)
	dialed := make(chan bool, 100)
	room.Dial = func(context.Context, string, string) (net.Conn, error) {
		dialed <- true
		return nil, errAny
	}
	z := zoneOf("http://192.0.2.1")
	z.Origin.Health.Path, z.Origin.Health.Interval = "/", minInterval
	p := compile(t, room, z)
	ended := make(chan bool)
	c := &checker{check: p.check, endpoint: p.servers[0].endpoint, policy: weak.Make(p), take: unbounded}
	go func() {
		c.run(t.Context())
		close(ended)
	}()
	<-dialed
	runtime.KeepAlive(p) // and no longer
	eventually(t, "ended", func() bool {
		runtime.GC()
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// TestPromise1ChecksCountAgainstTheBudget: checks and requests together never have more at the servers than there are shares.
func TestPromise1ChecksCountAgainstTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shares = 3
		var now, most, checks, requests atomic.Int64
		slow := func(c net.Conn, r *bufio.Reader) {
			for {
				q, _, isRequest := ask(r)
				if !isRequest {
					return
				}
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(1500 * time.Millisecond)
				if q.UserAgent() == "seawall-health" {
					checks.Add(1)
					time.Sleep(time.Duration(checks.Load()%3) * time.Second) // some are too late
				} else {
					requests.Add(1)
				}
				now.Add(-1)
				io.WriteString(c, ok)
			}
		}
		c := newCluster(t, slow, slow, slow, slow, slow, slow)
		c.zone.Origin.AllDown, c.zone.Origin.Health.Path, c.zone.Origin.Health.Interval = spec.AllDownTry, "/healthz", 2*time.Second
		p := compile(t, c.room, c.zone)
		budget := make(chan bool, shares)
		take := func() flow.Lease {
			select {
			case budget <- true:
				return counted{budget}
			default:
				return nil
			}
		}
		p.Checks(take)
		time.Sleep(time.Minute)
		var crowd sync.WaitGroup
		for range 4 {
			crowd.Go(func() {
				for asked := 0; asked < 10; {
					f := ordinary()
					if f.Admission.Lease = take(); f.Admission.Lease == nil {
						time.Sleep(100 * time.Millisecond)
						continue
					}
					p.Fetch(f)
					drain(f)
					asked++
				}
			})
		}
		crowd.Wait()
		if most.Load() != shares || checks.Load() < 20 || requests.Load() != 40 {
			t.Errorf("%d at the servers at one time, %d checks and %d requests, want %d, some and 40", most.Load(), checks.Load(), requests.Load(), shares)
		}
		c.room.Close()
	})
}

// counted is a share of a budget that counts.
type counted struct{ budget chan bool }

func (s counted) Attempt() bool        { return true }
func (s counted) Upgraded() flow.Lease { return nil }
func (s counted) Release()             { <-s.budget }

func TestParseStatuses(t *testing.T) {
	tests := []struct {
		text      string
		has, lack []int
	}{
		{"200", []int{200}, []int{199, 201}},
		{"200-399,404", []int{200, 301, 399, 404}, []int{199, 400, 403, 405}},
		{"204, 200-201", []int{200, 201, 204}, []int{202, 203}},
		{"100-599", []int{100, 599}, []int{0, 99, 600, 999}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			s, err := parseStatuses(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			for _, status := range tt.has {
				if !s.has(status) {
					t.Errorf("lacks %d", status)
				}
			}
			for _, status := range tt.lack {
				if s.has(status) {
					t.Errorf("has %d", status)
				}
			}
		})
	}
	for _, text := range []string{"", ",", "200,", "2xx", "399-200", "99", "600", "200-", "-200", "200-300-400", "+20", "0200", "2 0"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if s, err := parseStatuses(text); err == nil {
				t.Errorf("got %v, want an error", s)
			}
		})
	}
}
