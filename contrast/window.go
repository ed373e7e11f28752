package contrast

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// A Window is a bounded sample of a stretch of traffic. When it has more to keep than there is room for, it is a priority
// sample (Duffield, Lund and Thorup, Journal of the ACM 54, 2007): what is kept stands for the rest, and the estimates of any
// part's weight are without bias. It is for one goroutine.
type Window struct {
	columns   []column  // by feature, with values alone
	weights   []float64 // by row, as they were given
	ranks     []float64 // by row: weight over a random number
	heap      []int32   // rows, the one that goes next first; empty until there is no room
	threshold float64   // the highest rank that went
	total     float64
	capacity  int
	random    *rand.Rand
}

// NewWindow returns an empty window for samples of a schema. What it keeps depends on the seed, which should be secret. It
// panics unless capacity is between 1 and 65,536.
func NewWindow(s Schema, capacity int, seed uint64) *Window {
	if capacity < 1 || capacity > maxRows {
		panic(fmt.Sprintf("contrast: window for %d samples is not between 1 and %d", capacity, maxRows))
	}
	w := &Window{
		columns:  make([]column, len(s)),
		weights:  make([]float64, 0, capacity),
		ranks:    make([]float64, 0, capacity),
		heap:     make([]int32, 0, capacity),
		capacity: capacity,
		random:   rand.New(rand.NewPCG(seed, uint64(capacity))),
	}
	for i := range w.columns {
		w.columns[i].values = make([]uint32, 0, capacity)
	}
	return w
}

// Reset empties the window.
func (w *Window) Reset() {
	for i := range w.columns {
		w.columns[i].values = w.columns[i].values[:0]
	}
	w.weights, w.ranks, w.heap = w.weights[:0], w.ranks[:0], w.heap[:0]
	w.threshold, w.total = 0, 0
}

// Len is how many samples the window keeps.
func (w *Window) Len() int { return len(w.weights) }

// Weight is the weight of all samples that were added, kept or not.
func (w *Window) Weight() float64 { return w.total }

// maxWeight keeps sums of weights exact enough.
const maxWeight = 1 << 40

// Add adds a sample with a value for each feature, which stands for weight packets or requests. A sample whose weight is not
// above 0 is ignored; what exceeds 2⁴⁰ counts as that.
func (w *Window) Add(values []uint32, weight float64) {
	if !(weight > 0) {
		return
	}
	weight = min(weight, maxWeight)
	w.total += weight
	rank := weight / (1 - w.random.Float64())
	if len(w.weights) < w.capacity {
		for i := range w.columns {
			w.columns[i].values = append(w.columns[i].values, values[i])
		}
		w.weights, w.ranks = append(w.weights, weight), append(w.ranks, rank)
		return
	}
	if len(w.heap) == 0 {
		w.heapify()
	}
	row := w.heap[0]
	if rank <= w.ranks[row] {
		w.threshold = max(w.threshold, rank)
		return
	}
	w.threshold = max(w.threshold, w.ranks[row])
	for i := range w.columns {
		w.columns[i].values[row] = values[i]
	}
	w.weights[row], w.ranks[row] = weight, rank
	w.sink(0)
}

func (w *Window) heapify() {
	for row := range w.weights {
		w.heap = append(w.heap, int32(row))
	}
	for i := len(w.heap)/2 - 1; i >= 0; i-- {
		w.sink(i)
	}
}

// sink moves the row at i of the heap down to where it belongs.
func (w *Window) sink(i int) {
	h := w.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && w.ranks[h[child+1]] < w.ranks[h[child]] {
			child++
		}
		if w.ranks[h[i]] <= w.ranks[h[child]] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// stands is the weight a row stands for: its own, or the threshold of those that went, if it only stayed by chance.
func (w *Window) stands(row int) float64 { return max(w.weights[row], w.threshold) }

// draw appends n rows in proportion to what they stand for, in order: one from each of n parts of the same weight (stratified
// resampling), so that a row comes as often as it deserves, or one more or less.
func (w *Window) draw(n int, rows []uint16, random *rand.Rand) []uint16 {
	if w.alike() {
		for part := range n {
			from, to := part*w.Len()/n, (part+1)*w.Len()/n
			rows = append(rows, uint16(from+random.IntN(to-from)))
		}
		return rows
	}
	var sum, passed float64
	for row := range w.weights {
		sum += w.stands(row)
	}
	row := -1
	for part := range n {
		at := (float64(part) + random.Float64()) * sum / float64(n)
		for passed <= at && row < len(w.weights)-1 {
			row++
			passed += w.stands(row)
		}
		rows = append(rows, uint16(row))
	}
	return rows
}

// effective is how many samples of equal weight say as much as those that are kept (Kish, 1965): one that outweighs all others is one.
func (w *Window) effective() int {
	var sum, squares float64
	for row := range w.weights {
		s := w.stands(row)
		sum, squares = sum+s, squares+s*s
	}
	return int(math.Round(sum * sum / squares))
}

// alike reports whether all rows stand for the same weight.
func (w *Window) alike() bool {
	for row := range w.weights {
		if w.stands(row) != w.stands(0) {
			return false
		}
	}
	return true
}

// keep clears the bits of the rows for which a term does not hold.
func (w *Window) keep(t Term, b bitset) {
	values := w.columns[t.Feature].values
	for i := range b {
		rows := values[i*64 : min((i+1)*64, len(values))]
		fails := ^uint64(0)
		for _, s := range t.In {
			width, outside := uint64(s.Hi-s.Lo), uint64(0)
			for j, v := range rows { // without a branch that values decide
				outside |= (width - uint64(v-s.Lo)) >> 63 << j
			}
			fails &= outside
		}
		b[i] &^= fails
	}
}

// weigh returns the weight of rows.
func (w *Window) weigh(b bitset) (sum float64) {
	for i, word := range b {
		for ; word != 0; word &= word - 1 {
			sum += w.stands(i*64 + bits.TrailingZeros64(word))
		}
	}
	return sum
}
