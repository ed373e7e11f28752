// Package status shows an operator how a node is: its facts as a [Report] in JSON, and the same as pages of HTML.
//
// It is given plain values and knows none of the rooms. Most of what it shows was chosen by clients, so every text is escaped, and
// the pages' Content-Security-Policy allows their own style and nothing else: they need no script. It is bounded: a page shows a
// limited number of zones and refusals at a time, [History] remembers limited time. It can't fail but for a client that went away.
package status

import "time"

// Report is how a node is at one time. Texts in refusals and shares come from clients.
type Report struct {
	Node    string    `json:"node"`
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	Started time.Time `json:"started"`
	// Reloaded is when the configuration in force was read.
	Reloaded  time.Time `json:"reloaded"`
	State     State     `json:"state"`
	Listening []string  `json:"listening"` // "https 192.0.2.1:443"
	// Problems are what the operator should know: zones refused at the last reload, a log that can't be written.
	Problems []string `json:"problems"`

	// Rates are of all zones together, Refused all that they refused.
	Rates
	Refused []Refused `json:"refused"`
	// Points are the last ten minutes, the oldest first.
	Points []Point `json:"points"`

	Connections Connections `json:"connections"`
	Handshakes  *Handshakes `json:"handshakes,omitempty"` // nil for a node that does not listen for HTTPS
	Cache       Cache       `json:"cache"`
	LogLost     int64       `json:"log_lines_lost"`
	Faults      int64       `json:"faults"`
	// Zones are in the order of their names; [Unserved] is one of them.
	Zones        []Zone        `json:"zones"`
	Certificates []Certificate `json:"certificates"` // the node's, beside the zones'
	// Rules are the node's own, which come before each zone's. Undone is what refuses nobody for a time, what ends first first.
	Rules  []Rule   `json:"rules,omitempty"`
	Undone []Undone `json:"undone,omitempty"`
	// Refusals are the newest, the newest first. Sources and Targets (without queries) are what more of them have in common,
	// the most frequent first; Looked is how many refusals were looked at for that.
	Refusals []Refusal `json:"refusals"`
	Sources  []Share   `json:"refused_sources"`
	Targets  []Share   `json:"refused_targets"`
	Looked   int       `json:"refusals_looked_at"`

	// CanReload tells that the node can read its configuration anew.
	CanReload bool `json:"-"`
}

// Unserved is the name of the zone of requests that no zone serves.
const Unserved = "-"

// State is whether a node serves.
type State string

// A node serves, lets requests finish before it stops, or has no listener for visitors.
const (
	Serving      State = "serving"
	Draining     State = "draining"
	NotListening State = "not listening"
)

// Rates are per second.
type Rates struct {
	Now    Rate `json:"rates_10s"` // the last ten seconds or a little more
	Minute Rate `json:"rates_1m"`
}

// Rate is what happened each second. HitRatio is the part of the requests that the cache was asked for and had, from 0 to 1; Asked is
// how many those were.
type Rate struct {
	Requests float64 `json:"requests"`
	Refused  float64 `json:"refused"`
	Origin   float64 `json:"origin"`
	Asked    float64 `json:"cache"`
	HitRatio float64 `json:"hit_ratio"`
}

// Refused is how many requests were refused for one reason, since the start and each second of the last ten.
type Refused struct {
	Reason string  `json:"reason"`
	Total  int64   `json:"total"`
	Now    float64 `json:"rate_10s"`
}

// Point is a few seconds of a node's history, in requests a second. Requests are all, refused ones among them.
type Point struct {
	Time     time.Time `json:"time"`
	Requests float64   `json:"requests"`
	Refused  float64   `json:"refused"`
}

// Connections are the clients'. Refused counts those refused or cut since the start, by cause.
type Connections struct {
	Open    int              `json:"open"`
	Max     int              `json:"max"`
	Refused map[string]int64 `json:"refused"`
}

// Handshakes are TLS's: how many are under way now and wait for a worker, and what became of the others since the start. Resumed ones are
// among those complete.
type Handshakes struct {
	Open     int              `json:"open"`
	Queued   int              `json:"queued"`
	Complete int64            `json:"complete"`
	Resumed  int64            `json:"resumed"`
	Failed   int64            `json:"failed"`
	Refused  map[string]int64 `json:"refused"` // by cause
}

