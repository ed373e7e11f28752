package contrast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWindowEstimates adds ten times what there is room for, with weights a thousandfold apart, and estimates parts of it.
func TestWindowEstimates(t *testing.T) {
	const rounds, capacity, samples = 50, 1000, 10000
	var got, want [4]float64
	for round := range uint64(rounds) {
		w := NewWindow(Schema{{Name: "a"}}, capacity, round)
		r := rand.New(rand.NewPCG(round, 1))
		for range samples {
			part := r.Uint32N(4)
			weight := math.Pow(10, 3*r.Float64()) * float64(part+1)
			w.Add([]uint32{part}, weight)
			want[part] += weight
		}
		if w.Len() != capacity {
			t.Fatalf("kept %d samples, want %d", w.Len(), capacity)
		}
		for part := range uint32(4) {
			rows := make(bitset, words(w.Len()))
			rows.fill(w.Len())
			w.keep(Term{0, []Span{{part, part}}}, rows)
			got[part] += w.weigh(rows)
		}
	}
	for part := range got {
		if math.Abs(got[part]/want[part]-1) > 0.04 {
			t.Errorf("part %d: estimated %.0f, want %.0f within 4 %%", part, got[part], want[part])
		}
	}
}

func TestWindowAdd(t *testing.T) {
	w := NewWindow(Schema{{Name: "a"}}, 10, 1)
	for _, weight := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		w.Add([]uint32{1}, weight)
	}
	if w.Len() != 0 || w.Weight() != 0 {
		t.Errorf("of no weight: got %d samples of %g, want none", w.Len(), w.Weight())
	}
	w.Add([]uint32{1}, math.Inf(1))
	w.Add([]uint32{1}, 2)
	if w.Len() != 2 || w.Weight() != maxWeight+2 {
		t.Errorf("got %d samples of %g, want 2 of %d", w.Len(), w.Weight(), maxWeight+2)
	}
	w.Reset()
	if w.Len() != 0 || w.Weight() != 0 {
		t.Errorf("after a reset: got %d samples of %g, want none", w.Len(), w.Weight())
	}
}

func TestNewWindowPanics(t *testing.T) {
	for _, capacity := range []int{-1, 0, maxRows + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("capacity %d: no panic", capacity)
				}
			}()
			NewWindow(packets(), capacity, 1)
		}()
	}
}

// TestDraw draws rows in proportion to weights, and never a row twice that has not more weight than others.
func TestDraw(t *testing.T) {
	w := NewWindow(Schema{{Name: "a"}}, 1000, 1)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		w.Add([]uint32{uint32(i)}, 1)
	}
	last := -1
	for _, row := range w.draw(700, nil, r) {
		if int(row) <= last {
			t.Fatalf("drew row %d after %d, want another", row, last)
		}
		last = int(row)
	}
	w.Reset()
	for i := range 1000 {
		w.Add([]uint32{uint32(i)}, float64(1+i%2*3))
	}
	odd := 0
	rows := w.draw(1000, nil, r)
	for _, row := range rows {
		odd += int(row) % 2
	}
	if len(rows) != 1000 || odd < 780 || odd > 820 {
		t.Errorf("drew %d of which %d have four times the weight, want 1000 and about 800", len(rows), odd)
	}
}

// TestKeep compares a term on a window with Match.
func TestKeep(t *testing.T) {
	w := NewWindow(Schema{{Name: "a"}}, 1000, 1)
	r := rand.New(rand.NewPCG(1, 2))
	for range 777 {
		w.Add([]uint32{pick(r, r.Uint32N(20), Absent, 1<<31, 0)}, 1)
	}
	for _, in := range [][]Span{{{3, 3}}, {{0, 4}}, {{2, 3}, {5, 9}, {1 << 31, 1 << 31}}, {{0, Absent - 1}}, {}} {
		rows := make(bitset, words(w.Len()))
		rows.fill(w.Len())
		w.keep(Term{0, in}, rows)
		for row, v := range w.columns[0].values {
			if got, want := rows[row/64]>>(row%64)&1 == 1, has(in, v); got != want {
				t.Errorf("%v keeps %d: got %t, want %t", in, v, got, want)
			}
		}
	}
}
