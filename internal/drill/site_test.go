package drill

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var tiny = SiteConfig{Workers: 2, Backlog: 3, Page: 20 * time.Millisecond, Asset: 2 * time.Millisecond}

// Seven at once: two are worked on, three wait, two are turned away; then each takes its time.
func TestSiteCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startSite(t, tiny)
		defer s.Close()
		start := time.Now()
		results := make(chan string)
		for i := range 7 {
			go func() {
				a := &agent{dial: l.dial, source: netip.MustParseAddr("127.16.0.1"), host: "news.test"}
				defer a.leave()
				err := a.fetch(t.Context(), query{method: "GET", path: fmt.Sprintf("/search?q=%d", i), status: 200})
				status := "200"
				if err != nil {
					status = why(err)
				}
				results <- fmt.Sprint(status, " after ", time.Since(start))
			}()
		}
		got := map[string]int{}
		for range 7 {
			got[<-results]++
		}
		want := map[string]int{"503 after 0s": 2, "200 after 20ms": 2, "200 after 40ms": 2, "200 after 60ms": 1}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("answers (-want +got):\n%s", d)
		}
		if c := s.Counts(); c.Requests != 7 || c.PeakConcurrent < 6 || c.PeakRate != 7 || c.Overloaded != 2 || c.ByPath["search"] != 7 {
			t.Errorf("counts %+v", c)
		}
	})
}

// Who has read the whole response finds the site counted down: a proxy that keeps to a budget can't be blamed for more.
func TestSiteCountsOutBeforeTheLastByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startSite(t, tiny)
		defer s.Close()
		a := &agent{dial: l.dial, source: netip.MustParseAddr("127.16.0.1"), host: "news.test"}
		defer a.leave()
		for _, path := range []string{"/", downloadPath, "/search?q=tide", "/nowhere"} {
			c, err := a.connect(t.Context(), query{})
			if err != nil {
				t.Fatal(err)
			}
			var r response
			if _, err := c.exchange(a.render(query{method: "GET", path: path}), &r, nil); err != nil {
				t.Fatal(err)
			}
			if n := s.Counts().Concurrent; n != 0 {
				t.Errorf("%s: %d in the site after the last byte, want 0", path, n)
			}
			c.Close()
		}
	})
}

func TestSiteAnswers(t *testing.T) {
	s := &Site{config: tiny, content: fixed(), counts: newCounts(), key: sessionKey(), workers: make(chan struct{}, 2)}
	home := s.content.home
	session := "session=mia." + s.sign("mia")
	tests := []struct {
		name, method, target, field, form string
		status                            int
		cache, contains                   string
	}{
		{"home", "GET", "/", "", "", 200, cachePage, "Today"},
		{"home, known", "GET", "/", "If-None-Match: " + home.etag, "", 304, cachePage, ""},
		{"style sheet", "GET", "/assets/site.4f1c2a.css", "", "", 200, cacheKeep, "margin"},
		{"part of the download", "GET", downloadPath, "Range: bytes=0-9", "", 206, cacheFile, ""},
		{"feed", "GET", "/feed.xml", "", "", 200, "public, max-age=60", "<entry>"},
		{"search", "GET", "/search?q=a+%3Cb%3E", "", "", 200, "no-store", "Results for: a &lt;b&gt;<"},
		{"api", "GET", "/api/v1/tides?station=7", "Authorization: Bearer x", "", 200, "private, no-store", `"station":7`},
		{"api, no token", "GET", "/api/v1/tides?station=7", "", "", 401, "private, no-store", "no token"},
		{"api, no station", "GET", "/api/v1/tides?station=64", "Authorization: Bearer x", "", 404, "private, no-store", ""},
		{"login", "POST", "/login", "", "user=mia&password=" + passwordOf("mia"), 303, "private, no-store", ""},
		{"login, wrong", "POST", "/login", "", "user=mia&password=00000000", 401, "private, no-store", "Wrong"},
		{"login by query", "POST", "/login?user=mia&password=" + passwordOf("mia"), "", "", 401, "private, no-store", ""},
		{"account", "GET", "/account", "Cookie: " + session, "", 200, "private, no-store", "Signed in as mia"},
		{"account, forged", "GET", "/account", "Cookie: session=mia.00", "", 403, "private, no-store", "Log in"},
		{"nothing", "GET", "/wp-login.php", "", "", 404, "private, no-store", ""},
		{"huge form", "POST", "/login", "", strings.Repeat("x", 100<<10), 400, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.form))
			if name, value, ok := strings.Cut(tt.field, ": "); ok {
				r.Header.Set(name, value)
			}
			if tt.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if got := w.Code; got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if got := w.Header().Get("Cache-Control"); got != tt.cache {
				t.Errorf("Cache-Control %q, want %q", got, tt.cache)
			}
			if !strings.Contains(w.Body.String(), tt.contains) {
				t.Errorf("body lacks %q: %.200s", tt.contains, w.Body)
			}
		})
	}
	if n := s.counts.snapshot(time.Now()).Concurrent; n != 0 {
		t.Errorf("%d in the site after all answers", n)
	}
}

