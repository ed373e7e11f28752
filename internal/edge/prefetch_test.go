package edge

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// prefetching is a zone that fetches its pages ahead, one a second.
func prefetching(every time.Duration) spec.Zone {
	z := site("site", "site.test", "*.site.test")
	z.Cache.Prefetch = spec.Prefetch{Every: every, Rate: spec.Rate{Requests: 1, Per: time.Second}}
	z.Cache.Survive = 24 * time.Hour
	z.Cache.Rules = []spec.CacheRule{{Paths: []string{"/admin*"}, Bypass: true}}
	return z
}

// mapped is an origin with robots.txt, an index of maps, and pages. It notes what it was asked for, and when.
type mapped struct {
	began time.Time
	mu    sync.Mutex
	asked []string
	odd   []string // what no polite crawler sends
	now   int      // requests under way
	page  http.HandlerFunc
}

const robotsText = "User-agent: *\nDisallow: /\n\nUser-agent: seawall-prefetch\nDisallow: /private\nSitemap: http://site.test/index.xml\nSitemap: http://other.test/x.xml\n"

func (m *mapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked = append(m.asked, fmt.Sprintf("%v %s", time.Since(m.began).Round(time.Second), r.URL.RequestURI()))
	if m.now++; m.now > 1 {
		m.odd = append(m.odd, "two at a time")
	}
	if r.UserAgent() == prefetchAgent && (r.Header.Get("Cookie") != "" || r.Method != "GET" || r.Host != "site.test" || r.Header.Get("X-Forwarded-Proto") != "http" || r.Header.Get("X-Forwarded-For") != "192.0.0.8") {
		m.odd = append(m.odd, fmt.Sprint(r.Method, r.Host, r.Header))
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.now--
		m.mu.Unlock()
	}()
	switch r.URL.Path {
	case "/robots.txt":
		io.WriteString(w, robotsText)
	case "/index.xml":
		io.WriteString(w, "<sitemapindex><sitemap><loc>http://site.test/map.xml.gz</loc></sitemap></sitemapindex>")
	case "/map.xml.gz":
		w.Header().Set("Cache-Control", "no-cache") // else it is a file of a usual kind
		z := gzip.NewWriter(w)
		io.WriteString(z, "<urlset>")
		for _, u := range []string{"http://site.test/kept?a=1&amp;b=2", "http://site.test/private/x", "http://www.site.test/other", "ftp://site.test/", "http://site.test/?a b", "http://site.test/admin", "https://site.test/./silent"} {
			io.WriteString(z, "<url><loc>"+u+"</loc></url>")
		}
		io.WriteString(z, "</urlset>")
		z.Close()
	default:
		m.page(w, r)
	}
}

func (m *mapped) take() (asked []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked, m.asked = m.asked, nil
	return asked
}

func pagesThatSay(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/kept" {
		w.Header().Set("Cache-Control", "max-age=5400")
	}
	fmt.Fprint(w, "page ", r.URL.Path)
}

// runMapped runs a test with such an origin behind a zone.
func runMapped(t *testing.T, z spec.Zone, page http.HandlerFunc, test func(h *house, m *mapped)) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), z)
		m := &mapped{began: time.Now(), page: page}
		server := h.serve(firstOrigin, m.ServeHTTP)
		h.path.Prefetch()
		test(h, m)
		h.path.EndPrefetch()
		server.Close()
		if m.odd != nil {
			t.Errorf("got %q", m.odd)
		}
		h.wantIdle("site")
	})
}

func wantAsked(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got the origin asked for %q, want %q", what, got, want)
	}
}

