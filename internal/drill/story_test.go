package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// small is Quick at a third of the size.
func small() Story {
	s := Quick()
	s.Site.Workers, s.Site.Backlog, s.Site.Page = 2, 80, 30*time.Millisecond
	s.Bots, s.Visitors = 84, 50
	s.Flood, s.Patience, s.Think = 2500*time.Millisecond, 2*time.Second, 1500*time.Millisecond
	return s
}

// playInMemory plays a story in a bubble against what front makes of the site.
func playInMemory(t *testing.T, story Story, front func(origin *memoryListener, isBot func(netip.Addr) bool) http.Handler) Result {
	t.Helper()
	var result Result
	synctest.Test(t, func(t *testing.T) {
		site, l := startSite(t, story.Site)
		defer site.Close()
		dial := l.dial
		var r *run
		if front != nil {
			fl := newMemoryListener()
			server := &http.Server{Handler: front(l, func(a netip.Addr) bool { return r.people.isBot(a) })}
			go server.Serve(fl)
			defer server.Close()
			dial = fl.dial
		}
		r = newRun(story, dial, "news.test", site)
		if err := r.play(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		result = r.result("http://news.test")
	})
	return result
}

func TestBareSiteCollapses(t *testing.T) {
	got := playInMemory(t, small(), nil)
	if got.Quiet.All.Failed > 0 || got.Quiet.All.Served == 0 {
		t.Errorf("quiet: %+v, want all served; %q", got.Quiet.All, got.Examples)
	}
	checkCollapse(t, got)
}

func checkCollapse(t *testing.T, got Result) {
	t.Helper()
	story := small()
	if share := got.Flood.All.Share(); share >= 0.3 {
		t.Errorf("share of visitors served at ten times the capacity: %.2f, want below 0.3", share)
	}
	if n := got.Flood.All.Steps(); n < 40 {
		t.Errorf("%d steps in the flood, want at least 40", n)
	}
	offered := story.Site.Capacity() * 10 * story.Flood.Seconds()
	if n := float64(got.Attack.Offered); n < 0.9*offered {
		t.Errorf("flood offered %.0f requests, want about %.0f", n, offered)
	}
	if got.Attack.Withheld > 0 {
		t.Errorf("flood withheld %d requests, want none", got.Attack.Withheld)
	}
	if got.Origin.PeakConcurrent <= story.Site.Backlog || got.Origin.Overloaded == 0 {
		t.Errorf("origin %+v, want a full backlog", got.Origin)
	}
	if n := got.Origin.ByClient; n["bot"] == 0 || n["visitor"] == 0 || n["unknown"] > 0 {
		t.Errorf("origin by client: %v, want bots and visitors only", n)
	}
	if n := got.Origin.ByClient["bot"]; n > got.Attack.Offered {
		t.Errorf("origin got %d requests from bots, who sent %d", n, got.Attack.Offered)
	}
}

func TestProxyThatPassesAllScoresLikeBare(t *testing.T) {
	got := playInMemory(t, small(), func(origin *memoryListener, _ func(netip.Addr) bool) http.Handler { return reverseProxy(origin) })
	checkCollapse(t, got)
}

func TestProxyThatRefusesBotsScoresAll(t *testing.T) {
	got := playInMemory(t, small(), func(origin *memoryListener, isBot func(netip.Addr) bool) http.Handler {
		next := reverseProxy(origin)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isBot(netip.MustParseAddrPort(r.RemoteAddr).Addr()) {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	if tally := got.Flood.All; tally.Failed > 0 || tally.Served < 40 {
		t.Errorf("flood: %+v, want all served; %q", tally, got.Examples)
	}
	for _, k := range kinds() {
		if got.Flood.ByKind[k.name].Served == 0 {
			t.Errorf("%s: no step in the flood", k.name)
		}
	}
	if n := got.Origin.ByClient; n["bot"] > 0 || n["unknown"] > 0 {
		t.Errorf("origin by client: %v, want visitors only", n)
	}
	if n := got.Attack.Outcomes; n["429"] != got.Attack.Offered || got.Attack.Answered > 0 {
		t.Errorf("flood of %d: %v, want all of it refused by 429", got.Attack.Offered, n)
	}
}

// A cache that forgets the query and the cookie in its key answers fast, and wrongly.
func TestProxyThatMixesAnswersUpIsCaught(t *testing.T) {
	story := small()
	story.Bots = 1
	got := playInMemory(t, story, func(origin *memoryListener, _ func(netip.Addr) bool) http.Handler { return mixUp(reverseProxy(origin)) })
	if n := got.Flood.All.Failures["wrong"] + got.Quiet.All.Failures["wrong"]; n == 0 {
		t.Errorf("flood: %+v, want wrong answers", got.Flood.All)
	}
}

func mixUp(next *httputil.ReverseProxy) http.Handler {
	var kept sync.Map // *httptest.ResponseRecorder by path
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := kept.Load(r.URL.Path)
		if !ok {
			r.Header.Del("If-None-Match")
			fresh := httptest.NewRecorder()
			next.ServeHTTP(fresh, r)
			if a = fresh; fresh.Code == http.StatusOK {
				kept.Store(r.URL.Path, fresh)
			}
		}
		answer := a.(*httptest.ResponseRecorder)
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func TestVisitComesBackOnce(t *testing.T) {
	refused := &failure{why: "503", retryAfter: 2 * time.Second}
	tests := []struct {
		name     string
		errs     []error // of the tries
		late, ok bool
		took     time.Duration
	}{
		{"served at once", []error{nil}, false, true, 0},
		{"told when to come back", []error{refused, nil}, true, true, 2 * time.Second},
		{"turned away", []error{errors.New("reset"), nil}, true, true, time.Second},
		{"turned away twice", []error{refused, refused}, true, false, 2 * time.Second},
		{"told to come back too late", []error{&failure{retryAfter: time.Minute}}, false, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, tries := time.Now(), 0
				late, err := visit(t.Context(), func(context.Context) error { tries++; return tt.errs[tries-1] }, 5*time.Second)
				if late != tt.late || (err == nil) != tt.ok || tries != len(tt.errs) {
					t.Errorf("late %v, err %v, %d tries; want %v, %v, %d", late, err, tries, tt.late, tt.ok, len(tt.errs))
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// On real sockets: sources bind, and the site tells bots from visitors by them.
func TestRunOnLoopback(t *testing.T) {
	story := small()
	story.Quiet, story.Flood, story.Patience, story.Think = 200*time.Millisecond, 500*time.Millisecond, 400*time.Millisecond, 300*time.Millisecond
	site, err := StartSite(story.Site)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	frames := 0
	got, err := Run(t.Context(), story, site.URL(), site, func(Frame) { frames++ })
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Origin.ByClient; n["bot"] < 50 || n["visitor"] == 0 || n["unknown"] > 0 {
		t.Errorf("origin by client: %v, want bots and visitors only", n)
	}
	if got.Quiet.All.Served == 0 || got.Flood.All.Steps() == 0 || frames < 4 {
		t.Errorf("quiet %+v, flood %+v, %d frames; want steps in both and some frames", got.Quiet.All, got.Flood.All, frames)
	}
}

// forwarder is the least of proxies.
type forwarder struct{ *httptest.Server }

func (f forwarder) URL() string  { return f.Server.URL }
func (f forwarder) Facts() Facts { return Facts{Budget: 2, Refused: map[string]int64{"none": 0}} }
func (f forwarder) Close() error { f.Server.Close(); return nil }

func TestPerform(t *testing.T) {
	story := small()
	story.Quiet, story.Flood, story.Patience, story.Think = 300*time.Millisecond, 150*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	story.Bots, story.Site.Workers = 20, 8
	var names []string
	watch := func(f Frame) {
		if len(names) == 0 || names[len(names)-1] != f.Name {
			names = append(names, f.Name)
		}
		if (f.Shield != nil) != (f.Name == Shielded) {
			t.Errorf("%s: facts %v", f.Name, f.Shield)
		}
	}
	var through int
	got, err := Perform(t.Context(), story, func(_ context.Context, origin string) (Proxy, error) {
		through++
		return forwarder{httptest.NewServer(http.RedirectHandler(origin, http.StatusFound))}, nil
	}, watch)
	if err != nil {
		t.Fatal(err)
	}
	if through != 1 || strings.Join(names, ", ") != "bare, behind Seawall" {
		t.Errorf("%d shields, runs %q; want one, and both runs", through, names)
	}
	if got.Bare.Quiet.All.Served == 0 || got.Shielded.Flood.All.Served > 0 || got.Shield.Budget != 2 {
		t.Errorf("bare %+v, shielded %+v, shield %+v; want only the bare site to serve", got.Bare.Quiet.All, got.Shielded.Flood.All, got.Shield)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(got); err != nil || !strings.Contains(b.String(), `"peak_concurrent"`) {
		t.Errorf("as JSON: %v, %.80s", err, b.String())
	}
}

func TestPerformEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Perform(ctx, small(), nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context canceled", err)
	}
}

func TestStoryValidate(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Story)
		want string
	}{
		{"minute", func(s *Story) { *s = Minute() }, ""},
		{"quick", func(s *Story) { *s = Quick() }, ""},
		{"no workers", func(s *Story) { s.Site.Workers = 0 }, "0 workers"},
		{"backlog", func(s *Story) { s.Site.Backlog = 1 << 20 }, "backlog"},
		{"no flood", func(s *Story) { s.Flood = 0 }, "phases"},
		{"no patience", func(s *Story) { s.Patience = 0 }, "patience"},
		{"nobody", func(s *Story) { s.Visitors = 0 }, "0 visitors"},
		{"army", func(s *Story) { s.Bots = 100_000 }, "100000 bots"},
		{"rate", func(s *Story) { s.BotRate = 1e6 }, "requests a second"},
		{"too much", func(s *Story) { s.Flood = 9 * time.Minute }, "want up to 500000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Minute()
			tt.edit(&s)
			err := s.Validate()
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if m := Minute(); float64(m.Bots)*m.BotRate != 10*m.Site.Capacity() {
		t.Errorf("the flood is not ten times the capacity of %v/s", m.Site.Capacity())
	}
}
