package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/test/server"
)

// small is a site in the tests: two workers, and a page takes long enough for requests to meet.
var small = site.Config{Workers: 2, Backlog: 512, Page: 10 * time.Millisecond, Asset: time.Millisecond}

// A stage is a proxy before its two sites.
type stage struct {
	peer            peer
	set             setting
	content         *site.Content
	ours, neighbour *site.Site
}

// forEachPeer has a test play on the stage of each peer.
func forEachPeer(t *testing.T, do func(*testing.T, *stage)) {
	t.Helper()
	if testing.Short() {
		t.Skip("real proxies take long to start")
	}
	dir := t.TempDir()
	geo := filepath.Join(dir, "places.mmdb")
	if err := writePlaces(geo); err != nil {
		t.Fatal(err)
	}
	content := site.NewContent()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			do(t, openStage(t, p, filepath.Join(dir, p.name), geo, content))
		})
	}
}

func openStage(t *testing.T, p peer, dir, geo string, content *site.Content) *stage {
	t.Helper()
	program := seawall(t)
	if p.program != "" {
		var err error
		if program, err = server.Find(p.program); err != nil {
			t.Skipf("%s is not installed", p.program)
		}
	}
	set, err := p.newSetting(dir, geo, scenario.Site{Workers: small.Workers})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{peer: p, set: set, content: content}
	for i, one := range []**site.Site{&s.ours, &s.neighbour} {
		opened, err := site.Start(small, set.Sites[i].Origin, set.Sites[i].Host, content, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		*one = opened
	}
	proxy, err := p.launch(t.Context(), "", program, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Failure(); err != nil {
			t.Error(err)
		}
		proxy.Stop()
	})
	return s
}

// seawall builds the binary once.
func seawall(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "seawall-drill-test-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "seawall")
	return program, attempt(context.Background(), "go", "build", "-o", program, "github.com/seawall/seawall/cmd/seawall")
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// client is somebody at an address, with HTTP/2 or without.
func (s *stage) client(t *testing.T, source string, http2 bool) *http.Client {
	t.Helper()
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 0))}
		return d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	}
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		DialContext: dial, Protocols: &protocols, MaxIdleConnsPerHost: 64,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// url is where a host is asked for a target.
func (s *stage) url(scheme, host, target string) string {
	address := s.set.HTTPS
	if scheme == "http" {
		address = s.set.HTTP
	}
	_, port, _ := net.SplitHostPort(address)
	return scheme + "://" + host + ":" + port + target
}

// fetch returns status and body.
func fetch(c *http.Client, method, target string, fields http.Header, body string) (int, string, error) {
	q, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	maps.Copy(q.Header, fields)
	r, err := c.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// Visitors get what is right, of whatever kind and over whatever protocol.
func TestVisitorsPass(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		c := s.content
		form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		payment := `{"order":7}`
		clone := c.Repository.Clone()
		gitFields := http.Header{"Git-Protocol": {"version=2"}, "Content-Type": {clone[2].ContentType}}
		tests := []struct {
			name, method, target string
			fields               http.Header
			body                 string
			status               int
			want                 string
		}{
			{"home", "GET", "/", nil, "", 200, string(c.Home.Body)},
			{"feed", "GET", c.Feed.Path, nil, "", 200, string(c.Feed.Body)},
			{"download", "GET", c.Download.Path, nil, "", 200, string(c.Download.Body)},
			{"search", "GET", "/search?q=storm", nil, "", 200, site.ResultsFor("storm")},
			{"login", "POST", site.LoginPath, form, "user=mia&password=" + site.PasswordOf("mia"), 303, ""},
			{"wrong login", "POST", site.LoginPath, form, "user=mia&password=x", 401, ""},
			{"api", "GET", "/api/v1/tides?station=7", http.Header{"Authorization": {"Bearer x"}}, "", 200, site.TidesAt(7)},
			{"inbox, signed out", "GET", site.InboxPath, nil, "", 401, ""},
			{"webhook", "POST", site.HookPath, http.Header{site.SignatureField: {site.SignHook([]byte(payment))}}, payment, 204, ""},
			{"git, list", clone[1].Method, clone[1].Target, gitFields, string(clone[1].Body), 200, string(clone[1].Want)},
			{"git, fetch", clone[2].Method, clone[2].Target, gitFields, string(clone[2].Body), 200, string(clone[2].Want)},
			{"health", "GET", site.HealthPath, nil, "", 200, site.Healthy},
		}
		for _, scheme := range []string{"http", "https", "h2"} {
			client := s.client(t, "127.16.0.5", scheme == "h2")
			scheme = strings.Replace(scheme, "h2", "https", 1)
			for _, tt := range tests {
				status, body, err := fetch(client, tt.method, s.url(scheme, ourHost, tt.target), tt.fields, tt.body)
				if err != nil || status != tt.status || !strings.Contains(body, tt.want) {
					t.Errorf("%s over %s: %d, %d bytes, %v; want %d and what is there", tt.name, scheme, status, len(body), err, tt.status)
				}
			}
		}
		if n := s.neighbour.Counts().Sum(); n != 0 {
			t.Errorf("the neighbour got %d requests", n)
		}
	})
}

// A part of a large file is that part, and a range that the proxy does not know is the whole.
func TestRanges(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		client, whole := s.client(t, "127.16.0.5", false), string(s.content.Download.Body)
		for range 2 { // from the site, and from the cache
			status, body, err := fetch(client, "GET", s.url("https", ourHost, s.content.Download.Path), http.Header{"Range": {"bytes=1000-1999"}}, "")
			if err != nil || !(status == 206 && body == whole[1000:2000] || status == 200 && body == whole) {
				t.Errorf("status %d, %d bytes, %v; want 1000 with 206, or all with 200", status, len(body), err)
			}
		}
	})
}