// TestPrefetch: robots.txt, its maps, and their pages, one a second; of those that are there, none again. The pages are there for visitors, and
// when the origin is gone.
func TestPrefetch(t *testing.T) {
	runMapped(t, prefetching(time.Hour), pagesThatSay, func(h *house, m *mapped) {
		time.Sleep(time.Minute)
		wantAsked(t, "first round", m.take(), "0s /robots.txt", "1s /index.xml", "2s /map.xml.gz", "3s /kept?a=1&b=2", "4s /silent")
		want := Prefetched{Listed: 4, Looked: 4, Fetched: 2, Left: 2, Next: m.began.Add(time.Hour)}
		if got, ok := h.path.Prefetched("site"); !ok || got != want {
			t.Errorf("got %+v, %t, want %+v", got, ok, want)
		}
		h.want("a visitor", h.get(visitor, "site.test", "/kept?a=1&b=2"), 200, "page /kept")
		wantAsked(t, "a visitor", m.take())
		time.Sleep(time.Hour)
		got := m.take()
		if len(got) != 4 || !strings.HasSuffix(got[3], " /silent") {
			t.Errorf("second round: got the origin asked for %q, want the maps and what is not kept", got)
		}
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{prefetching(0)})...))
		h.path.Prefetch()
		if _, ok := h.path.Prefetched("site"); ok {
			t.Error("got a prefetch, want none any more")
		}
		time.Sleep(3 * time.Hour)
		wantAsked(t, "without it", m.take())
	})
}

// TestPrefetchSurvives: what was fetched ahead, and no visitor has seen, is served when the origin is down.
func TestPrefetchSurvives(t *testing.T) {
	var down atomic.Bool
	runMapped(t, prefetching(time.Hour), func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		pagesThatSay(w, r)
	}, func(h *house, m *mapped) {
		time.Sleep(time.Minute)
		down.Store(true)
		h.want("survivor", h.get(visitor, "site.test", "/silent"), 200, "page /silent")
		h.want("denied to crawlers", h.get(visitor, "site.test", "/private/x"), 502, "")
	})
}

// TestPrefetchGoesOn: after a change of the zone it goes on where it was, and another map is begun at once.
func TestPrefetchGoesOn(t *testing.T) {
	runMapped(t, prefetching(time.Hour), pagesThatSay, func(h *house, m *mapped) {
		time.Sleep(3500 * time.Millisecond)
		m.take()
		z := prefetching(time.Hour)
		z.Budget.Queue++
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{z})...))
		h.path.Prefetch()
		time.Sleep(time.Minute)
		wantAsked(t, "after a change", m.take(), "4s /silent")
		z.Cache.Prefetch.Sitemap = "/map.xml.gz"
		h.must(errors.Join(h.snapshot.Apply([]spec.Zone{z})...))
		h.path.Prefetch()
		time.Sleep(time.Minute)
		wantAsked(t, "another map", m.take(), "1m4s /robots.txt", "1m5s /map.xml.gz")
	})
}

// TestPrefetchYields: as long as half of the origin's budget is in use, nothing is fetched ahead.
func TestPrefetchYields(t *testing.T) {
	z := prefetching(time.Hour)
	z.Budget.Concurrent = 2
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), z)
		m := &mapped{began: time.Now(), page: func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Second) }}
		h.serve(firstOrigin, m.ServeHTTP)
		done := make(chan answer)
		go func() { done <- h.get(visitor, "site.test", "/slow") }()
		synctest.Wait()
		h.path.Prefetch()
		time.Sleep(9 * time.Second)
		wantAsked(t, "while a visitor waits", m.take(), "0s /slow")
		<-done
		time.Sleep(1500 * time.Millisecond)
		if got := m.take(); len(got) == 0 || !strings.HasSuffix(got[0], " /robots.txt") {
			t.Errorf("then: got the origin asked for %q, want robots.txt", got)
		}
	})
}

// TestPrefetchUnwell: an origin that answers with errors is asked again after a minute, then two, and so on, and the page is not left out.
func TestPrefetchUnwell(t *testing.T) {
	runMapped(t, prefetching(time.Hour), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/kept" {
			http.Error(w, "unwell", http.StatusServiceUnavailable)
			return
		}
		pagesThatSay(w, r)
	}, func(h *house, m *mapped) {
		time.Sleep(10 * time.Minute)
		got := m.take()[3:]
		wantAsked(t, "unwell", got, "3s /kept?a=1&b=2", "1m3s /kept?a=1&b=2", "3m3s /kept?a=1&b=2", "7m3s /kept?a=1&b=2")
		if s, _ := h.path.Prefetched("site"); s.Failed != 4 || s.Looked != 0 || s.Problem == "" || s.Next.IsZero() {
			t.Errorf("got %+v, want 4 failed, and when it goes on", s)
		}
	})
}
