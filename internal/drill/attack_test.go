package drill

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
	"github.com/seawall/seawall/internal/sim"
)

// siege is what an assault is played against, and what came of it.
type siege struct {
	tls     bool
	front   http.Handler  // in the place of the site; nil: nothing
	stuck   bool          // nothing is answered
	visitor []netip.Addr  // claimed before
	stop    time.Duration // 0: when the last attack ends

	assault            *assault
	took               time.Duration
	offered, withheld  int
	outcomes           map[string]int
	origin             site.Counts
	connections        meter
	protocols, servers map[string]int
	requests           []string // as they came: address, connection, method, target and User-Agent
	edit               func(*assault)
}

// one is a scenario of one attack from the first second to the third.
func one(a scenario.Attack) *scenario.Scenario {
	a.Name, a.From, a.Until = "one", time.Second, 3*time.Second
	if a.Sources.Count == 0 {
		a.Sources.Count = 20
	}
	if a.Agent == "" {
		a.Agent = "browsers"
	}
	return &scenario.Scenario{Seed: 1, Length: 5 * time.Second, Patience: 5 * time.Second, Attacks: []scenario.Attack{a}}
}

// meter counts connections while they are open.
type meter struct {
	mu         sync.Mutex
	open, most int
}

func (m *meter) count(nc net.Conn) net.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	m.most = max(m.most, m.open)
	return &metered{Conn: nc, closed: sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.open--
	})}
}

type metered struct {
	net.Conn
	closed func()
}

func (m *metered) Close() error {
	m.closed()
	return m.Conn.Close()
}

// lay plays the attacks of s in a bubble, which fails if they leave a goroutine behind.
func (w *siege) lay(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	content := printed()
	w.protocols, w.servers = map[string]int{}, map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		var network sim.Network
		c := &clock{start: time.Now()}
		tr := newTruth(c)
		for _, a := range w.visitor {
			tr.claim(a, site.Visitor)
		}
		origin, closeAll := w.open(t, &network, content, tr)
		defer closeAll()
		d := &wire.Dialer{
			Target: wire.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Host: "harbour.test", TLS: w.tls},
			Connect: func(ctx context.Context, source netip.Addr) (net.Conn, error) {
				nc, err := network.Dial(ctx, netip.AddrPortFrom(source, 0), "127.0.0.1:80")
				if err != nil {
					return nil, err
				}
				return w.connections.count(nc), nil
			},
		}
		var err error
		if w.assault, err = newAssault(s, d, content, c, tr); err != nil {
			t.Fatal(err)
		}
		if w.edit != nil {
			w.edit(w.assault)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if w.stop > 0 {
			defer time.AfterFunc(w.stop, cancel).Stop()
		}
		w.assault.run(ctx)
		w.took = c.now()
		w.offered, w.withheld, _, w.outcomes = w.assault.totals()
		time.Sleep(time.Second) // what was cut off on our side is noticed on the other
		w.origin = origin.Counts()
		if p := w.assault.field.pool; len(p.links) > 0 || p.idle.next != &p.idle || len(w.assault.field.visits.byBot) > 0 {
			t.Errorf("%d connections and %d visits are left", len(p.links), len(w.assault.field.visits.byBot))
		}
	})
}

// open starts the site, and what is before it.
func (w *siege) open(t *testing.T, network *sim.Network, content *site.Content, tr *truth) (*site.Site, func()) {
	t.Helper()
	listen := func(addr string) net.Listener {
		l, err := network.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	origin, err := site.Serve(site.Config{Workers: 64, Backlog: 256, Page: time.Millisecond, Asset: time.Millisecond}, listen("127.0.0.1:8080"), "harbour.test", content, tr.who)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var handler http.Handler = origin
	switch {
	case w.stuck:
		handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over })
	case w.front != nil:
		handler = w.front
	}
	var mu sync.Mutex
	front := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			mu.Lock()
			w.protocols[r.Proto+" "+r.Host]++
			w.requests = append(w.requests, r.RemoteAddr+" "+r.Method+" "+r.RequestURI+" "+r.UserAgent())
			mu.Unlock()
			handler.ServeHTTP(rw, r)
		}),
	}
	l := listen("127.0.0.1:80")
	if w.tls {
		front.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			mu.Lock()
			defer mu.Unlock()
			w.servers[h.ServerName]++
			return nil, nil
		}}
		go front.ServeTLS(l, "", "")
	} else {
		go front.Serve(l)
	}
	return origin, func() {
		close(over)
		front.Close()
		origin.Close()
	}
}

