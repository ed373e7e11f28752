package drill

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
)

// Streams of random numbers, all of the scenario's seed: one for the plan of each seat and event and for where its people
// are, one for what each person is and does.
const (
	seatStream     = 5 << 56
	arrivalStream  = 6 << 56
	personStream   = 7 << 56
	newcomerStream = 8 << 56
	placeStream    = 9 << 56
)

// maxStays bounds the newcomers of an event. No event within a scenario's own bounds gets there.
const maxStays = 200_000

// A stay is one visit of somebody, as planned.
type stay struct {
	role    *role
	stream  uint64 // of what they are and do
	source  netip.Addr
	http2   float64         // how likely their browser speaks it
	event   *scenario.Event // that brought them; nil: they are among those who are there all along
	moments []time.Duration // when errands begin, if those before are done; at least one
}

// planStory plans all stays, in the order of their beginnings. It is a pure function of the scenario: nothing that a target
// answers changes who comes when, or what they set out to do.
func planStory(s *scenario.Scenario) []stay {
	var all []stay
	cast := roles()
	seat := uint64(0)
	for i, n := range seatsOf(cast, &s.Visitors) {
		at := newPlaces(rand.New(rand.NewPCG(s.Seed, placeStream|uint64(i))), &cast[i], nil, s.Visitors.Countries, 0)
		for k := range n {
			all = append(all, planSeat(s, &cast[i], at, seat, k)...)
			seat++
		}
	}
	for i := range s.Events {
		all = append(all, planEvent(s, cast, uint64(i))...)
	}
	slices.SortStableFunc(all, func(a, b stay) int { return cmp.Compare(a.moments[0], b.moments[0]) })
	return all
}

// seatsOf divides visitors among roles by weight: at least one for each, as long as there are any, the rest by largest
// remainder.
func seatsOf(cast []role, v *scenario.Visitors) []int {
	quota, sum := make([]float64, len(cast)), 0.0
	var wanted []int
	for i := range cast {
		quota[i] = v.Kinds[cast[i].name]
		if sum += quota[i]; quota[i] > 0 {
			wanted = append(wanted, i)
		}
	}
	seats, left := make([]int, len(cast)), v.Count
	for _, i := range wanted {
		quota[i] *= float64(v.Count) / sum
		seats[i] = min(left, max(1, int(quota[i])))
		left -= seats[i]
	}
	slices.SortStableFunc(wanted, func(a, b int) int { return cmp.Compare(quota[b]-float64(seats[b]), quota[a]-float64(seats[a])) })
	for n := 0; n < left && len(wanted) > 0; n++ {
		seats[wanted[n%len(wanted)]]++
	}
	return seats
}

// planSeat plans the persons who take one seat in turn, so that one of them is there at any moment.
func planSeat(s *scenario.Scenario, r *role, where *places, seat uint64, nth int) []stay {
	rng := rand.New(rand.NewPCG(s.Seed, seatStream|seat))
	think := r.mean(s.Visitors.Think)
	at := time.Duration(rng.Float64() * float64(think)) // not all at once
	var out []stay
	for n := uint64(0); at < s.Length; n++ {
		st := stay{role: r, stream: personStream | seat<<24 | n, source: where.draw(rng, nth), http2: s.Visitors.HTTP2}
		for left := r.errands(rng); left != 0 && at < s.Length; left-- {
			st.moments = append(st.moments, at)
			at += r.gap(rng, think)
		}
		out = append(out, st)
	}
	return out
}

// planEvent plans the newcomers of the nth event.
func planEvent(s *scenario.Scenario, cast []role, nth uint64) []stay {
	e := &s.Events[nth]
	i := slices.IndexFunc(cast, func(r role) bool { return r.name == e.Kind })
	if i < 0 {
		return nil // scenario.Load has refused it
	}
	r, think := &cast[i], cast[i].mean(s.Visitors.Think)
	if e.Think > 0 {
		think = e.Think
	}
	rng := rand.New(rand.NewPCG(s.Seed, arrivalStream|nth))
	countries := e.Countries
	if len(countries) == 0 {
		countries = s.Visitors.Countries
	}
	where := newPlaces(rand.New(rand.NewPCG(s.Seed, placeStream|1<<32|nth)), r, e.Networks, countries, e.Addresses)
	var out []stay
	for at := range arrivals(rng, e, s.Length) {
		n := len(out)
		st := stay{role: r, stream: newcomerStream | nth<<32 | uint64(n), source: where.draw(rng, n), http2: s.Visitors.HTTP2, event: e}
		for k := 0; k < max(1, e.Steps) && at < s.Length; k++ {
			st.moments = append(st.moments, at)
			at += r.gap(rng, think)
		}
		if out = append(out, st); len(out) == maxStays {
			break
		}
	}
	return out
}

// mean is the mean time between the beginnings of two errands, where a person with a browser pauses for think.
func (r *role) mean(think time.Duration) time.Duration {
	return max(time.Millisecond, time.Duration(r.think*float64(think)))
}

// gap draws the time between the beginnings of two errands.
func (r *role) gap(rng *rand.Rand, mean time.Duration) time.Duration {
	if r.steady {
		return mean
	}
	return time.Duration((0.5 + rng.Float64()) * float64(mean))
}

// errands draws how many of them a person comes for; -1: as many as there is time for.
func (r *role) errands(rng *rand.Rand) int {
	if r.stay == 0 {
		return -1
	}
	return 1 + rng.IntN(2*r.stay-1)
}

// arrivals yields when the newcomers of an event come, independent of each other.
func arrivals(rng *rand.Rand, e *scenario.Event, end time.Duration) iter.Seq[time.Duration] {
	until := end
	if e.Until > 0 {
		until = min(e.Until, end)
	}
	return func(yield func(time.Duration) bool) {
		for at := e.From; e.Arrivals > 0; {
			at += max(1, time.Duration(-math.Log(1-rng.Float64())/e.Arrivals*float64(time.Second)))
			if at >= until {
				return
			}
			if rng.Float64() < e.Shape.At(at-e.From, until-e.From) && !yield(at) {
				return
			}
		}
	}
}
