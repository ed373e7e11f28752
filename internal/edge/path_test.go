package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

// TestOrder lets a request be such that several rooms would refuse it, and checks which one does: the order of the path.
func TestOrder(t *testing.T) {
	denied := func(z *spec.Zone) { z.Lists.Deny = []netip.Prefix{netip.MustParsePrefix(visitor + "/32")} }
	allowed := func(z *spec.Zone) { z.Lists.Allow = []netip.Prefix{netip.MustParsePrefix(visitor + "/32")} }
	limited := func(z *spec.Zone) { z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Hour} }
	originLimited := func(z *spec.Zone) { z.Limits.OriginRequests = spec.Rate{Requests: 1, Per: time.Hour} }
	full := func(z *spec.Zone) { z.Budget = spec.Budget{Concurrent: 1, Upgrades: 1} }
	noUpgrades := func(z *spec.Zone) { z.Budget.Upgrades = 0 }
	dead := func(z *spec.Zone) { z.Origin.Servers = spec.OneServer("http://198.51.100.99:80") }
	tests := []struct {
		name   string
		zone   []func(*spec.Zone)
		before []string // targets asked for before, by the same visitor
		host   string
		target string
		fields string
		reason flow.Reason
		status int
	}{
		{"request before zone", nil, nil, "nowhere.test", "/%00", "", flow.Malformed, 400},
		{"request before verdict", []func(*spec.Zone){denied}, nil, "", "/%00", "", flow.Malformed, 400},
		{"zone before the cache", nil, nil, "nowhere.test", "/", "Cache-Control: only-if-cached", flow.UnknownHost, 421},
		{"lists before limits", []func(*spec.Zone){denied, limited}, nil, "", "/", "", flow.Denied, 403},
		{"allow list spares limits", []func(*spec.Zone){allowed, limited, originLimited}, []string{"/a", "/b"}, "", "/", "", flow.NoReason, 200},
		{"lists before a hit", []func(*spec.Zone){denied}, nil, "", "/cached", "", flow.Denied, 403},
		{"limits before a hit", []func(*spec.Zone){limited}, []string{"/cached"}, "", "/cached", "", flow.RequestLimit, 429},
		{"limits before the cache's refusal", []func(*spec.Zone){limited}, []string{"/"}, "", "/", "Cache-Control: only-if-cached", flow.RequestLimit, 429},
		{"a hit before the origin's limit", []func(*spec.Zone){originLimited}, []string{"/cached"}, "", "/cached", "", flow.NoReason, 200},
		{"the cache's refusal before the origin's limit", []func(*spec.Zone){originLimited}, []string{"/a"}, "", "/b", "Cache-Control: only-if-cached", flow.OnlyIfCached, 504},
		{"the origin's limit before the budget", []func(*spec.Zone){originLimited, full}, []string{"/a", "hold"}, "", "/b", "", flow.OriginLimit, 429},
		{"the cap of upgrades before the queue", []func(*spec.Zone){full, noUpgrades}, []string{"hold"}, "", "/", "Connection: upgrade\r\nUpgrade: echo", flow.UpgradeCap, 503},
		{"a hit before the budget", []func(*spec.Zone){full}, []string{"/cached", "hold"}, "", "/cached", "", flow.NoReason, 200},
		{"the budget before the origin", []func(*spec.Zone){full}, []string{"hold", "kill"}, "", "/", "", flow.QueueFull, 503},
		{"the origin last", []func(*spec.Zone){dead}, nil, "", "/", "", flow.OriginUnreachable, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z := site("site", "site.test")
				for _, change := range tt.zone {
					change(&z)
				}
				h := build(t, testNode(), z)
				h.serve(firstOrigin, page)
				for _, target := range tt.before {
					switch target {
					case "hold":
						go h.get("10.0.0.1", "site.test", "/slow")
						synctest.Wait()
					case "kill":
						h.must(h.net.SetLink(firstOrigin, sim.Link{Refuse: true}))
					default:
						h.get(visitor, "site.test", target)
					}
				}
				host := "site.test"
				if tt.host != "" {
					host = tt.host
				}
				var fields []string
				if tt.fields != "" {
					fields = []string{tt.fields}
				}
				a := h.get(visitor, host, tt.target, fields...)
				if e := h.entry(a); a.status != tt.status || e.Refusal != "" && e.Refusal != tt.reason.String() {
					t.Errorf("got %d, refusal %q by %s, want %d, %v", a.status, e.Refusal, e.RefusalRule, tt.status, tt.reason)
				}
				time.Sleep(10 * time.Second)
				h.wantIdle("site")
			})
		})
	}
}

