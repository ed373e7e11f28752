package contrast

import "time"

// A Profile is what a Baseline knew at one time. It is immutable, so any number of goroutines may use it.
//
// Its rows are in two halves, every other one in each. The search sees one; the other is the proof, from which the bounds of
// what was found come: whatever the search has picked because it happened to be missing in its half, is as likely to be in
// the other as if nobody had picked it.
type Profile struct {
	search, proof table
	rate          float64 // weight a second
	features      int
}

// Rows is how many samples the profile holds.
func (p *Profile) Rows() int { return p.search.rows + p.proof.rows }

// Rate is the weight a second of ordinary traffic, 0 if that is not known.
func (p *Profile) Rate() float64 { return p.rate }

// False returns the share of the profile that any of some conjunctions matches, and the upper 95 % confidence bound of their share of
// ordinary traffic. It is for what comes from elsewhere, or was found with an earlier profile.
func (p *Profile) False(of ...Conjunction) (share, bound float64) {
	return rate(p.search.matchesAny(of)+p.proof.matchesAny(of), p.Rows())
}

// compile makes a profile of slots.
func compile(features int, slots []*slot) *Profile {
	p := &Profile{features: features}
	var weight float64
	var elapsed time.Duration
	total := 0
	for _, s := range slots {
		total += s.rows()
		weight += s.weight
		elapsed += s.elapsed
	}
	if elapsed > 0 {
		p.rate = weight / elapsed.Seconds()
	}
	halves := [2]*table{&p.search, &p.proof}
	var sorting sorter
	for i, half := range halves {
		half.rows = (total + 1 - i) / 2
		half.columns = make([]column, features)
		for f := range half.columns {
			c := &half.columns[f]
			c.values = make([]uint32, 0, half.rows)
			row := i
			for _, s := range slots {
				for ; row < s.rows(); row += 2 {
					c.values = append(c.values, s.values[row*features+f])
				}
				row -= s.rows()
			}
			sorting.index(c)
			if half == &p.search {
				c.remember()
			}
		}
	}
	return p
}
