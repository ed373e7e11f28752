package drill

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
	"github.com/seawall/seawall/internal/sim"
)

// overrun is a small scenario with a flood that is more than its site can carry.
const overrun = `
title: A flood on a small site
about: 100 sources ask for searches.
group: attack
length: 12s
patience: 2s
site: {workers: 4, backlog: 64, search: 40ms}
visitors: {count: 60, think: 1s}
attacks:
  - name: flood
    from: 4s
    rate: 400
    sources: {count: 100}
    agent: browsers
    requests:
      - {path: "/search?q={words}"}
`

// measured plays a scenario in a bubble against what front makes of the stage's site.
func measured(t *testing.T, text string, front func(*Stage) http.Handler) score.Result {
	t.Helper()
	result, err := tried(t, text, front)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func tried(t *testing.T, text string, front func(*Stage) http.Handler) (score.Result, error) {
	t.Helper()
	s, err := scenario.Parse("measured", text)
	if err != nil {
		t.Fatal(err)
	}
	var result score.Result
	var failed error
	synctest.Test(t, func(t *testing.T) {
		var network sim.Network
		listen := func(address string) net.Listener {
			l, err := network.Listen(address)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		stage := &Stage{scenario: s, content: printed()}
		if len(s.Site.Pages) == 0 {
			var err error
			if stage, err = newStage(s, listen("127.0.0.1:8080"), listen("127.0.0.1:8081")); err != nil {
				t.Fatal(err)
			}
		}
		defer stage.Close()
		proxy := &http.Server{Handler: front(stage), ErrorLog: log.New(io.Discard, "", 0)}
		defer proxy.Close()
		go proxy.Serve(listen("127.0.0.1:80"))
		result, failed = stage.play(t.Context(), "proxy", &wire.Dialer{
			Target: wire.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Host: Host},
			Connect: func(ctx context.Context, source netip.Addr) (net.Conn, error) {
				return network.Dial(ctx, netip.AddrPortFrom(source, 0), "127.0.0.1:80")
			},
		}, nil)
	})
	return result, failed
}

// refuse answers 429.
func refuse(w http.ResponseWriter) { http.Error(w, "Too Many Requests", http.StatusTooManyRequests) }

// refusing refuses whom it is told to, and passes the rest.
func refusing(whom func(site.Who) bool) func(*Stage) http.Handler {
	return func(g *Stage) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			source := netip.MustParseAddrPort(r.RemoteAddr).Addr()
			if whom(g.who(source, r.Method, r.RequestURI)) {
				refuse(w)
				return
			}
			g.site.ServeHTTP(w, r)
		})
	}
}

func TestYardstickOfAProxyThatPassesAll(t *testing.T) {
	got := measured(t, overrun, refusing(func(site.Who) bool { return false }))
	if got.Attack.Reached.Value < 0.9 {
		t.Errorf("%.2f of the attack reached the origin, want all of it", got.Attack.Reached.Value)
	}
	if got.Everyone.Quiet.Served.Value < 1 || got.Everyone.During.Served.Value > 0.5 {
		t.Errorf("visitors served: %.2f in the quiet phase and %.2f under attack, want all and few",
			got.Everyone.Quiet.Served.Value, got.Everyone.During.Served.Value)
	}
	if got.Attack.Mitigation.State != score.Never || got.Total.Score > 30 {
		t.Errorf("mitigated %v, score %.1f, want never and little", got.Attack.Mitigation, got.Total.Score)
	}
}

func TestYardstickOfAProxyThatRefusesAll(t *testing.T) {
	got := measured(t, overrun, refusing(func(site.Who) bool { return true }))
	if f := got.Everyone.During; f.Served.Count > 0 || f.Refused.Count != f.Steps || f.Steps == 0 {
		t.Errorf("%d of %d steps served and %d refused, want all refused", f.Served.Count, f.Steps, f.Refused.Count)
	}
	if got.Attack.Reached.Count > 0 || got.Total.Score != 0 {
		t.Errorf("%d requests of the attack reached the origin, score %.1f, want none and 0", got.Attack.Reached.Count, got.Total.Score)
	}
}

func TestYardstickOfAProxyThatRefusesTheAttack(t *testing.T) {
	got := measured(t, overrun, refusing(func(w site.Who) bool { return w == site.Attacker }))
	for kind, p := range got.Kinds {
		if f := p.During; f.Served.Count != f.Steps {
			t.Errorf("%s: %d of %d steps served, want all: %v", kind, f.Served.Count, f.Steps, f.Why)
		}
	}
	if got.Attack.Offered < 3000 || got.Attack.Refused != got.Attack.Offered || got.Attack.Reached.Count > 0 {
		t.Errorf("attack %+v, want a flood of which all is refused", got.Attack)
	}
	if got.Total.Score < 99 { // a few steps take a little longer than in the quiet phase, by chance
		t.Errorf("score %.1f, want nearly 100: %+v", got.Total.Score, got.Total)
	}
}

// TestSameSeedSameScore: the story of a seed is the same, and so is what a proxy that always does the same makes of it.
func TestSameSeedSameScore(t *testing.T) {
	play := func() score.Report {
		r := measured(t, overrun, refusing(func(w site.Who) bool { return w == site.Attacker }))
		return score.NewReport("proxy", 0, []score.Result{r})
	}
	first, again := play(), play()
	if d := score.Differences(first, again); len(d) > 0 {
		t.Errorf("two drills with one seed differ: %v", d)
	}
	if a, b := first.Results[0].Everyone.During.Steps, again.Results[0].Everyone.During.Steps; a != b {
		t.Errorf("%d steps and %d, want the same", a, b)
	}
}

const theirs = `
title: Somebody else's site
about: Readers, and bots that ask for what they do.
group: attack
length: 6s
patience: 1s
site: {pages: [/, /about/us]}
visitors: {count: 20, think: 500ms}
attacks:
  - {name: flood, from: 3s, rate: 50, sources: {count: 10}, agent: browsers, requests: [{path: "{article}"}]}
`

// A scenario may be for a site that is not the drill's: what belongs to its pages is found on them.
func TestSomebodyElsesSite(t *testing.T) {
	const page = `<html><link rel="stylesheet" href="/main.css"><link rel=next href="/next"><script src="../code.js?v=1"></script>
<img src=pic.png><img src="https://elsewhere.test/pic.png"><img src="#"><a href="/away">away</a><script>inline()</script></html>`
	var mu sync.Mutex
	asked := map[string]int{}
	front := func(missing string) func(*Stage) http.Handler {
		return func(*Stage) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked[r.URL.RequestURI()]++
				mu.Unlock()
				if r.URL.Path == missing {
					http.NotFound(w, r)
					return
				}
				io.WriteString(w, page)
			})
		}
	}
	got := measured(t, theirs, front(""))
	if f := got.Everyone.During; f.Steps == 0 || f.Served.Count != f.Steps {
		t.Errorf("%d of %d steps served, want all: %v", f.Served.Count, f.Steps, f.Why)
	}
	if !got.Origin.NotMeasured || got.Attack.Answered < 100 {
		t.Errorf("origin %+v, attack %+v, want none measured, and an attack that is answered", got.Origin, got.Attack)
	}
	want := []string{"/", "/about/pic.png", "/about/us", "/code.js?v=1", "/main.css", "/pic.png"}
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	if _, err := tried(t, theirs, front("/about/us")); err == nil || !strings.Contains(err.Error(), "site.pages: /about/us: the target answers 404") {
		t.Errorf("error %v, want one about the page that is missing", err)
	}
}
