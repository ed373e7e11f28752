package drill

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
)

// A slot is one act of an attack: when it is due since the scenario's beginning, whose turn it is, and the seed of
// everything else about it.
type slot struct {
	at    time.Duration
	bot   int
	pulse int // of a pulse wave, from 0
	seed  uint64
}

// timetable is an attack as planned; it depends on nothing but the scenario and its seed. Some of the bots are at it, and
// each of those acts once a round, in an order drawn anew, so that in no stretch of time does one exceed its share of the
// rate by more than an act. That is all bots if a burst is one act; else they are as many as act once a second, and each
// makes room for the next when it has made its burst.
type timetable struct {
	attack scenario.Attack
	rng    *rand.Rand
	order  []int32 // of all bots; those at it come first
	left   []int32 // acts of the burst of each bot at it
	next   int     // in order: whose turn it is after them
	sent   int
}

func newTimetable(rng *rand.Rand, a scenario.Attack) *timetable {
	a.Burst = max(a.Burst, 1)
	t := &timetable{attack: a, rng: rng, order: make([]int32, a.Sources.Count)}
	for i, j := range rng.Perm(len(t.order)) {
		t.order[i] = int32(j)
	}
	t.left = make([]int32, acting(a))
	for i := range t.left {
		t.left[i] = 1 + rng.Int32N(int32(a.Burst)) // not all leave together
	}
	t.next = len(t.left)
	return t
}

// acting is how many bots of an attack are at it at once.
func acting(a scenario.Attack) int {
	if a.Burst > 1 {
		return max(1, min(a.Sources.Count, int(a.Rate)))
	}
	return a.Sources.Count
}

// slot returns the slots in the order of time, until the attack is over.
func (t *timetable) slot() (slot, bool) {
	offset, pulse := when(t.attack, float64(t.sent)+t.rng.Float64())
	s := slot{at: t.attack.From + offset, pulse: pulse, seed: t.rng.Uint64()}
	if s.at >= t.attack.Until {
		return slot{}, false
	}
	i := t.sent % len(t.left)
	j := i + t.rng.IntN(len(t.left)-i)
	t.order[i], t.order[j] = t.order[j], t.order[i]
	t.left[i], t.left[j] = t.left[j], t.left[i]
	s.bot = int(t.order[i])
	t.sent++
	if t.left[i]--; t.left[i] == 0 {
		t.replace(i)
	}
	return s, true
}

// replace has the next in order join in the place of one who has made their burst.
func (t *timetable) replace(i int) {
	t.left[i] = int32(t.attack.Burst)
	if len(t.left) == len(t.order) {
		return // there is nobody else
	}
	t.order[i], t.order[t.next] = t.order[t.next], t.order[i]
	if t.next++; t.next == len(t.order) {
		t.next = len(t.left)
	}
}

// when is how long after its beginning an attack has acted n times, and in which pulse that is.
func when(a scenario.Attack, n float64) (time.Duration, int) {
	switch a.Shape.Kind {
	case scenario.Ramp:
		length := (a.Until - a.From).Seconds()
		return spanOf(length * math.Sqrt(2*n/(a.Rate*length))), 0
	case scenario.Pulse:
		acting := spanOf(n / a.Rate)
		pulse := int(acting / a.Shape.On)
		return acting + time.Duration(pulse)*a.Shape.Off, pulse
	}
	return spanOf(n / a.Rate), 0
}

func spanOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
