package score

import "time"

// Step is how long a Moment and an Origin are.
const Step = 250 * time.Millisecond

// maxMoments is ten minutes of them. Later ones are counted, but not drawn.
const maxMoments = 2400

// Moment is what the attack did in 250 ms: requests (connections, if the attack makes nothing else) that were sent, and
// how those ended that did so in it.
type Moment struct {
	Offered  int `json:"offered"`
	Answered int `json:"answered"` // with what was asked for
	Refused  int `json:"refused"`  // 403, 429, a challenge, a reset
	Failed   int `json:"failed"`   // 5xx, no answer in time
}

// Origin is what the site behind the target got in 250 ms, by who had sent it.
type Origin struct {
	Visitor    int `json:"visitor"`
	Attacker   int `json:"attacker"`
	Unknown    int `json:"unknown"`
	Peak       int `json:"peak"`       // most requests at once
	Overloaded int `json:"overloaded"` // answered 503, the backlog being full
}

// all is how many requests arrived.
func (o Origin) all() int { return o.Visitor + o.Attacker + o.Unknown }

// Group says what a scenario is about, and with that which formula scores it.
type Group string

// The groups.
const (
	Attack Group = "attack"
	Event  Group = "event" // nothing in it is an attack: acting on it is an error
)

// Span is an attack or an event in a run.
type Span struct {
	Name  string `json:"name"`
	Event bool   `json:"event"`
	From  Millis `json:"from_ms"`
	Until Millis `json:"until_ms"`
}

// Site is what the origin can carry.
type Site struct {
	Workers  int     `json:"workers"`  // requests at once
	Backlog  int     `json:"backlog"`  // requests that wait
	Capacity float64 `json:"capacity"` // ordinary pages a second
}

// Input is all that is known of a run when it has ended.
type Input struct {
	Scenario string // name
	Title    string
	Group    Group
	Target   string // as the table calls it
	Seed     uint64
	Length   time.Duration // planned; steps that began in it may have ended later
	Patience time.Duration // of a visitor with one step
	Site     Site
	Spans    []Span
	Samples  []Sample
	Dropped  int      // samples that there was no room for
	Failures []string // of visitors, the first ones, word by word
	Missed   int      // people who would have come, but for whom the generator had no room
	Attack   []Moment
	Outcomes map[string]int // of the attack's requests, by status or in a word; may be nil
	Origin   []Origin       // from the run's beginning; nil: not measured
	Unclear  int            // requests at the origin that may have been a visitor's or an attacker's
	// Lag is the longest time that a shot was sent after it was due; Withheld are shots that were due, but that the
	// generator had no time, connection or descriptor for.
	Lag      time.Duration
	Withheld int
}

// begin is when the first attack or event did: the quiet phase ends.
func (in *Input) begin() time.Duration {
	begin := in.Length
	for _, s := range in.Spans {
		begin = min(begin, time.Duration(s.From))
	}
	return begin
}

// end is when the last attack or event did.
func (in *Input) end() time.Duration {
	end := time.Duration(0)
	for _, s := range in.Spans {
		end = max(end, time.Duration(s.Until))
	}
	return min(end, in.Length)
}

// attack is from when to when there were attacks.
func (in *Input) attack() (from, until time.Duration) {
	from = in.Length
	for _, s := range in.Spans {
		if !s.Event {
			from, until = min(from, time.Duration(s.From)), max(until, time.Duration(s.Until))
		}
	}
	return from, min(until, in.Length)
}