// Cache is the node's memory for responses. Size is its bound in bytes.
type Cache struct {
	Objects   int    `json:"objects"`
	Bytes     int64  `json:"bytes"`
	Size      int64  `json:"size"`
	Evictions uint64 `json:"evictions"`
}

// Zone is one site.
type Zone struct {
	Name  string   `json:"name"`
	Hosts []string `json:"hosts"`
	Rates
	// Status counts requests by the first digit of the status, 0 those without an answer; ByCache by what the cache did.
	Requests int64            `json:"requests"`
	Bytes    int64            `json:"bytes"` // of response bodies
	Status   [6]int64         `json:"status"`
	ByCache  map[string]int64 `json:"cache"`
	Broken   int64            `json:"broken"` // responses that did not end as they should
	Refused  []Refused        `json:"refused"`
	// Rules are what lists and limits matched; where the report is for the page of this zone, its rules are among them. With DryRun they refuse nothing; Dry counts what they would have refused.
	Rules  []Rule `json:"rules"`
	DryRun bool   `json:"dry_run"`
	Dry    int64  `json:"dry"`

	Servers      []Server      `json:"servers"`
	Budget       Budget        `json:"budget"`
	Pools        []Pool        `json:"pools,omitempty"`
	Certificates []Certificate `json:"certificates"`
}

// Rule is how often a rule, a list or a limit matched. Only rules have an Action and an Expression, of which that is the beginning.
type Rule struct {
	Name       string    `json:"name"`
	Action     string    `json:"action,omitempty"`
	Expression string    `json:"expression,omitempty"`
	Matches    int64     `json:"matches"`
	Undone     time.Time `json:"undone,omitzero"` // until when it refuses nobody
}

// Undone is an exception in force. Zone is "" for one in all zones.
type Undone struct {
	What  string    `json:"what"` // "rule NAME in zone ZONE", "address ADDRESS in all zones"
	Zone  string    `json:"zone,omitempty"`
	Until time.Time `json:"until"`
	By    string    `json:"by"`
}

// Server is one of an origin's. Why is its last failure, also if it is up again; Since is when it went down or came up, zero if it never
// did. Requests and Failures count since the start.
type Server struct {
	Pool     string    `json:"pool,omitempty"` // "" for the zone's own origin
	URL      string    `json:"url"`
	Weight   int       `json:"weight"`
	Backup   bool      `json:"backup"`
	Up       bool      `json:"up"`
	Why      string    `json:"why,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	InFlight int64     `json:"in_flight"`
	Requests int64     `json:"requests"`
	Failures int64     `json:"failures"`
}

// Budget is how much of what an origin may be given is in use. A maximum of 0 is no bound of concurrent requests, but no queue and no
// upgrades.
type Budget struct {
	Concurrent    int    `json:"concurrent"`
	MaxConcurrent int    `json:"max_concurrent"`
	Queued        int    `json:"queued"`
	MaxQueued     int    `json:"max_queued"`
	Upgrades      int    `json:"upgrades"`
	MaxUpgrades   int    `json:"max_upgrades"`
	Rate          string `json:"rate"` // as configured: "100/s burst 20", "off"
}

// Pool is an origin that rules route to.
type Pool struct {
	Name   string `json:"name"`
	Budget Budget `json:"budget"`
}

// Certificate is one that visitors are shown, or that is still to be obtained: then Issuer and NotAfter are zero. Problem says why it
// could not be obtained or renewed when that was last tried.
type Certificate struct {
	Names    []string  `json:"names"`
	Issuer   string    `json:"issuer,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	Problem  string    `json:"problem,omitempty"`
}

// Refusal is one request that was refused. Host and Target are as the client sent them, cut to a bounded length.
type Refusal struct {
	Time   time.Time `json:"time"`
	ID     string    `json:"id"`
	Zone   string    `json:"zone"`
	Status int       `json:"status"`
	Reason string    `json:"reason"`
	Rule   string    `json:"rule"`
	Client string    `json:"client"` // its network, or its address if the operator wants that
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Target string    `json:"target"`
}

// Share is how many refusals have something in common.
type Share struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Zone finds a zone by its name; nil if there is none.
func (r *Report) Zone(name string) *Zone {
	for i := range r.Zones {
		if r.Zones[i].Name == name {
			return &r.Zones[i]
		}
	}
	return nil
}
