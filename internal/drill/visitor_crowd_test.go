package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/sim"
)

// Against the bare site everybody gets what they come for.
func TestEveryKindIsServed(t *testing.T) {
	tests := map[string]*scenario.Scenario{}
	for _, k := range scenario.Kinds() {
		tests[k] = only(k)
	}
	for _, k := range []string{"app", "prefetcher", "backup", "preview", "browser"} {
		tests["event of "+k] = newcomers(scenario.Event{Kind: k, Arrivals: 2, Steps: 3})
	}
	tests["event of apps signed in"] = newcomers(scenario.Event{Kind: "app", Arrivals: 2, Steps: 3, SignedIn: true})
	for _, entry := range []string{
		"{article}", "/?utm_source=newsletter", "/login", "/tickets", "/search?q=tide", "/report?month=2025-02", "/feed.xml",
	} {
		e := scenario.Event{Kind: "browser", Arrivals: 2, Steps: 3, Entry: entry, Referer: "https://big.example/"}
		tests["event at "+entry] = newcomers(e)
	}
	for name, s := range tests {
		for _, tls := range []bool{false, true} {
			if tls && strings.HasPrefix(name, "event") {
				continue // it is the same over TLS
			}
			t.Run(name+map[bool]string{true: " over TLS"}[tls], func(t *testing.T) {
				w := town{tls: tls}
				w.play(t, s)
				want := map[string]int{"served": len(w.samples)}
				if d := cmp.Diff(want, w.outcomes("")); d != "" {
					t.Errorf("outcomes (-want +got):\n%s\n%q", d, w.crowd.complaints())
				}
				if len(w.samples) < 10 || w.crowd.missed() > 0 {
					t.Errorf("%d steps, and %d people missed; want at least 10, and none", len(w.samples), w.crowd.missed())
				}
			})
		}
	}
}

// Whom the built-in scenarios bring, a site with room for them serves.
func TestBuiltInEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("plays 27 scenarios")
	}
	for _, s := range scenario.List() {
		if len(s.Events) == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			s.Visitors.Count = 5
			for i := range s.Events {
				s.Events[i].Arrivals = min(s.Events[i].Arrivals, 15)
			}
			var w town
			w.play(t, s)
			if d := cmp.Diff(map[string]int{"served": len(w.samples)}, w.outcomes("")); d != "" {
				t.Errorf("outcomes (-want +got):\n%s\n%q", d, w.crowd.complaints())
			}
			events := 0
			for _, s := range w.samples {
				if s.Event {
					events++
				}
			}
			if events < 10 || w.crowd.missed() > 0 {
				t.Errorf("%d steps of newcomers, and %d people missed; want at least 10, and none", events, w.crowd.missed())
			}
		})
	}
}

// What stands in front decides what everybody's steps count as.
func TestOutcomes(t *testing.T) {
	answer := func(status int, fields ...string) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(fields); i += 2 {
					w.Header().Set(fields[i], fields[i+1])
				}
				w.WriteHeader(status)
			})
		}
	}
	tests := []struct {
		name  string
		front func(http.Handler) http.Handler
		want  string // of all
		live  string // of WebSockets, if not the same
	}{
		{"refuses all", answer(429), "refused: 429", ""},
		{"refuses until later", answer(403, "Retry-After", "1"), "refused: 403", ""},
		{"finds nothing", answer(404), "refused: 404", ""},
		{"is down", answer(502), "failed: 502", ""},
		{"is overloaded", answer(503, "Retry-After", "60"), "failed: 503", ""},
		{"sends elsewhere", answer(301, "Location", "https://www.example/"), "failed: wrong", ""},
		{"sends in circles", answer(302, "Location", "/search?q=circle"), "failed: wrong", ""},
		{"has nothing to say", answer(200), "failed: wrong", ""},
		{"resets", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, "refused: closed", ""},
		{"hangs", hang, "failed: timeout", ""},
		{"breaks off", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte("the beginning"))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			})
		}, "failed: closed", "failed: wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := town{front: tt.front}
			s := everybody()
			s.Patience = 3 * time.Second
			w.play(t, s)
			want := map[string]int{tt.want: len(w.samples)}
			if tt.live != "" {
				want[tt.live] = w.steps("websocket")
				want[tt.want] -= want[tt.live]
			}
			if d := cmp.Diff(want, w.outcomes("")); d != "" {
				t.Errorf("outcomes (-want +got):\n%s\n%q", d, w.crowd.complaints())
			}
			kinds := map[string]bool{}
			for _, s := range w.samples {
				kinds[s.Kind] = true
			}
			if got, want := slices.Sorted(maps.Keys(kinds)), slices.Sorted(slices.Values(scenario.Kinds())); !slices.Equal(got, want) {
				t.Errorf("kinds played: %v, want %v", got, want)
			}
		})
	}
}

