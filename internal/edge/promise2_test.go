package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestPromise2VisitorsGetThrough: 160 sources in 40 networks, each below the limits, ask for several times what the origin can do.
// Visitors who come one by one are all served, within a round of turns, and each refusal says what it is.
func TestPromise2VisitorsGetThrough(t *testing.T) {
	const (
		networks, sources = 40, 4
		visitors, visits  = 10, 3
		concurrent        = 4
		work              = 50 * time.Millisecond
		round             = 2*(networks+visitors+concurrent)*work/concurrent + work
	)
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Limits.OriginRequests = spec.Rate{Requests: 10, Per: time.Second, Burst: 20}
		z.Budget = spec.Budget{Concurrent: concurrent, Queue: 100, QueueTimeout: 10 * time.Second}
		h := build(t, testNode(), z)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/style.css" {
				w.Header().Set("Cache-Control", "max-age=3600")
			} else {
				w.Header().Set("Cache-Control", "no-store")
			}
			time.Sleep(work)
			io.WriteString(w, "page")
		})
		h.want("before the flood", h.get(visitor, "site.test", "/style.css"), 200, "page")

		var over atomic.Bool
		var refused []answer
		var mu sync.Mutex
		var flood sync.WaitGroup
		for i := range networks * sources {
			flood.Go(func() {
				c := h.dial(fmt.Sprintf("10.0.%d.%d", i%networks, 1+i/networks))
				defer c.conn.Close()
				for n := 0; !over.Load(); n++ {
					if a := c.ask("GET", "site.test", fmt.Sprintf("/search?q=%d-%d", i, n)); a.status != 200 {
						mu.Lock()
						refused = append(refused, a)
						mu.Unlock()
					}
					time.Sleep(250 * time.Millisecond)
				}
			})
		}
		time.Sleep(2 * time.Second)
		var people sync.WaitGroup
		for i := range visitors {
			people.Go(func() {
				from := fmt.Sprintf("10.1.%d.1", i)
				for n := range visits {
					start := time.Now()
					h.want("a visitor's page", h.get(from, "site.test", fmt.Sprintf("/page?%d-%d", i, n)), 200, "page")
					if took := time.Since(start); took > round {
						t.Errorf("a visitor's page took %v, want at most %v", took, round)
					}
					start = time.Now()
					h.want("a visitor's style", h.get(from, "site.test", "/style.css"), 200, "page")
					if took := time.Since(start); took > 0 {
						t.Errorf("what the cache has took %v", took)
					}
					time.Sleep(time.Duration(i+1) * 37 * time.Millisecond)
				}
			})
		}
		people.Wait()
		over.Store(true)
		flood.Wait()
		if len(refused) < 100 {
			t.Errorf("got %d refusals: no flood at all", len(refused))
		}
		for i, a := range refused {
			h.wantSealed("the flood's", a, "site", flow.QueueFull, "budget.queue")
			if a.status != 503 || a.header.Get("Retry-After") == "" {
				t.Errorf("got %d, %v for the flood, want 503 with Retry-After", a.status, a.header)
			}
			if i > len(refused)-10 {
				h.wantRefusal("the flood's", a, 503, "site", flow.QueueFull, "budget.queue")
			}
		}
		h.wantIdle("site")
	})
}

// TestPromise2Hall: a hall of people behind one address gets what nobody else needs; once somebody has to wait for the origin, it gets no
// more than an address may have, and the one who waited is served.
func TestPromise2Hall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Limits.OriginRequestsBusy = spec.Rate{Requests: 1, Per: time.Second, Burst: 4}
		z.Budget = spec.Budget{Concurrent: 2, Queue: 100, QueueTimeout: 10 * time.Second}
		h := build(t, testNode(), z)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			time.Sleep(time.Second)
			io.WriteString(w, "page")
		})
		const hall = "10.0.0.1"
		for i := range 20 {
			h.want("the hall alone", h.get(hall, "site.test", fmt.Sprintf("/%d", i)), 200, "page")
			h.want("the hall alone", h.get(hall, "site.test", fmt.Sprintf("/%d", i)), 200, "page")
		}
		var many sync.WaitGroup
		answers := make([]answer, 20)
		for i := range answers {
			many.Go(func() { answers[i] = h.get(hall, "site.test", fmt.Sprintf("/at-once/%d", i)) })
		}
		time.Sleep(100 * time.Millisecond)
		h.want("a visitor", h.get(visitor, "site.test", "/"), 200, "page")
		many.Wait()
		served := 0
		for _, a := range answers {
			if a.status == 200 {
				served++
			} else {
				h.wantRefusal("the hall, while busy", a, 429, "site", flow.OriginLimit, "limits.origin_requests_busy")
			}
		}
		if served < 3 || served > 10 {
			t.Errorf("got %d of the hall's 20 requests at once served, want its share", served)
		}
		time.Sleep(12 * time.Second)
		h.want("the hall, later", h.get(hall, "site.test", "/later"), 200, "page")
		h.wantIdle("site")
	})
}

