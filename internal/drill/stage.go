package drill

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
)

// The hosts of the drill: names in requests and hellos only, which nobody looks up.
const (
	Host      = "harbour.test"   // the site that is judged
	Neighbour = "neighbour.test" // another zone of the same target
)

// Stage is where one scenario is played: the site and its neighbour, ready to be asked.
type Stage struct {
	scenario  *scenario.Scenario
	content   *site.Content
	site      *site.Site // nil, as its neighbour, if the scenario is for somebody else's
	neighbour *site.Site
	truth     atomic.Pointer[truth] // nil until the scenario is played
}

// Listen is where a stage's sites listen, so that a target can have them as its origins; "127.0.0.1:0" is a port that is free.
type Listen struct{ Site, Neighbour string }

// Anywhere is ports that are free.
func Anywhere() Listen { return Listen{Site: "127.0.0.1:0", Neighbour: "127.0.0.1:0"} }

// Build starts the sites of a scenario, if it is not for somebody else's.
func Build(s *scenario.Scenario, at Listen) (*Stage, error) {
	if len(s.Site.Pages) > 0 {
		return &Stage{scenario: s, content: site.NewContent()}, nil
	}
	l, err := net.Listen("tcp4", at.Site)
	if err != nil {
		return nil, fmt.Errorf("the drill's site: %w", err)
	}
	beside, err := net.Listen("tcp4", at.Neighbour)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("the neighbour's site: %w", err)
	}
	g, err := newStage(s, l, beside)
	if err != nil {
		l.Close()
		beside.Close()
	}
	return g, err
}

// newStage starts the sites on listeners, which they close with themselves.
func newStage(s *scenario.Scenario, l, neighbour net.Listener) (*Stage, error) {
	g := &Stage{scenario: s, content: site.NewContent()}
	config := capacity(s)
	var err error
	if g.site, err = site.Serve(config, l, Host, g.content, g.who); err != nil {
		return nil, fmt.Errorf("the drill's site: %w", err)
	}
	if g.neighbour, err = site.Serve(config, neighbour, Neighbour, g.content, g.who); err != nil {
		_ = g.site.Close()
		return nil, fmt.Errorf("the neighbour's site: %w", err)
	}
	return g, nil
}

// capacity is what a scenario's site can bear.
func capacity(s *scenario.Scenario) site.Config {
	return site.Config{
		Workers: s.Site.Workers, Backlog: s.Site.Backlog, CPU: s.Site.CPU,
		Page: s.Site.Page, Asset: s.Site.Asset, Search: s.Site.Search, Login: s.Site.Login,
	}
}

// who tells the sites who sent a request.
func (g *Stage) who(source netip.Addr, method, target string) site.Who {
	if t := g.truth.Load(); t != nil {
		return t.who(source, method, target)
	}
	return site.Unknown
}

// Origins are the URLs of the site and of its neighbour's, which there have to be.
func (g *Stage) Origins() (origin, neighbour string) { return g.site.URL(), g.neighbour.URL() }

// Close stops the sites.
func (g *Stage) Close() {
	if g.site == nil {
		return
	}
	_ = g.site.Close()
	_ = g.neighbour.Close()
}
