package score

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShare(t *testing.T) {
	tests := []struct {
		name            string
		count, of       int
		want, low, high float64
	}{
		{"of none", 0, 0, 0, 0, 1},
		{"none of ten", 0, 10, 0, 0, 0.2775},
		{"half of ten", 5, 10, 0.5, 0.2366, 0.7634},
		{"all of ten", 10, 10, 1, 0.7225, 1},
		{"all of one", 1, 1, 1, 0.2065, 1},
		{"98 of 100", 98, 100, 0.98, 0.93, 0.9945},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := shareOf(tt.count, tt.of)
			for _, v := range []struct {
				what      string
				got, want float64
			}{{"share", got.Value, tt.want}, {"low", got.Low, tt.low}, {"high", got.High, tt.high}} {
				if math.Abs(v.got-v.want) > 0.00006 {
					t.Errorf("%s: got %.5f, want %.4f", v.what, v.got, v.want)
				}
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i+1) * time.Millisecond
	}
	ms := func(n int) Millis { return Millis(time.Duration(n) * time.Millisecond) }
	tests := []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   Quantile
	}{
		{"of none", nil, 0.5, Quantile{}},
		{"of one", hundred[:1], 0.99, Quantile{ms(1), ms(1), ms(1)}},
		{"median", hundred, 0.5, Quantile{ms(50), ms(41), ms(60)}},
		{"p95", hundred, 0.95, Quantile{ms(95), ms(89), ms(98)}},
		{"p99 of a hundred says little", hundred, 0.99, Quantile{ms(99), ms(95), ms(100)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := quantileOf(tt.sorted, tt.p); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFigures(t *testing.T) {
	ms := time.Millisecond
	samples := []Sample{
		{Outcome: Served, Took: 10 * ms}, {Outcome: Served, Took: 20 * ms}, {Outcome: Late, Why: "503", Took: 2000 * ms},
		{Outcome: Passed, Took: 300 * ms}, {Outcome: Stuck, Why: "challenge", Took: 5 * ms},
		{Outcome: Refused, Why: "429", Took: ms}, {Outcome: Refused, Why: "429", Took: ms}, {Outcome: Failed, Why: "timeout", Took: 5000 * ms},
	}
	f := figuresOf(samples, yardstick{}.worth)
	got := map[string]int{
		"steps": f.Steps, "served": f.Served.Count, "refused": f.Refused.Count, "challenged": f.Challenged.Count,
		"failed": f.Failed.Count, "late": f.Late, "stuck": f.Stuck, "p50": int(time.Duration(f.P50.Value) / ms), "p99": int(time.Duration(f.P99.Value) / ms),
	}
	want := map[string]int{
		"steps": 8, "served": 4, "refused": 2, "challenged": 2, "failed": 1, "late": 1, "stuck": 1, "p50": 20, "p99": 2000,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("figures (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"503": 1, "challenge": 1, "429": 2, "timeout": 1}, f.Why); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
	if want := (1 + 1 + worthLate + worthPassed) / 8; f.Worth != want {
		t.Errorf("worth: got %v, want %v", f.Worth, want)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var samples []Sample
	for i := range 1000 {
		samples = append(samples, Sample{Outcome: Failed, Why: time.Duration(i).String()})
	}
	f := figuresOf(samples, yardstick{}.worth)
	if got, want := len(f.Why), maxReasons+1; got != want {
		t.Errorf("%d reasons, want %d", got, want)
	}
	if got, want := f.Why["other"], 1000-maxReasons; got != want {
		t.Errorf("%d others, want %d", got, want)
	}
}
