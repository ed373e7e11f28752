package contrast

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Options of a Finder. What is 0 is as it says there.
type Options struct {
	Terms      int     // the most terms a conjunction has, 6 by default and 16 at most
	Found      int     // the most conjunctions, 16 by default and 64 at most
	MinShare   float64 // the least share of the window's weight that a conjunction covers in excess, 0.02 by default
	MinSamples int     // the fewest samples that it matches, 32 by default
	MaxFalse   float64 // the largest upper bound of the share of ordinary traffic that all found together match, 0.0001 by default
	Seed       uint64  // of the choice of samples that a search looks at; it should be secret
}

// The search looks at enough samples of the smallest excess that counts, and thins a window that has more of them. What is said
// of what was found counts all.
const (
	enough  = 64
	fewRows = 2048 // that are looked at, if there are as many
)

// Bounds of how many conjunctions are found, and looked for in vain.
const (
	maxFound = 64
	maxVain  = 4
)

// check fills in the defaults.
func (o Options) check() (Options, error) {
	if o.Terms == 0 {
		o.Terms = 6
	}
	if o.Found == 0 {
		o.Found = 16
	}
	if o.MinShare == 0 {
		o.MinShare = 0.02
	}
	if o.MinSamples == 0 {
		o.MinSamples = 32
	}
	if o.MaxFalse == 0 {
		o.MaxFalse = 0.0001
	}
	switch {
	case o.Terms < 1 || o.Terms > maxTerms:
		return o, fmt.Errorf("contrast: conjunctions of %d terms: want 1 to %d", o.Terms, maxTerms)
	case o.Found < 1 || o.Found > maxFound:
		return o, fmt.Errorf("contrast: %d conjunctions to be found: want 1 to %d", o.Found, maxFound)
	case o.MinSamples < 1:
		return o, fmt.Errorf("contrast: fewest samples of %d: want 1 at least", o.MinSamples)
	case !(o.MinShare > 0 && o.MinShare <= 1):
		return o, fmt.Errorf("contrast: least share of %g: want above 0, 1 at most", o.MinShare)
	case !(o.MaxFalse > 0 && o.MaxFalse < 1):
		return o, fmt.Errorf("contrast: false share of %g: want between 0 and 1", o.MaxFalse)
	}
	return o, nil
}

// A Result is what a Finder has found.
type Result struct {
	// Times is how many times the ordinary rate the window has, 0 if that is not known. What is found at 1 is new, and may be
	// an attack that hides in the volume of a quiet hour, or a new kind of visitors.
	Times float64

	// Excess is the share of the window's weight that the baseline does not account for.
	Excess float64

	// False is the share of the baseline's proof that those found match together, and FalseBound the upper 95 % confidence bound of their
	// share of ordinary traffic, which is within MaxFalse if there are any.
	False, FalseBound float64

	// Found are the conjunctions to refuse traffic by, in the order in which they were found. Each is of use without the
	// others; what is said of it is without what those found before it match.
	Found []Found

	// Refused are conjunctions that cover much of the excess, and would harm too many others: what one might meter, by its
	// share of ordinary traffic, instead of refusing it.
	Refused []Found
}

// Found is one conjunction, and what speaks for it.
type Found struct {
	Conjunction Conjunction
	Samples     int     // how many samples it matches
	Share       float64 // of the window's weight
	Covered     float64 // of the excess
	False       float64 // of the baseline's proof: the predicted share of ordinary traffic that it matches
	FalseBound  float64 // and the upper 95 % confidence bound of that
	Why         Reason  // it was refused for; Safe if it was not
}

// A Reason is why a conjunction is refused.
type Reason uint8

// Reasons.
const (
	Safe        Reason = iota
	TooCommon          // ordinary traffic matches it, more than MaxFalse has room for
	TooUnproven        // the baseline is too small to prove anything within MaxFalse
	TooFew             // fewer samples than MinSamples match it
	TooWeak            // it speaks of weak features only
)

