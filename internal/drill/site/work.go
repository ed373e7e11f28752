package site

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Config is the size of a site.
type Config struct {
	Workers int           // requests worked on at once
	Backlog int           // requests that wait for a worker; more get 503 at once
	Page    time.Duration // a worker's time for what a program makes
	Asset   time.Duration // a worker's time for a file
	Search  time.Duration // a worker's time for a search; 0: as Page
	Login   time.Duration // a worker's time for a password; 0: as Page
	CPU     float64       // share of a worker's time that it computes instead of waiting, 0 to 0.5, all workers on one core
}

// Capacity returns how many pages a second the site can make.
func (c Config) Capacity() float64 {
	byWorkers := float64(c.Workers) / c.Page.Seconds()
	if c.CPU == 0 {
		return byWorkers
	}
	return min(byWorkers, 1/(c.CPU*c.Page.Seconds()))
}

func (c Config) validate() error {
	switch {
	case c.Workers < 1 || c.Workers > 1024:
		return fmt.Errorf("site: %d workers, want 1 to 1024", c.Workers)
	case c.Backlog < 0 || c.Backlog > 8192:
		return fmt.Errorf("site: backlog of %d, want 0 to 8192", c.Backlog)
	case c.Page <= 0 || c.Asset <= 0 || c.Search < 0 || c.Login < 0:
		return errors.New("site: service times must be more than 0")
	case !(c.CPU >= 0 && c.CPU <= 0.5):
		return fmt.Errorf("site: cpu share of %v, want 0 to 0.5", c.CPU)
	}
	return nil
}

// cost is how long a request of a kind occupies a worker.
func (c Config) cost(k Kind) time.Duration {
	switch k {
	case Asset, Download, Health, Sitemap:
		return c.Asset
	case Search:
		return orPage(c.Search, c.Page)
	case Login:
		return orPage(c.Login, c.Page)
	case Git:
		return 2 * c.Page
	case XMLRPC:
		return 5 * c.Page
	case Report:
		return 10 * c.Page
	default:
		return c.Page
	}
}

func orPage(d, page time.Duration) time.Duration {
	if d == 0 {
		return page
	}
	return d
}

// staff are a site's workers and who waits for them.
type staff struct {
	config  Config
	free    chan struct{}
	core    chan struct{} // one computes at a time
	waiting atomic.Int64
	closing chan struct{}
	close   func()
}

func newStaff(c Config) *staff {
	s := &staff{config: c, free: make(chan struct{}, c.Workers), core: make(chan struct{}, 1), closing: make(chan struct{})}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	return s
}

// work occupies a worker for cost. It reports false if the backlog is full or the site closes.
func (s *staff) work(cost time.Duration) bool {
	select {
	case s.free <- struct{}{}:
	default:
		if !s.await() {
			return false
		}
	}
	defer func() { <-s.free }()
	busy := time.Duration(s.config.CPU * float64(cost))
	time.Sleep(cost - busy)
	if busy > 0 {
		s.core <- struct{}{}
		compute(busy)
		<-s.core
	}
	return true
}

// await waits in the backlog for a worker, first come, first served.
func (s *staff) await() bool {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > int64(s.config.Backlog) {
		return false
	}
	select {
	case s.free <- struct{}{}:
		return true
	case <-s.closing:
		return false
	}
}

// compute keeps a core busy for d. It goes by the clock, so that a site is as fast on a busy machine as on an idle one;
// should the clock stand still, it ends all the same.
func compute(d time.Duration) {
	start, sum := time.Now(), [sha256.Size]byte{}
	for range d / time.Microsecond {
		if time.Since(start) >= d {
			return
		}
		for range 16 { // some microseconds
			sum = sha256.Sum256(sum[:])
		}
	}
}
