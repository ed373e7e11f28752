package scenario

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario/network"
)

// What one scenario may ask of the machine at most.
const (
	maxRate      = 20_000  // requests a second of all attacks together
	maxRequests  = 500_000 // of all attacks together
	maxHeld      = 6_000   // connections of all slow attacks together: each is held as long as the target bears it
	maxNewcomers = 20_000  // of all events together
	maxAtOnce    = 2_000   // visitors and newcomers
	maxParts     = 16      // attacks, and events
	maxDrawn     = 64      // requests of one attack to draw from
	maxFields    = 16      // of one request
	maxPages     = 64      // of a real site
	maxCPU       = 0.5     // of a service time: generator, target and site share the machine
	minPulse     = 100 * time.Millisecond
)

var braced = regexp.MustCompile(`\{[a-z]+\}`) // other braces, as those of JSON, are text

// Placeholders are what requests may have in them, to be drawn.
func Placeholders() []string {
	return []string{"{words}", "{article}", "{number}", "{random}", "{user}", "{password}"}
}

// Validate sets the ends that are left to the scenario's, and reports what is wrong with it as a whole. The error begins with the key that
// is.
func (s *Scenario) Validate() error {
	s.settle()
	switch {
	case len(s.Attacks) > maxParts || len(s.Events) > maxParts:
		return fmt.Errorf("has %d attacks and %d events: want at most %d of each", len(s.Attacks), len(s.Events), maxParts)
	case s.Group == GroupAttack && len(s.Attacks) == 0:
		return fmt.Errorf("attacks: is missing: want at least one where the group is attack")
	case s.Group == GroupEvent && len(s.Attacks) > 0:
		return fmt.Errorf("attacks: stands in an event: want none, or the group attack")
	case s.Group == GroupEvent && len(s.Events) == 0:
		return fmt.Errorf("events: is missing: want at least one where the group is event")
	case s.Group == GroupEvent && len(s.Plants) > 0:
		return fmt.Errorf("plants: stands in an event: want it only where there is an attack")
	}
	if s.Site.CPU > maxCPU {
		return fmt.Errorf("site.cpu: is %v: want at most %v", s.Site.CPU, maxCPU)
	}
	if len(s.Site.Pages) > maxPages {
		return fmt.Errorf("site.pages: are %d: want at most %d", len(s.Site.Pages), maxPages)
	}
	if err := s.Visitors.validate(); err != nil {
		return fmt.Errorf("visitors.%w", err)
	}
	for i := range s.Attacks {
		if err := s.Attacks[i].validate(s.Length); err != nil {
			return fmt.Errorf("attacks[%d].%w", i, err)
		}
	}
	for i := range s.Events {
		if err := s.Events[i].validate(s.Length); err != nil {
			return fmt.Errorf("events[%d].%w", i, err)
		}
		if kind := s.Events[i].Kind; len(s.Site.Pages) > 0 && !slices.Contains(Readers(), kind) {
			return fmt.Errorf("events[%d].kind: is %s, which needs the drill's own site: want one of %s beside site.pages",
				i, kind, strings.Join(Readers(), ", "))
		}
	}
	return s.bounded()
}

// settle writes the ends that a file leaves to the scenario's, and sends away whom a real site does not know.
func (s *Scenario) settle() {
	if len(s.Site.Pages) > 0 {
		maps.DeleteFunc(s.Visitors.Kinds, func(kind string, _ float64) bool { return !slices.Contains(Readers(), kind) })
	}
	for i := range s.Attacks {
		s.Attacks[i].Until = end(s.Attacks[i].Until, s.Length)
	}
	for i := range s.Events {
		s.Events[i].Until = end(s.Events[i].Until, s.Length)
	}
}

func end(until, length time.Duration) time.Duration {
	if until == 0 {
		return length
	}
	return until
}

// bounded checks what attacks and events come to together.
func (s *Scenario) bounded() error {
	var rate, requests, held, newcomers float64
	atOnce := float64(s.Visitors.Count)
	for i := range s.Attacks {
		a := &s.Attacks[i]
		rate += a.Rate
		requests += a.Total()
		if a.Kind.slow() {
			held += a.Total()
		}
	}
	for i := range s.Events {
		e := &s.Events[i]
		newcomers += e.Total()
		think := e.Think
		if think == 0 {
			think = s.Visitors.Think
		}
		stay := min(time.Duration(e.Steps)*think, s.Length)
		atOnce += min(e.Arrivals*stay.Seconds(), e.Total())
	}
	switch {
	case rate > maxRate:
		return fmt.Errorf("attacks: send %.0f requests a second together: want at most %d", rate, maxRate)
	case requests > maxRequests:
		return fmt.Errorf("attacks: send %.0f requests together: want at most %d", requests, maxRequests)
	case held > maxHeld:
		return fmt.Errorf("attacks: hold %.0f slow connections together: want at most %d", held, maxHeld)
	case newcomers > maxNewcomers:
		return fmt.Errorf("events: bring %.0f newcomers together: want at most %d", newcomers, maxNewcomers)
	case atOnce > maxAtOnce:
		return fmt.Errorf("events: have %.0f people there at once, with the visitors: want at most %d", atOnce, maxAtOnce)
	}
	return nil
}