func (r Reason) String() string {
	names := [...]string{"safe", "too common", "too unproven", "too few", "too weak"}
	if int(r) >= len(names) {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return names[r]
}

// A Finder finds. It has all the memory that it needs, and keeps it: it is for one goroutine at a time.
type Finder struct {
	schema  Schema
	options Options

	profile  *Profile
	window   *Window
	weight   float64 // that the window's rows stand for
	rest     bitset  // rows of the window that nothing found so far matches
	matched  bitset  // those of them that what was found last matches
	wrong    bitset  // rows of the proof that what was found matches
	wronged  bitset  // and those that what was found last matches, too
	now      table   // rows drawn from the window, which count alike
	alive    bitset  // rows of now that nothing found so far matches
	living   int     // how many
	least    int     // the fewest rows of now that are worth a conjunction
	allowed  int     // hits in the search half that may remain
	expected float64 // rows of ordinary traffic in now for each row of the search half

	scope     scope
	items     []item
	spans     []Span // of the items
	runs      []run
	groups    []group
	queue     []beginning
	beam      [2][]node
	bests     []candidate
	near      table // rows of the search half that are hard to tell
	closure   int   // the first item of the closure
	chosen    []int // items that make the conjunction
	kept      []int // those chosen before
	tries     int   // how often a cluster may still be divided
	lent      arena
	sorting   sorter
	drawn     []uint16
	divisions []division
	source    *rand.PCG
}

// NewFinder returns a finder.
func NewFinder(s Schema, o Options) (*Finder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	return &Finder{
		schema:  slices.Clone(s),
		options: o,
		now:     table{columns: make([]column, len(s))},
		near:    table{columns: make([]column, len(s))},
		source:  rand.NewPCG(0, 0),
	}, nil
}

// Find returns what a window of elapsed time has in excess of a profile. Without elapsed time, or a profile that knows the
// ordinary rate, all of the window counts as excess. The schema of the three has to be the same; the same three give the same
// result.
func (f *Finder) Find(p *Profile, w *Window, elapsed time.Duration) Result {
	var r Result
	if w.Len() == 0 || p.features != len(f.schema) || len(w.columns) != len(f.schema) {
		return r
	}
	f.load(p, w)
	ordinary := p.rate * elapsed.Seconds() / w.Weight()
	if ordinary > 0 {
		r.Times = 1 / ordinary
	}
	ordinary = min(ordinary, 1)
	f.expected = ordinary * float64(f.now.rows) / float64(max(p.search.rows, 1))
	for vain := 0; len(r.Found) < f.options.Found && vain < maxVain; {
		found := f.next()
		if len(found.Conjunction) == 0 {
			break
		}
		switch {
		case found.Why == Safe:
			r.Found = append(r.Found, found)
			f.rest.without(f.matched)
			copy(f.wrong, f.wronged)
		case found.Share > 2*found.False:
			r.Refused = append(r.Refused, found)
			vain++
		default: // the search has fallen for chance
			vain++
		}
	}
	r.account(1 - ordinary)
	r.False, r.FalseBound = rate(f.wrong.count(), p.proof.rows)
	f.profile, f.window = nil, nil
	return r
}

// load prepares for a window and a profile.
func (f *Finder) load(p *Profile, w *Window) {
	f.profile, f.window = p, w
	f.lent.reset()
	f.rest, f.matched = f.lent.lend(words(w.Len())), f.lent.lend(words(w.Len()))
	f.rest.fill(w.Len())
	f.wrong, f.wronged = f.lent.lend(words(p.proof.rows)), f.lent.lend(words(p.proof.rows))
	f.weight = w.weigh(f.rest)
	f.source.Seed(f.options.Seed, uint64(w.Len()))
	f.now.rows = min(w.Len(), max(int(enough/f.options.MinShare), fewRows))
	f.drawn = w.draw(f.now.rows, f.drawn[:0], rand.New(f.source))
	f.now.copy(w.columns, f.drawn, &f.sorting)
	f.alive = f.lent.lend(words(f.now.rows))
	f.alive.fill(f.now.rows)
	f.least = max(int(f.options.MinShare*float64(f.now.rows)), min(f.options.MinSamples, f.now.rows), 1)
	f.allowed = max(allowed(p.search.rows, f.options.MaxFalse/2), 0) // what is picked by its hits has been lucky with them
}

// next finds one more conjunction, takes what it matches out of alive, and leaves that in matched.
func (f *Finder) next() Found {
	mark := f.lent.mark()
	defer f.lent.release(mark)
	f.living = f.alive.count()
	if f.living < f.least {
		return Found{}
	}
	cluster := f.seek()
	if cluster.rows == 0 {
		return Found{}
	}
	f.refine(&cluster)
	found := f.measure()
	f.matching(cluster.now)
	f.alive.without(cluster.now)
	return found
}

// measure measures the conjunction of what was chosen: by the whole window, and by the half of the profile that the search has
// not seen. It says whether it is safe.
func (f *Finder) measure() (found Found) {
	copy(f.matched, f.rest)
	strong := false
	for _, t := range f.chosen {
		it := &f.items[t]
		term := Term{it.feature, slices.Clone(it.in)}
		found.Conjunction = append(found.Conjunction, term)
		f.window.keep(term, f.matched)
		strong = strong || f.strong(it)
	}
	slices.SortFunc(found.Conjunction, func(a, b Term) int { return a.Feature - b.Feature })
	found.Samples = f.matched.count()
	found.Share = f.window.weigh(f.matched) / f.weight
	proof := &f.profile.proof
	copy(f.wronged, f.wrong)
	hits := 0
	proof.each(found.Conjunction, func(row int) { f.wronged.set(row); hits++ })
	found.False, found.FalseBound = rate(hits, proof.rows)
	_, together := rate(f.wronged.count(), proof.rows)
	switch {
	case upper(0, proof.rows) > f.options.MaxFalse:
		found.Why = TooUnproven
	case together > f.options.MaxFalse || f.profile.search.matches(found.Conjunction) > f.allowed:
		found.Why = TooCommon
	case !strong:
		found.Why = TooWeak
	case found.Samples < f.options.MinSamples:
		found.Why = TooFew
	}
	return found
}

// account says how much of the excess each conjunction covers, when the rate leaves excess as a share of the window. What was
// found is excess, whatever the rate says.
func (r *Result) account(excess float64) {
	var found float64
	for _, c := range r.Found {
		found += c.Share
	}
	r.Excess = max(excess, found)
	for _, list := range [][]Found{r.Found, r.Refused} {
		for i := range list {
			list[i].Covered = min(list[i].Share/max(r.Excess, 1e-9), 1)
		}
	}
}
