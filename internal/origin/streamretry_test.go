package origin

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
)

// TestStreamRetries has the first connection do something else than answer, to its first request or its second; later connections echo.
func TestStreamRetries(t *testing.T) {
	echo := func(p *peer) {
		for {
			id, content := p.ask()
			if id == 0 {
				return
			}
			p.head(id, false, ":status: 200")
			p.data(id, true, content)
		}
	}
	goesAway := func(p *peer, id uint32) { p.WriteGoAway(max(id, 2)-2, http2.ErrCodeNo, nil) }
	refuses := func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeRefusedStream) }
	closes := func(p *peer, _ uint32) { p.conn.Close() }
	takesAlong := func(p *peer, id uint32) {
		p.WriteGoAway(id, http2.ErrCodeNo, nil)
		p.conn.Close()
	}
	begins := func(p *peer, id uint32) {
		p.head(id, false, ":status: 103")
		p.conn.Close()
	}
	breaks := func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeInternal) }
	type result struct {
		Status, Attempts, Asked int
		Reused                  bool
		Body                    string
	}
	const some = "hello"
	much := strings.Repeat("x", bufferSize+1)
	tests := []struct {
		name    string
		method  string
		content string
		used    bool // the connection has had a request before
		act     func(p *peer, id uint32)
		retries int
		refuse  bool // no budget for more
		want    result
	}{
		{"goes away", "GET", "", true, goesAway, 1, false, result{200, 1, 0, false, ""}},
		{"goes away, no retries", "GET", "", true, goesAway, 0, false, result{200, 1, 0, false, ""}},
		{"goes away, content", "POST", some, true, goesAway, 1, false, result{200, 1, 0, false, some}},
		{"goes away, much content", "POST", much, true, goesAway, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"goes away when new", "POST", some, false, goesAway, 1, false, result{200, 2, 1, false, some}},
		{"goes away when new, no retries", "GET", "", false, goesAway, 0, false, result{Status: 502, Attempts: 1}},
		{"refuses", "GET", "", true, refuses, 1, false, result{200, 2, 1, true, ""}},
		{"refuses content", "POST", some, true, refuses, 1, false, result{200, 2, 1, true, some}},
		{"refuses much content", "PUT", much, true, refuses, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"refuses when new", "POST", some, false, refuses, 1, false, result{200, 2, 1, true, some}},
		{"refuses, no retries", "GET", "", true, refuses, 0, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"refuses, no budget", "GET", "", true, refuses, 1, true, result{Status: 502, Attempts: 1, Asked: 1, Reused: true}},
		{"closes", "GET", "", true, closes, 1, false, result{200, 2, 1, false, ""}},
		{"closes when new", "GET", "", false, closes, 1, false, result{Status: 502, Attempts: 1}},
		{"closes, not idempotent", "POST", "", true, closes, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"closes, content", "PUT", some, true, closes, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"goes away with it", "GET", "", true, takesAlong, 1, false, result{200, 2, 1, false, ""}},
		{"goes away with it, not idempotent", "POST", some, true, takesAlong, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"response began", "GET", "", true, begins, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
		{"breaks", "GET", "", true, breaks, 1, false, result{Status: 502, Attempts: 1, Reused: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room, zone := streamWays[0].open(t, frames(func(p *peer) {
				if tt.used {
					id, _ := p.ask()
					p.head(id, true, ":status: 204")
				}
				id, _ := p.ask()
				tt.act(p, id)
				echo(p)
			}), frames(echo))
			zone.Origin.Retries = tt.retries
			p := compile(t, room, zone)
			if tt.used {
				if f := ordinary(); true {
					p.Fetch(f)
					settled(t, p, f)
				}
			}
			f := ordinary()
			if tt.content != "" {
				posting(f, tt.content, tt.content == some)
			}
			f.Request.Method = tt.method
			l := f.Admission.Lease.(*lease)
			l.refuse = tt.refuse
			p.Fetch(f)
			got := result{Status: f.Origin.Status, Attempts: f.Origin.Attempts, Asked: l.attempts, Reused: f.Origin.Reused}
			if r := f.Origin.Refusal; r != nil {
				got.Status = r.Status
			}
			got.Body, _ = drain(f)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%.500s\nrefusal: %+v", diff, f.Origin.Refusal)
			}
			settled(t, p, f)
		})
	}
}

