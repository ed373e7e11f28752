package contrast

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestNewBaselineRefuses(t *testing.T) {
	tests := []struct {
		name   string
		schema Schema
		memory Memory
		want   string
	}{
		{"no schema", nil, Memory{}, "schema of 0 features"},
		{"too small", packets(), Memory{Rows: 63}, "memory of 63 rows"},
		{"too large", packets(), Memory{Rows: 131073}, "memory of 131073 rows"},
		{"negative slot", packets(), Memory{Slot: -1}, "slot of less than no time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewBaseline(tt.schema, tt.memory); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: got %v, want %q", err, tt.want)
			}
		})
	}
}

// minutes has a baseline learn n windows of a minute in which every sample has the value that is given.
func minutes(b *Baseline, n, samples int, value func(minute int) uint32) {
	w := NewWindow(b.schema, maxRows, 1)
	for minute := range n {
		w.Reset()
		for range samples {
			w.Add([]uint32{value(minute)}, 1)
		}
		b.Learn(w, time.Minute)
	}
}

func one(t *testing.T, m Memory) *Baseline {
	t.Helper()
	b, err := NewBaseline(Schema{{Name: "a", Widest: math.MaxUint32}}, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBaselineForgets learns a day, minute by minute, and looks at how much is left of which hour.
func TestBaselineForgets(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	const day = 24 * 60
	minutes(b, day, 1000, func(minute int) uint32 { return uint32(minute) })
	p := b.Profile()
	if p.Rows() > 8192 || p.Rows() < 8000 {
		t.Errorf("remembers %d rows, want 8192 at most, and not much less", p.Rows())
	}
	ago := func(from, to int) float64 { // share of what was learnt then
		share, _ := p.False(Conjunction{{0, []Span{{uint32(day - to), uint32(day - from - 1)}}}})
		return share
	}
	tests := []struct {
		name     string
		from, to int // minutes ago
		lo, hi   float64
	}{
		{"the last two minutes, which wait", 0, 1, 0, 0},
		{"the last quarter of an hour", 0, 15, 0.2, 0.5},
		{"the last hour", 0, 60, 0.5, 0.8},
		{"hours ago", 180, 510, 0.1, 0.3},
		{"yesterday", 600, day, 0, 0},
	}
	for _, tt := range tests {
		if got := ago(tt.from, tt.to); got < tt.lo || got > tt.hi {
			t.Errorf("%s: got a share of %.3f, want %.2f to %.2f", tt.name, got, tt.lo, tt.hi)
		}
	}
	if got := p.Rate(); math.Abs(got-1000.0/60) > 0.01 {
		t.Errorf("rate: got %.2f, want %.2f", got, 1000.0/60)
	}
}

// TestBaselineFillsSoon: a profile proves 0.01 % within minutes, not when every slot is in use.
func TestBaselineFillsSoon(t *testing.T) {
	b := one(t, Memory{})
	minutes(b, 6, 20000, func(minute int) uint32 { return uint32(minute) })
	if got := b.Profile().Rows(); got != maxRows {
		t.Errorf("after 6 minutes: got %d rows, want %d", got, maxRows)
	}
	if got := upper(0, b.Profile().proof.rows); got > 0.0001 {
		t.Errorf("nothing seen proves %g, want 0.0001 at most", got)
	}
}

// TestBaselineMinute: what lasts a minute has a minute's share, though it is a hundred times as much as all else.
func TestBaselineMinute(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	minutes(b, 60, 600, func(int) uint32 { return 1 })
	minutes(b, 1, 60000, func(int) uint32 { return 2 })
	minutes(b, 1, 600, func(int) uint32 { return 1 })
	if got, _ := b.Profile().False(Conjunction{{0, []Span{{2, 2}}}}); got == 0 || got > 0.3 {
		t.Errorf("a minute's flood is %.3f of the profile right after it, want some, and at most 0.3", got)
	}
	minutes(b, 30, 600, func(int) uint32 { return 1 })
	if got, _ := b.Profile().False(Conjunction{{0, []Span{{2, 2}}}}); got > 0.15 {
		t.Errorf("a minute's flood is %.3f of the profile half an hour later, want at most 0.15", got)
	}
}

// TestBaselineWeights: a sample that stands for much is no more than one when something is to be proven.
func TestBaselineWeights(t *testing.T) {
	tests := []struct {
		name   string
		weight float64 // of one of 500 samples
		lo, hi int     // rows of ten slots
	}{
		{"alike", 1, 5000, 5000},
		{"one heavier", 10, 4000, 4900},
		{"one outweighs all", 1e6, 10, 20},
	}
	for _, tt := range tests {
		b := one(t, Memory{})
		w := NewWindow(b.schema, 1000, 1)
		for range 11 { // the last slot waits
			w.Reset()
			for i := range 500 {
				w.Add([]uint32{uint32(i)}, 1+float64(i/499)*(tt.weight-1))
			}
			b.Learn(w, time.Minute)
		}
		if got := b.Profile().Rows(); got < tt.lo || got > tt.hi {
			t.Errorf("%s: got %d rows, want %d to %d", tt.name, got, tt.lo, tt.hi)
		}
	}
}

func TestBaselineDiscards(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	minutes(b, 10, 600, func(int) uint32 { return 1 })
	minutes(b, 1, 6000, func(int) uint32 { return 2 })
	w := NewWindow(b.schema, 1000, 1)
	w.Add([]uint32{3}, 1)
	b.Learn(w, time.Second)
	b.Discard()
	minutes(b, 10, 600, func(int) uint32 { return 1 })
	if got, _ := b.Profile().False(Conjunction{{0, []Span{{2, 3}}}}); got != 0 {
		t.Errorf("what was discarded has a share of %.3f, want 0", got)
	}
}

// TestBaselineIdle: time without traffic is learnt, too, and time that is not learnt does not pass.
func TestBaselineIdle(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	if b.Profile().Rows() != 0 || b.Profile().Rate() != 0 {
		t.Errorf("at first: got %d rows at %g, want none", b.Profile().Rows(), b.Profile().Rate())
	}
	minutes(b, 20, 0, func(int) uint32 { return 1 })
	if b.Profile().Rows() != 0 {
		t.Errorf("after silence: got %d rows, want none", b.Profile().Rows())
	}
	minutes(b, 10, 600, func(int) uint32 { return 1 })
	before := b.Profile()
	other := NewWindow(packets(), 10, 1)
	if b.Learn(other, time.Hour) || b.Profile() != before {
		t.Error("learnt a window of another schema")
	}
	w := NewWindow(b.schema, 10, 1)
	for range 1000 {
		if b.Learn(w, 0) {
			t.Fatal("a slot has ended in no time")
		}
	}
	if b.Profile() != before {
		t.Error("the profile has changed in no time")
	}
}

// TestProfileHalves: the proof is as good a sample as the search half, and has other rows.
func TestProfileHalves(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	r := rand.New(rand.NewPCG(1, 2))
	minutes(b, 20, 1000, func(int) uint32 { return r.Uint32N(10) })
	p := b.Profile()
	if d := p.search.rows - p.proof.rows; d < 0 || d > 1 {
		t.Errorf("halves of %d and %d rows", p.search.rows, p.proof.rows)
	}
	for v := range uint32(10) {
		c := Conjunction{{0, []Span{{v, v}}}}
		for _, half := range []*table{&p.search, &p.proof} {
			if got := float64(half.matches(c)) / float64(half.rows); math.Abs(got-0.1) > 0.02 {
				t.Errorf("value %d: share %.3f of a half, want 0.1", v, got)
			}
		}
	}
}
