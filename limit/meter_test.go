package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMeterAgreesWithExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := NewRate(1000, time.Second, rapid.IntRange(1, 20).Draw(t, "burst"))
		if err != nil {
			t.Fatal(err)
		}
		m, model := NewMeter(r), exact{}
		now := m.epoch
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3*int64(r.interval)).Draw(t, "pause")))
			cost := rapid.IntRange(1, r.burst+1).Draw(t, "cost")
			if rapid.IntRange(0, 4).Draw(t, "refund") == 0 {
				m.Refund(cost, now)
				model.refund(0, r, cost, now)
				continue
			}
			gotOK, gotWait := m.Take(cost, now)
			wantOK, wantWait := model.take(0, r, cost, now)
			if gotOK != wantOK || gotWait != wantWait {
				t.Fatalf("cost %d: got %v, %v, want %v, %v", cost, gotOK, gotWait, wantOK, wantWait)
			}
		}
	})
}

func TestMeterSetRate(t *testing.T) {
	m := NewMeter(Rate{})
	now := m.epoch
	steps := []struct {
		name     string
		rate     Rate
		want     bool
		wantWait time.Duration
	}{
		{"unlimited", Rate{}, true, 0},
		{"one an hour", rate(t, 1, time.Hour, 1), true, 0},
		{"used up", rate(t, 1, time.Hour, 1), false, time.Hour},
		{"one a second", rate(t, 1, time.Second, 1), false, time.Second},
		{"two a second", rate(t, 1, time.Second, 2), true, 0},
		{"unlimited again", Rate{}, true, 0},
	}
	for _, tt := range steps { // in order: each goes on from the last
		t.Run(tt.name, func(t *testing.T) {
			m.SetRate(tt.rate)
			got, wait := m.Take(1, now)
			if got != tt.want || wait != tt.wantWait {
				t.Errorf("got %v, %v, want %v, %v", got, wait, tt.want, tt.wantWait)
			}
		})
	}
}

func TestMeterParallel(t *testing.T) {
	const takers, asks = 8, 2000
	m := NewMeter(rate(t, 1000, time.Second, 100))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() {
			for i := range asks {
				now := m.epoch.Add(time.Duration(i) * 100 * time.Microsecond)
				if ok, _ := m.Take(2, now); ok {
					admitted.Add(2)
					if i%10 == 0 {
						m.Refund(2, now)
						admitted.Add(-2)
					}
				}
			}
		})
	}
	wg.Wait()
	last := (asks - 1) * 100 * time.Microsecond
	if got, want := admitted.Load(), int64(100+last/time.Millisecond); got > want || got < 50 {
		t.Errorf("got %d admitted and not refunded, want 50 to %d", got, want)
	}
}

func BenchmarkMeter(b *testing.B) {
	m := NewMeter(rate(b, 1000, time.Second, 100))
	now := time.Now()
	b.Run("take and refund", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Take(1, now)
			m.Refund(1, now)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.Take(1, now)
			}
		})
	})
}