// Every kind of attack plays, ends when it is to, and leaves nothing.
func TestAttackKinds(t *testing.T) {
	get := []scenario.Request{{Method: "GET", Path: "/search?q={words}"}}
	tests := []struct {
		name    string
		tls     bool
		attack  scenario.Attack
		reaches bool // the site
		most    int  // connections at once; 0: as many as begun
	}{
		{"requests", false, scenario.Attack{Kind: scenario.Requests, Rate: 100, Requests: get}, true, 20},
		{"requests over TLS", true, scenario.Attack{Kind: scenario.Requests, Rate: 50, Requests: get}, true, 20},
		{"requests of tools", false, scenario.Attack{Kind: scenario.Requests, Rate: 100, Agent: "tools", Requests: get}, true, 20},
		{"requests made up", true, scenario.Attack{Kind: scenario.Requests, Rate: 50, Agent: "random", Requests: get}, true, 0},
		{"sessions", false, scenario.Attack{Kind: scenario.Sessions, Rate: 50, Agent: "chrome"}, true, 120},
		{"sessions over TLS", true, scenario.Attack{Kind: scenario.Sessions, Rate: 50, Agent: "chrome"}, true, 20},
		{"handshakes", true, scenario.Attack{Kind: scenario.Handshakes, Rate: 40}, false, 0},
		{"resets", true, scenario.Attack{Kind: scenario.Resets, Rate: 100, Agent: "chrome", Requests: get}, true, 20},
		{"slow head", false, scenario.Attack{Kind: scenario.SlowHead, Rate: 20}, false, 40},
		{"slow head over TLS", true, scenario.Attack{Kind: scenario.SlowHead, Rate: 20}, false, 40},
		{"slow body", false, scenario.Attack{Kind: scenario.SlowBody, Rate: 20}, true, 40},
		{"slow read", false, scenario.Attack{Kind: scenario.SlowRead, Rate: 20}, true, 40},
		{"slow read over TLS", true, scenario.Attack{Kind: scenario.SlowRead, Rate: 20, Agent: "chrome"}, true, 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := siege{tls: tt.tls}
			s := one(tt.attack)
			w.lay(t, s)
			if w.took < 3*time.Second || w.took > 4*time.Second {
				t.Errorf("ended at %v, want 3s", w.took)
			}
			want := int(2 * tt.attack.Rate)
			if w.offered < want*7/10 || w.offered > want*13/10 {
				t.Errorf("%d begun, want about %d", w.offered, want)
			}
			if got := w.origin.Attacker; (got > 0) != tt.reaches || got > w.offered {
				t.Errorf("%d of %d reached the site, want some: %v", got, w.offered, tt.reaches)
			}
			if w.origin.Visitor+w.origin.Unknown > 0 {
				t.Errorf("the site counts %d visitors and %d unknown, want neither", w.origin.Visitor, w.origin.Unknown)
			}
			if most := w.connections.most; most == 0 || tt.most > 0 && most > tt.most {
				t.Errorf("%d connections at once, want at most %d", most, tt.most)
			}
			sum := 0
			for _, n := range w.outcomes {
				sum += n
			}
			if sum != w.offered || w.withheld > 0 {
				t.Errorf("%d begun, %d withheld, outcomes %v", w.offered, w.withheld, w.outcomes)
			}
		})
	}
}

// The same seed sends the same requests from the same addresses, and another seed others.
func TestAttackIsDeterministic(t *testing.T) {
	play := func(seed uint64) []string {
		s := one(scenario.Attack{Kind: scenario.Requests, Rate: 100, Requests: []scenario.Request{
			{Path: "/search?q={words}&n={number}", Weight: 3}, {Path: "{article}?v={random}"},
			{Method: "POST", Path: "/login", Body: "user={user}&password={password}"},
		}})
		s.Seed = seed
		var w siege
		w.lay(t, s)
		for i, r := range w.requests {
			source, rest, _ := strings.Cut(r, ":")
			_, rest, _ = strings.Cut(rest, " ") // ports are the network's
			w.requests[i] = source + " " + rest
		}
		slices.Sort(w.requests)
		return w.requests
	}
	a, b, other := play(1), play(1), play(2)
	if !slices.Equal(a, b) || len(a) == 0 {
		t.Error("same seed, other requests")
	}
	if slices.Equal(a, other) {
		t.Error("another seed, same requests")
	}
}

