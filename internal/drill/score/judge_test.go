package score

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPhases(t *testing.T) {
	s := time.Second
	tests := []struct {
		name   string
		sample Sample
		want   [3]int // in quiet, during and after
	}{
		{"over before", Sample{At: 1 * s, Took: 2 * s}, [3]int{1, 0, 0}},
		{"over when it begins", Sample{At: 1 * s, Took: 9 * s}, [3]int{1, 0, 0}},
		{"reaches into it", Sample{At: 9 * s, Took: 2 * s}, [3]int{0, 1, 0}},
		{"in it", Sample{At: 15 * s, Took: s}, [3]int{0, 1, 0}},
		{"in a pause of it", Sample{At: 22 * s, Took: s}, [3]int{0, 1, 0}},
		{"refused when it was over", Sample{At: 31 * s, Took: s, Outcome: Refused}, [3]int{0, 1, 1}},
		{"begins with it", Sample{At: 10 * s}, [3]int{0, 1, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Judge(Input{
				Group: Attack, Length: 40 * s, Patience: 5 * s, Samples: []Sample{tt.sample},
				Spans: []Span{{From: Millis(25 * s), Until: Millis(30 * s)}, {From: Millis(10 * s), Until: Millis(20 * s)}},
			}).Everyone
			if got := [3]int{p.Quiet.Steps, p.During.Steps, p.After.Steps}; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAdded(t *testing.T) {
	ms := time.Millisecond
	in := Input{Group: Attack, Length: 20 * time.Second, Patience: 5 * time.Second, Spans: []Span{{From: Millis(10 * time.Second), Until: Millis(20 * time.Second)}}}
	add := func(at time.Duration, kind string, n int, took time.Duration, o Outcome) {
		for range n {
			in.Samples = append(in.Samples, Sample{At: at, Kind: kind, Took: took, Outcome: o})
		}
	}
	add(0, "browser", 50, 40*ms, Served)
	add(0, "git", 4, 900*ms, Served)
	add(0, "tor", 50, ms, Refused)
	for _, kind := range []string{"browser", "git", "tor"} {
		add(12*time.Second, kind, 10, 100*ms, Served)
	}
	add(0, "feed", 10, 10*ms, Served)
	add(12*time.Second, "feed", 10, 5*time.Second, Failed)
	r := Judge(in)
	got := map[string]Added{}
	for kind, p := range r.Kinds {
		got[kind] = p.Added
	}
	want := map[string]Added{ // everyone: 10 × 10, 50 × 40 and 4 × 900
		"browser": {P50: Millis(60 * ms), P99: Millis(60 * ms), Quiet: 50},
		"git":     {P50: Millis(60 * ms), P99: Millis(-800 * ms), Quiet: 64, Borrows: true},
		"tor":     {P50: Millis(60 * ms), P99: Millis(-800 * ms), Quiet: 64, Borrows: true},
		"feed":    {},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("added (-want +got):\n%s", d)
	}
	// Four steps say that 900 ms are not unusual for git, and 100 ms need not be for who gets nothing in peace.
	for kind, want := range map[string]float64{"browser": 1, "git": 1, "tor": 1, "feed": 0} {
		if got := r.Kinds[kind].During.Worth; got != want {
			t.Errorf("worth of %s: got %v, want %v", kind, got, want)
		}
	}
}

func TestNotes(t *testing.T) {
	good := func() Input { return play(proxy{attackPasses: always(0.01), serves: peopleAlways(1)}, 1) }
	tests := []struct {
		name   string
		change func(*Input)
		want   string // part of the only note; "": none
	}{
		{"a good run", func(*Input) {}, ""},
		{"a shot on time", func(in *Input) { in.Lag = maxLag }, ""},
		{"a late shot", func(in *Input) { in.Lag = 251 * time.Millisecond }, "the generator, not the target, was the limit: requests were sent up to 251 ms late"},
		{"one of a hundred withheld", func(in *Input) { in.Withheld = 44800 / 99 }, ""},
		{"more withheld", func(in *Input) { in.Withheld = 44800 / 98 }, "the limit: 1.0 % of the attack's requests that were due were not sent"},
		{"all withheld", func(in *Input) { in.Attack, in.Withheld = nil, 5 }, "the limit: 100 % of"},
		{"no quiet phase", func(in *Input) { in.Spans[0].From = 0 }, "no quiet phase"},
		{"who does not forward", func(in *Input) { in.Origin[40].Unknown = 1e6 }, "1,000,000 requests at the origin nobody knows"},
		{"health checks", func(in *Input) { in.Origin[40].Unknown = 40 }, ""},
		{"no origin", func(in *Input) { in.Origin = nil }, "the origin was not measured"},
		{"a few that nobody can tell", func(in *Input) { in.Unclear = 44 }, ""},
		{"many that nobody can tell", func(in *Input) { in.Unclear = 45 }, "45 requests at the origin may have been a visitor's or an attacker's"},
		{"no room for all", func(in *Input) { in.Missed = 3 }, "3 people more would have come"},
		{"too many", func(in *Input) { in.Dropped = 1234 }, "1,234 steps at the end"},
		{"refused in peace", func(in *Input) {
			for i := range in.Samples {
				if in.Samples[i].At < attackFrom/10 {
					in.Samples[i].Outcome = Refused
				}
			}
		}, "only 90.0 % of steps were served before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := good()
			tt.change(&in)
			r := Judge(in)
			if got := strings.Join(r.Notes, "\n"); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) || len(r.Notes) > 1 {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if want := strings.Contains(tt.want, "limit"); r.Generator.Limit != want {
				t.Errorf("limit: got %v, want %v", r.Generator.Limit, want)
			}
		})
	}
}

func TestNobody(t *testing.T) {
	r := Judge(Input{Group: Attack})
	if got := strings.Join(r.Notes, "\n"); !strings.Contains(got, "no visitor took a step") || !strings.Contains(got, "not measured") {
		t.Errorf("notes: got %q, want that nobody was there and nothing was measured", got)
	}
	if r.Total.Score != 0 {
		t.Errorf("score: got %v, want 0", r.Total.Score)
	}
}

func TestAttackAtTheOrigin(t *testing.T) {
	in := play(proxy{attackPasses: always(0.25), serves: peopleAlways(1)}, 1)
	in.Outcomes = map[string]int{"200": 3}
	a := Judge(in).Attack
	if a.Offered != 112*400 || a.Outcomes["200"] != 3 || a.Reached.Count != 112*100 || a.Reached.Value != 0.25 || a.Refused != 112*300 {
		t.Errorf("got %+v, want 44,800 offered, 33,600 refused and 11,200 at the origin", a)
	}
	in.Origin = nil // what was answered stands in
	if d := cmp.Diff(a, Judge(in).Attack); d != "" {
		t.Errorf("not measured (-want +got):\n%s", d)
	}
	in.Origin = []Origin{{Attacker: 2 * a.Offered}}
	r := Judge(in)
	if r.Attack.Reached.Value != 2 || r.Total.Less != 0 {
		t.Errorf("asked twice: got a share of %v, and %v of it less; want 2 and 0", r.Attack.Reached.Value, r.Total.Less)
	}
}

func TestLoad(t *testing.T) {
	in := play(proxy{attackPasses: always(0), serves: peopleAlways(1)}, 1)
	for i := range in.Origin { // of the quiet phase's 32 Steps nothing counts
		in.Origin[i] = Origin{Visitor: 1, Peak: in.Site.Workers, Overloaded: 0}
		if i < 48 {
			in.Origin[i] = Origin{Visitor: 1, Attacker: 2, Unknown: 3, Peak: in.Site.Workers + 1 + i, Overloaded: i % 2 * 5}
		}
	}
	got := Judge(in).Origin
	want := Load{
		Visitor: 128, Attacker: 32, Unknown: 48, Peak: 56, Busy: shareOf(16, 128), Overloaded: shareOf(8, 128), TurnedAway: 40,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("load (-want +got):\n%s", d)
	}
}

func TestKindsAreBounded(t *testing.T) {
	in := Input{Group: Event, Length: time.Second}
	for i := range 1000 {
		in.Samples = append(in.Samples, Sample{Kind: time.Duration(i).String()})
	}
	r := Judge(in)
	if got, want := len(r.Kinds), maxKinds+1; got != want {
		t.Errorf("%d kinds, want %d", got, want)
	}
	if got, want := r.Kinds["other"].Quiet.Steps, 1000-maxKinds; got != want {
		t.Errorf("%d steps of others, want %d", got, want)
	}
}

func TestRecorder(t *testing.T) {
	var r Recorder
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for range maxSamples/8 + 10 {
				r.Add(Sample{Outcome: Outcome(g % 2 * int(Refused))})
			}
		})
	}
	all.Wait()
	samples, dropped := r.Samples()
	if len(samples) != maxSamples || dropped != 80 {
		t.Errorf("%d samples and %d dropped, want %d and 80", len(samples), dropped, maxSamples)
	}
	served := 0
	for _, s := range samples {
		if s.Outcome == Served {
			served++
		}
	}
	if steps, got := r.Now(); steps != maxSamples || got != served {
		t.Errorf("%d steps, %d served; want %d and %d", steps, got, maxSamples, served)
	}
}

