package score

import (
	"slices"
	"time"
)

const pulse = 2 * Step

// timeline cuts the run into moments, at most ten minutes of them.
func (j *judge) timeline() Timeline {
	return Timeline{
		Step: Millis(Step), Visitors: j.pulses(),
		Attack: j.in.Attack[:min(len(j.in.Attack), maxMoments)], Origin: j.in.Origin[:min(len(j.in.Origin), maxMoments)],
	}
}

func (j *judge) pulses() []Pulse {
	n := min(max(0, int((j.in.Length+pulse-1)/pulse)), maxMoments/2)
	out, took, added := make([]Pulse, n), make([][]time.Duration, n), make([][]time.Duration, n)
	for _, s := range j.in.Samples {
		i := int(s.At / pulse)
		if s.At < 0 || i >= n {
			continue
		}
		out[i].Steps++
		switch {
		case s.Outcome.got():
			out[i].Served++
			took[i] = append(took[i], s.Took)
			added[i] = append(added[i], max(0, s.Took-j.yardstick(s).median))
		case s.Outcome == Refused || s.Outcome == Stuck:
			out[i].Refused++
		default: // failed
		}
	}
	for i := range out {
		slices.Sort(took[i])
		slices.Sort(added[i])
		out[i].P50, out[i].P95 = quantileOf(took[i], 0.5).Value, quantileOf(took[i], 0.95).Value
		out[i].AddedP50, out[i].AddedP95 = quantileOf(added[i], 0.5).Value, quantileOf(added[i], 0.95).Value
	}
	return out
}
