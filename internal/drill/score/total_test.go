package score

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// stoppedAfter passes the attack for a while.
func stoppedAfter(d time.Duration) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at < attackFrom+d {
			return 1
		}
		return 0
	}
}

func overwhelmed(_ time.Duration, attacked bool) float64 {
	if attacked {
		return 0.2
	}
	return 1
}

func TestPoles(t *testing.T) {
	bare := proxy{attackPasses: always(1), serves: overwhelmed, refuses: Failed}
	passesAll := bare
	passesAll.adds = 3 * time.Millisecond
	tests := []struct {
		name  string
		proxy proxy
		want  float64
	}{
		{"refuses exactly the attack", proxy{attackPasses: always(0), serves: peopleAlways(1)}, 100},
		{"refuses everything", proxy{attackPasses: always(0), serves: peopleAlways(0), refuses: Refused}, 0},
		{"fails everybody, and stops the attack with that", proxy{attackPasses: always(0), serves: peopleAlways(0), refuses: Failed}, 0},
		{"challenges everything, and nobody passes", proxy{attackPasses: always(0), serves: peopleAlways(0), refuses: Stuck}, 0},
		{"challenges everything, and people pass", proxy{attackPasses: always(0), serves: peopleAlways(0), refuses: Passed}, 100 * worthPassed},
		{"passes everything, and the site stands it", proxy{attackPasses: always(1), serves: peopleAlways(1)}, 50},
		{"passes everything, and the site falls", bare, 15}, // 0.2 served under attack, 1 in the last eighth: 0.3 · 50
		{"passes everything, a little slower", passesAll, Judge(play(bare, 1)).Total.Score},
		{"stops the attack in an eighth of its time", proxy{attackPasses: stoppedAfter((attackUntil - attackFrom) / 8), serves: peopleAlways(1)}, 93.75},
	}
	for _, tt := range tests {
		for _, group := range []Group{Attack, Event} {
			t.Run(string(group)+": "+tt.name, func(t *testing.T) {
				in := play(tt.proxy, 1)
				in.Group = group
				got, want := Judge(in).Total, tt.want
				if group == Event { // what people got, and nothing else
					want = 100 * got.People
				}
				if math.Abs(got.Score-want) > 1 {
					t.Errorf("got %+v, want a score of %.1f", got, want)
				}
			})
		}
	}
}

// TestPolesExactly: where no chance is in it, nothing is lost to rounding.
func TestPolesExactly(t *testing.T) {
	exact := Judge(play(proxy{attackPasses: always(0), serves: peopleAlways(1)}, 1)).Total
	exact.Margin = 0 // TestMargin
	if want := (Total{Score: 100, People: 1, Kept: 1, Less: 1, Soon: 1}); exact != want {
		t.Errorf("refuses exactly the attack: got %+v, want %+v", exact, want)
	}
	in := play(proxy{attackPasses: always(0), serves: peopleAlways(0), refuses: Refused}, 1)
	if got := Judge(in).Total.Score; got != 0 {
		t.Errorf("refuses everything: got %v, want 0", got)
	}
	in.Group = Event
	if got := Judge(in).Total.Score; got != 0 {
		t.Errorf("refuses everything in an event: got %v, want 0", got)
	}
	in.Samples = nil
	if got := Judge(in).Total.Score; got != 0 {
		t.Errorf("nobody there: got %v, want 0", got)
	}
}

