package site

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	gocmp "github.com/google/go-cmp/cmp"
)

var tiny = Config{Workers: 2, Backlog: 3, Page: 20 * time.Millisecond, Asset: 2 * time.Millisecond}

// Seven at once: two are worked on, three wait, two are turned away; then each takes its time.
func TestCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := startInMemory(t, tiny, nil)
		start := time.Now()
		results := make(chan string)
		for i := range 7 {
			go func() {
				r, err := client.Get(fmt.Sprintf("http://harbour.test/search?q=%d", i))
				if err != nil {
					results <- err.Error()
					return
				}
				r.Body.Close()
				results <- fmt.Sprint(r.StatusCode, " after ", time.Since(start))
			}()
		}
		got := map[string]int{}
		for range 7 {
			got[<-results]++
		}
		want := map[string]int{"503 after 0s": 2, "200 after 20ms": 2, "200 after 40ms": 2, "200 after 60ms": 1}
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("answers (-want +got):\n%s", d)
		}
		if c := s.Counts(); c.Sum() != 7 || c.Peak < 6 || c.PeakRate != 7 || c.Overloaded != 2 || c.ByKind[Search].Unknown != 7 {
			t.Errorf("counts %+v", c)
		}
	})
}

// What is computed is computed on one core, however many workers there are.
func TestCapacityByCPU(t *testing.T) {
	s := newStaff(Config{Workers: 8, Page: 20 * time.Millisecond, Asset: time.Millisecond, CPU: 0.5})
	start, done := time.Now(), make(chan bool)
	for range 8 {
		go func() { done <- s.work(20 * time.Millisecond) }()
	}
	for range 8 {
		if !<-done {
			t.Error("turned away with workers to spare")
		}
	}
	if took := time.Since(start); took < 90*time.Millisecond {
		t.Errorf("eight requests that compute for 10ms each, after a wait of 10ms, took %v, want 90ms", took)
	}
}

func TestCapacityFigures(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   float64
	}{
		{"workers alone", Config{Workers: 8, Page: 20 * time.Millisecond}, 400},
		{"a core is more than enough", Config{Workers: 8, Page: 20 * time.Millisecond, CPU: 0.1}, 400},
		{"a core is the limit", Config{Workers: 8, Page: 20 * time.Millisecond, CPU: 0.5}, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.config.Capacity(); got < tt.want*0.999 || got > tt.want*1.001 {
				t.Errorf("got %v pages a second, want %v", got, tt.want)
			}
		})
	}
}

func TestCost(t *testing.T) {
	plain := Config{Page: 10 * time.Millisecond, Asset: time.Millisecond}
	slow := plain
	slow.Search, slow.Login = 30*time.Millisecond, 50*time.Millisecond
	tests := []struct {
		kind        Kind
		plain, slow time.Duration
	}{
		{Article, 10 * time.Millisecond, 0},
		{Asset, time.Millisecond, 0},
		{Health, time.Millisecond, 0},
		{Search, 10 * time.Millisecond, 30 * time.Millisecond},
		{Login, 10 * time.Millisecond, 50 * time.Millisecond},
		{Git, 20 * time.Millisecond, 0},
		{XMLRPC, 50 * time.Millisecond, 0},
		{Report, 100 * time.Millisecond, 0},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			if got := plain.cost(tt.kind); got != tt.plain {
				t.Errorf("got %v, want %v", got, tt.plain)
			}
			if got, want := slow.cost(tt.kind), cmp.Or(tt.slow, tt.plain); got != want {
				t.Errorf("with slow searches and logins: got %v, want %v", got, want)
			}
		})
	}
}

func TestConfigOutOfBounds(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no workers", func(c *Config) { c.Workers = 0 }, "workers"},
		{"too many", func(c *Config) { c.Workers = 1025 }, "workers"},
		{"backlog", func(c *Config) { c.Backlog = -1 }, "backlog"},
		{"no time", func(c *Config) { c.Asset = 0 }, "service times"},
		{"less than none", func(c *Config) { c.Login = -1 }, "service times"},
		{"all of a core", func(c *Config) { c.CPU = 1 }, "cpu share"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tiny
			tt.change(&c)
			s, err := Start(c, "127.0.0.1:0", "harbour.test", fixed(), nil)
			if err == nil {
				s.Close()
				t.Fatalf("it starts with %+v", c)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want something about %s", err, tt.want)
			}
		})
	}
}

// Who has read the whole response finds the site counted down: a proxy that keeps to a budget can't be blamed for more.
func TestCountsOutBeforeTheLastByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := startInMemory(t, tiny, nil)
		for _, path := range []string{"/", downloadPath, "/search?q=tide", "/nowhere", LoginPath, HealthPath} {
			r, err := client.Get("http://harbour.test" + path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Fatal(err)
			}
			if n := s.Counts().Concurrent; n != 0 {
				t.Errorf("%s: %d in the site after the last byte, want 0", path, n)
			}
			r.Body.Close()
		}
	})
}

func TestTruthIsAskedOnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := tiny
		config.Workers, config.Backlog = 1, 0
		asked := make(chan string, 8)
		s, client := startInMemory(t, config, func(source netip.Addr, method, target string) Who {
			asked <- fmt.Sprint(source, " ", method, " ", target)
			if strings.Contains(target, "bad") {
				return Attacker
			}
			return Visitor
		})
		for _, path := range []string{"/search?q=bad", "/search?q=good"} {
			r, err := client.Post("http://harbour.test"+path, "text/plain", strings.NewReader("q=x"))
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if got, want := <-asked, "127.16.0.1 POST "+path; got != want {
				t.Errorf("asked about %q, want %q", got, want)
			}
		}
		want := map[Kind]Tally{Search: {Visitor: 1, Attacker: 1}}
		if d := gocmp.Diff(want, s.Counts().ByKind); d != "" {
			t.Errorf("counts (-want +got):\n%s", d)
		}
	})
}

func TestAnswers(t *testing.T) {
	s := newSite(tiny, "harbour.test", fixed(), nil)
	home, show := s.content.Home, s.content.Shows[0]
	session := "Cookie: session=mia." + s.sign("session=mia")
	visit := "Cookie: visit=7." + s.sign("visit=7")
	const private = "private, no-store"
	payment := `{"order":7}`
	tests := []struct {
		name, method, target, field, body string
		status                            int
		cache, contains                   string
	}{
		{"home", "GET", "/", "", "", 200, cachePage, "Today"},
		{"home, known", "GET", "/", "If-None-Match: " + home.ETag, "", 304, cachePage, ""},
		{"style sheet", "GET", "/assets/site.4f1c2a.css", "", "", 200, cacheKeep, "margin"},
		{"part of the download", "GET", downloadPath, "Range: bytes=0-9", "", 206, cacheFile, ""},
		{"feed", "GET", "/feed.xml", "", "", 200, cacheFeed, "<entry>"},
		{"sitemap", "GET", SitemapPath, "", "", 200, cacheFile, "https://harbour.test/articles/00-"},
		{"search", "GET", "/search?q=a+%3Cb%3E", "", "", 200, "no-store", "Results for: a &lt;b&gt;<"},
		{"search, posted", "POST", SearchPath, "", "q=tide", 200, "no-store", ResultsFor("tide")},
		{"report", "GET", "/report?month=2025-02", "", "", 200, "no-store", "2025-02-28"},
		{"report of no month", "GET", "/report?month=2025-13", "", "", 404, "no-store", ""},
		{"api", "GET", "/api/v1/tides?station=7", "Authorization: Bearer x", "", 200, private, TidesAt(7)},
		{"api, no token", "GET", "/api/v1/tides?station=7", "", "", 401, private, "no token"},
		{"api, no station", "GET", "/api/v1/tides?station=64", "Authorization: Bearer x", "", 404, private, ""},
		{"inbox", "GET", InboxPath, "Authorization: Bearer " + TokenOf("mia"), "", 200, private, InboxOf("mia")},
		{"inbox, signed out", "GET", InboxPath, "", "", 401, private, "no token"},
		{"inbox, forged", "GET", InboxPath, "Authorization: Bearer mia.00", "", 401, private, "no token"},
		{"login form", "GET", LoginPath, "", "", 200, private, "password"},
		{"login", "POST", LoginPath, "", "user=mia&password=" + PasswordOf("mia"), 303, private, ""},
		{"login, wrong", "POST", LoginPath, "", "user=mia&password=00000000", 401, private, "Wrong"},
		{"login by query", "POST", "/login?user=mia&password=" + PasswordOf("mia"), "", "", 401, private, ""},
		{"account", "GET", AccountPath, session, "", 200, private, Greeting("mia")},
		{"account, forged", "GET", AccountPath, "Cookie: session=mia.00", "", 403, private, "Log in"},
		{"account, a visit's signature", "GET", AccountPath, strings.Replace(visit, "visit=", "session=", 1), "", 403, private, ""},
		{"tickets", "GET", TicketsPath, "", "", 200, private, "<option>" + show},
		{"order", "POST", OrderPath, visit, "show=" + url.QueryEscape(show), 200, private, OrderFor(show)},
		{"order, unknown", "POST", OrderPath, "", "show=" + url.QueryEscape(show), 403, private, ""},
		{"order of nothing", "POST", OrderPath, visit, "show=x", 404, private, ""},
		{"order by link", "GET", OrderPath, visit, "", 405, private, ""},
		{"webhook", "POST", HookPath, "X-Signature-256: " + SignHook([]byte(payment)), payment, 204, private, ""},
		{"webhook, forged", "POST", HookPath, "X-Signature-256: " + SignHook([]byte("{}")), payment, 403, private, ""},
		{"webhook, no JSON", "POST", HookPath, "", "x", 400, private, ""},
		{"pingback", "POST", XMLRPCPath, "", string(Pingback("http://a.test/?a=1&b", "http://harbour.test/")), 200, private, PingbackAccepted},
		{"xmlrpc, something else", "POST", XMLRPCPath, "", "<methodCall/>", 400, private, "fault"},
		{"health", "GET", HealthPath, "", "", 200, private, Healthy},
		{"git by a browser", "GET", gitRefsPath, "", "", 403, "no-cache, max-age=0, must-revalidate", "read only"},
		{"no WebSocket", "GET", LivePath, "", "", 426, private, ""},
		{"nothing", "GET", "/wp-login.php", "", "", 404, private, ""},
		{"huge form", "POST", LoginPath, "", strings.Repeat("x", 100<<10), 400, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(s, tt.method, tt.target, tt.field, tt.body)
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
	if n := s.Counts().Concurrent; n != 0 {
		t.Errorf("%d in the site after all answers", n)
	}
}

// ask asks a site that does not listen; field is one line, and a body is a form unless it begins like JSON or XML.
func ask(s *Site, method, target, field, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if name, value, ok := strings.Cut(field, ": "); ok {
		r.Header.Set(name, value)
	}
	if body != "" && !strings.ContainsAny(body[:1], "{<") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// The cookies that pages set are the ones that later pages ask for.
func TestCookies(t *testing.T) {
	s := newSite(tiny, "harbour.test", fixed(), nil)
	tests := []struct{ name, method, target, form, next, nextForm, contains string }{
		{"tickets", "GET", TicketsPath, "", OrderPath, "show=" + url.QueryEscape(s.content.Shows[1]), OrderFor(s.content.Shows[1])},
		{"login", "POST", LoginPath, "user=mia&password=" + PasswordOf("mia"), AccountPath, "", Greeting("mia")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cookie, _, _ := strings.Cut(ask(s, tt.method, tt.target, "", tt.form).Header().Get("Set-Cookie"), ";")
			method := "GET"
			if tt.nextForm != "" {
				method = "POST"
			}
			if w := ask(s, method, tt.next, "Cookie: "+cookie, tt.nextForm); !strings.Contains(w.Body.String(), tt.contains) {
				t.Errorf("%s with %q: %d, lacks %q", tt.next, cookie, w.Code, tt.contains)
			}
		})
	}
}

func TestContentIsFixed(t *testing.T) {
	a, b := fixed(), NewContent()
	if len(a.Resources()) < 50 || len(a.Home.Assets) < 5 {
		t.Errorf("%d resources, %d on the front page", len(a.Resources()), len(a.Home.Assets))
	}
	for i, r := range a.Resources() {
		if b.Resources()[i].Path != r.Path || b.Resource(r.Path).ETag != r.ETag {
			t.Errorf("%s differs from one site to the next", r.Path)
		}
		if u, err := url.Parse(r.Path); err != nil || u.Path != r.Path {
			t.Errorf("%s does not parse to itself", r.Path)
		}
	}
	if !reflect.DeepEqual(a.Repository.Clone(), b.Repository.Clone()) {
		t.Error("the repository differs")
	}
}

// Every target that is said to be expensive is there, and takes many times a page's time.
func TestExpensive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := startInMemory(t, tiny, nil)
		for _, target := range fixed().Expensive() {
			start := time.Now()
			r, err := client.Get("http://harbour.test" + target)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if took := time.Since(start); r.StatusCode != http.StatusOK || took != 10*tiny.Page {
				t.Errorf("%s: %d after %v, want 200 after %v", target, r.StatusCode, took, 10*tiny.Page)
			}
		}
	})
}

func TestLive(t *testing.T) {
	s, err := Start(tiny, "127.0.0.1:0", "harbour.test", fixed(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, _, err := websocket.Dial(t.Context(), s.URL()+LivePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, message := range []string{LiveGreeting, "tide", "storm"} {
		if message != LiveGreeting {
			if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != message {
			t.Errorf("heard %q, %v; want %q", got, err, message)
		}
	}
	if n := s.Counts().Concurrent; n != 0 {
		t.Errorf("%d in the site with an open WebSocket, want 0", n)
	}
	if err := s.Close(); err != nil { // with the WebSocket open
		t.Error(err)
	}
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the WebSocket outlives the site")
	}
}