func (v *Visitors) validate() error {
	var sum float64
	for _, weight := range v.Kinds {
		sum += weight
	}
	if sum == 0 {
		return fmt.Errorf("kinds: have no weight: want at least one with a weight of more than 0")
	}
	if _, err := network.Select([]network.Kind{network.Residential}, v.Countries); err != nil {
		return fmt.Errorf("countries: %w", err)
	}
	return nil
}

func (a *Attack) validate(length time.Duration) error {
	if err := during(a.From, a.Until, length); err != nil {
		return err
	}
	if err := a.Shape.validate(); err != nil {
		return err
	}
	if a.Rate <= 0 {
		return fmt.Errorf("rate: is missing: want more than 0 a second")
	}
	if err := a.Sources.validate(); err != nil {
		return fmt.Errorf("sources.%w", err)
	}
	switch {
	case len(a.Requests) == 0 && a.Kind == Requests:
		return fmt.Errorf("requests: is missing: want what is asked for, such as [{path: /}]")
	case len(a.Requests) > 0 && (a.Kind == Sessions || a.Kind == Handshakes):
		return fmt.Errorf("requests: stands beside the kind %s, which does as browsers do: leave it out", a.Kind)
	case len(a.Requests) > maxDrawn:
		return fmt.Errorf("requests: has %d entries: want at most %d", len(a.Requests), maxDrawn)
	}
	for i := range a.Requests {
		r := &a.Requests[i]
		if a.Kind == SlowBody && r.Method != "POST" {
			return fmt.Errorf("requests[%d].method: is %s: want POST, which has the body to be slow with", i, r.Method)
		}
		if err := r.validate(); err != nil {
			return fmt.Errorf("requests[%d].%w", i, err)
		}
	}
	return nil
}

// during checks when an attack or event is.
func during(from, until, length time.Duration) error {
	switch {
	case from >= length:
		return fmt.Errorf("from: is %v: want less than the length of %v", from, length)
	case until > length:
		return fmt.Errorf("until: is %v: want at most the length of %v", until, length)
	case until <= from:
		return fmt.Errorf("until: is %v: want more than from, which is %v", until, from)
	}
	return nil
}

func (s *Shape) validate() error {
	switch {
	case s.Kind != Pulse && (s.On != 0 || s.Off != 0):
		return fmt.Errorf("shape.on: stands beside the kind %s: want it and off only of a pulse", s.Kind)
	case s.Kind == Pulse && (s.On < minPulse || s.Off < minPulse):
		return fmt.Errorf("shape: is on for %v and off for %v: want at least %v of both", s.On, s.Off, minPulse)
	}
	return nil
}

func (s *Sources) validate() error {
	pool, err := s.Pool()
	if err != nil {
		return fmt.Errorf("networks: %w", err)
	}
	if most := pool.Size(); uint64(s.Count) > most {
		return fmt.Errorf("count: is %d: want at most %d, which is what these networks have", s.Count, most)
	}
	return nil
}

func (r *Request) validate() error {
	if r.Body != "" && r.Method != "POST" {
		return fmt.Errorf("body: stands beside the method %s: want POST", r.Method)
	}
	if len(r.Fields) > maxFields {
		return fmt.Errorf("fields: has %d entries: want at most %d", len(r.Fields), maxFields)
	}
	if err := template("path", r.Path); err != nil {
		return err
	}
	if err := template("body", r.Body); err != nil {
		return err
	}
	for i, f := range r.Fields {
		if err := template(fmt.Sprintf("fields[%d]", i), f.Value); err != nil {
			return err
		}
	}
	return nil
}

// template checks a text with placeholders.
func template(key, text string) error {
	for _, found := range braced.FindAllString(text, -1) {
		if !slices.Contains(Placeholders(), found) {
			return fmt.Errorf("%s: has %s in it: want one of %s", key, found, strings.Join(Placeholders(), ", "))
		}
	}
	return nil
}

func (e *Event) validate(length time.Duration) error {
	if err := during(e.From, e.Until, length); err != nil {
		return err
	}
	if err := e.Shape.validate(); err != nil {
		return err
	}
	if e.Arrivals <= 0 {
		return fmt.Errorf("arrivals: is missing: want more than 0 newcomers a second")
	}
	for _, found := range braced.FindAllString(e.Entry, -1) {
		if found != "{article}" {
			return fmt.Errorf("entry: has %s in it: want {article}, or a path as it is", found)
		}
	}
	if e.Reload && e.Entry == "" {
		return fmt.Errorf("reload: stands without an entry: want what is asked for again and again")
	}
	if _, err := network.Select(kindsOf(e.Networks), e.Countries); err != nil {
		return fmt.Errorf("networks: %w", err)
	}
	return nil
}

func (k AttackKind) slow() bool { return k == SlowHead || k == SlowBody || k == SlowRead }

// Pool is the networks that sources are drawn from.
func (s *Sources) Pool() (*network.Pool, error) {
	kinds := kindsOf(s.Networks)
	if len(kinds) == 0 {
		kinds = []network.Kind{network.Residential}
	}
	return network.Select(kinds, s.Countries)
}

func kindsOf(names []string) []network.Kind {
	var kinds []network.Kind
	for _, name := range names {
		kinds = append(kinds, network.Kind(name))
	}
	return kinds
}

// NeedsTLS tells whether something in the scenario can be sent only to a target that speaks TLS.
func (s *Scenario) NeedsTLS() bool {
	return slices.ContainsFunc(s.Attacks, func(a Attack) bool { return a.Kind == Handshakes || a.Kind == Resets })
}