// page is an origin's answers by path.
func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/slow":
		time.Sleep(5 * time.Second)
	case "/cached", "/other":
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
	case "/fails":
		w.WriteHeader(500)
	case "/moves":
		w.Header().Set("Content-Location", "/cached")
	case "/large":
		for range 100 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
		return
	}
	io.WriteString(w, "0123456789")
}

// TestSettle gives a source back what it paid for a request that the budget kept from the origin, and nothing else.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Limits.OriginRequests = spec.Rate{Requests: 1, Per: time.Hour, Burst: 1}
		z.Budget = spec.Budget{Concurrent: 1}
		h := build(t, testNode(), z)
		h.serve(firstOrigin, page)
		go h.get("10.0.0.1", "site.test", "/slow")
		synctest.Wait()
		for range 10 {
			h.wantRefusal("a full budget", h.get(visitor, "site.test", "/"), 503, "site", flow.QueueFull, "budget.queue")
		}
		time.Sleep(10 * time.Second)
		for range 2 {
			h.want("what was given back", h.get(visitor, "site.test", "/"), 200, "0123456789")
		}
		h.wantRefusal("what was used", h.get(visitor, "site.test", "/"), 429, "site", flow.OriginLimit, "limits.origin_requests")
	})
}

// TestInvalidation: a request whose method is not safe drops what is stored under its URI and those that its answer names, unless
// it failed (RFC 9111 §4.4).
func TestInvalidation(t *testing.T) {
	tests := []struct {
		method, target string
		drops          bool
	}{
		{"POST", "/cached", true},
		{"PUT", "/cached", true},
		{"DELETE", "/cached", true},
		{"PATCH", "/cached", true},
		{"OPTIONS", "/cached", false},
		{"HEAD", "/cached", false},
		{"POST", "/moves", true},
		{"POST", "/fails", false},
		{"POST", "/other", false},
		{"POST", "/cached?", false},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, testNode(), site("site", "site.test"))
				h.serve(firstOrigin, page)
				h.want("first", h.get(visitor, "site.test", "/cached"), 200, "0123456789")
				if a := h.get(visitor, "site.test", "/cached"); h.entry(a).Cache != "hit" {
					t.Fatalf("got %s, want a hit", h.entry(a).Cache)
				}
				h.ask(visitor, tt.method, "site.test", tt.target, "Content-Length: 0")
				want := "hit"
				if tt.drops {
					want = "miss"
				}
				if a := h.get(visitor, "site.test", "/cached"); h.entry(a).Cache != want {
					t.Errorf("got %s, want a %s", h.entry(a).Cache, want)
				}
			})
		})
	}
}

// TestClientGone has clients leave before and after the head of their response: nothing stays behind, and the record knows.
func TestClientGone(t *testing.T) {
	tests := []struct {
		name, target string
		head         bool // the client waits for it
		refusal      string
	}{
		{"before the head", "/slow", false, "client-gone"},
		{"after the head", "/large", true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, testNode(), site("site", "site.test"))
				h.serve(firstOrigin, page)
				c := h.dial(visitor)
				c.send(head("GET", "site.test", tt.target))
				if tt.head {
					if line, err := c.reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
						t.Fatalf("got %q, %v, want a head", line, err)
					}
				}
				synctest.Wait()
				c.conn.Reset()
				time.Sleep(time.Minute)
				h.wantIdle("site")
				counts := h.policy("site").Record.Counts()
				if counts.Requests != 1 || counts.Broken != 1 || counts.OriginAttempts != 1 {
					t.Errorf("got %+v, want one request, broken off", counts)
				}
				if got := counts.Refused[flow.ClientGone]; (got == 1) != (tt.refusal != "") {
					t.Errorf("got %d refused as gone, want %q", got, tt.refusal)
				}
				if s := h.conns.Stats(); s.Open != 0 {
					t.Errorf("got %d connections open, want none", s.Open)
				}
			})
		})
	}
}

