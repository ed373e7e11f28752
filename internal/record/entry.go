package record

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is a line of the access log, as who reads it sees it. Fields that do not apply are absent.
type Entry struct {
	Time          time.Time `json:"time"`
	ID            string    `json:"id"`
	Zone          string    `json:"zone"`
	Client        string    `json:"client"`            // the client's network, or its address if the operator wants that
	Visitor       string    `json:"visitor,omitempty"` // keyed hash of the address; the key changes every day
	Method        string    `json:"method"`
	Host          string    `json:"host"`
	Target        string    `json:"target"`
	Proto         string    `json:"proto"`
	HFP           string    `json:"hfp,omitempty"` // fingerprint of the request's head
	TLS           string    `json:"tls,omitempty"`
	JA4           string    `json:"ja4,omitempty"`            // fingerprint of the client's TLS software
	ClientSubject string    `json:"client_subject,omitempty"` // of the client's certificate, where the zone asks for one
	Country       string    `json:"country,omitempty"`
	ASN           uint32    `json:"asn,omitempty"`
	Bot           string    `json:"bot,omitempty"` // the known crawler that the client was found to be
	Status        int       `json:"status"`
	Bytes         int64     `json:"bytes"`
	Ms            float64   `json:"ms"`

	Verdict     string `json:"verdict"`
	Rule        string `json:"rule,omitempty"`
	Dry         string `json:"dry,omitempty"`
	Undone      bool   `json:"undone,omitempty"` // what is dry is undone for a time
	Cache       string `json:"cache"`
	CacheReason string `json:"cache_reason,omitempty"`
	Age         int64  `json:"age,omitempty"`
	TTL         int64  `json:"ttl,omitempty"`
	Stored      bool   `json:"stored,omitempty"`
	Collapsed   bool   `json:"collapsed,omitempty"`

	Pool           string  `json:"pool,omitempty"` // that a rule routed the request to
	QueueMs        float64 `json:"queue_ms,omitempty"`
	Origin         string  `json:"origin,omitempty"`
	OriginAttempts int     `json:"origin_attempts,omitempty"`
	OriginReused   bool    `json:"origin_reused,omitempty"`
	OriginStatus   int     `json:"origin_status,omitempty"`
	OriginMs       float64 `json:"origin_ms,omitempty"`

	TunnelMs       float64 `json:"tunnel_ms,omitempty"` // of an upgraded connection: its time, and bytes to and from the origin
	TunnelSent     int64   `json:"tunnel_sent,omitempty"`
	TunnelReceived int64   `json:"tunnel_received,omitempty"`

	Refusal       string  `json:"refusal,omitempty"`
	RefusalRule   string  `json:"refusal_rule,omitempty"`
	RefusalDetail string  `json:"refusal_detail,omitempty"`
	RetryAfterMs  float64 `json:"retry_after_ms,omitempty"`

	Referer string `json:"referer,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Error   string `json:"error,omitempty"`

	Sample int `json:"sample,omitempty"` // where the log has one in so many requests like this, how many; 0 where it has all
}

// Parse reads a line.
func Parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, fmt.Errorf("reading a record: %w", err)
	}
	return e, nil
}

// Explain tells the entry's story, room by room.
func (e *Entry) Explain(w io.Writer) error {
	s := story{w: w}
	s.tell("request", e.request())
	if e.Referer != "" {
		s.tell("", "from "+e.Referer)
	}
	if e.Agent != "" {
		s.tell("", "by "+e.Agent)
	}
	s.tell("client", e.client())
	if where := e.where(); where != "" {
		s.tell("", "from "+where)
	}
	if e.Bot != "" {
		s.tell("", "which is "+e.Bot+"'s")
	}
	if e.HFP != "" {
		s.tell("", "with the HTTP fingerprint "+e.HFP)
	}
	if e.JA4 != "" {
		s.tell("", "with the TLS fingerprint "+e.JA4)
	}
	if e.ClientSubject != "" {
		s.tell("", "with a certificate of "+e.ClientSubject)
	}
	s.tell("zone", e.zone())
	s.tell("verdict", e.verdict())
	s.tell("cache", e.cache())
	if e.Pool != "" {
		s.tell("pool", e.Pool+", in place of the zone's own origin")
	}
	if e.QueueMs > 0 {
		s.tell("admission", fmt.Sprintf("waited %.1f ms for the origin's budget", e.QueueMs))
	}
	if e.OriginAttempts > 0 {
		s.tell("origin", e.origin())
	}
	if e.Refusal != "" {
		s.tell("refused", e.refusal())
		s.tell("", Remedy(e.Refusal))
	}
	if e.RetryAfterMs > 0 {
		s.tell("", fmt.Sprintf("the client was told to come back in %.0f s", math.Ceil(e.RetryAfterMs/1000)))
	}
	s.tell("response", e.response())
	return s.err
}

// where is what is known of the client's address.
func (e *Entry) where() string {
	switch {
	case e.ASN == 0:
		return e.Country
	case e.Country == "":
		return fmt.Sprintf("AS%d", e.ASN)
	}
	return fmt.Sprintf("%s, AS%d", e.Country, e.ASN)
}

// story writes labelled lines and keeps the first error.
type story struct {
	w   io.Writer
	err error
}

// tell writes a line, of which clients chose parts.
func (s *story) tell(label, text string) {
	if s.err != nil {
		return
	}
	_, s.err = fmt.Fprintf(s.w, "%-10s %s\n", label, Printable(text))
}

// Printable shows what of a text would not print as U+FFFD: no terminal obeys what a client wrote.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (e *Entry) request() string {
	text := orElse(e.Method, "what was not understood")
	if e.Host != "" || e.Target != "" {
		text += " " + e.Host + e.Target
	}
	text += " over " + e.Proto
	if e.TLS != "" {
		text += " with TLS " + e.TLS
	}
	return text + " at " + e.Time.Format("2006-01-02 15:04:05.000 MST")
}

func (e *Entry) client() string {
	if e.Visitor == "" {
		return e.Client
	}
	return e.Client + " (visitor " + e.Visitor + " today)"
}

func (e *Entry) zone() string {
	if e.Zone == "" || e.Zone == "-" { // as requests are recorded that no zone serves
		return "none serves this host"
	}
	return e.Zone
}

func (e *Entry) verdict() string {
	text := e.Verdict
	if e.Rule != "" {
		text += " by " + e.Rule
	}
	switch {
	case e.Dry == "":
	case e.Undone:
		text += "; would have been refused by " + e.Dry + ", which is undone for now: seawall undo --list"
	default:
		text += "; in a dry run, would have been refused by " + e.Dry
	}
	return text
}

func (e *Entry) cache() string {
	text := e.Cache
	switch {
	case e.Refusal != "" || e.Cache != "hit" && e.Cache != "stale":
	case e.TTL < 0:
		text += fmt.Sprintf(", %d s old, stale for %d s", e.Age, -e.TTL)
	default:
		text += fmt.Sprintf(", %d s old, fresh for %d s", e.Age, e.TTL)
	}
	if e.CacheReason != "" {
		text += ": " + e.CacheReason
	}
	if e.Stored {
		text += "; stored"
	}
	if e.Collapsed {
		text += "; shared another request's fetch"
	}
	return text
}

func (e *Entry) origin() string {
	text := orElse(e.Origin, "?")
	if e.OriginStatus != 0 {
		text += fmt.Sprintf(" answered %d after %.1f ms", e.OriginStatus, e.OriginMs)
	} else {
		text += " gave no answer"
	}
	if e.OriginReused {
		text += " on a kept connection"
	}
	if e.OriginAttempts > 1 {
		text += fmt.Sprintf(", in %d attempts", e.OriginAttempts)
	}
	return text
}

func (e *Entry) refusal() string {
	text := e.Refusal
	if e.RefusalRule != "" {
		text += " by " + e.RefusalRule
	}
	if e.RefusalDetail != "" {
		text += ": " + e.RefusalDetail
	}
	return text
}

func (e *Entry) response() string {
	text := fmt.Sprintf("%d with %d bytes after %.1f ms", e.Status, e.Bytes, e.Ms)
	if e.Status == http.StatusSwitchingProtocols {
		text = fmt.Sprintf("%d after %.1f ms, and then another protocol for %.0f s: %d bytes to the origin, %d back",
			e.Status, e.Ms, e.TunnelMs/1000, e.TunnelSent, e.TunnelReceived)
	}
	if e.Error != "" {
		text += "; ended early: " + e.Error
	}
	return text
}

// Remedy says how the site's operator undoes a refusal for a reason, by the reason's name.
func Remedy(reason string) string {
	if text, ok := remedies[reason]; ok {
		return text
	}
	return "nothing to undo here"
}

var remedies = map[string]string{
	"malformed":          "the client's software has to be mended; nothing on this side lets it through",
	"too-large":          "the client's head is over the node's limits; often cookies have grown too large",
	"unsupported":        "the client uses a method, coding or version that is not spoken here",
	"head-timeout":       "the client was too slow; a lossy network, or a slow-head attack",
	"body-broken":        "the client's upload broke off or broke HTTP's rules",
	"loop":               "the origin points back at this node: correct the origin's address",
	"unknown-host":       "add the host to a zone's hosts (--host) if it is one of the site's",
	"misdirected":        "the client has to open a connection for this host (browsers do on 421); see the zones' https sections",
	"rule":               "change the rule in the zone's rules (in node.rules, if it begins with node/), or put a skip before it; with action: log it only notes whom it would have refused; lists.allow (--allow) spares a source for good",
	"denied":             "take the prefix off the deny list, or add a more specific one to the allow list (--allow)",
	"request-limit":      "the source is free again when its rate falls; lists.allow (--allow) spares a source for good, limits.requests (--limit) changes the rate, limits.per_network what a whole network may have",
	"origin-limit":       "the source is free again when its rate falls; lists.allow (--allow) spares a source for good, limits.origin_requests (--origin-limit) and limits.origin_requests_busy (--busy-limit) change the rate, limits.per_network what a whole network may have",
	"rule-limit":         "the client is free again when it was told to come back; the rule's ratelimit section changes how many there may be, a skip before it in http_request_firewall_custom spares some requests, lists.allow a source for good",
	"only-if-cached":     "the client asked for stored responses only",
	"queue-full":         "the origin's budget was used up; raise budget.concurrent (--origin-concurrency) if the origin can take more",
	"queue-timeout":      "the origin's budget was used up; raise budget.concurrent (--origin-concurrency) if the origin can take more",
	"upgrade-cap":        "too many WebSockets were open; raise budget.upgrades (--origin-upgrades) if the origin can take more",
	"origin-down":        "see which servers are down, and why, on the status page or in the log; if they are well, see origin.health",
	"origin-unreachable": "see whether the origin is up, and that this node may connect to it",
	"origin-timeout":     "the origin was slower than its time-out; see its own logs",
	"origin-broken":      "the origin broke off or answered something that is not HTTP; see its own logs",
	"client-gone":        "the client left before it was answered",
}
