package rules

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/rules"
)

// Phase is a step in which rules are judged, in this order.
type Phase uint8

// The phases, as Cloudflare calls them.
const (
	DynamicRedirect Phase = iota
	Transform
	Config
	Origin
	Firewall
	RateLimit
	LateTransform
	CacheSettings
	ResponseHeaders
	phases // how many there are
)

// String is the phase's name, and key.
func (p Phase) String() string {
	return [...]string{
		"http_request_dynamic_redirect", "http_request_transform", "http_config_settings", "http_request_origin", "http_request_firewall_custom",
		"http_ratelimit", "http_request_late_transform", "http_request_cache_settings", "http_response_headers_transform",
	}[p]
}

// of returns a zone's rules in a phase.
func (p Phase) of(s *spec.Rules) []spec.Rule {
	return [...][]spec.Rule{
		s.DynamicRedirect, s.Transform, s.Config, s.Origin, s.Firewall, s.RateLimit, s.LateTransform, s.CacheSettings, s.ResponseHeaders,
	}[p]
}

// actions are those that a rule in the phase may have.
func (p Phase) actions() []spec.RuleAction {
	return [...][]spec.RuleAction{
		{spec.RuleRedirects}, {spec.RuleRewrites}, {spec.RuleSetConfig}, {spec.RuleRoutes}, {spec.RuleBlock, spec.RuleLog, spec.RuleSkipping},
		{spec.RuleBlock, spec.RuleLog}, {spec.RuleRewrites}, {spec.RuleSetCache}, {spec.RuleRewrites},
	}[p]
}

// latest is the part of a request that a phase's expressions may read.
func (p Phase) latest() rules.Phase {
	switch p {
	case ResponseHeaders:
		return rules.Response
	case Firewall, RateLimit:
		return rules.Body
	}
	return rules.Head
}

// Bounds of a zone's rules in one phase. Rate limits have memory of their own.
const (
	maxRules      = 10_000
	maxRateLimits = 100
)

// most is how many rules of the phase a zone may have.
func (p Phase) most() int {
	if p == RateLimit {
		return maxRateLimits
	}
	return maxRules
}

// Room keeps what outlives a zone's rules: how often they held, and what rate limits have counted.
type Room struct {
	// Unknown are fields, by their names, of which the node knows nothing, each with what is to be done about that. A rule that reads one does not
	// compile: as what is not known is in no list, "not ip.src.country in {…}" would hold for everybody.
	Unknown map[string]string

	fields []field
	counts tallies
	tables tables
}

// New returns a room in which no rule has matched yet.
func New() *Room {
	return &Room{fields: allFields(), counts: newTallies(), tables: newTables()}
}

// Ruleset is the rules of one zone. It is immutable.
type Ruleset struct {
	phases [phases]phase
	bodies phase          // firewall rules that read the request's body
	forms  phase          // rate limits that do
	counts [moments]phase // rate limits that count elsewhere than where they refuse
	any    bool           // there are rules that the request's head is judged by
	spares bool           // one of them may spare a request the zone's limits
	judges sync.Pool
}

// phase is the rules of one.
type phase struct {
	set   *rules.Set
	rules []*rule
}

// rule is one that is in force.
type rule struct {
	name   string // with its phase: as logs have it
	detail string // what a refusal says
	filter *rules.Filter
	action spec.RuleAction
	tally  *tally

	block    block
	skip     skip
	redirect redirect
	rewrite  rewrite
	route    spec.RuleRoute
	settings flow.Settings
	limit    *rateLimit // of a rule of that phase
}

func (r *rule) expression() *rules.Filter { return r.filter }

// Compile returns the rules of a zone, which may name lists. It fails if some do not compile: with an error for each, joined, that names its key.
func (r *Room) Compile(zone string, s *spec.Rules, lists rules.Lists) (*Ruleset, error) {
	return r.compile(zone, s, lists)
}

// CompileNode is Compile for the node's own rules, whose names begin with node/.
func (r *Room) CompileNode(s *spec.NodeRules, lists rules.Lists) (*Ruleset, error) {
	return r.compile(spec.AllZones, &spec.Rules{Firewall: s.Firewall, RateLimit: s.RateLimit}, lists)
}

