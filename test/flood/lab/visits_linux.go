package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Visits say how visitors come: each opens a connection, asks for a page, reads it to its end and closes the connection.
type Visits struct {
	URL     string        // of the server, by address
	Workers int           // at one time
	Rate    int           // a second; 0 for the next as soon as the last is done
	Lasting time.Duration // after which none begins
	Timeout time.Duration // of one, after which it has failed
}

// The most that visits may ask for.
const (
	maxWorkers = 1000
	maxVisits  = 1_000_000
)

// Visited is how they fared.
type Visited struct {
	Kept, Failed  int
	P50, P99, Max time.Duration // of those kept, from when the visit was due to the end of its page
	Failure       error         // of the first that failed
}

func (v Visited) String() string {
	return fmt.Sprintf("%d kept, %d failed, p50 %v, p99 %v", v.Kept, v.Failed, v.P50.Round(time.Microsecond), v.P99.Round(time.Microsecond))
}

// A crowd is visitors under way.
type crowd struct {
	visits Visits
	host   *Host
	from   []netip.Addr
	began  time.Time
	next   atomic.Int64

	mu      sync.Mutex
	visited Visited
	took    []time.Duration
}

// Visit has visitors come from all their addresses in turn, until the time is over or ctx ends.
func (l *Lab) Visit(ctx context.Context, v Visits) (Visited, error) {
	if v.Workers < 1 || v.Workers > maxWorkers || v.Rate < 0 || v.Timeout <= 0 || v.Lasting <= 0 {
		return Visited{}, fmt.Errorf("visits %+v: want 1 to %d workers, a time and a timeout", v, maxWorkers)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return Visited{}, err
	}
	target, err := netip.ParseAddr(request.URL.Hostname())
	if err != nil {
		return Visited{}, fmt.Errorf("visit %s: %w", v.URL, err)
	}
	c := &crowd{visits: v, host: l.Visitors, from: l.Visitors.IPv4, began: time.Now()}
	if target.Is6() {
		c.from = l.Visitors.IPv6
	}
	var workers sync.WaitGroup
	for range v.Workers {
		workers.Go(func() { c.work(ctx) })
	}
	workers.Wait()
	slices.Sort(c.took)
	c.visited.Kept = len(c.took)
	c.visited.P50, c.visited.P99, c.visited.Max = quantile(c.took, 0.5), quantile(c.took, 0.99), quantile(c.took, 1)
	return c.visited, nil
}

// quantile of sorted times; zero if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// errBusy is the failure of a visit that nobody was free for in its time, because earlier ones were waiting.
var errBusy = errors.New("all workers were waiting for the server")

// work makes one visit after the other.
func (c *crowd) work(ctx context.Context) {
	for ctx.Err() == nil {
		number := c.next.Add(1) - 1
		due := time.Now()
		if c.visits.Rate > 0 {
			due = c.began.Add(time.Duration(number) * time.Second / time.Duration(c.visits.Rate))
		}
		if number >= maxVisits || due.Sub(c.began) >= c.visits.Lasting {
			return
		}
		time.Sleep(time.Until(due))
		err := errBusy
		if time.Since(due) < c.visits.Timeout {
			err = c.visit(ctx, c.from[number%int64(len(c.from))])
		}
		c.note(time.Since(due), err)
	}
}

func (c *crowd) note(took time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.took = append(c.took, took)
		return
	}
	c.visited.Failed++
	if c.visited.Failure == nil {
		c.visited.Failure = err
	}
}

// visit is one connection.
func (c *crowd) visit(ctx context.Context, from netip.Addr) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.visits.Timeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return c.host.Dial(ctx, from, network, address)
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.visits.URL, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
