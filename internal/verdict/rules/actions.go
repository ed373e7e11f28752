package rules

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func (c *compiler) checkAction() error {
	want := c.phase.actions()
	texts := make([]string, len(want))
	for i, a := range want {
		if a == c.spec.Action {
			return nil
		}
		texts[i] = string(a)
	}
	return fmt.Errorf("action: %q is none of this phase: want %s", c.spec.Action, strings.Join(texts, ", "))
}

// parameters compiles what the action needs.
func (c *compiler) parameters(r *rule) (err error) {
	s := c.spec
	switch s.Action {
	case spec.RuleBlock:
		r.block, err = c.block()
	case spec.RuleSkipping:
		r.skip, err = c.skip()
	case spec.RuleRedirects:
		r.redirect, err = c.redirect()
	case spec.RuleRewrites:
		r.rewrite, err = c.rewrite()
	case spec.RuleRoutes:
		r.route, err = routed(s.Route)
	case spec.RuleSetCache:
		r.settings = flow.Settings{Bypass: s.Cache.Bypass, EdgeTTL: s.Cache.EdgeTTL}
		if !s.Cache.Bypass && s.Cache.EdgeTTL == 0 {
			err = fmt.Errorf("cache: empty: want bypass: true or an edge_ttl")
		}
	case spec.RuleSetConfig:
		r.settings = flow.Settings{NoHTTPSRedirect: s.Config.NoHTTPSRedirect, NoCompression: s.Config.NoCompression}
		if r.settings == (flow.Settings{}) {
			err = fmt.Errorf("config: empty: want what is to be turned off, such as no_compression: true")
		}
	}
	return err
}

// block is how a refused request is answered.
type block struct {
	status int
	answer *flow.Message // nil for the page that explains itself
}

func (c *compiler) block() (block, error) {
	s := &c.spec.Response
	b := block{status: s.StatusCode}
	switch {
	case b.status == 0 && c.phase == RateLimit:
		b.status = http.StatusTooManyRequests
	case b.status == 0:
		b.status = http.StatusForbidden
	}
	if b.status < 400 || b.status > 599 {
		return b, fmt.Errorf("response.status_code: %d: want 400 to 599", b.status)
	}
	if s.Content == "" {
		return b, nil
	}
	contentType := s.ContentType
	if contentType == "" {
		contentType = "text/plain; charset=utf-8"
	}
	if !isValue(contentType) {
		return b, fmt.Errorf("response.content_type: %q can't stand in a header", contentType)
	}
	b.answer = &flow.Message{
		Status: b.status,
		Fields: []flow.Field{{Name: "Content-Type", Value: contentType}, {Name: "Cache-Control", Value: "no-store"}},
		Length: int64(len(s.Content)),
		Body:   []byte(s.Content),
	}
	return b, nil
}

// skip is what a request is spared.
type skip struct {
	rest   bool
	limits bool
	phases [phases]bool
	rules  map[string]bool // by name, of this phase and later ones
}

// limitsPhase is what the zone's own limits are called in a skip.
const limitsPhase = "limits"

func (c *compiler) skip() (skip, error) {
	s := &c.spec.Skip
	k := skip{rest: s.Rest, rules: make(map[string]bool, len(s.Rules))}
	for i, name := range s.Rules {
		if !c.names[name] {
			return k, fmt.Errorf("skip.rules[%d]: no rule of this phase or a later one is called %q", i, name)
		}
		k.rules[name] = true
	}
	for i, name := range s.Phases {
		p := DynamicRedirect
		for ; p < phases && p.String() != name; p++ {
		}
		switch {
		case c.ofNode() && p != RateLimit:
			return k, fmt.Errorf("skip.phases[%d]: %q is none that the node's rules can spare: want %s", i, name, RateLimit)
		case name == limitsPhase:
			k.limits = true
		case p == phases || p < Firewall:
			return k, fmt.Errorf("skip.phases[%d]: %q is no later phase: want http_request_firewall_custom, http_ratelimit, "+
				"http_request_late_transform, http_request_cache_settings, http_response_headers_transform or limits", i, name)
		default:
			k.phases[p] = true
		}
	}
	if !k.rest && !k.limits && len(s.Phases) == 0 && len(s.Rules) == 0 {
		return k, fmt.Errorf("skip: empty: want rest: true, phases or rules")
	}
	return k, nil
}

// routed checks where a rule leads. Whether there is such a pool, the zone knows.
func routed(s spec.RuleRoute) (spec.RuleRoute, error) {
	switch {
	case s == spec.RuleRoute{}:
		return s, fmt.Errorf("route: empty: want a pool or a host_header")
	case strings.ContainsFunc(s.HostHeader, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == '@' }):
		return s, fmt.Errorf("route.host_header: %q is no host", s.HostHeader)
	}
	return s, nil
}