func TestLive(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		options := &websocket.DialOptions{HTTPClient: s.client(t, "127.16.0.5", false)}
		c, _, err := websocket.Dial(t.Context(), s.url("https", ourHost, site.LivePath), options)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != site.LiveGreeting {
			t.Errorf("heard %q, %v; want the greeting", m, err)
		}
	})
}

func TestNeighbour(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		status, _, err := fetch(s.client(t, "127.16.0.5", true), "GET", s.url("https", neighbourHost, site.HealthPath), nil, "")
		if err != nil || status != 200 || s.neighbour.Counts().Sum() != 1 || s.ours.Counts().Sum() != 0 {
			t.Errorf("status %d, %v; the neighbour got %d requests, we %d", status, err, s.neighbour.Counts().Sum(), s.ours.Counts().Sum())
		}
	})
}

// Who asks for a host that is not there gets nothing of the sites.
func TestUnknownHosts(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		client := s.client(t, "127.16.0.5", false)
		for _, host := range []string{"unknown.test", "127.0.0.1"} {
			for _, scheme := range []string{"http", "https"} {
				if status, body, err := fetch(client, "GET", s.url(scheme, host, "/"), nil, ""); err == nil && status < 400 {
					t.Errorf("%s://%s: %d, %d bytes; want none", scheme, host, status, len(body))
				}
			}
		}
		if n := s.ours.Counts().Sum() + s.neighbour.Counts().Sum(); n != 0 {
			t.Errorf("the sites got %d requests", n)
		}
	})
}

// What may be kept is asked for once.
func TestCache(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		client, path := s.client(t, "127.16.0.5", true), s.content.Articles[3].Path
		for range 20 {
			if status, _, err := fetch(client, "GET", s.url("https", ourHost, path), nil, ""); err != nil || status != 200 {
				t.Fatalf("status %d, %v", status, err)
			}
		}
		want := 20
		if s.peer.caches {
			want = 1
		}
		if got := s.ours.Counts().Sum(); got != want {
			t.Errorf("the site got %d requests of 20, want %d", got, want)
		}
	})
}

// A flood of one address is refused, while somebody else is served; thirty people behind one address who each load a page with
// its assets are served, too.
func TestFlood(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		if s.peer.limits {
			if refused := s.flood(t, "127.16.0.66", 4000); refused < 500 { // some thousand at once may be people's
				t.Errorf("%d of 4000 requests of one address were refused, want what is too much", refused)
			}
		} else if refused := s.flood(t, "127.16.0.66", 400); refused > 0 {
			t.Errorf("%d of 400 requests were refused by who has no limits", refused)
		}
		status, body, err := fetch(s.client(t, "127.16.0.5", true), "GET", s.url("https", ourHost, "/search?q=storm"), nil, "")
		if err != nil || status != 200 || !strings.Contains(body, site.ResultsFor("storm")) {
			t.Errorf("somebody else: %d, %v; want 200", status, err)
		}
		s.crowd(t, "127.16.0.77", 30)
	})
}

// flood sends n requests of one address, as many as 16 connections can, and returns how many were refused.
func (s *stage) flood(t *testing.T, source string, n int) (refused int) {
	t.Helper()
	client := s.client(t, source, false)
	var mu sync.Mutex
	var senders sync.WaitGroup
	for sender := range 16 {
		senders.Go(func() {
			for i := sender; i < n; i += 16 {
				target := s.url("https", ourHost, s.content.Articles[i%5].Path)
				status, _, err := fetch(client, "GET", target, nil, "")
				if err != nil || status >= 400 {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	return refused
}

// crowd has people behind one address each load a page with all that is on it.
func (s *stage) crowd(t *testing.T, source string, people int) {
	t.Helper()
	var crowd sync.WaitGroup
	for i := range people {
		client := s.client(t, source, i%2 == 0)
		page := s.content.Articles[i%len(s.content.Articles)]
		crowd.Go(func() {
			for _, r := range append([]*site.Resource{page}, page.Assets...) {
				if status, body, err := fetch(client, "GET", s.url("https", ourHost, r.Path), nil, ""); err != nil || status != 200 || body != string(r.Body) {
					t.Errorf("one of many behind %s: %s: %d, %v", source, r.Path, status, err)
				}
			}
		})
	}
	crowd.Wait()
}

// The site gets no more at once than it has workers, from who can see to it, and all who wait are served.
func TestBudget(t *testing.T) {
	forEachPeer(t, func(t *testing.T, s *stage) {
		var crowd sync.WaitGroup
		for i := range 60 {
			client := s.client(t, fmt.Sprintf("127.16.1.%d", i+1), i%2 == 0)
			crowd.Go(func() {
				status, body, err := fetch(client, "GET", s.url("https", ourHost, fmt.Sprintf("/search?q=storm%d", i)), nil, "")
				if want := site.ResultsFor(fmt.Sprint("storm", i)); err != nil || status != 200 || !strings.Contains(body, want) {
					t.Errorf("person %d: %d, %v; want 200", i, status, err)
				}
			})
		}
		crowd.Wait()
		if peak := s.ours.Counts().Peak; s.peer.queues && peak > small.Workers {
			t.Errorf("%d at once, want %d", peak, small.Workers)
		}
	})
}