// TestStreamAnotherServer has a first server that fails in some way, and a second that is well.
func TestStreamAnotherServer(t *testing.T) {
	well := saying(func(p *peer, id uint32) { p.head(id, true, ":status: 204") })
	tests := []struct {
		name     string
		content  bool
		link     sim.Link
		script   script
		server   int // that is asked in the end
		failures uint64
		asked    int
	}{
		{"no connection", true, sim.Link{Refuse: true}, well, 2, 1, 1},
		{"no connection in time", true, sim.Link{Blackhole: true}, well, 2, 1, 1},
		{"speaks HTTP/1.1", true, sim.Link{}, always(ok), 2, 1, 1},
		{"allows no streams", true, sim.Link{}, frames((*peer).wait, http2.Setting{ID: http2.SettingMaxConcurrentStreams}), 2, 1, 1},
		{"refuses", true, sim.Link{}, saying(func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeRefusedStream) }), 2, 1, 1},
		{"goes away", true, sim.Link{}, saying(func(p *peer, id uint32) { p.WriteGoAway(0, http2.ErrCodeNo, nil) }), 2, 1, 1},
		{"closes", false, sim.Link{}, saying(func(p *peer, id uint32) { p.conn.Close() }), 2, 1, 1},
		{"closes, content", true, sim.Link{}, saying(func(p *peer, id uint32) { p.conn.Close() }), 1, 1, 0},
		{"breaks", false, sim.Link{}, saying(func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeInternal) }), 1, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, tt.script, well)
				c.link(0, tt.link)
				c.zone.Origin.Retries = 1
				p := compile(t, c.room, overStreams(c.zone))
				f := ordinary()
				if tt.content {
					posting(f, "hello", true)
				}
				p.Fetch(f)
				if f.Origin.Address != c.address(tt.server-1) || (f.Origin.Status == 204) != (tt.server == 2) {
					t.Errorf("status %d by %s, want server %d; refusal %+v", f.Origin.Status, f.Origin.Address, tt.server, f.Origin.Refusal)
				}
				if got := p.Servers()[0].Failures; got != tt.failures {
					t.Errorf("%d failures of the first server, want %d", got, tt.failures)
				}
				if got := f.Admission.Lease.(*lease).attempts; got != tt.asked {
					t.Errorf("asked the budget %d times, want %d", got, tt.asked)
				}
				settled(t, p, f)
			})
		})
	}
}

// TestStreamBlameless sends what cannot be sent: that is no server's fault.
func TestStreamBlameless(t *testing.T) {
	room, zone := streamWays[0].open(t, frames((*peer).wait, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 2000}))
	p := compile(t, room, zone)
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		reason flow.Reason
		status int
	}{
		{"too large", func(f *flow.Flow) {
			f.Request.Fields = []flow.Field{{Name: "Cookie", Value: strings.Repeat("x", 2000)}}
		}, flow.TooLarge, 431},
		{"impossible host", func(f *flow.Flow) { f.Request.Authority = "a b" }, flow.Malformed, 400},
		{"impossible value", func(f *flow.Flow) { f.Request.Fields = []flow.Field{{Name: "X", Value: "\x00"}} }, flow.Malformed, 400},
		{"no WebSockets", func(f *flow.Flow) { f.Request.Upgrade = "websocket" }, flow.Unsupported, 501},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := ordinary()
			tt.change(f)
			p.Fetch(f)
			if r := f.Origin.Refusal; r == nil || r.Reason != tt.reason || r.Status != tt.status {
				t.Errorf("refusal %+v, want %v with %d", r, tt.reason, tt.status)
			}
			if s := p.Servers()[0]; s.Failures != 0 || f.Origin.Attempts != 0 {
				t.Errorf("%d failures, %s, %d attempts, want none", s.Failures, s.Why, f.Origin.Attempts)
			}
			settled(t, p, f)
		})
	}
}

// TestStreamPlaces asks many things at once of servers that allow few streams, and answer when all have come that can.
func TestStreamPlaces(t *testing.T) {
	tests := []struct {
		name           string
		allowed        uint32
		concurrent, at int // the budget, which bounds connections, and requests at once
		together, want int // requests that come together, and connections
	}{
		{"one for all", 100, 64, 20, 20, 1},
		{"one each", 1, 64, 5, 5, 5},
		{"two each", 2, 64, 6, 6, 3},
		{"in turns", 1, 2, 10, 2, 2},
		{"many for few", 3, 2, 60, 6, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var held []func()
			room, zone := streamWays[0].open(t, frames(func(p *peer) {
				open := uint32(0) // streams of this connection
				for id, _ := p.request(); id != 0; id, _ = p.request() {
					mu.Lock()
					if open++; open > tt.allowed {
						t.Errorf("%d streams at once, %d are allowed", open, tt.allowed)
					}
					held = append(held, func() {
						open--
						p.head(id, true, ":status: 204")
					})
					if len(held) == tt.together {
						for _, answer := range held {
							answer()
						}
						held = nil
					}
					mu.Unlock()
				}
			}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: tt.allowed}))
			zone.Budget.Concurrent, zone.Budget.Upgrades = tt.concurrent, 0
			p := compile(t, room, zone)
			var wait sync.WaitGroup
			for range tt.at {
				wait.Go(func() {
					f := ordinary()
					if p.Fetch(f); f.Origin.Status != 204 {
						t.Errorf("refusal %+v, want 204", f.Origin.Refusal)
					}
				})
			}
			wait.Wait()
			if all, _ := connections(p, 0); all != tt.want {
				t.Errorf("%d connections, want %d", all, tt.want)
			}
			eventually(t, "all idle", func() bool { all, idle := connections(p, 0); return all == idle })
		})
	}
}

