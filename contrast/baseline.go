package contrast

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Memory says how much a Baseline remembers.
type Memory struct {
	// Rows is how many samples are remembered in all, 65,536 by default and 131,072 at most. Half of them are the proof, and
	// n rows without a single match prove a share below 3/n: the default proves 0.01 %.
	Rows int

	// Slot is how long the newest slots are, a minute by default.
	Slot time.Duration

	// Seed decides which samples are remembered. It should be secret.
	Seed uint64
}

// The slots of a baseline: two of each length, and each length twice the one before (a tilted time frame: Giannella, Han, Pei,
// Yan and Yu, 2003). With slots of a minute, they reach back 8.5 hours.
const (
	levels   = 8
	perLevel = 2
)

// A Baseline remembers ordinary traffic as samples, in slots of time. What lasts a minute has at most a minute's slot, however
// much of it there was; what is old is thinned out. It is for one goroutine.
type Baseline struct {
	schema  Schema
	memory  Memory
	random  *rand.Rand
	open    *Window // what is being learnt
	elapsed time.Duration
	waiting *slot           // the slot before, which is not believed yet
	slots   [levels][]*slot // newest first
	profile *Profile        // nil if it is to be compiled anew
}

// A slot is the samples of a stretch of time, each of which counts alike. They are in random order, so that any first few of
// them are a fair choice.
type slot struct {
	values   []uint32 // row by row
	features int
	weight   float64
	elapsed  time.Duration
}

func (s *slot) rows() int { return len(s.values) / s.features }

func (s *slot) row(i int) []uint32 { return s.values[i*s.features : (i+1)*s.features] }

// NewBaseline returns a baseline that knows nothing.
func NewBaseline(s Schema, m Memory) (*Baseline, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if m.Rows == 0 {
		m.Rows = maxRows
	}
	if m.Slot == 0 {
		m.Slot = time.Minute
	}
	if m.Rows < 64 || m.Rows > 2*maxRows {
		return nil, fmt.Errorf("contrast: memory of %d rows: want 64 to %d", m.Rows, 2*maxRows)
	}
	if m.Slot < 0 {
		return nil, errors.New("contrast: slot of less than no time")
	}
	return &Baseline{
		schema: slices.Clone(s),
		memory: m,
		random: rand.New(rand.NewPCG(m.Seed, 1)),
		open:   NewWindow(s, min(m.Rows/4, maxRows), m.Seed),
	}, nil
}

// Learn adds a window of ordinary traffic, which took elapsed time. The baseline has no other clock: while nothing is learnt
// because an attack is going on, nothing is forgotten. What is learnt counts only when the slot after its own is full, so
// that a Discard can take it back. Learn reports whether Profile will have more to say, which is so once a slot. A window of another
// number of features is not learnt.
func (b *Baseline) Learn(w *Window, elapsed time.Duration) bool {
	if len(w.columns) != len(b.schema) {
		return false
	}
	values := make([]uint32, len(b.schema))
	for row := range w.weights {
		for f := range values {
			values[f] = w.columns[f].values[row]
		}
		b.open.Add(values, w.stands(row))
	}
	b.elapsed += max(elapsed, 0)
	if b.elapsed < b.memory.Slot {
		return false
	}
	believed := b.waiting
	b.waiting = b.close()
	if believed == nil || believed.rows() == 0 {
		return false
	}
	b.push(believed)
	b.thin()
	b.profile = nil
	return true
}

// Discard forgets what was learnt last, up to two slots of it: an attack was found that may have begun then.
func (b *Baseline) Discard() {
	b.open.Reset()
	b.elapsed, b.waiting = 0, nil
}

// Profile returns what the baseline knows. After a Learn that has changed it, that takes as long as sorting all rows by every
// feature, 60 ms for 65,536 of 24.
func (b *Baseline) Profile() *Profile {
	if b.profile == nil {
		b.profile = compile(len(b.schema), slices.Concat(b.slots[:]...))
	}
	return b.profile
}

// close makes a slot of what is open, and opens the next.
func (b *Baseline) close() *slot {
	w, n := b.open, len(b.schema)
	s := &slot{features: n, weight: w.Weight(), elapsed: b.elapsed}
	if w.Len() > 0 {
		rows := w.draw(w.effective(), nil, b.random) // more would be the same again, and prove nothing
		b.random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		s.values = make([]uint32, 0, len(rows)*n)
		for _, row := range rows {
			for f := range n {
				s.values = append(s.values, w.columns[f].values[row])
			}
		}
	}
	w.Reset()
	b.elapsed = 0
	return s
}

// push adds the newest slot. Of a length of which there are too many, the two oldest become one of the next length; what is
// older than the last is forgotten.
func (b *Baseline) push(s *slot) {
	for level := range b.slots {
		b.slots[level] = slices.Insert(b.slots[level], 0, s)
		if len(b.slots[level]) <= perLevel {
			return
		}
		old := b.slots[level][perLevel-1:]
		s = b.merge(old[0], old[1])
		b.slots[level] = slices.Delete(b.slots[level], perLevel-1, perLevel+1)
	}
}

// merge makes one slot of two.
func (b *Baseline) merge(x, y *slot) *slot {
	n := x.features
	m := &slot{features: n, weight: x.weight + y.weight, elapsed: x.elapsed + y.elapsed}
	order := b.random.Perm(x.rows() + y.rows())
	m.values = make([]uint32, 0, len(order)*n)
	for _, i := range order {
		if i < x.rows() {
			m.values = append(m.values, x.row(i)...)
		} else {
			m.values = append(m.values, y.row(i-x.rows())...)
		}
	}
	return m
}

// thin shortens the largest slots until all have room.
func (b *Baseline) thin() {
	all := slices.Concat(b.slots[:]...)
	slices.SortFunc(all, func(x, y *slot) int { return x.rows() - y.rows() })
	left := b.memory.Rows
	for i, s := range all {
		if share := left / (len(all) - i); s.rows() > share {
			s.values = slices.Clone(s.values[:share*s.features])
		}
		left -= s.rows()
	}
}
