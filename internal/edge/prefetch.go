package edge

import (
	"maps"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/zone"
)

// ahead is what is fetched before visitors ask for it: one crawler for each zone that wants it.
type ahead struct {
	mu       sync.Mutex
	crawlers map[string]*crawler // by zone
	ended    bool
}

// Prefetch begins to fetch ahead what the zones in force want (cache.prefetch), and ends what none wants any more. It is called whenever the zones
// have changed; a crawler goes on where it was.
func (p *Path) Prefetch() {
	wanted := make(map[string]*zone.Zone)
	p.snapshot.Each(func(z *zone.Zone) {
		if z.Cache.Prefetch() != nil {
			wanted[z.Name()] = z
		}
	})
	a := &p.ahead
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	for name, c := range a.crawlers {
		if wanted[name] == nil {
			c.end()
			delete(a.crawlers, name)
		}
	}
	for name, z := range wanted {
		if c := a.crawlers[name]; c != nil {
			c.zone.Store(z)
			c.hurry()
			continue
		}
		if a.crawlers == nil {
			a.crawlers = make(map[string]*crawler)
		}
		c := newCrawler(p, z)
		a.crawlers[name] = c
		go c.run()
	}
}

// EndPrefetch ends all that, and waits until it has ended.
func (p *Path) EndPrefetch() {
	a := &p.ahead
	a.mu.Lock()
	crawlers := maps.Clone(a.crawlers)
	if !a.ended {
		for _, c := range crawlers {
			c.end()
		}
	}
	a.ended = true
	a.mu.Unlock()
	for _, c := range crawlers {
		<-c.done
	}
}

// Prefetched is how far a zone's prefetch is.
type Prefetched struct {
	// Listed are the pages of the site map, Looked how many of them have been looked at in this round.
	Listed, Looked int
	// Fetched counts pages that the origin was asked for since the start, Stored those that were there already, Left those that robots.txt or a
	// rule of the zone keeps from being fetched, Failed the requests that went wrong.
	Fetched, Stored, Left, Failed int64
	// Problem is why it waits, or what was wrong with the map, or "". Next is when it goes on, if it waits for long.
	Problem string
	Next    time.Time
}

// Prefetched tells it of a zone, and whether it has any.
func (p *Path) Prefetched(zone string) (Prefetched, bool) {
	p.ahead.mu.Lock()
	c := p.ahead.crawlers[zone]
	p.ahead.mu.Unlock()
	if c == nil {
		return Prefetched{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, true
}