// TestStreamNoPlace waits for a place as long as for a connection.
func TestStreamNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, frames((*peer).wait, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}))
		zone.Budget.Concurrent, zone.Budget.Upgrades, zone.Origin.Retries = 1, 0, 0
		p := compile(t, room, overStreams(zone))
		first, second := ordinary(), ordinary()
		go p.Fetch(first)
		synctest.Wait()
		start := time.Now()
		p.Fetch(second)
		if r := second.Origin.Refusal; r == nil || r.Reason != flow.OriginTimeout || second.Origin.Attempts != 0 || !strings.Contains(r.Detail, "a free stream on 1 connections") {
			t.Errorf("refusal %+v after %d attempts, want OriginTimeout after none", r, second.Origin.Attempts)
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("took %v, want 4s", took)
		}
		first.Abort.Fire()
		first.Admission.Lease.(*lease).wait()
		settled(t, p, second)
	})
}

// TestStreamIdleTimeout closes connections that nobody needs, and those only.
func TestStreamIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, saying(func(p *peer, id uint32) { p.head(id, true, ":status: 204") }))
		p := compile(t, room, overStreams(zone))
		fetch := func(wantReused bool) {
			t.Helper()
			f := ordinary()
			if p.Fetch(f); f.Origin.Status != 204 || f.Origin.Reused != wantReused {
				t.Errorf("status %d, reused %v, want 204 and %v", f.Origin.Status, f.Origin.Reused, wantReused)
			}
		}
		fetch(false)
		for range 10 {
			time.Sleep(30 * time.Second)
			fetch(true)
		}
		time.Sleep(39 * time.Second)
		if all, _ := connections(p, 0); all != 1 {
			t.Errorf("%d connections before the idle timeout, want 1", all)
		}
		time.Sleep(2 * time.Second)
		if all, _ := connections(p, 0); all != 0 {
			t.Errorf("%d connections after the idle timeout, want 0", all)
		}
		fetch(false)
	})
}

// TestStreamDeadConnection has a connection die without a word: who waits on it gets an answer from another one, long before the time
// for an answer is over.
func TestStreamDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dies := frames(func(p *peer) {
			id, _ := p.ask()
			p.head(id, true, ":status: 204")
			p.mute = true
			p.wait()
		})
		room, zone := simulateAll(t, sim.Link{}, dies, saying(func(p *peer, id uint32) { p.head(id, true, ":status: 204") }))
		zone.Origin.ResponseTimeout = time.Hour
		p := compile(t, room, overStreams(zone))
		for i, want := range []time.Duration{0, 20 * time.Second, 0} {
			f, start := ordinary(), time.Now()
			p.Fetch(f)
			if took := time.Since(start); f.Origin.Status != 204 || took != want {
				t.Errorf("request %d: status %d after %v, want 204 after %v; refusal %+v", i, f.Origin.Status, took, want, f.Origin.Refusal)
			}
			settled(t, p, f)
		}
	})
}

// TestStreamSuspect has an answer not come in time, and nothing else come either: the connection is used no more.
func TestStreamSuspect(t *testing.T) {
	for _, lively := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			sulks := frames(func(p *peer) {
				id, _ := p.ask()
				p.head(id, true, ":status: 204")
				for f := p.next(); f != nil; f = p.next() {
					if h, ok := f.(*http2.MetaHeadersFrame); ok && h.StreamID > id+2 {
						p.head(h.StreamID, true, ":status: 204")
					} else if lively {
						time.Sleep(time.Second)
						p.WritePing(false, [8]byte{1})
					}
				}
			})
			room, zone := simulateAll(t, sim.Link{}, sulks, saying(func(p *peer, id uint32) { p.head(id, true, ":status: 204") }))
			zone.Origin.ResponseTimeout = 5 * time.Second
			p := compile(t, room, overStreams(zone))
			for i, want := range []struct {
				status int
				reused bool
			}{{204, false}, {504, true}, {204, lively}} {
				f := ordinary()
				p.Fetch(f)
				status := f.Origin.Status
				if r := f.Origin.Refusal; r != nil {
					status = r.Status
				}
				if status != want.status || f.Origin.Reused != want.reused {
					t.Errorf("lively %v, request %d: status %d, reused %v, want %+v", lively, i, status, f.Origin.Reused, want)
				}
				settled(t, p, f)
			}
		})
	}
}