func (r *Room) compile(zone string, s *spec.Rules, lists rules.Lists) (*Ruleset, error) {
	scheme, err := r.scheme(lists)
	if err != nil {
		return nil, err
	}
	set := &Ruleset{}
	set.judges.New = func() any { return r.judge(scheme) }
	seen, names := make(map[string]bool), namesOf(s)
	var problems []error
	for p := range phases {
		of := p.of(s)
		if len(of) > p.most() {
			problems = append(problems, fmt.Errorf("rules.%s: %d rules: want at most %d", p, len(of), p.most()))
			continue
		}
		for i := range of {
			if of[i].Disabled {
				continue
			}
			c := compiler{room: r, scheme: scheme, zone: zone, phase: p, spec: &of[i], tables: tablesOf(s), names: names}
			compiled, err := c.compile(seen)
			if err != nil {
				problems = append(problems, fmt.Errorf("rules.%s[%d].%w", p, i, err))
				continue
			}
			set.add(p, compiled)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for p := range set.phases {
		set.phases[p].build((*rule).expression)
	}
	for m := range set.counts {
		set.counts[m].build((*rule).counting)
	}
	set.bodies.build((*rule).expression)
	set.forms.build((*rule).expression)
	return set, nil
}

func (s *Ruleset) add(p Phase, r *rule) {
	of := &s.phases[p]
	switch {
	case p == Firewall && r.filter.Phase() == rules.Body:
		of = &s.bodies
	case r.limit != nil && (r.limit.moment == read || r.limit.moment == beside):
		of = &s.forms
	default:
		s.any = s.any || p != ResponseHeaders
		s.spares = s.spares || r.skip.limits
	}
	of.rules = append(of.rules, r)
	if r.limit != nil && r.limit.moment != judged && r.limit.moment != read {
		of = &s.counts[r.limit.moment]
		of.rules = append(of.rules, r)
	}
}

func (p *phase) build(filter func(*rule) *rules.Filter) {
	if len(p.rules) == 0 {
		return
	}
	filters := make([]*rules.Filter, len(p.rules))
	for i, r := range p.rules {
		filters[i] = filter(r)
	}
	p.set = rules.NewSet(filters)
}

// compiler compiles one rule.
type compiler struct {
	room   *Room
	scheme *rules.Scheme
	zone   string
	phase  Phase
	spec   *spec.Rule
	tables int // that the zone's rate limits need
	names  map[string]bool
}

// ofNode tells that the rule is one of the node's own.
func (c *compiler) ofNode() bool { return c.zone == spec.AllZones }

// namesOf are the names of a zone's rules that a skip can be about.
func namesOf(s *spec.Rules) map[string]bool {
	names := make(map[string]bool)
	for p := Firewall; p < phases; p++ {
		for _, r := range p.of(s) {
			names[r.Name] = true
		}
	}
	return names
}

func (c *compiler) compile(seen map[string]bool) (*rule, error) {
	s := c.spec
	name := c.phase.String() + "/" + s.Name
	if c.ofNode() {
		name = "node/" + name
	}
	if s.Name == "" {
		return nil, fmt.Errorf("name: missing: it is what logs and explanations call the rule")
	}
	if seen[name] {
		return nil, fmt.Errorf("name: there is a rule %q in this phase already", s.Name)
	}
	seen[name] = true
	r := &rule{name: name, action: s.Action, tally: c.room.counts.of(c.zone, name)}
	var err error
	if r.filter, err = c.filter("expression", s.Expression); err != nil {
		return nil, err
	}
	r.detail = shorten(s.Expression)
	if err := c.checkAction(); err != nil {
		return nil, err
	}
	if err := c.parameters(r); err != nil || c.phase != RateLimit {
		return r, err
	}
	r.limit, err = c.rateLimit(r.filter)
	return r, err
}

// maxDetail bounds what of an expression a refusal shows.
const maxDetail = 256

func shorten(expression string) string {
	text := strings.Join(strings.Fields(expression), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

// filter compiles an expression that stands under key.
func (c *compiler) filter(key, expression string) (*rules.Filter, error) {
	f, err := rules.Compile(c.scheme, expression)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if c.ofNode() && f.Phase() > rules.Head {
		return nil, fmt.Errorf("%s: it reads the %s: the node's rules judge by the request's head alone", key, f.Phase())
	}
	if latest := c.phase.latest(); f.Phase() > latest {
		return nil, fmt.Errorf("%s: it reads the %s, which is not known yet in this phase", key, f.Phase())
	}
	return f, nil
}