// An attack on another name says so in Host and in its hello, where an address has no place (RFC 6066 §3).
func TestAttackHosts(t *testing.T) {
	tests := []struct{ host, wantHost, wantServer string }{
		{"", "harbour.test", "harbour.test"},
		{"unknown.test", "unknown.test", "unknown.test"},
		{"address", "127.0.0.1", ""},
	}
	for _, tt := range tests {
		for _, agent := range []string{"chrome", "firefox", "safari", "go", "curl"} {
			t.Run(tt.host+" "+agent, func(t *testing.T) {
				w := siege{tls: true}
				w.lay(t, one(scenario.Attack{
					Kind: scenario.Requests, Rate: 5, Host: tt.host, Agent: agent, Requests: []scenario.Request{{Path: "/"}},
				}))
				for request := range w.protocols {
					if _, host, _ := strings.Cut(request, " "); host != tt.wantHost {
						t.Errorf("asked for host %q, want %q", host, tt.wantHost)
					}
				}
				if len(w.servers) != 1 || w.servers[tt.wantServer] == 0 || len(w.protocols) == 0 {
					t.Errorf("requests %v, server names %v, want %q", w.protocols, w.servers, tt.wantServer)
				}
			})
		}
	}
}

// An attack ends at once when the drill does, whatever its connections wait for.
func TestAttackIsStopped(t *testing.T) {
	for _, kind := range []scenario.AttackKind{
		scenario.Requests, scenario.Sessions, scenario.Handshakes, scenario.Resets, scenario.SlowHead, scenario.SlowBody, scenario.SlowRead,
	} {
		t.Run(string(kind), func(t *testing.T) {
			w := siege{tls: true, stuck: true, stop: 1500 * time.Millisecond}
			s := one(scenario.Attack{Kind: kind, Rate: 20, Agent: "chrome", Requests: []scenario.Request{{Path: "/"}}})
			s.Patience = time.Minute
			w.lay(t, s)
			if w.offered == 0 || w.took > 1600*time.Millisecond {
				t.Errorf("%d begun, ended at %v, want some and 1.5s", w.offered, w.took)
			}
		})
	}
}

// What the target does with an attack is told by status or by how it failed, and in moments by what that means.
func TestAttackOutcomes(t *testing.T) {
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	cut := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	tests := []struct {
		name              string
		front             http.Handler // nil: stuck
		outcome           string
		answered, refused int // of 100; the others failed
	}{
		{"served", answer(200), "200", 100, 0},
		{"redirected", answer(303), "303", 100, 0},
		{"not there", answer(404), "404", 100, 0},
		{"wrong password", answer(401), "401", 100, 0},
		{"forbidden", answer(403), "403", 0, 100},
		{"limited", answer(429), "429", 0, 100},
		{"overloaded", answer(503), "503", 0, 0},
		{"cut off", cut, "closed", 0, 100},
		{"slow", nil, "timeout", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := siege{front: tt.front, stuck: tt.front == nil}
			s := one(scenario.Attack{Kind: scenario.Requests, Rate: 100, Requests: []scenario.Request{{Path: "/"}}})
			s.Attacks[0].Until = 2 * time.Second
			s.Attacks = append(s.Attacks, scenario.Attack{ // keeps the clock going until every answer is there
				Name: "other", Kind: scenario.Requests, From: 4 * time.Second, Until: 5 * time.Second, Rate: 1e-3, Agent: "go",
				Sources: scenario.Sources{Count: 1}, Requests: s.Attacks[0].Requests,
			})
			s.Attacks[0].Sources.Count = 100
			s.Patience = 400 * time.Millisecond
			w.lay(t, s)
			n := w.outcomes[tt.outcome]
			if cut := w.outcomes["cut"]; n+cut != 100 || cut > 35 {
				t.Fatalf("outcomes %v, want 100 of %s", w.outcomes, tt.outcome)
			}
			var answered, refused, failed, offered int
			for _, m := range w.assault.moments() {
				answered, refused, failed, offered = answered+m.Answered, refused+m.Refused, failed+m.Failed, offered+m.Offered
			}
			if offered != 100 || answered != n*tt.answered/100 || refused != n*tt.refused/100 || failed != n-answered-refused {
				t.Errorf("moments: %d offered, %d answered, %d refused, %d failed of %d", offered, answered, refused, failed, n)
			}
		})
	}
}

