package drill

import (
	"context"
	"fmt"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/wire"
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
	Facts() Facts // a copy; safe for use while the proxy serves; called eight times a second
	Close() error
}

// A Shield starts a proxy in front of the origin at originURL, on loopback.
type Shield func(ctx context.Context, originURL string) (Proxy, error)

// Comparison is a scenario played twice: bare, and behind a shield.
type Comparison struct {
	Bare     score.Result `json:"bare"`
	Shielded score.Result `json:"shielded"`
	Shield   Facts        `json:"shield"` // at the end
}

// Names of the runs of a comparison, in frames.
const (
	Bare     = "bare"
	Shielded = "behind Seawall"
)

// Perform plays a scenario against a bare site, then against another one behind shield. Errors are those of [Stage.Play] and shield.
func Perform(ctx context.Context, s *scenario.Scenario, shield Shield, watch func(Frame)) (Comparison, error) {
	var out Comparison
	var err error
	if out.Bare, err = perform(ctx, s, Bare, watch, func(origin string) (Proxy, error) { return bare(origin), nil }, nil); err != nil {
		return out, err
	}
	start := func(origin string) (Proxy, error) { return shield(ctx, origin) }
	out.Shielded, err = perform(ctx, s, Shielded, watch, start, &out.Shield)
	return out, err
}

// perform plays s against what start puts before its site, and keeps what that tells at the end; if kept is nil, nobody asks it.
func perform(ctx context.Context, s *scenario.Scenario, name string, watch func(Frame), start func(origin string) (Proxy, error), kept *Facts,
) (score.Result, error) {
	stage, err := Build(s, Anywhere())
	if err != nil {
		return score.Result{}, err
	}
	defer stage.Close()
	origin, _ := stage.Origins()
	proxy, err := start(origin)
	if err != nil {
		return score.Result{}, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = proxy.Close() }()
	target, err := wire.Resolve(ctx, proxy.URL(), Host)
	if err != nil {
		return score.Result{}, fmt.Errorf("%s: %w", name, err)
	}
	r, err := stage.Play(ctx, name, target, func(f Frame) {
		if f.Name = name; kept != nil {
			told := proxy.Facts()
			f.Shield = &told
		}
		if watch != nil {
			watch(f)
		}
	})
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	if kept != nil {
		*kept = proxy.Facts()
	}
	return r, nil
}

// bare is no proxy: what is asked is the site itself, at this URL.
type bare string

func (b bare) URL() string { return string(b) }
func (bare) Facts() Facts  { return Facts{} }
func (bare) Close() error  { return nil }
