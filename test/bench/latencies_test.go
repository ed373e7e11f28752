package main

import (
	"math"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	tests := []struct {
		name  string
		times []time.Duration
		q     float64
		want  time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", []time.Duration{time.Second}, 0.99, time.Second},
		{"median of a hundred", hundred, 0.5, 50 * time.Millisecond},
		{"p99 of a hundred", hundred, 0.99, 99 * time.Millisecond},
		{"all", hundred, 1, 100 * time.Millisecond},
		{"few, exact", []time.Duration{3, 1, 2}, 0.5, 2},
		{"before its time", []time.Duration{-5, 7}, 0.5, 0},
		{"longer than counted", []time.Duration{math.MaxInt64}, 0.5, longestTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l latencies
			for _, d := range tt.times {
				l.add(d)
			}
			if got := l.quantile(tt.q); math.Abs(float64(got-tt.want)) > float64(tt.want)/200 {
				t.Errorf("got %v, want %v to half a percent", got, tt.want)
			}
		})
	}
}

// Buckets follow each other without a gap, and each stands for times that fall into it.
func TestBucket(t *testing.T) {
	for i := range bucket(longestTime) + 1 {
		if got := bucket(middle(i)); got != i && middle(i) <= longestTime {
			t.Fatalf("bucket %d stands for %v, which is in bucket %d", i, middle(i), got)
		}
	}
	if last := bucket(math.MaxInt64); last >= bucketsTotal {
		t.Errorf("got bucket %d of %d", last, bucketsTotal)
	}
}
