package contrast

import (
	"math"
	"testing"
)

// tail is the probability of at most hits when each of rows is one with probability p.
func tail(hits, rows int, p float64) (sum float64) {
	for i := range hits + 1 {
		a, _ := math.Lgamma(float64(rows + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(rows - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(rows-i)*math.Log1p(-p))
	}
	return sum
}

// TestUpper holds the bound against Clopper and Pearson's, the exact one, which is where the tail is 5 %.
func TestUpper(t *testing.T) {
	for _, rows := range []int{40, 1000, 32768} {
		for _, hits := range []int{0, 1, 2, 3, 5, 10, 30} {
			bound := upper(hits, rows)
			if bound >= 1 {
				continue
			}
			if p := tail(hits, rows, bound); p > doubt {
				t.Errorf("%d of %d: the bound %g leaves %g, want at most %g", hits, rows, bound, p, doubt)
			}
			if p := tail(hits, rows, bound*0.97); p < doubt && rows > 1000 {
				t.Errorf("%d of %d: the bound %g is more than 3 %% too large", hits, rows, bound)
			}
		}
	}
	if got := upper(0, 0); got != 1 {
		t.Errorf("of nothing: got %g, want 1", got)
	}
}

func TestAllowed(t *testing.T) {
	tests := []struct {
		rows int
		most float64
		want int
	}{
		{32768, 0.0001, 0},
		{29000, 0.0001, -1},
		{32768, 0.001, 22},
		{100, 1, 100},
		{0, 0.5, -1},
	}
	for _, tt := range tests {
		got := allowed(tt.rows, tt.most)
		if got != tt.want {
			t.Errorf("%d rows, %g: got %d, want %d", tt.rows, tt.most, got, tt.want)
		}
	}
}
