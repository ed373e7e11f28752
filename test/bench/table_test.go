package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 100, 2}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]float64(nil), tt.values...)
			if got := median(tt.values); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if diff := cmp.Diff(before, tt.values); diff != "" {
				t.Errorf("the values were reordered:\n%s", diff)
			}
		})
	}
}

// contenderOf has turns of 1000 requests in a second that cost as many microseconds each.
func contenderOf(name string, costs ...int) *contender {
	c := &contender{kind: kind{name: name}, answers: 1000 * len(costs), logged: int64(200_000 * len(costs))}
	for _, cost := range costs {
		l := load{requests: 1000, elapsed: time.Second}
		c.turns = append(c.turns, turn{l, time.Duration(cost) * time.Millisecond})
	}
	return c
}

// A neighbour doubles the cost of the second round for everybody: the ratios don't see it, where the ratio of two medians or
// minima from different rounds would.
func TestPrintTable(t *testing.T) {
	s := scenario{name: "hit-1k", about: "1 KiB from the cache"}
	tests := []struct {
		name       string
		contenders []*contender
		want       []string // lines, without the spaces that align them
	}{
		{
			name: "two peers",
			contenders: []*contender{
				contenderOf(seawall, 8, 16, 6), contenderOf("nginx", 16, 32, 16), contenderOf("haproxy", 10, 20, 10),
			},
			want: []string{
				"hit-1k: 1 KiB from the cache",
				"server µs CPU a request least requests/s core used log B a request seawall is in rounds",
				"seawall 8.00 6.00 1000 1 % 200",
				"nginx 16.00 16.00 1000 2 % 200 × 0.50 0.38–0.50",
				"haproxy 10.00 10.00 1000 1 % 200 × 0.80 0.60–0.80",
				"bench hit-1k ratio-to-best-peer 0.80",
			},
		},
		{
			name:       "no peer",
			contenders: []*contender{contenderOf(seawall, 8)},
			want: []string{
				"hit-1k: 1 KiB from the cache",
				"server µs CPU a request least requests/s core used log B a request seawall is in rounds",
				"seawall 8.00 8.00 1000 1 % 200",
				"bench hit-1k no peer to compare with",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			printTable(&b, s, tt.contenders)
			var got []string
			for line := range strings.Lines(strings.TrimSpace(b.String())) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlausible(t *testing.T) {
	tests := []struct {
		name            string
		cacheable       bool
		answered, asked int
		ok              bool
	}{
		{"hits", true, 1000, 0, true},
		{"one miss", true, 1000, 1, false},
		{"passes", false, 1000, 1000, true},
		{"passes, some unanswered at the end", false, 1000, 1064, true},
		{"answered without the origin", false, 1000, 999, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := scenario{cacheable: tt.cacheable}.plausible(tt.answered, tt.asked)
			if ok := err == nil; ok != tt.ok {
				t.Errorf("got error %v, want one: %t", err, !tt.ok)
			}
		})
	}
}
