package cache

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// Prefetch is a zone's wish to have pages fetched before a visitor asks for them.
type Prefetch struct {
	// Scheme and Authority are those of all pages, as visitors come.
	Scheme, Authority string
	// Sitemap is the map's path, with its query; "" for the maps that robots.txt names.
	Sitemap string
	// Every is how often the map is gone through, Pause the time between two requests.
	Every, Pause time.Duration
}

// compilePrefetch makes a zone's wish, nil if it has none, or there is no cache that stores.
func compilePrefetch(z *spec.Zone, stores bool) (*Prefetch, error) {
	s := &z.Cache.Prefetch
	switch {
	case s.Every < 0:
		return nil, fmt.Errorf("cache.prefetch.every: %v is negative: want 0 or more", s.Every)
	case s.Every == 0 || !z.Cache.Enabled || !stores:
		return nil, nil
	case s.Rate.Requests <= 0 || s.Rate.Per <= 0:
		return nil, errors.New("cache.prefetch.rate: is off: want one such as 1/s, or 0 for cache.prefetch.every")
	}
	p := &Prefetch{Scheme: "http", Sitemap: s.Sitemap, Every: s.Every, Pause: s.Rate.Per / time.Duration(s.Rate.Requests)}
	if z.HTTPS.Redirect {
		p.Scheme = "https"
	}
	if strings.Contains(s.Sitemap, "://") {
		u, err := url.Parse(s.Sitemap)
		if err != nil {
			return nil, fmt.Errorf("cache.prefetch.sitemap: %w", err)
		}
		p.Scheme, p.Authority, p.Sitemap = u.Scheme, u.Host, u.RequestURI()
		return p, nil
	}
	first := slices.IndexFunc(z.Hosts, func(host string) bool { return !strings.Contains(host, "*") })
	if first < 0 {
		return nil, fmt.Errorf("cache.prefetch.sitemap: the zone has no host without a star: want a URL, such as https://www.example.org/sitemap.xml")
	}
	p.Authority = z.Hosts[first]
	return p, nil
}

// Prefetch is what is to be fetched ahead, nil for nothing.
func (p *Policy) Prefetch() *Prefetch { return p.prefetch }

// Copied tells whether memory has a survival copy of what a request asks for that is younger than within.
func (p *Policy) Copied(q *flow.Request, within time.Duration) bool {
	if p.survive == 0 {
		return false
	}
	t := p.target(q)
	e := p.room.get(p.room.survivalKey(p.room.key(p.basis, &t)), &t)
	return e != nil && p.purges.alive(e) && time.Since(e.meta.ResponseTime) < within
}
