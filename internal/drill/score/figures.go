package score

import (
	"math"
	"slices"
	"time"
)

// Share is a part of a whole with its 95 % confidence bounds: of drills with other seeds, 95 in 100 would have bounds that
// hold the true share.
type Share struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Value float64 `json:"share"` // 0 to 1; of none, 0
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// shareOf returns the share with its score interval (E. B. Wilson, 1927), which holds for few samples and at 0 and 1 too.
// Of none nothing is known: 0 to 1.
func shareOf(count, of int) Share {
	s := Share{Count: count, Of: of, High: 1}
	if of > 0 {
		s.Value = float64(count) / float64(of)
		s.Low, s.High = wilson(s.Value, of)
	}
	return s
}

// z95 is how many standard errors to both sides hold 95 % of a normal distribution.
const z95 = 1.959964

// wilson returns the bounds of a share p seen in n samples.
func wilson(p float64, n int) (low, high float64) {
	const z = z95
	m := float64(n)
	middle := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	low, high = (middle-half)/(1+z*z/m), (middle+half)/(1+z*z/m)
	if p == 0 { // where rounding would leave 1e-17
		low = 0
	}
	if p == 1 {
		high = 1
	}
	return low, high
}

// Quantile is a latency that a share of the steps does not exceed, with its 95 % confidence bounds.
type Quantile struct {
	Value Millis `json:"ms"`
	Low   Millis `json:"low_ms"`
	High  Millis `json:"high_ms"`
}

// quantileOf finds it among sorted latencies. Its bounds are the latencies at the bounds of the share: that asks nothing
// of how latencies are spread. With few samples the upper one is the longest seen, and says little.
func quantileOf(sorted []time.Duration, p float64) Quantile {
	if len(sorted) == 0 {
		return Quantile{}
	}
	low, high := wilson(p, len(sorted))
	at := func(p float64) Millis {
		i := int(math.Ceil(p*float64(len(sorted)))) - 1
		return Millis(sorted[max(0, min(i, len(sorted)-1))])
	}
	return Quantile{at(p), at(low), at(high)}
}

// Figures is how visitors fared in a phase.
type Figures struct {
	Steps      int   `json:"steps"`
	Served     Share `json:"served"`     // all that got what they came for: at once, late, or after a challenge
	Refused    Share `json:"refused"`    // wrongly, since visitors are no attackers
	Challenged Share `json:"challenged"` // wrongly: passed or stuck
	Failed     Share `json:"failed"`
	Late       int   `json:"late"`  // of the served: at the second try
	Stuck      int   `json:"stuck"` // of the challenged: got nothing else
	// Latency of the served.
	P50 Quantile `json:"p50"`
	P95 Quantile `json:"p95"`
	P99 Quantile `json:"p99"`
	// Worth is what the steps were worth to those who took them, 0 to 1, as the score counts it.
	Worth float64 `json:"worth"`
	// WorthError is the standard error of Worth, as if two steps more had been worth 1 and two nothing (A. Agresti,
	// B. A. Coull, 1998): without these, three steps that went well would be a certainty.
	WorthError float64 `json:"worth_error"`
	// Why counts the reasons of those not served at once; beyond 32, they are "other".
	Why map[string]int `json:"why,omitempty"`
}

const maxReasons = 32

// figuresOf sums samples up; worthOf says what one was worth.
func figuresOf(samples []Sample, worthOf func(Sample) float64) Figures {
	var counts [len(outcomeNames)]int
	f := Figures{Steps: len(samples)}
	latencies := make([]time.Duration, 0, len(samples))
	worth, squares := 0.0, 0.0
	for _, s := range samples {
		counts[min(s.Outcome, Failed)]++
		w := worthOf(s)
		worth, squares = worth+w, squares+w*w
		if s.Outcome.got() {
			latencies = append(latencies, s.Took)
		}
		f.addReason(s)
	}
	if f.Steps > 0 {
		f.Worth = worth / float64(f.Steps)
		n := float64(f.Steps + 4)
		middle := (worth + 2) / n
		f.WorthError = math.Sqrt(max(0, (squares+2)/n-middle*middle) / n)
	}
	slices.Sort(latencies)
	f.P50, f.P95, f.P99 = quantileOf(latencies, 0.5), quantileOf(latencies, 0.95), quantileOf(latencies, 0.99)
	f.Late, f.Stuck = counts[Late], counts[Stuck]
	f.Served = shareOf(len(latencies), f.Steps)
	f.Refused = shareOf(counts[Refused], f.Steps)
	f.Challenged = shareOf(counts[Passed]+counts[Stuck], f.Steps)
	f.Failed = shareOf(counts[Failed], f.Steps)
	return f
}

func (f *Figures) addReason(s Sample) {
	if s.Outcome == Served || s.Why == "" {
		return
	}
	if f.Why == nil {
		f.Why = map[string]int{}
	}
	why := s.Why
	if _, known := f.Why[why]; !known && len(f.Why) >= maxReasons {
		why = "other"
	}
	f.Why[why]++
}
