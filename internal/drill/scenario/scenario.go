package scenario

import "time"

// Scenario is what a drill plays: who comes to the site, who attacks it, and when.
type Scenario struct {
	Name string `yaml:"-"` // of the file, without .yaml
	// One line for the table.
	Title string `yaml:"title"`
	// What happens, in two or three sentences.
	About string `yaml:"about"`
	// Whether there is something to weed out, or only an event: people and programs of whom nobody may be refused.
	Group Group `yaml:"group"`
	// What everything is drawn by: the same seed plays the same story.
	Seed uint64 `yaml:"seed"`
	// How long it is played.
	Length time.Duration `yaml:"length"`
	// How long a visitor waits for one step, second try included. git, whose steps are up to three requests in a row, waits three times as long.
	Patience time.Duration `yaml:"patience"`
	// By what the attack can be told from visitors, request by request. By what is not named here it can't be, which a test holds it to.
	Plants []string `yaml:"plants"`
	// The site's capacity.
	Site Site `yaml:"site"`
	// Who is there all along.
	Visitors Visitors `yaml:"visitors"`
	// What is to be weeded out.
	Attacks []Attack `yaml:"attacks"`
	// Who comes beside the visitors, for a while, and is as welcome as they are.
	Events []Event `yaml:"events"`
}

// Group is what a scenario asks of who is played to.
type Group string

// The groups of scenarios.
const (
	GroupAttack Group = "attack"
	GroupEvent  Group = "event"
)

// Site is the origin's capacity.
type Site struct {
	// Requests that are worked on at once.
	Workers int `yaml:"workers"`
	// Requests that wait for a worker; those beyond are refused with 503.
	Backlog int `yaml:"backlog"`
	// How long a page takes a worker.
	Page time.Duration `yaml:"page"`
	// How long a file takes.
	Asset time.Duration `yaml:"asset"`
	// How long a search takes.
	Search time.Duration `yaml:"search"`
	// How long a login takes.
	Login time.Duration `yaml:"login"`
	// The share of these times that is spent computing instead of waiting.
	CPU float64 `yaml:"cpu"`
	// Pages of a real site that the target has behind it; the first is the front page. The drill then has no site of its own: of the keys
	// above none counts, people read these pages with what belongs to them, and programs stay away, for which nothing is known.
	Pages []string `yaml:"pages"`
}

// Visitors are those who are there all along, each replaced by the next when their visit ends.
type Visitors struct {
	// How many are there at any moment.
	Count int `yaml:"count"`
	// The mean pause of a person between two steps; programs have their own.
	Think time.Duration `yaml:"think"`
	// Weights of the kinds of visitors; a kind that is not named does not come. Without this all do, browsers most.
	Kinds map[string]float64 `yaml:"kinds"`
	// The share of browsers that speak HTTP/2, if the target does.
	HTTP2 float64 `yaml:"http2"`
	// The countries they come from; if none is named, all.
	Countries []string `yaml:"countries"`
}

// Attack is requests, or connections, of many sources under one hand.
type Attack struct {
	// What it is called.
	Name string `yaml:"name"`
	// What is sent.
	Kind AttackKind `yaml:"kind"`
	// When it begins.
	From time.Duration `yaml:"from"`
	// When it ends; 0s: with the scenario.
	Until time.Duration `yaml:"until"`
	// Requests a second, all sources together; or connections, if they are the attack.
	Rate float64 `yaml:"rate"`
	// How the rate changes.
	Shape Shape `yaml:"shape"`
	// Where it comes from.
	Sources Sources `yaml:"sources"`
	// The software that bots use, or look like.
	Agent string `yaml:"agent"`
	// Requests on one connection; 0: as many as the target allows.
	Reuse int `yaml:"reuse"`
	// Requests that a source makes each time its turn comes, about a second apart; then it rests until all others have had theirs. The rate
	// divided by this is how many sources join in a second.
	Burst int `yaml:"burst"`
	// What is asked for, drawn by weight.
	Requests []Request `yaml:"requests"`
	// Whom it is sent to: a host, or address, which is the target's own; if absent, the site.
	Host string `yaml:"host"`
}