func TestContentIsFixed(t *testing.T) {
	a, b := fixed(), newContent()
	if len(a.byPath) < 50 || len(a.home.assets) < 5 {
		t.Errorf("%d resources, %d on the front page", len(a.byPath), len(a.home.assets))
	}
	for path, r := range a.byPath {
		if b.byPath[path] == nil || b.byPath[path].etag != r.etag {
			t.Errorf("%s differs from one site to the next", path)
		}
		if u, err := url.Parse(path); err != nil || u.Path != path {
			t.Errorf("%s does not parse to itself", path)
		}
	}
}

func TestCountsPeakRate(t *testing.T) {
	c, start := newCounts(), time.Unix(1e9, 0)
	for _, ms := range []int{0, 100, 500, 1100, 1200, 1499, 5000} { // four within a second from 500 on
		c.arrive("home", "127.16.0.1:1", nil, start.Add(time.Duration(ms)*time.Millisecond))
		c.depart()
	}
	got := c.snapshot(start.Add(6 * time.Second))
	if got.PeakRate != 4 || got.PeakConcurrent != 1 || got.Requests != 7 {
		t.Errorf("got %+v, want a peak rate of 4 and a peak of 1", got)
	}
}

func TestClientOf(t *testing.T) {
	c := newCounts()
	if got := c.client("127.16.0.1:1", nil); got != "unknown" {
		t.Errorf("before attribution: %s", got)
	}
	c.attribute(func(a netip.Addr) bool { return a == netip.MustParseAddr("127.16.0.1") })
	tests := []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"bot", "127.16.0.1:5", nil, "bot"},
		{"visitor", "127.16.0.2:5", nil, "visitor"},
		{"proxy without a word", "127.0.0.1:5", nil, "unknown"},
		{"proxy", "127.0.0.1:5", []string{"127.16.0.1"}, "bot"},
		{"last counts", "127.0.0.1:5", []string{"127.16.0.1", "8.8.8.8, 127.16.0.2"}, "visitor"},
		{"nonsense", "127.0.0.1:5", []string{"secret"}, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.client(tt.remote, tt.forwarded); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// An idle connection that the server closed is no failure; one closed under a fresh request is.
func TestAgentReplacesStaleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryListener()
		dials := 0
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				dials++
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil && r.URL.Path == "/" {
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				c.Close()
			}
		}()
		defer l.Close()
		a := &agent{dial: l.dial, source: netip.MustParseAddr("127.16.0.1"), host: "news.test"}
		defer a.leave()
		for range 2 {
			if err := a.fetch(t.Context(), query{method: "GET", path: "/", status: 200, contains: "ok"}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		err := a.fetch(t.Context(), query{method: "GET", path: "/drop", status: 200})
		if err == nil || why(err) != "closed" || dials != 3 {
			t.Errorf("error %v after %d dials, want closed after 3", err, dials)
		}
	})
}

func TestSlowPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startSite(t, tiny)
		defer s.Close()
		p := &person{
			agent:   agent{dial: l.dial, source: netip.MustParseAddr("127.16.0.1"), host: "news.test"},
			content: s.content, rng: rand.New(rand.NewPCG(1, 1)), pace: downloadSize / 2,
		}
		defer p.leave()
		start := time.Now()
		if err := p.download()(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start).Round(100 * time.Millisecond); took != 2*time.Second {
			t.Errorf("a download at half its size a second took %v, want 2s", took)
		}
	})
}