// hang answers nothing until the client has left, which net/http notices once the body is read.
func hang(http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
}

// A proxy that changes what the site says is caught by everybody who reads it.
func TestBrokenBodies(t *testing.T) {
	w := town{front: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == site.LivePath {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			body := answer.Body.Bytes()
			for i := range body {
				body[i] ^= 1
			}
			_, _ = w.Write(body)
		})
	}}
	w.play(t, everybody())
	for _, kind := range scenario.Kinds() {
		want := "failed: wrong"
		if kind == "webhook" || kind == "websocket" {
			want = "served" // a webhook gets no body
		}
		got := w.outcomes(kind)
		if len(got) != 1 || got[want] == 0 {
			t.Errorf("%s: %v, want all %s", kind, got, want)
		}
	}
}

// first lets each address's first request for a path meet another handler.
func first(other http.HandlerFunc) func(http.Handler) http.Handler {
	var met sync.Map
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			if _, known := met.LoadOrStore(host+r.URL.Path, true); !known {
				other(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Who is turned away comes back once, when told to.
func TestComingBack(t *testing.T) {
	w := town{front: first(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	})}
	w.play(t, only("api"))
	late := w.outcomes("")["late"]
	if late == 0 || late+w.outcomes("")["served"] != len(w.samples) {
		t.Fatalf("%v, want some late, and the others served", w.outcomes(""))
	}
	for _, s := range w.samples {
		if s.Outcome.String() == "late" && (s.Took < 2*time.Second || s.Took > 2500*time.Millisecond) {
			t.Errorf("a step took %v, want a little more than the two seconds of Retry-After", s.Took)
		}
	}
}

// A challenge is solved by those who have a window, with a script by those who run scripts. Who keeps the cookie may pass by
// coming back, too; nobody else does.
func TestChallenges(t *testing.T) {
	page := func(status int, cookie bool, body string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := r.Cookie("passed"); err == nil && c.Value == "yes" {
					next.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				if cookie {
					w.Header().Set("Set-Cookie", "passed=yes; Path=/; Max-Age=600")
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
		}
	}
	redirect := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("passed"); err == nil {
				next.ServeHTTP(w, r)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "passed", Value: "yes"})
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusTemporaryRedirect)
		})
	}
	window := []string{"browser", "carrier", "office", "tor", "phone", "no-script"}
	keepers := append([]string{"text"}, window...)
	tests := []struct {
		name   string
		front  func(http.Handler) http.Handler
		passed []string
	}{
		{"refresh", page(503, true, `<html><head><META HTTP-EQUIV="Refresh" CONTENT="1; url=/"></head></html>`), keepers},
		{"refresh at once", page(401, true, `<meta http-equiv=refresh content=0><p>`), keepers},
		{"script", page(200, true, `<script>setTimeout(function () { location.reload() }, 1500)</script>`), keepers},
		{"cookie by script", page(403, false, `<script>document.cookie = "passed=yes; path=/"; location.reload()</script>`), window[:5]},
		{"computed cookie", page(429, false, `<script>document.cookie = "passed=" + solve(); location.reload()</script>`), nil},
		{"never satisfied", page(503, false, `<script>document.cookie = "passed=no"; location.reload()</script>`), nil},
		{"redirect to itself", redirect, keepers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := town{front: tt.front}
			w.play(t, everybody())
			for _, kind := range append([]string{"text", "feed", "api", "monitor"}, window...) {
				got := w.outcomes(kind)
				if slices.Contains(tt.passed, kind) {
					if got["challenged-and-passed"] == 0 || got["challenged-and-passed"]+got["served"] != w.steps(kind) {
						t.Errorf("%s: %v, want challenges passed, and then served", kind, got)
					}
				} else if got["challenged-and-passed"]+got["late"]+got["served"] > 0 {
					t.Errorf("%s: %v, want nobody served", kind, got)
				}
				if got["challenged-and-stuck: challenge"]+got["challenged-and-passed"]+got["served"] != w.steps(kind) {
					t.Errorf("%s: %v, want a challenge to be what hinders", kind, got)
				}
			}
		})
	}
}

