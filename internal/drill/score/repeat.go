package score

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// tolerance is what two drills with one seed may differ by in a share.
const tolerance = 0.02

// Difference is a share that two drills with one seed do not agree in.
type Difference struct {
	Scenario string  `json:"scenario"`
	What     string  `json:"what"` // such as "browser served", "attack at origin"
	A        float64 `json:"a"`    // 0 to 1
	B        float64 `json:"b"`
	Of       int     `json:"of"` // steps or requests of the smaller of both
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s %.1f %% and %.1f %% (of %s)", d.Scenario, d.What, 100*d.A, 100*d.B, count(d.Of))
}

// Differences compares two drills with the same seed and target. It lists every share, of everyone and of each kind, that
// differs by more than 2 points and by more than one step, and what only one of both has. None: they agree.
func Differences(a, b Report) []Difference {
	var out differences
	for _, name := range allNames(a, b) {
		x, y := a.find(name), b.find(name)
		if x == nil || y == nil {
			out = append(out, Difference{Scenario: name, What: "played", A: presence(x), B: presence(y), Of: 1})
			continue
		}
		out.results(name, x, y)
	}
	return out
}

func presence(r *Result) float64 {
	if r == nil {
		return 0
	}
	return 1
}

type differences []Difference

func (d *differences) results(name string, a, b *Result) {
	d.share(name, "attack at origin", a.Attack.Reached, b.Attack.Reached)
	d.phases(name, "everyone", a.Everyone, b.Everyone)
	d.kinds(name, "", a.Kinds, b.Kinds)
	d.kinds(name, "coming ", a.Comers, b.Comers)
}

func (d *differences) kinds(name, prefix string, a, b map[string]Phases) {
	both := maps.Clone(a)
	if both == nil {
		both = map[string]Phases{}
	}
	maps.Copy(both, b)
	for _, kind := range slices.Sorted(maps.Keys(both)) {
		d.phases(name, prefix+kind, a[kind], b[kind])
	}
}

func (d *differences) phases(name, who string, a, b Phases) {
	for _, s := range []struct {
		what string
		a, b Share
	}{
		{"served", a.During.Served, b.During.Served},
		{"refused", a.During.Refused, b.During.Refused},
		{"challenged", a.During.Challenged, b.During.Challenged},
		{"failed", a.During.Failed, b.During.Failed},
		{"served in the quiet phase", a.Quiet.Served, b.Quiet.Served},
	} {
		d.share(name, who+" "+s.what, s.a, s.b)
	}
}

// share compares; one step more or less is no difference, however few there are.
func (d *differences) share(name, what string, a, b Share) {
	of := min(a.Of, b.Of)
	by, least := math.Abs(a.Value-b.Value), max(tolerance, 1/float64(max(1, of)))
	if of == 0 { // only one of both has any
		by, least = float64(a.Of+b.Of), 1
	}
	if by > least+1e-9 {
		*d = append(*d, Difference{name, what, a.Value, b.Value, of})
	}
}

// find returns the result of a scenario, nil if it was not played.
func (r Report) find(scenario string) *Result {
	for i := range r.Results {
		if r.Results[i].Scenario == scenario {
			return &r.Results[i]
		}
	}
	return nil
}

// allNames are the scenarios of both, in the order of a.
func allNames(a, b Report) []string {
	var names []string
	for _, r := range slices.Concat(a.Results, b.Results) {
		if !slices.Contains(names, r.Scenario) {
			names = append(names, r.Scenario)
		}
	}
	return names
}
