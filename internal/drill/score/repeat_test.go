package score

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDifferences(t *testing.T) {
	served := func(n, of int) Phases { return Phases{During: Figures{Steps: of, Served: shareOf(n, of)}} }
	one := func(r Result) Report {
		r.Scenario = "flood"
		return NewReport("", 1, []Result{r})
	}
	tests := []struct {
		name string
		a, b Report
		want []string
	}{
		{"the same", madeUp("a", 0.5), madeUp("b", 0.5), nil},
		{"2 points", one(Result{Everyone: served(90, 100)}), one(Result{Everyone: served(92, 100)}), nil},
		{"3 points", one(Result{Everyone: served(90, 100)}), one(Result{Everyone: served(93, 100)}), []string{"flood: everyone served 90.0 % and 93.0 % (of 100)"}},
		{"one step of few", one(Result{Kinds: map[string]Phases{"git": served(9, 10)}}), one(Result{Kinds: map[string]Phases{"git": served(10, 10)}}), nil},
		{"two steps of few", one(Result{Kinds: map[string]Phases{"git": served(8, 10)}}), one(Result{Kinds: map[string]Phases{"git": served(10, 10)}}),
			[]string{"flood: git served 80.0 % and 100.0 % (of 10)"}},
		{"who came", one(Result{Comers: map[string]Phases{"app": served(80, 100)}}), one(Result{Comers: map[string]Phases{"app": served(100, 100)}}),
			[]string{"flood: coming app served 80.0 % and 100.0 % (of 100)"}},
		{"one step where there was none", one(Result{Kinds: map[string]Phases{"git": served(1, 1)}}), one(Result{}), nil},
		{"two steps where there were none", one(Result{}), one(Result{Kinds: map[string]Phases{"git": served(2, 2)}}),
			[]string{"flood: git served 0.0 % and 100.0 % (of 0)"}},
		{"the attack", one(Result{Attack: Assault{Reached: reachedOf(100, 1000)}}), one(Result{Attack: Assault{Reached: reachedOf(150, 1000)}}),
			[]string{"flood: attack at origin 10.0 % and 15.0 % (of 1,000)"}},
		{"a scenario less", one(Result{}), NewReport("", 1, nil), []string{"flood: played 100.0 % and 0.0 % (of 1)"}},
		{"a scenario more", NewReport("", 1, nil), one(Result{}), []string{"flood: played 0.0 % and 100.0 % (of 1)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range Differences(tt.a, tt.b) {
				got = append(got, d.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("differences (-want +got):\n%s", d)
			}
		})
	}
}

// TestDifferencesOfARun: all shares of a run with another behaviour are looked at.
func TestDifferencesOfARun(t *testing.T) {
	a, b := play(proxy{attackPasses: always(0), serves: peopleAlways(1)}, 1), play(proxy{attackPasses: always(0), serves: peopleAlways(1)}, 1)
	for i := range b.Samples {
		s := &b.Samples[i]
		switch {
		case s.Kind == "feed" && s.At > attackFrom:
			s.Outcome = Stuck
		case s.Kind == "git" && s.At+time.Second < attackFrom:
			s.Outcome = Failed
		}
	}
	var got []string
	for _, d := range Differences(NewReport("", 1, []Result{Judge(a)}), NewReport("", 1, []Result{Judge(b)})) {
		got = append(got, d.What)
	}
	want := []string{
		"everyone served", "everyone challenged", "everyone served in the quiet phase",
		"feed served", "feed challenged", "git served in the quiet phase",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("shares that differ (-want +got):\n%s", d)
	}
}
