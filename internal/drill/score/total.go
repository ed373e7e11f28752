package score

import (
	"math"
	"slices"
	"time"
)

// What a step that brought what was asked for is worth to who took it; any other is worth nothing.
const (
	worthPassed = 0.75 // had to prove to be no robot
	worthLate   = 0.5  // had to try again
	worthSlow   = 0.5  // took all the scenario's patience; between usual and that, in proportion
)

// grace is what a step may take longer than is usual before it is worth less: a wait that nobody minds, and that a busy
// machine adds anyway.
const grace = 250 * time.Millisecond

// minQuiet is how many steps of a kind have to be served in the quiet phase to say what is usual for that kind.
const minQuiet = 5

// yardstick says what is usual for a kind of visitors before anything happens.
type yardstick struct {
	known    bool
	median   time.Duration // of the steps served in the quiet phase
	usual    time.Duration // 95 % of them did not take longer
	patience time.Duration
}

// worth is what a step was worth to who took it, 0 to 1. It grows with the outcome, whatever else is the case, so that
// nobody gains by serving fewer.
func (y yardstick) worth(s Sample) float64 {
	outcome := 0.0
	switch s.Outcome {
	case Served:
		outcome = 1
	case Passed:
		outcome = worthPassed
	case Late:
		outcome = worthLate
	default: // got nothing
	}
	return outcome * y.haste(s.Took)
}

// haste is 1 for a step that took no longer than usual, down to worthSlow for one that took all patience.
func (y yardstick) haste(took time.Duration) float64 {
	from := y.usual + grace
	if !y.known || took <= from || from >= y.patience {
		return 1
	}
	used := float64(took-from) / float64(y.patience-from)
	return 1 - (1-worthSlow)*min(1, used)
}

// Total is the score of a scenario, 0 to 100, and what it is made of, each 0 to 1.
//
//	attack: Score = 100 · People · (1 + Kept) / 2, with Kept = (Less + Soon) / 2
//	event:  Score = 100 · People
//
// People is the mean of what steps were worth, from the first attack or event to the end of the run: first over the steps
// of each kind, then over the kinds, which count alike. If an event brought people, they are one half and those who were
// there before the other. Less is the share of the attack that did not reach the origin, Soon the share of the attack's
// time that was left when it was mitigated.
//
// It is a product, because keeping an attack out is worth nothing where nobody gets in. Half of it is to be had with the
// attack at the origin, because an origin that serves everybody all the same has done what matters.
type Total struct {
	Score float64 `json:"score"`
	// Margin is 1.96 standard errors of what People add to Score: with other seeds it would mostly lie so far to both sides.
	Margin float64 `json:"margin"`
	People float64 `json:"people"`
	Kept   float64 `json:"kept"`
	Less   float64 `json:"less"`
	Soon   float64 `json:"soon"`
}

// totalOf scores a result whose figures are complete.
func totalOf(r *Result) Total {
	share, err := people(r.Kinds, r.Comers)
	t := Total{People: share}
	if r.Group == Event {
		t.Score, t.Margin = 100*share, 100*z95*err
		return t
	}
	t.Less = 1 - min(1, r.Attack.Reached.Value)
	t.Soon = r.Attack.Mitigation.soon()
	t.Kept = (t.Less + t.Soon) / 2
	t.Score, t.Margin = 100*share*(1+t.Kept)/2, 100*z95*err*(1+t.Kept)/2
	return t
}

// people is the mean of the groups that have samples, and its standard error.
func people(groups ...map[string]Phases) (share, err float64) {
	var means, errs []float64
	for _, kinds := range groups {
		var worths, worthErrs []float64
		for _, p := range kinds {
			if p.During.Steps > 0 {
				worths, worthErrs = append(worths, p.During.Worth), append(worthErrs, p.During.WorthError)
			}
		}
		if len(worths) > 0 {
			means, errs = append(means, mean(worths)), append(errs, errorOfMean(worthErrs))
		}
	}
	return mean(means), errorOfMean(errs)
}

// errorOfMean is the standard error of the mean of values that have errs.
func errorOfMean(errs []float64) float64 {
	slices.Sort(errs)
	sum := 0.0
	for _, e := range errs {
		sum += e * e
	}
	return math.Sqrt(sum) / float64(max(1, len(errs)))
}

// mean of none is 0. It adds in order of size, so that the same values always have the same mean.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
