package edge

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// worker is an origin that notes what it has to do at one time, and when.
type worker struct {
	mu        sync.Mutex
	now, most int // requests
	up        int // upgraded connections
	arrived   []time.Time
}

func (w *worker) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	w.most = max(w.most, w.now)
	w.arrived = append(w.arrived, time.Now())
}

func (w *worker) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now--
}

// log is the most that there was to do at one time, how many connections are upgraded, and when requests came.
func (w *worker) log() (most, upgraded int, arrived []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most, w.up, w.arrived
}

// upgrade holds a connection that speaks another protocol until its client ends it.
func (w *worker) upgrade(rw http.ResponseWriter) {
	c, buffered, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	w.mu.Lock()
	w.now, w.up = w.now-1, w.up+1
	w.mu.Unlock()
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(c, buffered)
	w.mu.Lock()
	w.up--
	w.mu.Unlock()
}

// TestPromise1OriginNeverGetsMoreThanItsBudget: whatever the crowd does, the origin has no more to do at one time, and gets no more
// in a second, than its owner set. The crowd uses the budget up.
func TestPromise1OriginNeverGetsMoreThanItsBudget(t *testing.T) {
	budget := spec.Budget{Concurrent: 3, Rate: spec.Rate{Requests: 40, Per: time.Second, Burst: 5}, Queue: 20, QueueTimeout: time.Second, Upgrades: 4}
	const people, asks, work = 30, 6, 50 * time.Millisecond
	answer := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(work)
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, "done")
	}
	get := func(c *client, i, n int) { c.ask("GET", "site.test", fmt.Sprintf("/%d/%d", i, n)) }
	tests := []struct {
		name   string
		origin http.HandlerFunc
		person func(c *client, i, n int) // sends one of its requests
	}{
		{"requests", answer, get},
		{"uploads", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			answer(w, r)
		}, func(c *client, i, n int) {
			c.send(head("POST", "site.test", "/form", "Content-Length: 60000"))
			c.send(strings.Repeat("x", 60_000))
			c.read("POST")
		}},
		{"retries", func(w http.ResponseWriter, r *http.Request) { // connections die when they are used again
			if r.Header.Get("Nth-On-Connection") != "1" {
				panic(http.ErrAbortHandler)
			}
			answer(w, r)
		}, get},
		{"revalidations", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=1, stale-while-revalidate=1")
			w.Header().Set("ETag", `"same"`)
			time.Sleep(work)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, "done")
		}, func(c *client, i, n int) {
			c.ask("GET", "site.test", fmt.Sprintf("/%d", i%8))
			time.Sleep(1500 * time.Millisecond)
		}},
		{"clients that leave", answer, func(c *client, i, n int) {
			gone := c.dial(fmt.Sprintf("10.1.%d.%d", i, n))
			gone.send(head("GET", "site.test", fmt.Sprintf("/gone/%d/%d", i, n)))
			time.Sleep(time.Duration(n) * time.Millisecond)
			gone.conn.Reset()
			get(c, i, n)
		}},
		{"errors", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(work)
			panic(http.ErrAbortHandler)
		}, get},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z := site("site", "site.test")
				z.Budget = budget
				h := build(t, testNode(), z)
				var w worker
				h.serve(firstOrigin, func(rw http.ResponseWriter, r *http.Request) {
					w.begin()
					defer w.end()
					tt.origin(rw, r)
				})
				var crowd sync.WaitGroup
				for i := range people {
					crowd.Go(func() {
						for n := range asks {
							c := h.dial(fmt.Sprintf("10.0.%d.1", i))
							tt.person(c, i, n)
							c.conn.Close()
						}
					})
				}
				crowd.Wait()
				time.Sleep(time.Minute) // what lingers
				most, _, arrived := w.log()
				if most != budget.Concurrent {
					t.Errorf("got at most %d requests at a time, want %d", most, budget.Concurrent)
				}
				wantRate(t, arrived, &budget)
				h.wantIdle("site")
			})
		})
	}
}

// wantRate checks every window of the times against the rate, and that it was used.
func wantRate(t *testing.T, times []time.Time, b *spec.Budget) {
	t.Helper()
	if len(times) < 30 {
		t.Errorf("got %d requests at the origin: no crowd at all", len(times))
	}
	slices.SortFunc(times, time.Time.Compare)
	interval := time.Second / time.Duration(b.Rate.Requests)
	for i := range times {
		for j := i; j < len(times); j++ {
			if got, most := j-i+1, b.Rate.Burst+1+int(times[j].Sub(times[i])/interval); got > most {
				t.Fatalf("got %d requests within %v, want at most %d", got, times[j].Sub(times[i]), most)
			}
		}
	}
}

// TestPromise1Upgrades: upgraded connections have a cap of their own, the requests for them share the budget, and both come back.
func TestPromise1Upgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Budget = spec.Budget{Concurrent: 2, Queue: 100, QueueTimeout: time.Second, Upgrades: 4}
		h := build(t, testNode(), z)
		var w worker
		h.serve(firstOrigin, func(rw http.ResponseWriter, r *http.Request) {
			w.begin()
			time.Sleep(100 * time.Millisecond)
			if r.Header.Get("Upgrade") != "" {
				w.upgrade(rw)
				return
			}
			w.end()
		})
		const people = 20
		answers := make([]answer, people)
		clients := make([]*client, people)
		var crowd sync.WaitGroup
		for i := range people {
			crowd.Go(func() {
				clients[i] = h.dial(fmt.Sprintf("10.0.%d.1", i))
				answers[i] = clients[i].ask("GET", "site.test", "/live", "Connection: Upgrade", "Upgrade: echo")
			})
		}
		crowd.Wait()
		synctest.Wait()
		h.want("a page beside upgraded connections", h.get(visitor, "site.test", "/"), 200, "")
		upgraded := 0
		for i, a := range answers {
			if a.status == 101 {
				upgraded++
				clients[i].send("hello")
				var echo [5]byte
				if _, err := io.ReadFull(clients[i].reader, echo[:]); err != nil || string(echo[:]) != "hello" {
					t.Errorf("got %q, %v through an upgraded connection, want hello", echo[:], err)
				}
				continue
			}
			h.wantRefusal("beyond the cap", a, 503, "site", 12, "budget.upgrades")
		}
		if most, up, _ := w.log(); upgraded != 4 || up != 4 || most != 2 {
			t.Errorf("got %d upgraded, %d at the origin, with %d requests at a time, want 4, 4 and 2", upgraded, up, most)
		}
		if got := h.policy("site").Admission.Load().Upgrades; got != 4 {
			t.Errorf("got a load of %d upgrades, want 4", got)
		}
		for _, c := range clients {
			c.conn.Close()
		}
		time.Sleep(time.Minute)
		h.wantIdle("site")
		c := h.dial(visitor)
		defer c.conn.Close()
		if a := c.ask("GET", "site.test", "/live", "Connection: Upgrade", "Upgrade: echo"); a.status != 101 {
			t.Errorf("got %d when there is room again, want 101", a.status)
		}
	})
}