// TestPromise2SlowForms: those who send their forms byte by byte hold nothing of the origin's; their forms arrive whole, and one that breaks off
// never reaches it.
func TestPromise2SlowForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Budget = spec.Budget{Concurrent: 1}
		h := build(t, testNode(), z)
		var asked atomic.Int64
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprintf(w, "page %s", b)
		})
		form := strings.Repeat("x", 3000)
		slow := make([]*client, 20)
		for i := range slow {
			slow[i] = h.dial(fmt.Sprintf("10.0.%d.1", i))
			defer slow[i].conn.Close()
			slow[i].send(head("POST", "site.test", "/form", fmt.Sprintf("Content-Length: %d", len(form))))
		}
		for i := range len(form) - 1 {
			for _, c := range slow {
				c.send(form[i : i+1])
			}
			if i%1000 == 0 {
				h.want("a visitor", h.get(visitor, "site.test", fmt.Sprintf("/%d", i)), 200, "page")
			}
			time.Sleep(time.Millisecond)
		}
		if got := asked.Load(); got != 3 {
			t.Errorf("got %d requests at the origin, want the visitor's 3", got)
		}
		if got := h.policy("site").Admission.Load(); got != (admission.Load{}) {
			t.Errorf("got %+v under way, want nothing", got)
		}
		for i, c := range slow[1:] {
			c.send("x")
			h.want(fmt.Sprintf("the form of %d", i), c.read("POST"), 200, "page "+form)
		}
		h.must(slow[0].conn.CloseWrite())
		h.wantRefusal("a form that broke off", slow[0].read("POST"), 400, "site", flow.BodyBroken, "http")
		h.wantIdle("site")
	})
}

// TestPromise3ZonesApart: with one zone flooded until its own visitors wait and then broken by its owner, the other one answers at
// once, on the connections that it had.
func TestPromise3ZonesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attacked, other := site("attacked", "attacked.test"), site("other", "other.test")
		attacked.Budget = spec.Budget{Concurrent: 2, Queue: 50, QueueTimeout: 5 * time.Second}
		other.Origin.Servers = spec.OneServer("http://" + otherOrigin)
		h := build(t, testNode(), attacked, other)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, "slow")
		})
		var connections atomic.Int64
		h.serve(otherOrigin, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Nth-On-Connection") == "1" {
				connections.Add(1)
			}
			time.Sleep(20 * time.Millisecond)
			w.Header().Set("Cache-Control", "no-store")
			io.WriteString(w, "other")
		})
		var over atomic.Bool
		var flood sync.WaitGroup
		for i := range 100 {
			flood.Go(func() {
				c := h.dial(fmt.Sprintf("10.0.%d.1", i))
				defer c.conn.Close()
				for n := 0; !over.Load(); n++ {
					c.ask("GET", "attacked.test", fmt.Sprintf("/%d/%d", i, n))
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		c := h.dial(visitor)
		defer c.conn.Close()
		visit := func(when string) {
			t.Helper()
			for range 10 {
				start := time.Now()
				h.want("the other zone "+when, c.ask("GET", "other.test", "/"), 200, "other")
				if took := time.Since(start); took != 20*time.Millisecond {
					t.Errorf("the other zone %s took %v, want the origin's 20ms", when, took)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		visit("beside a flood")
		if load := h.policy("attacked").Admission.Load(); load.Queued < 40 {
			t.Errorf("got %+v: no flood at all", load)
		}

		broken := attacked
		broken.Origin.Servers = spec.OneServer("ftp://nowhere")
		problems := h.snapshot.Apply([]spec.Zone{broken, other})
		if len(problems) != 1 {
			t.Errorf("got problems %v, want one with the broken zone", problems)
		}
		visit("beside a broken zone")
		if got := connections.Load(); got != 1 {
			t.Errorf("got %d connections to the other zone's origin, want the one it had", got)
		}
		over.Store(true)
		flood.Wait()
		h.want("the broken zone in its last good form", h.get(visitor, "attacked.test", "/"), 200, "slow")

		h.must(firstOf(h.snapshot.Apply([]spec.Zone{other})))
		h.wantRefusal("a zone that was taken away", h.get(visitor, "attacked.test", "/"), 421, "-", flow.UnknownHost, "zone")
		visit("beside nobody")
	})
}

func firstOf(errs []error) error {
	for _, err := range errs {
		return err
	}
	return nil
}

// TestPromise5OriginDead: what is fresh is served as ever, what is stale where that is permitted, and the rest is refused in so many
// words (RFC 9111 §4.2.4, §5.2.2.2); when the origin is back, so is the site.
func TestPromise5OriginDead(t *testing.T) {
	tests := []struct {
		name, control string
		age           time.Duration
		status        int
		stale         bool
	}{
		{"fresh", "max-age=3600", time.Minute, 200, false},
		{"stale", "max-age=60", 10 * time.Minute, 200, true},
		{"stale and must be revalidated", "max-age=60, must-revalidate", 10 * time.Minute, 502, false},
		{"never stored", "no-store", 0, 502, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, testNode(), site("site", "site.test"))
				origin := func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", tt.control)
					io.WriteString(w, "page")
				}
				s := h.serve(firstOrigin, origin)
				h.want("with the origin", h.get(visitor, "site.test", "/"), 200, "page")
				h.must(s.Close())
				time.Sleep(tt.age)
				a := h.get(visitor, "site.test", "/")
				switch {
				case tt.status != 200:
					h.wantRefusal("without the origin", a, tt.status, "site", flow.OriginUnreachable, "origin")
				case tt.stale:
					h.want("without the origin", a, 200, "page")
					if e := h.entry(a); e.Cache != "stale" {
						t.Errorf("got cache %s in the record, want stale", e.Cache)
					}
				default:
					h.want("without the origin", a, 200, "page")
					if e := h.entry(a); e.Cache != "hit" {
						t.Errorf("got cache %s in the record, want hit", e.Cache)
					}
				}
				h.serve(firstOrigin, origin)
				h.want("with the origin again", h.get(visitor, "site.test", "/other"), 200, "page")
				h.want("with the origin again", h.get(visitor, "site.test", "/"), 200, "page")
				h.wantIdle("site")
			})
		})
	}
}