// The same seed is the same story, whatever the target answers.
func TestSameSeedSameStory(t *testing.T) {
	s := everybody()
	s.Patience, s.Visitors.Think = 2*time.Second, 4*time.Second
	s.Events = []scenario.Event{{Kind: "app", Until: s.Length, Arrivals: 3, Steps: 2, Entry: site.InboxPath}}
	var one, two, refused town
	refused.front = func(http.Handler) http.Handler { return http.NotFoundHandler() }
	for _, w := range []*town{&one, &two, &refused} {
		w.play(t, s)
	}
	if d := cmp.Diff(one.told(), two.told()); d != "" {
		t.Errorf("requests of two runs (-first +second):\n%s", d)
	}
	// Where all is refused, everybody asks for the first path of each errand, comes back once (webhooks twice), and that is all.
	var want []string
	for i := range one.crowd.story {
		v := one.crowd.newVisitor(&one.crowd.story[i])
		for range one.crowd.story[i].moments {
			e := v.next()
			path := e.path
			if path == site.OrderPath {
				path = site.TicketsPath // has no cookie, and asks for one
			}
			for range v.role.tries {
				want = append(want, fmt.Sprint(v.agent.source, " ", path))
			}
		}
	}
	slices.Sort(want)
	var got []string
	for _, r := range refused.requests {
		got = append(got, fmt.Sprint(r.source, " ", r.target))
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests where all is refused (-planned +sent):\n%s", d)
	}
	other := *s
	other.Seed++
	var third town
	third.play(t, &other)
	if slices.Equal(one.told(), third.told()) {
		t.Error("another seed is the same story")
	}
}

// A browser asks for a file once, and for a page it has with its validator; programs that poll do so each time.
func TestWhatIsKept(t *testing.T) {
	var mu sync.Mutex
	validated := map[string]int{}
	w := town{front: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				mu.Lock()
				validated[r.URL.Path]++
				mu.Unlock()
			}
			next.ServeHTTP(w, r)
		})
	}}
	s := everybody()
	s.Visitors.Kinds = map[string]float64{"browser": 1, "feed": 1}
	w.play(t, s)
	asked := map[string]int{}
	for _, r := range w.requests {
		asked[r.target]++
	}
	people := 0
	for i := range w.crowd.story {
		if w.crowd.story[i].role.name == "browser" {
			people++
		}
	}
	if n := asked["/assets/site.4f1c2a.css"]; n == 0 || n > people {
		t.Errorf("the style sheet was asked for %d times by %d people, want once each at most", n, people)
	}
	if validated["/"] == 0 || validated["/feed.xml"] < asked["/feed.xml"]/2 || asked["/feed.xml"] != w.steps("feed") {
		t.Errorf("asked %d times for the feed in %d steps; with a validator: %v", asked["/feed.xml"], w.steps("feed"), validated)
	}
}

