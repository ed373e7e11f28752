package main

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a trace's name says of it can be counted in it.
func TestRequests(t *testing.T) {
	for _, tt := range traces() {
		t.Run(tt.name, func(t *testing.T) {
			requests := tt.requests()
			if diff := cmp.Diff(requests, tt.requests(), cmp.AllowUnexported(traced{})); diff != "" || len(requests) != traceRequests {
				t.Fatalf("%d requests, not the same every time: want %d\n%.300s", len(requests), traceRequests, diff)
			}
			counts, sizes := map[int]int{}, map[int]int{}
			once, scanned := 0, 0
			for _, r := range requests {
				counts[r.object]++
				if size, known := sizes[r.object]; known && size != r.size {
					t.Fatalf("object %d has %d bytes and %d", r.object, size, r.size)
				}
				sizes[r.object] = r.size
				switch {
				case r.object >= traceObjects+scanObjects:
					once++
				case r.object >= traceObjects:
					scanned++
				}
			}
			want := map[bool]int{true: int(wonders * traceRequests)}[tt.polluted]
			if math.Abs(float64(once-want)) > float64(want)/20 {
				t.Errorf("got %d wonders, want about %d", once, want)
			}
			if want := map[bool]int{true: traceRequests * scanLength / scanEvery}[tt.scanned]; scanned != want {
				t.Errorf("got %d requests of scans, want %d", scanned, want)
			}
			seen := map[int]bool{}
			for _, size := range sizes {
				seen[size] = true
			}
			if got := len(seen) > 1; got != tt.various {
				t.Errorf("got %d sizes, want many: %t", len(seen), tt.various)
			}
		})
	}
}

// The first of a Zipf distribution is as much more frequent than the tenth as its skew says.
func TestZipf(t *testing.T) {
	for _, skew := range []float64{0.8, 1.1} {
		z := newZipf(skew, 1000)
		first, tenth := z[0], z[9]-z[8]
		if got, want := first/tenth, math.Pow(10, skew); math.Abs(got-want) > want/1000 {
			t.Errorf("skew %v: the first is %.3f times the tenth, want %.3f", skew, got, want)
		}
	}
}

func TestStepSizes(t *testing.T) {
	sizes := stepSizes()
	if !slices.IsSorted(sizes) || sizes[0] < 8 || len(slices.Compact(slices.Clone(sizes))) != traceSteps {
		t.Errorf("got %v, want %d that grow", sizes, traceSteps)
	}
	var logs []float64
	for _, size := range sizes {
		if size%8 != 0 {
			t.Errorf("got %d, want a multiple of 8", size)
		}
		logs = append(logs, math.Log(float64(size)/traceSize))
	}
	if m := median(logs); math.Abs(m) > 0.01 {
		t.Errorf("the median is %.0f bytes, want %d", traceSize*math.Exp(m), traceSize)
	}
	within := 0
	for _, l := range logs {
		if math.Abs(l) < traceSpread {
			within++
		}
	}
	if got := float64(within) / traceSteps; math.Abs(got-0.683) > 0.03 {
		t.Errorf("%.3f are within a standard deviation, want 0.683", got)
	}
}

func TestPolicies(t *testing.T) {
	tests := []struct {
		name     string
		bytes    int
		requests []traced
		want     []bool // hits of the LRU
	}{
		{"all fit", 20, []traced{{1, 10}, {2, 10}, {1, 10}, {2, 10}}, []bool{false, false, true, true}},
		{"the oldest goes", 20, []traced{{1, 10}, {2, 10}, {1, 10}, {3, 10}, {1, 10}, {2, 10}}, []bool{false, false, true, false, true, false}},
		{"a large one takes the place of two", 20, []traced{{1, 10}, {2, 10}, {3, 20 + traceOverhead}, {3, 20 + traceOverhead}, {1, 10}}, []bool{false, false, false, true, false}},
		{"too large", 20, []traced{{1, 21 + traceOverhead}, {1, 21 + traceOverhead}}, []bool{false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policies[1].open(tt.bytes + 2*traceOverhead)
			if err != nil {
				t.Fatal(err)
			}
			var got []bool
			for _, r := range tt.requests {
				got = append(got, p.hit(r))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

// Each policy is about as good again on the same trace, and otter, which maintains itself on other goroutines, resists what is asked for once.
func TestPlay(t *testing.T) {
	const noise = 0.03
	requests := trace{skew: 0.9, polluted: true}.requests()
	var shares []float64
	for _, p := range policies {
		var runs []float64
		for range 2 {
			opened, err := p.open(traceBytes)
			if err != nil {
				t.Fatal(err)
			}
			share, err := play(t.Context(), opened, requests)
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, share)
		}
		if math.Abs(runs[0]-runs[1]) > noise {
			t.Errorf("%s: got %.4f and %.4f of hits, want about the same", p.name, runs[0], runs[1])
		}
		shares = append(shares, runs[0])
	}
	if shares[0] < shares[1]+0.03 {
		t.Errorf("got %.3f of hits for otter and %.3f for LRU, want a difference", shares[0], shares[1])
	}
}
