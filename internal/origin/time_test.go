package origin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

const simulated = "192.0.2.1:80"

// simulate runs an origin on a network in memory, within the test's bubble.
func simulate(t *testing.T, link sim.Link, do script) (*Room, *spec.Zone) {
	t.Helper()
	return simulateAll(t, link, do)
}

// simulateAll is simulate with a script for each connection.
func simulateAll(t *testing.T, link sim.Link, scripts ...script) (*Room, *spec.Zone) {
	t.Helper()
	n := new(sim.Network)
	if err := n.SetLink(simulated, link); err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen(simulated)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, l, "http", scripts...)
	r := newRoom(t)
	r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return n.Dial(ctx, netip.AddrPort{}, address)
	}
	z := zoneOf(s.url)
	z.Origin.ConnectTimeout, z.Origin.ResponseTimeout, z.Origin.StallTimeout, z.Origin.IdleTimeout =
		4*time.Second, 20*time.Second, 8*time.Second, 40*time.Second
	return r, z
}

// silent says text, then nothing until the connection ends.
func silent(text string) script {
	return func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, text)
		r.ReadByte()
	}
}

func TestTimeouts(t *testing.T) {
	trickle := func(c net.Conn, r *bufio.Reader) {
		ask(r)
		for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "); err == nil; _, err = io.WriteString(c, "x") {
			time.Sleep(time.Second)
		}
	}
	tests := []struct {
		name    string
		link    sim.Link
		script  script
		body    string
		reason  flow.Reason
		status  int
		at      time.Duration // at the earliest; a quarter more at the latest
		stalled bool
	}{
		{"connecting", sim.Link{Blackhole: true}, silent(""), "", flow.OriginTimeout, 504, 4 * time.Second, false},
		{"no head", sim.Link{}, silent(""), "", flow.OriginTimeout, 504, 20 * time.Second, false},
		{"half a head", sim.Link{}, silent("HTTP/1.1 200 OK\r\n"), "", flow.OriginTimeout, 504, 20 * time.Second, false},
		{"slow head", sim.Link{}, trickle, "", flow.OriginTimeout, 504, 20 * time.Second, false},
		{"no head after an upload", sim.Link{}, silent(""), strings.Repeat("x", 100_000), flow.OriginTimeout, 504, 20 * time.Second, false},
		{"upload not read", sim.Link{Buffer: 1024}, func(c net.Conn, r *bufio.Reader) { time.Sleep(time.Hour) },
			strings.Repeat("x", 100_000), flow.OriginTimeout, 504, 20 * time.Second, false},
		{"stalled body", sim.Link{}, silent("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), "", flow.NoReason, 200, 8 * time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room, zone := simulate(t, tt.link, tt.script)
				p := compile(t, room, zone)
				f := ordinary()
				if tt.body != "" {
					posting(f, tt.body, true)
				}
				start := time.Now()
				p.Fetch(f)
				reason, status := flow.NoReason, f.Origin.Status
				if r := f.Origin.Refusal; r != nil {
					reason, status = r.Reason, r.Status
				}
				if reason != tt.reason || status != tt.status {
					t.Errorf("%d, refusal %+v, want %v and %d", f.Origin.Status, f.Origin.Refusal, tt.reason, tt.status)
				}
				if tt.stalled {
					if _, err := drain(f); !isTimeout(err) {
						t.Errorf("body's error %v, want a timeout", err)
					}
				}
				if took := time.Since(start); took < tt.at || took > tt.at*5/4 {
					t.Errorf("took %v, want %v to a quarter more", took, tt.at)
				}
				f.Admission.Lease.(*lease).wait()
				if n := f.Admission.Lease.(*lease).count(); n != 1 {
					t.Errorf("lease released %d times, want 1", n)
				}
			})
		})
	}
}

// slowly is content of which a byte comes each second.
type slowly struct{ left int }

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	s.left--
	p[0] = 'x'
	return 1, nil
}

// TestSlowUpload takes longer than every timeout of the origin's: none of them is about the client.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, always(ok))
		p := compile(t, room, zone)
		f := posting(ordinary(), "", false)
		f.Exchange.(*client).body = &slowly{300}
		p.Fetch(f)
		if body, err := drain(f); body != "ok" || err != nil {
			t.Errorf("body %q, %v, refusal %+v, want ok", body, err, f.Origin.Refusal)
		}
	})
}

// TestIdleTimeout closes connections that nobody needs, and those only.
func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, always(ok))
		p := compile(t, room, zone)
		fetch := func(wantReused bool) {
			t.Helper()
			f := ordinary()
			p.Fetch(f)
			drain(f)
			if f.Origin.Reused != wantReused {
				t.Errorf("reused %v, want %v", f.Origin.Reused, wantReused)
			}
		}
		fetch(false)
		for range 10 {
			time.Sleep(30 * time.Second) // longer than the deadlines of the last exchange
			fetch(true)
		}
		time.Sleep(42 * time.Second)
		if n := p.servers[0].idleCount(); n != 0 {
			t.Errorf("%d idle connections after the idle timeout, want 0", n)
		}
		fetch(false)
	})
}