// All attackers together have no more connections than there is room for: who needs one takes that of whoever has been
// idle for longest, and where all are waiting, it is said that the generator was the limit.
func TestAttackConnectionsAreBounded(t *testing.T) {
	tests := []struct {
		name     string
		attack   scenario.Attack
		tls      bool
		stuck    bool
		withheld bool
	}{
		{"idle ones make room", scenario.Attack{Kind: scenario.Requests, Rate: 200}, false, false, false},
		{"waiting ones do not", scenario.Attack{Kind: scenario.Requests, Rate: 200}, false, true, true},
		{"slow ones do not", scenario.Attack{Kind: scenario.SlowHead, Rate: 50}, false, false, true},
		{"unfinished handshakes do", scenario.Attack{Kind: scenario.Handshakes, Rate: 50}, true, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := siege{tls: tt.tls, stuck: tt.stuck, edit: func(a *assault) { a.field.pool.most = 10 }}
			tt.attack.Sources.Count = 50
			tt.attack.Requests = []scenario.Request{{Path: "/"}}
			w.lay(t, one(tt.attack))
			if most := w.connections.most; most != 10 {
				t.Errorf("%d connections at once, want 10", most)
			}
			if (w.withheld > 0) != tt.withheld || w.offered == 0 {
				t.Errorf("%d begun, %d withheld, want some withheld: %v", w.offered, w.withheld, tt.withheld)
			}
		})
	}
}

// A connection carries as many requests as the scenario says.
func TestAttackReuse(t *testing.T) {
	for _, reuse := range []int{1, 3} {
		t.Run(fmt.Sprint(reuse), func(t *testing.T) {
			var w siege
			w.lay(t, one(scenario.Attack{Kind: scenario.Requests, Rate: 100, Reuse: reuse, Requests: []scenario.Request{{Path: "/"}}}))
			requests := map[string]int{}
			for _, r := range w.requests {
				connection, _, _ := strings.Cut(r, " ")
				requests[connection]++
			}
			for connection, n := range requests {
				if n > reuse {
					t.Errorf("%d requests on %s, want at most %d", n, connection, reuse)
				}
			}
			if want := len(w.requests) / reuse; len(requests) < want || len(requests) > want+20 {
				t.Errorf("%d connections for %d requests, want about %d", len(requests), len(w.requests), want)
			}
		})
	}
}

// Agents look as the scenario says.
func TestAttackAgents(t *testing.T) {
	tests := []struct {
		agent     string
		shape     scenario.Shape
		min, most int // different User-Agents
	}{
		{"tool", scenario.Shape{}, 1, 1},
		{"tool", scenario.Shape{Kind: scenario.Pulse, On: 500 * time.Millisecond, Off: 500 * time.Millisecond}, 2, 2},
		{"tools", scenario.Shape{}, 10, 60},
		{"chrome", scenario.Shape{}, 1, 1},
		{"browsers", scenario.Shape{}, 10, 60},
		{"random", scenario.Shape{}, 20, 60},
	}
	for _, tt := range tests {
		t.Run(tt.agent+" "+string(tt.shape.Kind), func(t *testing.T) {
			var w siege
			w.lay(t, one(scenario.Attack{
				Kind: scenario.Requests, Rate: 100, Agent: tt.agent, Shape: tt.shape, Sources: scenario.Sources{Count: 60},
				Requests: []scenario.Request{{Path: "/"}},
			}))
			agents := map[string]bool{}
			for _, r := range w.requests {
				agents[strings.SplitN(r, " ", 4)[3]] = true
			}
			if n := len(agents); n < tt.min || n > tt.most {
				t.Errorf("%d agents, want %d to %d: %v", n, tt.min, tt.most, slices.Collect(maps.Keys(agents)))
			}
		})
	}
}

