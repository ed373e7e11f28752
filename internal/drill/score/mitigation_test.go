package score

import (
	"testing"
	"time"
)

func TestMitigation(t *testing.T) {
	const from, until = 2 * time.Second, 12 * time.Second
	// An attack of so many requests a Step, of which reach says how many get to the origin, beside visitors there.
	type run struct {
		offered, visitors int
		reach             func(i int) int // i: Steps since the attack began
	}
	upTo := func(steps, n int) func(int) int {
		return func(i int) int {
			if i < steps {
				return n
			}
			return 0
		}
	}
	tests := []struct {
		name string
		run  run
		want State
		in   time.Duration
	}{
		{"never reaches", run{1000, 20, upTo(0, 0)}, Unneeded, 0},
		{"always reaches", run{1000, 20, upTo(40, 1000)}, Never, 0},
		{"stops after 1.5 s", run{1000, 20, upTo(6, 1000)}, Mitigated, 1500 * time.Millisecond},
		{"a tenth, less one request a window", run{20, 20, func(i int) int {
			if i%8 == 0 {
				return 3 // 17 of 177 in a window
			}
			return 2
		}}, Unneeded, 0},
		{"a tenth", run{20, 18, upTo(40, 2)}, Never, 0},
		{"a cache leaves the leak alone at the origin: 0.9 % of the attack", run{1000, 0, upTo(40, 9)}, Unneeded, 0},
		{"a cache leaves the leak alone at the origin: 1 % of the attack", run{1000, 0, upTo(40, 10)}, Never, 0},
		{"a small attack that stops is seen to a little early", run{4, 20, upTo(20, 4)}, Mitigated, 4000 * time.Millisecond},
		{"one stray, late", run{1000, 20, func(i int) int {
			if i < 4 {
				return 1000
			}
			return i / 30 * (i + 1) % 2
		}}, Mitigated, time.Second},
		{"pulses that each get through for a second", run{1000, 20, func(i int) int {
			if i%12 < 4 {
				return 1000
			}
			return 0
		}}, Never, 0},
		{"stops a window before the end", run{1000, 20, upTo(32, 1000)}, Mitigated, 8 * time.Second},
		{"stops in the last window", run{1000, 20, upTo(33, 1000)}, Never, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var attack []Moment
			var origin []Origin
			for at := time.Duration(0); at < until+4*time.Second; at += Step {
				m, o := Moment{}, Origin{Visitor: tt.run.visitors}
				if at >= from && at < until {
					m.Offered, o.Attacker = tt.run.offered, tt.run.reach(int((at-from)/Step))
				}
				attack, origin = append(attack, m), append(origin, o)
			}
			got := mitigationOf(attack, origin, from, until)
			want := Mitigation{tt.want, Millis(tt.in), Millis(until - from)}
			if got != want {
				t.Errorf("got %+v (%s), want %+v (%s)", got, got, want, want)
			}
		})
	}
}

func TestMitigationAtTheEdges(t *testing.T) {
	long := make([]Origin, 100)
	for i := range long {
		long[i].Attacker = 1
	}
	tests := []struct {
		name        string
		origin      []Origin
		from, until time.Duration
		want        State
	}{
		{"nothing recorded", nil, 0, 10 * time.Second, Unneeded},
		{"no attack", long, 10 * time.Second, 0, Never}, // reaches all the same: never is the cautious answer
		{"an attack shorter than a window", long, time.Second, 2 * time.Second, Never},
		{"an attack beyond what was recorded", long, time.Hour, 2 * time.Hour, Unneeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mitigationOf(nil, tt.origin, tt.from, tt.until); got.State != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}
