package contrast

import "math"

// The level of all upper bounds: the true share exceeds its bound once in twenty, for a sample that nobody has chosen.
const (
	doubt  = 0.05
	normal = 1.6449 // the normal distribution's quantile at 1 - doubt
)

// upper returns the upper confidence bound of a share of which hits out of rows were seen. It is Garwood's bound for a Poisson
// variable, which is above Clopper and Pearson's for a binomial one, by Wilson and Hilferty's approximation of chi-square
// (1931) with the hundredth added that this may lack.
func upper(hits, rows int) float64 {
	if rows <= 0 {
		return 1
	}
	if hits <= 0 {
		return min(1, -math.Log(doubt)/float64(rows))
	}
	freedom := 2 * float64(hits+1)
	root := 1 - 2/(9*freedom) + normal*math.Sqrt(2/(9*freedom))
	return min(1, 1.01*freedom/2*root*root*root/float64(rows))
}

// rate returns the share that hits are of rows, and its upper bound.
func rate(hits, rows int) (share, bound float64) {
	return float64(hits) / float64(max(rows, 1)), upper(hits, rows)
}

// allowed is the largest number of hits out of rows whose upper bound is within most, and -1 if there is none.
func allowed(rows int, most float64) int {
	hits := -1
	for upper(hits+1, rows) <= most && hits < rows {
		hits++
	}
	return hits
}