// Bots that share visitors' addresses come from those, several from one, and the origin can tell them apart while only
// they have requests under way.
func TestAttackSharesAddresses(t *testing.T) {
	nat, home := network.Draw(rand.New(rand.NewPCG(1, 1)), network.Mobile), network.Draw(rand.New(rand.NewPCG(1, 2)), network.Residential)
	tests := []struct {
		name     string
		networks []string
		shared   float64
		wantNAT  int // of 20
	}{
		{"all in the carrier's NAT", []string{"mobile"}, 1, 20},
		{"half, and homes", []string{"mobile", "residential"}, 0.5, -1},
		{"homes of nobody", nil, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := siege{visitor: []netip.Addr{nat, home}}
			w.lay(t, one(scenario.Attack{
				Kind: scenario.Requests, Rate: 50, Sources: scenario.Sources{Count: 20, Networks: tt.networks, Shared: tt.shared},
				Requests: []scenario.Request{{Path: "/search?q={words}"}},
			}))
			shared := 0
			for i := range w.assault.attacks[0].bots {
				if source := w.assault.attacks[0].bots[i].source; source == nat || source == home {
					shared++
				}
			}
			if tt.wantNAT >= 0 && shared != tt.wantNAT || tt.wantNAT < 0 && shared != 10 {
				t.Errorf("%d bots at visitors' addresses", shared)
			}
			if w.origin.Attacker != len(w.requests) {
				t.Errorf("the origin takes %d of %d for the attack's, and %d for visitors'", w.origin.Attacker, len(w.requests), w.origin.Visitor)
			}
		})
	}
}

// What cannot be played is refused before anything is sent.
func TestAttackIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		attack scenario.Attack
		want   string
	}{
		{"kind", scenario.Attack{Kind: "syn", Rate: 1}, "kind"},
		{"plain handshakes", scenario.Attack{Kind: scenario.Handshakes, Rate: 1}, "https"},
		{"plain resets", scenario.Attack{Kind: scenario.Resets, Rate: 1}, "https"},
		{"agent", scenario.Attack{Kind: scenario.Requests, Rate: 1, Agent: "netscape"}, "netscape"},
		{"rate", scenario.Attack{Kind: scenario.Requests}, "rate"},
		{"networks", scenario.Attack{Kind: scenario.Requests, Rate: 1, Sources: scenario.Sources{Networks: []string{"moon"}}}, "moon"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &clock{start: time.Now()}
			d := &wire.Dialer{Target: wire.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Host: "harbour.test"}}
			_, err := newAssault(one(tt.attack), d, printed(), c, newTruth(c))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `attack "one"`) {
				t.Errorf("error %v, want one of %q", err, tt.want)
			}
		})
	}
}

// Whatever a scenario says, there is an end to it.
func TestAttackIsCapped(t *testing.T) {
	w := siege{edit: func(a *assault) { a.field.acts.Store(maxActs - 7) }}
	w.lay(t, one(scenario.Attack{Kind: scenario.Requests, Rate: 100, Requests: []scenario.Request{{Path: "/"}}}))
	if w.offered != 7 {
		t.Errorf("%d begun, want the 7 that were left", w.offered)
	}
}

// Over the kernel's loopback, hundreds of addresses get their answers, and the site knows whose they were.
func TestAttackOverLoopback(t *testing.T) {
	c := &clock{}
	tr := newTruth(c)
	origin, err := site.Start(site.Config{Workers: 64, Backlog: 256, Page: time.Millisecond, Asset: time.Millisecond},
		"127.0.0.1:0", "harbour.test", printed(), tr.who)
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	target, err := wire.Resolve(t.Context(), origin.URL(), "harbour.test")
	if err != nil {
		t.Fatal(err)
	}
	s := one(scenario.Attack{
		Kind: scenario.Requests, Rate: 600, Sources: scenario.Sources{Count: 300}, Requests: []scenario.Request{{Path: "{article}"}},
	})
	s.Attacks[0].From, s.Attacks[0].Until, s.Patience = 0, time.Second, time.Minute
	fault := func(err error) { t.Error(err) }
	a, err := newAssault(s, &wire.Dialer{Target: target, Fault: fault}, printed(), c, tr)
	if err != nil {
		t.Fatal(err)
	}
	c.start = time.Now()
	a.run(t.Context())
	offered, withheld, lag, outcomes := a.totals()
	if outcomes["200"]+outcomes["cut"] != offered || outcomes["200"] < 300 || withheld > 0 {
		t.Errorf("of %d begun, at most %v late, became %v; %d withheld", offered, lag, outcomes, withheld)
	}
	if got := origin.Counts(); got.Attacker < outcomes["200"] || got.Visitor+got.Unknown > 0 {
		t.Errorf("the site counts %d of attackers, %d of visitors, %d of nobody", got.Attacker, got.Visitor, got.Unknown)
	}
}