// At most so many people are there at once, with so many connections; who comes beyond that is counted.
func TestCrowdIsBounded(t *testing.T) {
	var mu sync.Mutex
	var open, most int
	w := town{
		front: hang,
		state: func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch state {
			case http.StateNew:
				open++
				most = max(most, open)
			case http.StateClosed:
				open--
			}
		},
	}
	s := newcomers(scenario.Event{Kind: "browser", Arrivals: 400, Steps: 1})
	s.Length, s.Patience = 8*time.Second, 30*time.Second
	w.play(t, s)
	if w.crowd.missed()+maxVisitors != len(w.crowd.story) {
		t.Errorf("%d of %d missed, want all but %d", w.crowd.missed(), len(w.crowd.story), maxVisitors)
	}
	if most > maxVisitorConns {
		t.Errorf("%d connections at once, want at most %d", most, maxVisitorConns)
	}
}

// A run that is cut off says why, and blames nobody.
func TestCutOff(t *testing.T) {
	broke := errors.New("no descriptors")
	w := town{want: broke, interrupt: func(cancel context.CancelCauseFunc) {
		time.AfterFunc(6*time.Second, func() { cancel(broke) })
	}}
	w.play(t, everybody())
	if got := w.outcomes(""); got["served"] == 0 || len(got) != 1 {
		t.Errorf("%v, want only steps that were served", got)
	}
}

// A WebSocket that was dropped is a step that fails; the next one connects again.
func TestDroppedWebSocket(t *testing.T) {
	var mu sync.Mutex
	var conns []net.Conn
	w := town{
		state: func(c net.Conn, state http.ConnState) {
			if state == http.StateHijacked {
				mu.Lock()
				defer mu.Unlock()
				conns = append(conns, c)
			}
		},
		interrupt: func(context.CancelCauseFunc) {
			time.AfterFunc(6*time.Second, func() {
				mu.Lock()
				defer mu.Unlock()
				for _, c := range conns {
					c.Close()
				}
			})
		},
	}
	w.play(t, only("websocket"))
	got := w.outcomes("")
	if got["failed: closed"] != 6 || got["served"] != len(w.samples)-6 {
		t.Errorf("%v, want 6 failed, one of each visitor, and the others served", got)
	}
}

// Browsers use six connections over HTTP/1.1 and one over HTTP/2; what is not a browser uses one.
func TestConnections(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[tls], func(t *testing.T) {
			var mu sync.Mutex
			open, most := map[string]int{}, map[string]int{}
			w := town{
				tls: tls, link: sim.Link{Latency: 10 * time.Millisecond},
				state: func(c net.Conn, state http.ConnState) {
					host, _, _ := strings.Cut(c.RemoteAddr().String(), ":")
					mu.Lock()
					defer mu.Unlock()
					switch state {
					case http.StateNew:
						open[host]++
						most[host] = max(most[host], open[host])
					case http.StateClosed:
						open[host]--
					}
				},
			}
			s := everybody()
			s.Visitors.Kinds, s.Visitors.HTTP2 = map[string]float64{"browser": 1, "api": 1}, 1
			w.play(t, s)
			for i := range w.crowd.story {
				st := &w.crowd.story[i]
				want := st.role.conns
				if tls {
					want = 1
				}
				if n := most[st.source.String()]; n > want || n < min(want, 4) {
					t.Errorf("%s at %s: %d connections at once, want %d", st.role.name, st.source, n, want)
				}
			}
		})
	}
}

// Old phones and downloads are slow readers: what they get takes its time, and they are patient for that long.
func TestSlowReaders(t *testing.T) {
	tests := []struct {
		kind        string
		least, most time.Duration // of the slowest step
	}{
		{"download", 900 * time.Millisecond, 1300 * time.Millisecond},
		{"phone", 300 * time.Millisecond, 3 * time.Second},
		{"browser", 0, 200 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			for _, tls := range []bool{false, true} {
				w := town{tls: tls}
				w.play(t, only(tt.kind))
				var slowest time.Duration
				for _, s := range w.samples {
					slowest = max(slowest, s.Took)
				}
				if slowest < tt.least || slowest > tt.most {
					t.Errorf("TLS %v: the slowest step took %v, want %v to %v", tls, slowest, tt.least, tt.most)
				}
			}
		})
	}
}