// TestIdleTimeoutsDiffer where a policy takes the place of another.
func TestIdleTimeoutsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, always(ok))
		p := compile(t, room, zone)
		for _, idle := range []time.Duration{40 * time.Second, 10 * time.Second, 20 * time.Second} {
			c, err := p.servers[0].dial(t.Context(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			p.servers[0].put(c, time.Now().Add(idle), p.maxIdle)
		}
		for _, want := range []int{3, 2, 1, 1, 0} {
			if n := p.servers[0].idleCount(); n != want {
				t.Errorf("%d idle connections, want %d", n, want)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
	})
}

// TestPoolBound keeps no more connections than the budget allows requests.
func TestPoolBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, always(ok))
		zone.Budget.Concurrent = 2
		p := compile(t, room, zone)
		var conns []*conn
		for range 4 {
			c, err := p.servers[0].dial(t.Context(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			p.servers[0].put(c, time.Now().Add(time.Minute), p.maxIdle)
		}
		if n := p.servers[0].idleCount(); n != 2 {
			t.Errorf("%d idle connections, want 2", n)
		}
	})
}

// TestClientLeavesWhileDialing must not wait for the connection.
func TestClientLeavesWhileDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{Blackhole: true}, always(ok))
		p := compile(t, room, zone)
		f := ordinary()
		time.AfterFunc(time.Second, f.Abort.Fire)
		start := time.Now()
		p.Fetch(f)
		if r := f.Origin.Refusal; r == nil || r.Reason != flow.ClientGone || time.Since(start) != time.Second {
			t.Errorf("refusal %+v after %v, want ClientGone after 1s", r, time.Since(start))
		}
		if n := f.Admission.Lease.(*lease).count(); n != 1 {
			t.Errorf("lease released %d times, want 1", n)
		}
	})
}

// TestInterruptedConnection lets a client leave after its response is complete: whether or not the news reached the connection, the
// next request must succeed.
func TestInterruptedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, always(ok))
		p := compile(t, room, zone)
		f := ordinary()
		p.Fetch(f)
		f.Abort.Fire()
		drain(f)
		g := ordinary()
		p.Fetch(g)
		if body, err := drain(g); body != "ok" || err != nil || !g.Origin.Reused {
			t.Errorf("body %q, %v, reused %v, want ok on the same connection", body, err, g.Origin.Reused)
		}
		c := p.servers[0].get()
		c.Interrupt()
		x := newExchange()
		x.policy, x.flow, x.conn = p, ordinary(), c
		x.goTo(&p.servers[0])
		if x.over(true); p.servers[0].idleCount() != 0 {
			t.Error("an interrupted connection was kept")
		}
	})
}

func TestStalledBodyIsNoTruncation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{CutDown: 50}, silent("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"+strings.Repeat("x", 50)))
		p := compile(t, room, zone)
		f := ordinary()
		p.Fetch(f)
		if _, err := drain(f); !errors.Is(err, io.ErrUnexpectedEOF) || isTimeout(err) {
			t.Errorf("a body that was cut: %v, want io.ErrUnexpectedEOF", err)
		}
	})
}

// TestSlowUploadsInTurn sends content that comes slowly, again and again on one connection: the deadlines of one request must not be
// the next one's.
func TestSlowUploadsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, func(c net.Conn, r *bufio.Reader) {
			for {
				if _, _, ok := ask(r); !ok {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
				time.Sleep(time.Millisecond)
				io.WriteString(c, "ok")
			}
		})
		zone.Origin.StallTimeout = zone.Origin.ResponseTimeout // so that deadlines need no renewal
		p := compile(t, room, zone)
		for i := range 3 {
			const rest = 5
			f := posting(ordinary(), strings.Repeat("x", bufferSize+1+rest), true)
			f.Request.Method = "PUT" // which may go over a connection that can't be looked at
			f.Exchange.(*client).body = io.MultiReader(strings.NewReader(strings.Repeat("x", bufferSize+1)), &slowly{left: rest})
			p.Fetch(f)
			if body, err := drain(f); body != "ok" || err != nil || f.Origin.Reused != (i > 0) {
				t.Fatalf("upload %d: body %q, %v, %+v, want ok on the same connection", i+1, body, err, f.Origin)
			}
		}
	})
}

// TestBrokenUploadEnds has an origin take some of the content and then neither take nor say anything: the wait for its answer is bounded.
func TestBrokenUploadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{Buffer: 1024}, func(net.Conn, *bufio.Reader) { time.Sleep(time.Hour) })
		p := compile(t, room, zone)
		f := posting(ordinary(), strings.Repeat("x", 4*bufferSize), true)
		start := time.Now()
		p.Fetch(f)
		if r := f.Origin.Refusal; r == nil || r.Reason != flow.OriginTimeout || time.Since(start) > time.Minute {
			t.Errorf("refusal %+v after %v, want OriginTimeout within a minute", r, time.Since(start))
		}
		f.Admission.Lease.(*lease).wait()
	})
}
