package edge

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
)

// muddle is an origin whose answers come in all shapes, by the seed in the path.
func muddle(w http.ResponseWriter, r *http.Request) {
	var seed uint64
	fmt.Sscanf(r.URL.Path, "/muddle/%d", &seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	http.NewResponseController(w).EnableFullDuplex()
	if r.Method == "POST" {
		if rng.IntN(4) == 0 {
			w.Header().Set("Connection", "close")
			w.WriteHeader(403) // without a look at the content
			return
		}
		echo(w, r)
		return
	}
	size := rng.Int64N(1 << rng.IntN(20))
	switch rng.IntN(3) {
	case 0:
		w.Header().Set("Content-Length", fmt.Sprint(size))
	case 1:
		w.Header().Set("Cache-Control", "max-age=60")
	}
	w.Header().Set("Size", fmt.Sprint(size))
	io.Copy(w, noise(byte(seed), size))
}

// muddler asks in all ways, and loses patience now and then.
type muddler struct {
	*speaker
	rng  *rand.Rand
	done *atomic.Int64
}

func (m *muddler) ask() {
	seed := m.rng.Uint64N(500)
	target := fmt.Sprintf("/muddle/%d", seed)
	ctx, cancel := context.WithCancel(m.Context())
	defer cancel()
	method, body, size := "GET", io.Reader(nil), int64(0)
	if m.rng.IntN(3) == 0 {
		size = m.rng.Int64N(1 << m.rng.IntN(19))
		method, body = "POST", noise(byte(seed), size)
	}
	r := m.request(method, target, body).WithContext(ctx)
	impatient := m.rng.IntN(5) == 0
	if impatient && m.rng.IntN(2) == 0 {
		wait := time.Duration(m.rng.IntN(int(3 * time.Millisecond)))
		defer time.AfterFunc(wait, cancel).Stop()
	}
	a, err := m.RoundTrip(r)
	if err != nil {
		if !impatient {
			m.Errorf("%s %s: %v", method, target, err)
		}
		return
	}
	defer a.Body.Close()
	if impatient {
		io.CopyN(io.Discard, a.Body, m.rng.Int64N(100_000))
		return
	}
	m.check(a, byte(seed), size)
	m.done.Add(1)
}

// check compares a whole answer to what it should be.
func (m *muddler) check(a *http.Response, seed byte, size int64) {
	what := a.Request.Method + " " + a.Request.URL.Path
	if a.StatusCode == 403 {
		if rest, err := io.ReadAll(a.Body); err != nil || len(rest) > 0 {
			m.Errorf("%s: got %d bytes, %v after a refusal", what, len(rest), err)
		}
		return
	}
	if a.StatusCode != 200 {
		text, _ := io.ReadAll(a.Body)
		m.Errorf("%s: got %d, %.200s", what, a.StatusCode, text)
		return
	}
	if a.Request.Method == "GET" {
		fmt.Sscan(a.Header.Get("Size"), &size)
	}
	want, _ := digestOf(noise(seed, size))
	if got, err := digestOf(a.Body); got != want || err != nil {
		m.Errorf("%s: got %d bytes, %v, want %d", what, got.size, err, size)
	}
}

// TestH2Muddle has many clients ask for many things side by side, with and without patience: what is whole is right, and nothing is left.
func TestH2Muddle(t *testing.T) {
	const connections, streams, requests = 6, 12, 15
	node := func(n *spec.Node) { n.Connections.Ban = 0 }
	link := sim.Link{Buffer: 4 << 20} // as the kernel has: a client that writes before it reads is not for less
	everyEntrance(t, visit{origin: plain(muddle), node: node, link: link}, func(e *entrance) {
		var done atomic.Int64
		round := func(seed uint64) {
			var clients []*speaker
			var asking sync.WaitGroup
			for c := range uint64(connections) {
				s := e.speaker()
				clients = append(clients, s)
				for i := range uint64(streams) {
					m := &muddler{s, rand.New(rand.NewPCG(seed, c<<8|i)), &done}
					asking.Go(func() {
						for range requests {
							m.ask()
						}
					})
				}
			}
			asking.Wait()
			for _, s := range clients {
				s.Close()
			}
			e.wantNothingLeft()
			e.settle("the connections' end", func() bool { return e.room.Stats().Open == 0 })
		}
		round(1)
		before := runtime.NumGoroutine()
		round(2)
		if e.real {
			return // others run beside
		}
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+10 {
			e.Errorf("got %d goroutines after a second round, %d after the first", after, before)
		}
		if got := done.Load(); got < connections*streams*requests {
			e.Errorf("got %d answers whole, want most of %d", got, 2*connections*streams*requests)
		}
	})
}