func TestOutcomeNames(t *testing.T) {
	want := []string{"served", "late", "refused", "challenged-and-passed", "challenged-and-stuck", "failed", "outcome 6"}
	for i, name := range want {
		if got := Outcome(i).String(); got != name {
			t.Errorf("outcome %d: got %q, want %q", i, got, name)
		}
	}
}

func TestPulses(t *testing.T) {
	in := Input{Group: Event, Length: 1200 * time.Millisecond, Patience: time.Second, Spans: []Span{{Event: true, From: Millis(500 * time.Millisecond), Until: Millis(time.Second)}}}
	ms := time.Millisecond
	for range 5 {
		in.Samples = append(in.Samples, Sample{At: 100 * ms, Took: 40 * ms})
	}
	in.Samples = append(in.Samples,
		Sample{At: 600 * ms, Took: 90 * ms}, Sample{At: 700 * ms, Took: 30 * ms}, Sample{At: 999 * ms, Outcome: Refused},
		Sample{At: 510 * ms, Outcome: Stuck}, Sample{At: 520 * ms, Outcome: Failed}, Sample{At: 1500 * ms}, Sample{At: -1})
	got := Judge(in).Timeline.Visitors
	want := []Pulse{
		{Steps: 5, Served: 5, P50: Millis(40 * ms), P95: Millis(40 * ms)},
		{Steps: 5, Served: 2, Refused: 2, P50: Millis(30 * ms), P95: Millis(90 * ms), AddedP95: Millis(50 * ms)},
		{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("pulses (-want +got):\n%s", d)
	}
}