// TestStreamPings counts the pings of an hour in which an origin sends something every 20 minutes. A gRPC server ends a connection on
// which more than two pings come, without an answer of its own between, within five minutes of one another.
func TestStreamPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings, answers []time.Time
		room, zone := simulate(t, sim.Link{}, frames(func(p *peer) {
			id, _ := p.request()
			p.head(id, false, ":status: 200")
			answers = append(answers, time.Now())
			go func() {
				for range 3 {
					time.Sleep(20 * time.Minute)
					answers = append(answers, time.Now())
					p.data(id, false, "x")
				}
				p.data(id, true, "")
			}()
			p.wait()
			pings = p.pings
		}))
		zone.Origin.StallTimeout = time.Hour
		p := compile(t, room, overStreams(zone))
		f := ordinary()
		p.Fetch(f)
		if body, err := drain(f); body != "xxx" || err != nil {
			t.Fatalf("body %q, %v, want xxx", body, err)
		}
		settled(t, p, f)
		p.room.Close()
		synctest.Wait()
		if len(pings) < 10 {
			t.Errorf("%d pings in an hour, want more: nobody looked after the connection", len(pings))
		}
		strikes, last := 0, time.Time{}
		for _, ping := range pings {
			if len(answers) > 0 && !answers[0].After(ping) {
				answers, strikes = answers[1:], 0
			} else if ping.Sub(last) < 5*time.Minute {
				strikes++
			}
			if last = ping; strikes > 1 {
				t.Errorf("%d pings too early, the last at %v", strikes, ping)
			}
		}
	})
}

// TestStreamHandshake meets servers that do not speak HTTP/2.
func TestStreamHandshake(t *testing.T) {
	tests := []struct {
		name      string
		protocols []string // nil for no TLS
		detail    string
	}{
		{"HTTP/1.1", nil, "the server answers in HTTP/1.1"},
		{"no protocols", []string{}, errNoHTTP2.Error()},
		{"other protocols", []string{"http/1.1"}, "no application protocol"},
		{"HTTP/1.1 in spite of it all", []string{"h2"}, "the server answers in HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, scheme := loopback(t), "http"
			z := zoneOf("")
			if tt.protocols != nil {
				ca, config := identityFor(t, tt.protocols...)
				l, scheme, z.Origin.TLS.CA = tls.NewListener(l, config), "https", ca
			}
			z.Origin.Servers[0].URL = serve(t, l, scheme, func(c net.Conn, r *bufio.Reader) {
				http.ReadRequest(r)
				io.WriteString(c, "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\r\n")
				r.WriteTo(io.Discard)
			}).url
			p := compile(t, newRoom(t), overStreams(z))
			f := ordinary()
			p.Fetch(f)
			if r := f.Origin.Refusal; r == nil || r.Reason != flow.OriginUnreachable || !strings.Contains(r.Detail, tt.detail) || f.Origin.Attempts != 0 {
				t.Errorf("refusal %+v, want OriginUnreachable as %q", r, tt.detail)
			}
			settled(t, p, f)
		})
	}
}

func TestStreamRecompile(t *testing.T) {
	dials := 0
	r := newRoom(t)
	r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	z := goServer(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	fetch := func(p *Policy) {
		t.Helper()
		f := ordinary()
		p.Fetch(f)
		settled(t, p, f)
		if f.Origin.Status != 204 {
			t.Errorf("refusal %+v, want 204", f.Origin.Refusal)
		}
	}
	first := compile(t, r, z)
	fetch(first)
	z.Origin.IdleTimeout++
	if fetch(compile(t, r, z)); dials != 1 {
		t.Errorf("%d dials after the same origin was compiled again, want 1", dials)
	}
	z.Origin.Servers[0].URL += "/"
	other := compile(t, r, z)
	if fetch(other); dials != 2 {
		t.Errorf("%d dials after the origin's settings changed, want 2", dials)
	}
	z.Origin.Protocol = "http/1.1"
	third := compile(t, r, z)
	f := ordinary()
	if third.Fetch(f); f.Origin.Status == 204 || dials < 3 {
		t.Errorf("status %d after %d dials over HTTP/1.1, want none from a server of HTTP/2", f.Origin.Status, dials)
	}
	r.Close()
	for _, p := range []*Policy{first, other} {
		eventually(t, "no connections after Close", func() bool { all, _ := connections(p, 0); return all == 0 })
	}
	fetch(other)
	eventually(t, "no connection kept after Close", func() bool { all, _ := connections(other, 0); return all == 0 })
}
