package contrast

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// maxSaved bounds what Load reads, in bytes. A full baseline of 64 features takes half of it.
const maxSaved = 64 << 20

// saved is what Save writes.
type saved struct {
	Features []string
	Slots    [levels][]savedSlot // newest first
}

type savedSlot struct {
	Values  []uint32 // row by row
	Weight  float64
	Elapsed time.Duration
}

// Save writes what the baseline knows. What is being learnt, or not believed yet, is left out.
func (b *Baseline) Save(w io.Writer) error {
	s := saved{Features: b.schema.names()}
	for level, slots := range b.slots {
		for _, of := range slots {
			s.Slots[level] = append(s.Slots[level], savedSlot{of.values, of.weight, of.elapsed})
		}
	}
	if err := gob.NewEncoder(w).Encode(&s); err != nil {
		return fmt.Errorf("contrast: saving a baseline: %w", err)
	}
	return nil
}

// Load has the baseline know what another has saved, and nothing else. It is an error if that had other features.
func (b *Baseline) Load(r io.Reader) error {
	var s saved
	if err := gob.NewDecoder(io.LimitReader(r, maxSaved)).Decode(&s); err != nil {
		return fmt.Errorf("contrast: loading a baseline: %w", err)
	}
	if !slices.Equal(s.Features, b.schema.names()) {
		return errors.New("contrast: loading a baseline: it has other features")
	}
	var slots [levels][]*slot
	for level := range s.Slots {
		for _, of := range s.Slots[level] {
			if len(of.Values)%len(b.schema) != 0 || len(slots[level]) == perLevel || !(of.Weight >= 0 && of.Weight <= math.MaxFloat64) || of.Elapsed < 0 {
				return errors.New("contrast: loading a baseline: it makes no sense")
			}
			slots[level] = append(slots[level], &slot{of.Values, len(b.schema), of.Weight, of.Elapsed})
		}
	}
	b.Discard()
	b.slots, b.profile = slots, nil
	b.thin()
	return nil
}

func (s Schema) names() []string {
	names := make([]string, len(s))
	for i, f := range s {
		names[i] = f.Name
	}
	return names
}