// TestCollapse: of those who ask at one time for what the cache has not, one asks the origin and all are answered; so too when that
// one leaves.
func TestCollapse(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		t.Run(fmt.Sprintf("the first leaves %v", leaves), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, testNode(), site("site", "site.test"))
				var asked atomic.Int64
				h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					w.Header().Set("Cache-Control", "max-age=60")
					time.Sleep(1500 * time.Millisecond)
					io.WriteString(w, "0123456789")
				})
				first := h.dial("10.0.0.1")
				first.send(head("GET", "site.test", "/news"))
				synctest.Wait()
				var crowd sync.WaitGroup
				for i := range 50 {
					crowd.Go(func() {
						a := h.get(fmt.Sprintf("10.0.1.%d", i), "site.test", "/news")
						h.want("one of the crowd", a, 200, "0123456789")
						if !strings.Contains(a.header.Get("Cache-Status"), "collapsed") {
							t.Errorf("got Cache-Status %q, want collapsed", a.header.Get("Cache-Status"))
						}
					})
				}
				synctest.Wait()
				if leaves {
					first.conn.Reset()
				} else {
					h.want("the first", first.read("GET"), 200, "0123456789")
				}
				crowd.Wait()
				first.conn.Close()
				if got := asked.Load(); got != 1 {
					t.Errorf("got %d requests at the origin, want 1", got)
				}
				h.wantIdle("site")
			})
		})
	}
}

// TestStoredParts answers HEAD, conditional and range requests from what is stored.
func TestStoredParts(t *testing.T) {
	tests := []struct {
		name, method string
		fields       []string
		status       int
		body, length string
	}{
		{"whole", "GET", nil, 200, "0123456789", "10"},
		{"HEAD", "HEAD", nil, 200, "", "10"},
		{"same tag", "GET", []string{`If-None-Match: "one"`}, 304, "", ""},
		{"same tag of HEAD", "HEAD", []string{`If-None-Match: W/"one"`}, 304, "", ""},
		{"other tag", "GET", []string{`If-None-Match: "two"`}, 200, "0123456789", "10"},
		{"not modified since", "GET", []string{"If-Modified-Since: Sun, 02 Jan 2000 00:00:00 GMT"}, 304, "", ""},
		{"tag before date", "GET", []string{`If-None-Match: "two"`, "If-Modified-Since: Sun, 02 Jan 2000 00:00:00 GMT"}, 200, "0123456789", "10"},
		{"range", "GET", []string{"Range: bytes=2-4"}, 206, "234", "3"},
		{"last bytes", "GET", []string{"Range: bytes=-3"}, 206, "789", "3"},
		{"range beyond", "GET", []string{"Range: bytes=10-"}, 416, "", "0"},
		{"range of another", "GET", []string{"Range: bytes=2-4", `If-Range: "two"`}, 200, "0123456789", "10"},
		{"range of HEAD", "HEAD", []string{"Range: bytes=2-4"}, 200, "", "10"},
	}
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		var asked atomic.Int64
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			page(w, r)
		})
		h.want("first", h.get(visitor, "site.test", "/cached"), 200, "0123456789")
		c := h.dial(visitor)
		defer c.conn.Close()
		for _, tt := range tests {
			a := c.ask(tt.method, "site.test", "/cached", tt.fields...)
			if a.status != tt.status || a.body != tt.body || a.header.Get("Content-Length") != tt.length || a.err != nil {
				t.Errorf("%s: got %d, %q, length %s, %v, want %d, %q, length %s",
					tt.name, a.status, a.body, a.header.Get("Content-Length"), a.err, tt.status, tt.body, tt.length)
			}
			if e := h.entry(a); e.Cache != "hit" || e.Bytes != int64(len(tt.body)) {
				t.Errorf("%s: got %s with %d bytes in the record, want a hit with %d", tt.name, e.Cache, e.Bytes, len(tt.body))
			}
		}
		if got := asked.Load(); got != 1 {
			t.Errorf("got %d requests at the origin, want 1", got)
		}
	})
}