func TestWorth(t *testing.T) {
	y := yardstick{known: true, usual: 100 * time.Millisecond, patience: 5350 * time.Millisecond}
	middle := y.usual + grace + 2500*time.Millisecond // of usual and grace to patience
	tests := []struct {
		name string
		y    yardstick
		s    Sample
		want float64
	}{
		{"as usual", y, Sample{Took: 100 * time.Millisecond}, 1},
		{"grace", y, Sample{Took: y.usual + grace}, 1},
		{"half the patience", y, Sample{Took: middle}, 0.75},
		{"all patience", y, Sample{Took: y.patience}, 0.5},
		{"more than all patience", y, Sample{Took: time.Hour}, 0.5},
		{"late, and slow", y, Sample{Outcome: Late, Took: middle}, 0.375},
		{"passed", y, Sample{Outcome: Passed}, 0.75},
		{"refused at once", y, Sample{Outcome: Refused}, 0},
		{"stuck", y, Sample{Outcome: Stuck}, 0},
		{"failed", y, Sample{Outcome: Failed}, 0},
		{"no outcome of ours", y, Sample{Outcome: 99}, 0},
		{"nothing is known of what is usual", yardstick{patience: time.Second}, Sample{Took: time.Hour}, 1},
		{"usually slower than patience", yardstick{known: true, usual: time.Hour, patience: time.Second}, Sample{Took: 2 * time.Hour}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.y.worth(tt.s); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestKindsCountAlike(t *testing.T) {
	in := Input{Group: Attack, Length: time.Second, Patience: time.Second, Spans: []Span{{Until: Millis(time.Second)}}, Origin: []Origin{}}
	add := func(n int, s Sample) {
		for range n {
			in.Samples = append(in.Samples, s)
		}
	}
	add(1000, Sample{Kind: "browser"})
	add(1, Sample{Kind: "git", Outcome: Refused})
	if got, want := Judge(in).Total.People, 0.5; got != want {
		t.Errorf("1,000 served browsers and one refused git: got %v, want %v", got, want)
	}
	// Who came is one half, however many kinds there are.
	add(3, Sample{Kind: "browser", Event: true})
	add(3, Sample{Kind: "app", Event: true})
	if got, want := Judge(in).Total.People, 0.75; got != want {
		t.Errorf("and all who came were served: got %v, want %v", got, want)
	}
}

// TestMargin: of runs that differ by chance alone, about 95 of 100 are within their margin of what is true; more, where
// steps are few or nearly all are served.
func TestMargin(t *testing.T) {
	tests := []struct {
		name   string
		serves float64
		keep   int // one in so many Steps
		most   int
	}{{"many steps", 0.9, 4, 99}, {"few steps", 0.9, 100, 100}, {"all but some", 0.99, 20, 100}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const runs = 100
			within := 0
			for seed := range uint64(runs) {
				in := play(proxy{attackPasses: always(0), serves: peopleAlways(tt.serves), refuses: Refused}, seed)
				some := in.Samples[:0]
				for i, s := range in.Samples {
					if (i/20)%tt.keep == 0 { // 20 to a Step, 4 of each kind
						some = append(some, s)
					}
				}
				in.Samples = some
				if total := Judge(in).Total; math.Abs(total.Score-100*tt.serves) <= total.Margin {
					within++
				}
			}
			if within < 89 || within > tt.most { // 2.5 standard errors
				t.Errorf("%d of %d runs within their margin, want 89 to %d", within, runs, tt.most)
			}
		})
	}
}

// TestTotalIsMonotone: whatever else happens in a run, one more served never lowers its total, and one more request of the
// attack at the origin never raises it.
func TestTotalIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		in := randomRun(rng, uint64(n))
		before := Judge(in).Total
		for range 12 {
			if before.Score < 0 || before.Score > 100 {
				t.Fatalf("run %d: a score of %v", n, before.Score)
			}
			what, direction := change(rng, &in)
			after := Judge(in).Total
			if (after.Score-before.Score)*direction < -1e-9 {
				t.Fatalf("run %d: %s: from %+v to %+v", n, what, before, after)
			}
			before = after
		}
	}
}

func randomRun(rng *rand.Rand, seed uint64) Input {
	passes, serves := rng.Float64(), rng.Float64()
	if rng.IntN(2) == 0 {
		passes = rng.Float64() / 20
	}
	p := proxy{
		attackPasses: func(time.Duration) float64 { return passes * rng.Float64() },
		serves:       func(time.Duration, bool) float64 { return serves },
		refuses:      Outcome(rng.IntN(int(Failed) + 1)),
		adds:         time.Duration(rng.IntN(500)) * time.Millisecond,
	}
	in := play(p, seed)
	for i := range in.Samples {
		s := &in.Samples[i]
		s.Event = s.At >= attackFrom && rng.IntN(3) == 0
		if s.At >= attackFrom && rng.IntN(4) == 0 {
			s.Took = time.Duration(rng.Int64N(int64(in.Patience)))
		}
	}
	rng.Shuffle(len(in.Samples), func(i, j int) { in.Samples[i], in.Samples[j] = in.Samples[j], in.Samples[i] })
	in.Samples = in.Samples[:200+rng.IntN(400)]
	if rng.IntN(4) == 0 {
		in.Group = Event
	}
	return in
}

// change makes a run better or worse: 1 if its total may not fall, -1 if it may not rise.
func change(rng *rand.Rand, in *Input) (what string, direction float64) {
	switch rng.IntN(4) {
	case 0:
		for range 100 {
			s := &in.Samples[rng.IntN(len(in.Samples))]
			if s.Outcome != Served && s.At >= attackFrom {
				s.Outcome = [...]Outcome{Late: Served, Refused: Late, Passed: Served, Stuck: Passed, Failed: Passed}[s.Outcome]
				return "one more served", 1
			}
		}
		return "nobody left to serve", 1
	case 1:
		kinds := []string{"browser", "feed", "monitor", "backup"}
		in.Samples = append(in.Samples, Sample{
			At: attackFrom + time.Duration(rng.Int64N(int64(20*time.Second))), Kind: kinds[rng.IntN(len(kinds))], Event: rng.IntN(2) == 0,
		})
		return "one more there, and served at once", 1
	case 2:
		in.Origin[rng.IntN(len(in.Origin))].Attacker += 1 + rng.IntN(50)
		return "more of the attack at the origin", -1
	}
	in.Origin[rng.IntN(len(in.Origin))].Visitor += 1 + rng.IntN(50)
	return "more visitors at the origin", 1
}
