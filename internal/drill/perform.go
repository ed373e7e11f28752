package drill

import (
	"context"
	"fmt"
	"maps"
)

// Facts is what a proxy tells of itself.
type Facts struct {
	Budget    int              `json:"budget"`            // concurrent requests to the origin; 0: none
	CacheHits int64            `json:"cache_hits"`        // responses from the cache
	Refused   map[string]int64 `json:"refused,omitempty"` // requests and connections refused, by reason
}

// A Proxy stands in front of the site.
type Proxy interface {
	URL() string
	Facts() Facts // safe for use while the proxy serves; called eight times a second
	Close() error
}

// A Shield starts a proxy in front of the origin at originURL, on loopback.
type Shield func(ctx context.Context, originURL string) (Proxy, error)

// Comparison is a story played twice: bare, and behind a shield.
type Comparison struct {
	Story    Story  `json:"story"`
	Bare     Result `json:"bare"`
	Shielded Result `json:"shielded"`
	Shield   Facts  `json:"shield"` // at the end
}

// Names of the runs of a comparison, in frames.
const (
	Bare     = "bare"
	Shielded = "behind Seawall"
)

// Perform plays story against a bare site, then against another one behind shield. Errors are those of Run and shield.
func Perform(ctx context.Context, story Story, shield Shield, watch func(Frame)) (Comparison, error) {
	out := Comparison{Story: story}
	named := func(name string, facts func() *Facts) func(Frame) {
		if watch == nil {
			return nil
		}
		return func(f Frame) {
			f.Name, f.Shield = name, facts()
			watch(f)
		}
	}
	site, err := StartSite(story.Site)
	if err != nil {
		return out, err
	}
	out.Bare, err = Run(ctx, story, site.URL(), site, named(Bare, func() *Facts { return nil }))
	_ = site.Close()
	if err != nil {
		return out, fmt.Errorf("bare: %w", err)
	}
	if site, err = StartSite(story.Site); err != nil {
		return out, err
	}
	defer func() { _ = site.Close() }()
	proxy, err := shield(ctx, site.URL())
	if err != nil {
		return out, fmt.Errorf("shield: %w", err)
	}
	defer func() { _ = proxy.Close() }()
	facts := func() *Facts {
		f := proxy.Facts()
		f.Refused = maps.Clone(f.Refused)
		return &f
	}
	out.Shielded, err = Run(ctx, story, proxy.URL(), site, named(Shielded, facts))
	if err != nil {
		return out, fmt.Errorf("shielded: %w", err)
	}
	out.Shield = *facts()
	return out, nil
}
