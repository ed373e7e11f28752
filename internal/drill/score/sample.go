package score

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Outcome is how a visitor's step ended.
type Outcome uint8

// The outcomes. Only Served, Late and Passed got what they came for.
const (
	Served  Outcome = iota // right, within the visitor's patience, at the first try
	Late                   // right at the second try
	Refused                // 403, 429 or another answer that the site did not give; a connection refused or reset
	Passed                 // a challenge came first, then what was asked for
	Stuck                  // a challenge came, and nothing else
	Failed                 // 5xx, no answer in time, a wrong body
)

var outcomeNames = [...]string{"served", "late", "refused", "challenged-and-passed", "challenged-and-stuck", "failed"}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// got reports whether the visitor got what they came for.
func (o Outcome) got() bool { return o == Served || o == Late || o == Passed }

// Sample is one step of one visitor: a page with all that belongs to it, a search, a fetch of a feed.
type Sample struct {
	At      time.Duration // when the step began, since the run did
	Kind    string        // of visitor: browser, carrier, feed …
	Event   bool          // came because of an event; false: was there all the time
	Outcome Outcome
	Why     string        // if not served: one word, such as timeout or 429
	Took    time.Duration // from the first request to the last response, all tries and challenges included
}

// maxSamples bounds a run: 60 seconds of 4,000 steps a second.
const maxSamples = 1 << 18

// Recorder collects the samples of a run, the first 262,144 of them, and counts the rest. Its methods may be called
// from any goroutine.
type Recorder struct {
	mu      sync.Mutex
	samples []Sample
	served  int
	dropped int
}

// Add records a step that has ended.
func (r *Recorder) Add(s Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) == maxSamples {
		r.dropped++
		return
	}
	r.samples = append(r.samples, s)
	if s.Outcome.got() {
		r.served++
	}
}

// Now returns how many steps have ended so far, and how many of them got what they came for.
func (r *Recorder) Now() (steps, served int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.samples), r.served
}

// Samples returns what was recorded, for Input, and how many samples there was no room for.
func (r *Recorder) Samples() (samples []Sample, dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clip(r.samples), r.dropped
}
