package conn

import (
	"testing"
	"time"
)

// TestTooSlow has a wait looked at once a second.
func TestTooSlow(t *testing.T) {
	const stall, rate, moved = 2 * time.Second, 1000, 7000
	tests := []struct {
		name   string
		before int64 // how long the request had waited before, in ms
		looks  []int64
		moved  []int64 // by each look
		want   int     // the look at which it is too slow, -1 for none
	}{
		{"nothing moves", 0, []int64{2000, 3000, 4000}, []int64{0, 0, 0}, 2},
		{"moved before it was seen", 0, []int64{2000, 3000, 4000}, []int64{5000, 5000, 5000}, 2},
		{"moved after it was seen", 0, []int64{2000, 3000, 4000, 5000}, []int64{0, 5000, 5000, 5000}, 3},
		{"nothing moves any more", 900, []int64{2000, 3000, 4000}, []int64{0, 0, 0}, 2},
		{"moves too little", 0, []int64{2000, 3000, 4000, 5000}, []int64{100, 200, 300, 400}, 2},
		{"moves too little, as before", 8000, []int64{2000, 3000}, []int64{100, 200}, 1},
		{"moves enough", 0, []int64{2000, 3000, 4000, 5000}, []int64{1000, 2000, 3000, 4000}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p pace
			if tt.before > 0 {
				p.begin(1000-tt.before, 0)
				p.end(1000)
			}
			p.moved.Store(moved)
			p.begin(1000, moved)
			var seen progress
			got := -1
			for i, now := range tt.looks {
				p.moved.Store(moved + tt.moved[i])
				if p.tooSlow(&seen, now, 0, stall, rate) {
					got = i
					break
				}
			}
			if got != tt.want {
				t.Errorf("too slow at look %d, want %d", got, tt.want)
			}
		})
	}
}
