package drill

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
)

func timetableOf(seed uint64, a scenario.Attack) []slot {
	t := newTimetable(rand.New(rand.NewPCG(seed, 1)), a)
	var out []slot
	for {
		s, ok := t.slot()
		if !ok {
			return out
		}
		out = append(out, s)
	}
}

func steadyAttack() scenario.Attack {
	return scenario.Attack{
		Rate: 400, From: 5 * time.Second, Until: 15 * time.Second, Sources: scenario.Sources{Count: 50},
		Shape: scenario.Shape{Kind: scenario.Steady},
	}
}

func TestTimetableIsDeterministic(t *testing.T) {
	a, b, other := timetableOf(1, steadyAttack()), timetableOf(1, steadyAttack()), timetableOf(2, steadyAttack())
	if !slices.Equal(a, b) {
		t.Error("same seed, other slots")
	}
	if slices.Equal(a, other) {
		t.Error("another seed, same slots")
	}
}

// Each shape adds up to what the scenario says it sends, in the order of time and within its bounds.
func TestTimetableShapes(t *testing.T) {
	tests := []struct {
		name    string
		shape   scenario.Shape
		seconds []int // slots in each second of ten
	}{
		{"steady", scenario.Shape{Kind: scenario.Steady}, []int{400, 400, 400, 400, 400, 400, 400, 400, 400, 400}},
		{"ramp", scenario.Shape{Kind: scenario.Ramp}, []int{20, 60, 100, 140, 180, 220, 260, 300, 340, 380}},
		{"pulse", scenario.Shape{Kind: scenario.Pulse, On: 2 * time.Second, Off: 3 * time.Second},
			[]int{400, 400, 0, 0, 0, 400, 400, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := steadyAttack()
			a.Shape = tt.shape
			got, last := make([]int, 10), time.Duration(0)
			slots := timetableOf(1, a)
			for _, s := range slots {
				if s.at < last || s.at < a.From || s.at >= a.Until {
					t.Fatalf("slot at %v after %v, of an attack from %v to %v", s.at, last, a.From, a.Until)
				}
				last = s.at
				second := int((s.at - a.From) / time.Second)
				got[second]++
				if want := second / 5; tt.shape.Kind == scenario.Pulse && s.pulse != want {
					t.Fatalf("slot at %v is of pulse %d, want %d", s.at, s.pulse, want)
				}
			}
			for i := range got {
				if d := got[i] - tt.seconds[i]; d < -1 || d > 1 {
					t.Errorf("second %d: %d slots, want %d", i, got[i], tt.seconds[i])
				}
			}
			if want := a.Total(); float64(len(slots)) < want-1 || float64(len(slots)) > want+1 {
				t.Errorf("%d slots, want %v as the scenario counts", len(slots), want)
			}
		})
	}
}

// Each bot stays under its share of the rate but for one act, in any stretch of time: what is low and slow is so.
func TestTimetableKeepsBotsLow(t *testing.T) {
	byBot := map[int][]time.Duration{}
	for _, s := range timetableOf(1, steadyAttack()) {
		byBot[s.bot] = append(byBot[s.bot], s.at)
	}
	if len(byBot) != 50 {
		t.Errorf("%d bots, want 50", len(byBot))
	}
	for bot, times := range byBot {
		for i := range times {
			for j := i + 1; j < len(times); j++ {
				if n := j - i + 1; float64(n) > (times[j]-times[i]).Seconds()*8+2.1 {
					t.Fatalf("bot %d: %d acts within %v", bot, n, times[j]-times[i])
				}
			}
		}
	}
}

func BenchmarkTimetable(b *testing.B) {
	a := steadyAttack()
	a.Sources.Count, a.Until = 50_000, time.Hour*1_000_000
	t := newTimetable(rand.New(rand.NewPCG(1, 1)), a)
	b.ReportAllocs()
	for b.Loop() {
		t.slot()
	}
}
