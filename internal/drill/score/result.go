package score

// Phases is how visitors fared before, during and after.
type Phases struct {
	Quiet  Figures `json:"quiet"`  // steps that had ended when the first attack or event began
	During Figures `json:"during"` // all others: what outlasts an attack, such as a ban, is its harm too
	After  Figures `json:"after"`  // of those, the ones that began when the last attack or event had ended
	Added  Added   `json:"added"`
}

// Added is how much longer the steps served in During took than those served in the quiet phase. The difference of two
// quantiles, it may be less than 0.
type Added struct {
	P50     Millis `json:"p50_ms"`
	P99     Millis `json:"p99_ms"`
	Quiet   int    `json:"quiet"`   // steps that were compared with; 0: nothing to compare, and both are 0
	Borrows bool   `json:"borrows"` // this kind had fewer than 5: they are those of all kinds
}

// Assault is how the attack fared.
type Assault struct {
	Offered  int `json:"offered"`
	Answered int `json:"answered"`
	Refused  int `json:"refused"`
	Failed   int `json:"failed"`
	// Outcomes counts by status, or in a word what had none.
	Outcomes map[string]int `json:"outcomes,omitempty"`
	// Reached is what the origin counted of what was offered. A target that asks the origin twice can make it more than 1.
	Reached    Share      `json:"reached"`
	Mitigation Mitigation `json:"mitigation"`
}

// Load is what the origin carried from the first attack or event to the end.
type Load struct {
	Visitor     int   `json:"visitor"`
	Attacker    int   `json:"attacker"`
	Unknown     int   `json:"unknown"` // nobody's that the drill knows: health checks, or a target that does not forward addresses
	Peak        int   `json:"peak"`    // most requests at once; Site.Workers is what fits
	Busy        Share `json:"busy"`    // of moments: with more requests at once than workers
	Overloaded  Share `json:"overloaded"`
	TurnedAway  int   `json:"turned_away"` // requests answered 503, the backlog being full
	Unclear     int   `json:"unclear"`     // requests in the whole run that may have been a visitor's or an attacker's: counted, but perhaps as the wrong one
	NotMeasured bool  `json:"not_measured,omitempty"`
}

// Generator is how the drill itself fared.
type Generator struct {
	Lag      Millis `json:"lag_ms"`   // the latest shot, after it was due
	Withheld int    `json:"withheld"` // shots that were due and not sent
	Missed   int    `json:"missed"`   // people who would have come, and were not played
	Limit    bool   `json:"limit"`    // the generator, not the target, was the limit: the figures say little
	Why      string `json:"why,omitempty"`
}

// Pulse is how visitors fared in half a second, by when their steps began.
type Pulse struct {
	Steps   int    `json:"steps"`
	Served  int    `json:"served"`
	Refused int    `json:"refused"` // or stuck in a challenge
	P50     Millis `json:"p50_ms"`  // of the served
	P95     Millis `json:"p95_ms"`
	// How much longer than the median of their kind in the quiet phase the served waited; what was faster counts as 0.
	AddedP50 Millis `json:"added_p50_ms"`
	AddedP95 Millis `json:"added_p95_ms"`
}

// Timeline is the run for a picture.
type Timeline struct {
	Step     Millis   `json:"step_ms"` // of Attack and Origin; of Visitors, twice that
	Attack   []Moment `json:"attack"`
	Origin   []Origin `json:"origin"`
	Visitors []Pulse  `json:"visitors"`
}

// Result is a scenario played against a target.
type Result struct {
	Scenario  string            `json:"scenario"`
	Title     string            `json:"title"`
	Group     Group             `json:"group"`
	Target    string            `json:"target"`
	Seed      uint64            `json:"seed"`
	Length    Millis            `json:"length_ms"`
	Patience  Millis            `json:"patience_ms"`
	Site      Site              `json:"site"`
	Spans     []Span            `json:"spans"`
	Total     Total             `json:"total"`
	Everyone  Phases            `json:"everyone"`
	Kinds     map[string]Phases `json:"kinds"`            // who was there all the time
	Comers    map[string]Phases `json:"comers,omitempty"` // who an event brought
	Attack    Assault           `json:"attack"`
	Origin    Load              `json:"origin"`
	Generator Generator         `json:"generator"`
	Failures  []string          `json:"failures,omitempty"` // of visitors, the first ones, word by word
	Notes     []string          `json:"notes,omitempty"`    // what the data can't carry
	Timeline  Timeline          `json:"timeline"`
}
