package score

import (
	"math/rand/v2"
	"time"
)

// proxy is what a target of these tests does to whom, as shares: it stands for a run without one being played.
type proxy struct {
	attackPasses func(at time.Duration) float64
	serves       func(at time.Duration, attacked bool) float64
	refuses      Outcome       // how those not served are turned away
	adds         time.Duration // to every latency
}

func always(share float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return share }
}

func peopleAlways(share float64) func(time.Duration, bool) float64 {
	return func(time.Duration, bool) float64 { return share }
}

// kindNames are some kinds of visitors, with what a step of theirs takes.
func kindNames() map[string]time.Duration {
	return map[string]time.Duration{
		"browser": 40 * time.Millisecond, "carrier": 60 * time.Millisecond, "feed": 10 * time.Millisecond,
		"git": 25 * time.Millisecond, "download": 900 * time.Millisecond,
	}
}

const (
	runLength   = 40 * time.Second
	attackFrom  = 8 * time.Second
	attackUntil = 36 * time.Second
)

// play makes up the run of an attack of 400 requests a Step against p.
func play(p proxy, seed uint64) Input {
	in := Input{
		Scenario: "search-flood", Title: "A flood of searches from 5,000 addresses", Group: Attack, Target: "made up", Seed: seed,
		Length: runLength, Patience: 5 * time.Second, Site: Site{Workers: 8, Backlog: 256, Capacity: 400},
		Spans: []Span{{Name: "flood", From: Millis(attackFrom), Until: Millis(attackUntil)}},
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for at := time.Duration(0); at < runLength; at += Step {
		var m Moment
		o := Origin{Visitor: 20, Peak: 3}
		attacked := at >= attackFrom && at < attackUntil
		if attacked {
			m.Offered = 400
			o.Attacker = int(p.attackPasses(at) * 400)
			m.Answered, m.Refused = o.Attacker, 400-o.Attacker
			o.Peak += o.Attacker / 10
		}
		in.Attack, in.Origin = append(in.Attack, m), append(in.Origin, o)
		for _, kind := range []string{"browser", "carrier", "download", "feed", "git"} {
			for range 4 {
				s := Sample{At: at + time.Duration(rng.Int64N(int64(Step))), Kind: kind}
				s.Took = kindNames()[kind]*time.Duration(80+rng.IntN(40))/100 + p.adds
				if rng.Float64() >= p.serves(at, attacked) {
					s.Outcome, s.Why = p.refuses, "429"
				}
				in.Samples = append(in.Samples, s)
			}
		}
	}
	return in
}