// AttackKind is what an attack sends.
type AttackKind string

// The kinds of attacks.
const (
	Requests   AttackKind = "requests"   // each for itself
	Sessions   AttackKind = "sessions"   // headless browsers: load assets, keep cookies, solve challenges
	Handshakes AttackKind = "handshakes" // of TLS, never followed by a request
	Resets     AttackKind = "resets"     // HTTP/2 requests, taken back at once
	SlowHead   AttackKind = "slow-head"  // a byte of the head at a time
	SlowBody   AttackKind = "slow-body"  // a byte of the body at a time
	SlowRead   AttackKind = "slow-read"  // a response hardly read
)

// Shape is how a rate changes while it lasts.
type Shape struct {
	// The full rate all the time, evenly more from nothing to the full rate, or on and off.
	Kind ShapeKind `yaml:"kind"`
	// How long a pulse is on.
	On time.Duration `yaml:"on"`
	// How long it is off before the next.
	Off time.Duration `yaml:"off"`
}

// ShapeKind is a way to change.
type ShapeKind string

// The kinds of shapes.
const (
	Steady ShapeKind = "steady"
	Ramp   ShapeKind = "ramp"
	Pulse  ShapeKind = "pulse"
)

// Sources are the addresses of bots.
type Sources struct {
	// How many.
	Count int `yaml:"count"`
	// The kinds of networks they are in; if none is named, residential.
	Networks []string `yaml:"networks"`
	// The countries they are in; if none is named, all.
	Countries []string `yaml:"countries"`
	// The share of them that visitors use, too: behind a carrier's NAT, say, or a Tor exit.
	Shared float64 `yaml:"shared"`
}

// Request is a request of an attack. Path, body and values of fields may have {words}, {article} (a path), {number}, {random}, {user}
// and {password} in them, each drawn from where visitors draw theirs.
type Request struct {
	// What is done.
	Method string `yaml:"method"`
	// What it is done to, query included. It begins with a slash or {article}.
	Path string `yaml:"path"`
	// What a POST sends, as a form unless a field says otherwise.
	Body string `yaml:"body"`
	// How often it is drawn, compared with the others.
	Weight int `yaml:"weight"`
	// Header fields beside those of the agent, each as "Name: value".
	Fields []Field `yaml:"fields"`
}

// Event is people, or programs of the owner's or of others, that come beside the visitors for a while.
type Event struct {
	// What it is called.
	Name string `yaml:"name"`
	// The kind of visitor that comes.
	Kind string `yaml:"kind"`
	// When the first come.
	From time.Duration `yaml:"from"`
	// When the last come; 0s: at the scenario's end.
	Until time.Duration `yaml:"until"`
	// Newcomers a second.
	Arrivals float64 `yaml:"arrivals"`
	// How that changes.
	Shape Shape `yaml:"shape"`
	// The path of each newcomer's first step, which may be {article}, the newest one. If absent, what the kind does first anyway.
	Entry string `yaml:"entry"`
	// Where they followed a link from.
	Referer string `yaml:"referer"`
	// How many steps each newcomer takes.
	Steps int `yaml:"steps"`
	// The mean pause between two of them; 0s: that of the visitors.
	Think time.Duration `yaml:"think"`
	// Whether every step is the first again, as people do who wait for something.
	Reload bool `yaml:"reload"`
	// Whether people with an app are signed in, so that what it asks for is theirs; those who are not get 401, and are right to ask.
	SignedIn bool `yaml:"signed_in"`
	// The kinds of networks they come from; if none is named, the usual ones of the kind of visitor.
	Networks []string `yaml:"networks"`
	// The countries they come from; if none is named, those of the visitors.
	Countries []string `yaml:"countries"`
	// How many addresses all of them share; 0: each has their own.
	Addresses int `yaml:"addresses"`
}
