package origin

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestAtOnce asks, takes servers down, brings them up, compiles and looks, all at once: every request is answered or refused for a
// reason that exists here, and in the end nothing is in flight.
func TestAtOnce(t *testing.T) {
	flaky := func(c net.Conn, r *bufio.Reader) {
		for n := 0; ; n++ {
			if _, _, isRequest := ask(r); !isRequest || n%7 == 6 {
				return
			}
			io.WriteString(c, ok)
		}
	}
	for _, balance := range []spec.Balance{spec.BalanceRoundRobin, spec.BalanceLeastRequests, spec.BalanceSource} {
		t.Run(string(balance), func(t *testing.T) {
			r := newRoom(t)
			var changes atomic.Int64
			r.Changed = func(string, string, bool, string) { changes.Add(1) }
			z := zoneOf("")
			z.Origin.Balance, z.Origin.Servers, z.Origin.Retries = balance, nil, 3
			z.Origin.Health.Path, z.Origin.Health.Interval, z.Origin.Health.FailTimeout = "/", minInterval, 1
			for i, do := range []script{always(ok), flaky, always(okOnce)} {
				z.Origin.Servers = append(z.Origin.Servers, spec.Server{URL: serve(t, loopback(t), "http", do).url, Weight: i + 1})
			}
			var current atomic.Pointer[Policy]
			current.Store(compile(t, r, z))
			var askers, others sync.WaitGroup
			done := make(chan bool)
			repeat := func(f func(n int)) {
				others.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-done:
							return
						default:
							f(n)
						}
					}
				})
			}
			repeat(func(n int) {
				again := *z
				again.Origin.Servers = append([]spec.Server(nil), z.Origin.Servers...)
				again.Origin.Servers[n%3].Weight = 1 + n%5
				p, err := r.Compile(&again)
				if err != nil {
					t.Error(err)
					return
				}
				p.Checks(unbounded)
				current.Store(p)
			})
			repeat(func(n int) {
				if s := &current.Load().servers[n/2%3]; n%2 == 0 {
					s.takeDown()
				} else {
					s.raise()
				}
			})
			repeat(func(int) { current.Load().Servers() })
			for i := range 8 {
				askers.Go(func() {
					for n := range 40 {
						f := ordinary()
						f.Request.Source = source(40*i + n)
						current.Load().Fetch(f)
						if body, err := drain(f); f.Origin.Refusal == nil && (body != "ok" || err != nil) {
							t.Errorf("body %q, %v, want ok", body, err)
						} else if q := f.Origin.Refusal; q != nil && q.Reason != flow.OriginBroken && q.Reason != flow.OriginDown {
							t.Errorf("refusal %+v", q)
						}
						if n := f.Admission.Lease.(*lease).count(); n != 1 {
							t.Errorf("lease released %d times, want 1", n)
						}
					}
				})
			}
			askers.Wait()
			close(done)
			others.Wait()
			for _, s := range current.Load().Servers() {
				if s.InFlight != 0 {
					t.Errorf("%d requests in flight to %s, want none", s.InFlight, s.URL)
				}
			}
			if changes.Load() == 0 {
				t.Error("no server changed")
			}
		})
	}
}
