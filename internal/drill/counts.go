package drill

import (
	"maps"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// OriginCounts is what a site got.
type OriginCounts struct {
	Requests       int            `json:"requests"`
	Concurrent     int            `json:"concurrent"` // in the site now: waiting or worked on
	PeakConcurrent int            `json:"peak_concurrent"`
	PeakRate       int            `json:"peak_rate"`  // most requests in any one second
	Overloaded     int            `json:"overloaded"` // answered 503, the backlog being full
	ByPath         map[string]int `json:"by_path"`
	ByClient       map[string]int `json:"by_client"` // visitor, bot, unknown
}

// rateWindow bounds how many arrivals of the last second are remembered; a peak beyond it is reported as it.
const rateWindow = 1 << 16

// counts counts requests into and out of a site. One lock: a site takes thousands of requests a second, not millions.
type counts struct {
	mu       sync.Mutex
	sum      OriginCounts
	isBot    func(netip.Addr) bool // set by the run that knows; nil: every client is unknown
	arrivals []time.Time           // ring of the arrivals within the last second
	head, n  int
}

func newCounts() *counts {
	return &counts{
		sum:      OriginCounts{ByPath: map[string]int{}, ByClient: map[string]int{}},
		arrivals: make([]time.Time, rateWindow),
	}
}

// arrive counts a request in. The client is who is connected or, behind a proxy, the address that the proxy added
// last to X-Forwarded-For: used for accounting only.
func (c *counts) arrive(kind, remote string, forwarded []string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Requests++
	c.sum.Concurrent++
	c.sum.PeakConcurrent = max(c.sum.PeakConcurrent, c.sum.Concurrent)
	c.sum.ByPath[kind]++
	c.sum.ByClient[c.client(remote, forwarded)]++
	if c.n == rateWindow {
		c.head, c.n = (c.head+1)%rateWindow, c.n-1
	}
	c.arrivals[(c.head+c.n)%rateWindow] = now
	c.n++
	c.forget(now)
	c.sum.PeakRate = max(c.sum.PeakRate, c.n)
}

// client names who sent a request, as far as addresses tell.
func (c *counts) client(remote string, forwarded []string) string {
	if c.isBot == nil {
		return "unknown"
	}
	var source netip.Addr
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		source = ap.Addr().Unmap()
	}
	if len(forwarded) > 0 {
		last := forwarded[len(forwarded)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		if a, err := netip.ParseAddr(last); err == nil {
			source = a.Unmap()
		}
	}
	switch {
	case c.isBot(source):
		return "bot"
	case source.Is4() && source.As4()[1] >= 16:
		return "visitor"
	}
	return "unknown"
}

// forget drops arrivals that are a second old.
func (c *counts) forget(now time.Time) {
	for c.n > 0 && now.Sub(c.arrivals[c.head]) >= time.Second {
		c.head, c.n = (c.head+1)%rateWindow, c.n-1
	}
}

func (c *counts) depart() {
	c.mu.Lock()
	c.sum.Concurrent--
	c.mu.Unlock()
}

func (c *counts) overload() {
	c.mu.Lock()
	c.sum.Overloaded++
	c.mu.Unlock()
}

// attribute says how clients are told apart from now on.
func (c *counts) attribute(isBot func(netip.Addr) bool) {
	c.mu.Lock()
	c.isBot = isBot
	c.mu.Unlock()
}

func (c *counts) snapshot(now time.Time) OriginCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	sum := c.sum
	sum.ByPath, sum.ByClient = maps.Clone(sum.ByPath), maps.Clone(sum.ByClient)
	return sum
}
