package contrast

import (
	"fmt"
	"math"
	"strings"
)

// Absent is the value of a feature that a sample does not have: the window of a datagram, a byte beyond the payload. No term
// matches it. It is no value otherwise.
const Absent = math.MaxUint32

// Bounds of a Schema.
const (
	maxFeatures = 64
	maxList     = 32
)

// A Feature is something that every sample has a value of, or Absent.
type Feature struct {
	Name string

	// Widest is how far apart the ends of a range may be. 0 means that the values have no order, and a term names them one by one.
	Widest uint32

	// List is how many values, or ranges, one term may list: 0 and 1 mean one, the most is 32.
	List int

	// Weak says that the feature must not decide alone, nor together with others that are weak: a conjunction needs a term of one
	// that is not, and that less than half of ordinary traffic matches. A length and a hop limit are shared by too many who have nothing else in common; and what one connection has to
	// itself, its port and its numbers, is an excess whenever that connection sends much.
	Weak bool
}

// A Schema is the features of the samples, in order.
type Schema []Feature

// Check says what is wrong with a schema, if anything is.
func (s Schema) Check() error {
	if len(s) < 1 || len(s) > maxFeatures {
		return fmt.Errorf("contrast: schema of %d features: want 1 to %d", len(s), maxFeatures)
	}
	seen := make(map[string]bool, len(s))
	for i, f := range s {
		switch {
		case f.Name == "":
			return fmt.Errorf("contrast: feature %d has no name", i)
		case seen[f.Name]:
			return fmt.Errorf("contrast: two features are called %q", f.Name)
		case f.List < 0 || f.List > maxList:
			return fmt.Errorf("contrast: feature %q lists %d values: want 0 to %d", f.Name, f.List, maxList)
		}
		seen[f.Name] = true
	}
	return nil
}

// A Span is the values from Lo to Hi, both included.
type Span struct{ Lo, Hi uint32 }

// A Term holds for a sample whose value of the feature is in one of the spans, which are in order and apart from each other.
type Term struct {
	Feature int // its place in the Schema
	In      []Span
}

// has reports whether one of the spans has a value.
func has(in []Span, value uint32) bool {
	for _, s := range in {
		if s.Lo <= value && value <= s.Hi {
			return value != Absent
		}
	}
	return false
}

// A Conjunction holds for a sample for which all its terms hold. One without terms holds for none: nothing is to be refused
// for no reason.
type Conjunction []Term

// Match reports whether the conjunction holds for a sample.
func (c Conjunction) Match(values []uint32) bool {
	for _, t := range c {
		if !has(t.In, values[t.Feature]) {
			return false
		}
	}
	return len(c) > 0
}

// Format writes a conjunction as people read it: "protocol = 17 and length = 468 and ttl in 50..60, 110".
func (s Schema) Format(c Conjunction) string {
	var b strings.Builder
	for i, t := range c {
		if i > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(s[t.Feature].Name)
		if len(t.In) == 1 && t.In[0].Lo == t.In[0].Hi {
			fmt.Fprintf(&b, " = %d", t.In[0].Lo)
			continue
		}
		for j, span := range t.In {
			b.WriteString([]string{" in ", ", "}[min(j, 1)])
			fmt.Fprintf(&b, "%d", span.Lo)
			if span.Hi > span.Lo {
				fmt.Fprintf(&b, "..%d", span.Hi)
			}
		}
	}
	return b.String()
}
