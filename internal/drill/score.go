package drill

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Tally is how visitors fared. A step is served only if all its responses came right within the visitor's patience.
type Tally struct {
	Served   int            `json:"served"`
	Late     int            `json:"late"` // of the served: at the second try
	Failed   int            `json:"failed"`
	P50      time.Duration  `json:"p50_ns"` // of the served, from the first request to the last response
	P95      time.Duration  `json:"p95_ns"`
	Failures map[string]int `json:"failures,omitempty"` // by status, and timeout, refused, closed, malformed, wrong
}

// Steps returns how many steps were taken.
func (t Tally) Steps() int { return t.Served + t.Failed }

// Share returns the share of steps served, 0 to 1; of none, 1.
func (t Tally) Share() float64 {
	if t.Steps() == 0 {
		return 1
	}
	return float64(t.Served) / float64(t.Steps())
}

// Visitors is how visitors fared in one phase: all of them, and by kind.
type Visitors struct {
	All    Tally            `json:"all"`
	ByKind map[string]Tally `json:"by_kind"`
}

const maxExamples = 16 // failures kept word by word

// score collects steps. It grows with the visitors' own steps only, which a story bounds.
type score struct {
	mu       sync.Mutex
	phases   [2]map[string]*record // quiet, flood
	steps    [2]Steps
	examples []string
}

type record struct {
	tally     Tally
	latencies []time.Duration
}

func newScore() *score { return &score{phases: [2]map[string]*record{{}, {}}} }

// step adds a step. One that was in flight when the flood began belongs to the flood.
func (s *score) step(kind string, source netip.Addr, flooding bool, took time.Duration, late bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := phaseIndex(flooding)
	phase, steps := s.phases[i], &s.steps[i]
	r := phase[kind]
	if r == nil {
		r = &record{tally: Tally{Failures: map[string]int{}}}
		phase[kind] = r
	}
	if err != nil {
		steps.Failed++
		r.tally.Failed++
		r.tally.Failures[why(err)]++
		if len(s.examples) < maxExamples {
			s.examples = append(s.examples, fmt.Sprintf("%s %s: %v", kind, source, err))
		}
		return
	}
	steps.Served++
	r.tally.Served++
	if late {
		r.tally.Late++
	}
	r.latencies = append(r.latencies, took)
}

func phaseIndex(flooding bool) int {
	if flooding {
		return 1
	}
	return 0
}

// now returns the steps of both phases so far.
func (s *score) now() (quiet, flood Steps) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[0], s.steps[1]
}

// visitors sums up a phase.
func (s *score) visitors(flooding bool) Visitors {
	s.mu.Lock()
	defer s.mu.Unlock()
	phase := s.phases[phaseIndex(flooding)]
	all := &record{tally: Tally{Failures: map[string]int{}}}
	v := Visitors{ByKind: map[string]Tally{}}
	for kind, r := range phase {
		all.add(r)
		v.ByKind[kind] = r.sum()
	}
	v.All = all.sum()
	return v
}

func (r *record) add(o *record) {
	r.tally.Served += o.tally.Served
	r.tally.Late += o.tally.Late
	r.tally.Failed += o.tally.Failed
	for why, n := range o.tally.Failures {
		r.tally.Failures[why] += n
	}
	r.latencies = append(r.latencies, o.latencies...)
}

// sum returns the tally with its percentiles.
func (r *record) sum() Tally {
	slices.Sort(r.latencies)
	t := r.tally
	t.P50, t.P95 = percentile(r.latencies, 50), percentile(r.latencies, 95)
	return t
}

// percentile returns the smallest of the sorted values that p percent of them do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
