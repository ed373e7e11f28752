package flow

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"time"

	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/ja4"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/reqid"
)

// Field is one header or trailer field; an alias, so that the garden's libraries share it without importing each other.
type Field = struct{ Name, Value string }

// Flow is one request on its way down the path. Each field is written by the room of its name, Conn by conn and hello.
type Flow struct {
	Exchange Exchange
	Abort    *Abort
	Conn     *Conn
	// Task is what the flow waits in, nil for a goroutine. Whoever waits for anything but a [loop.Conn] calls its Leave before.
	Task *loop.Task
	// Clock, unless nil, has the time in the task's stead: that of a log that is replayed.
	Clock *time.Time

	Request   Request
	Zone      Zone
	Unserved  *Refusal // zone's: no zone serves the host
	Verdict   Verdict
	Cache     Cache
	Admission Admission
	Origin    Origin
	Response  Response
}

// Conn is what is known of the connection under a flow.
type Conn struct {
	Remote, Local netip.AddrPort
	// Shard picks one of a sharded counter's parts, so that cores do not share a line.
	Shard uint32
	// SendsFiles tells that the kernel can send it parts of files as they are.
	SendsFiles bool
	// TLS is nil on a cleartext connection.
	TLS *TLS
}

// TLS is what a handshake told; hello writes it.
type TLS struct {
	Version, Cipher uint16
	HelloLength     uint32 // of the ClientHello in bytes, without the message's header
	ServerName      string
	Protocol        string // ALPN
	Resumed         bool
	// JA4 is the client's fingerprint.
	JA4 ja4.Fingerprint
	// Client is the client's certificate, if it showed one and that was verified; else nil.
	Client *ClientCertificate
	// Policy is that of the server name's zone, as hello compiled it, or nil.
	Policy any
}

// ClientCertificate is a client's certificate that was verified.
type ClientCertificate struct {
	Subject string // RFC 4514
	// Chain leads from the certificate to its authority's. It is package tls's own.
	Chain []*x509.Certificate
}

// ClientSubject is the subject of the client's certificate, or "".
func (t *TLS) ClientSubject() string {
	if t.Client == nil {
		return ""
	}
	return t.Client.Subject
}

// Told is the error of a handshake that went on after the ClientHello, and ended with an alert to the client, who may already have sent
// what was to follow. It should be closed so that the alert can be read.
type Told struct{ Err error }

// Error implements error.
func (t *Told) Error() string { return t.Err.Error() }

// Unwrap is for package errors.
func (t *Told) Unwrap() error { return t.Err }

// Request is a request in its one normal form.
type Request struct {
	ID       reqid.ID
	Received time.Time
	// Client is who asks: the peer, or whom a trusted proxy names. Source is the prefix it is counted by, an IPv4 /32 or an IPv6 /64.
	Client netip.Addr
	Source netip.Prefix

	Proto  string // "HTTP/1.1"
	Scheme string // "http" or "https"
	Method string
	// Host is lower-case, without port and final dot; Authority is the field's own text.
	Host, Authority string
	// Path has dot segments and needless percent-encoding removed; Query is as received, HasQuery tells "?" from nothing.
	Path, Query string
	HasQuery    bool
	// Target is the request target as received, for the log.
	Target string
	// Fields are as received, in order.
	Fields []Field
	// Length is the body's in bytes: 0 for none, -1 for unknown.
	Length int64
	// Expect tells that the client waits for 100 (Continue) before it sends the body.
	Expect bool
	// Upgrade is the protocol asked for, or "".
	Upgrade string
	// Fingerprint is that of the head, as it was received; none of one that was not understood.
	Fingerprint hfp.Fingerprint
	// Locator tells where the client is, if somebody asks (see Location).
	Locator  Locator
	location Location
	located  bool

	// HostHeader, unless "", is what the origin gets as Host, and Pool the one of its zone's that is asked in place of the zone's own origin:
	// rules alone say so.
	HostHeader, Pool string

	Refusal *Refusal
}

// ChallengePath begins the paths that an ACME authority asks for over HTTP (RFC 8555 §8.3).
const ChallengePath = "/.well-known/acme-challenge/"

// Zone is the zone that a flow belongs to; zone sets it, and the path alone looks inside.
type Zone interface {
	Name() string
}

// Verdict is what weeding decided.
type Verdict struct {
	Action Action
	// Rule names the rule that decided; Dry those that would have refused if they were not in a dry run, or undone, as Undone tells.
	Rule   string
	Dry    []string
	Undone bool
	// Rewritten is the request as rules have changed it, for the cache and the origin; nil if they have not. See [Flow.Effective].
	Rewritten *Request
	// Responding are changes of the response's header.
	Responding []Change
	Settings   Settings
	// Charged are the zone's limits, a bit each, of which the source paid for a request to the origin; Counted tells that rules' rate limits
	// have counted one.
	Charged uint8
	Counted bool
	// Unjudged tells that rules spare the request the firewall's rest, Unlimited that they spare it all rate limits of rules, Unbounded the
	// zone's own limits, Unchanged all changes of its response, Spared which rules they spare it by name.
	Unjudged, Unlimited, Unbounded, Unchanged bool
	Spared                                    map[string]bool
	// BotName is the known crawler that the client says it is, BotCategory what that is for; VerifiedBot tells that its address is one of
	// that crawler's. The first requests of an address may come before that is known.
	BotName, BotCategory string
	VerifiedBot          bool
	// Answer is the verdict's own response, neither the cache's nor the origin's nor a refusal: a redirect.
	Answer  *Message
	Refusal *Refusal
}

// Settings are what rules set for one request, in place of its zone's.
type Settings struct {
	// Bypass leaves the cache out. EdgeTTL, if positive, is how long the response is kept, whatever it says but for private.
	Bypass  bool
	EdgeTTL time.Duration
	// NoHTTPSRedirect and NoCompression turn off what the zone would do.
	NoHTTPSRedirect, NoCompression bool
}

// Action is a verdict's outcome.
type Action uint8

// A request passes on, is spared every further check by an allow list, or is refused.
const (
	Pass Action = iota
	Allow
	Block
)

// String is the action's name in logs.
func (a Action) String() string { return [...]string{"pass", "allow", "block"}[a] }

// Cache is what the cache knew and did.
type Cache struct {
	Status CacheStatus
	// Reason says why the cache did not simply hit, or did not store.
	Reason string
	// Age and TTL are of the object served; TTL is negative for a stale one.
	Age, TTL time.Duration
	// Stored tells that this flow's response was kept, Collapsed that it shared another flow's fetch.
	Stored, Collapsed bool
	// Whole tells origin that its response is wanted for the cache: the client's own conditions are left out of the request and
	// Validators, of a stale object, put in.
	Whole      bool
	Validators []Field
	// Asked is what such a request asks for: what the response will be stored under, in place of what the client said. Else one client
	// could choose what others get.
	Asked Asked
	// Refresh wants the same asked for again behind the answer, which is stale.
	Refresh bool
	// Fetch is the cache's own, while this flow fetches for it.
	Fetch any
	// Message is the response to serve, if the cache has it, and Meta what is known of it.
	Message *Message
	Meta    *httpcache.Metadata
	// Coding is the one that the cache itself has put Message in, Uncoded how long that would be without.
	Coding  httpcache.Coding
	Uncoded int64
	Refusal *Refusal
}

// Asked is the part of a request's target that a client has some choice in and a cache's key may not have.
type Asked struct {
	Authority, Query string
	HasQuery         bool
	// Device is the kind of the client's device, if that is in the key.
	Device string
	// Country is the client's, if that is in the key.
	Country string
	// AcceptEncoding takes the place of the client's: it is what suits all who share the response.
	AcceptEncoding string
	// Language, unless "", takes the place of the client's Accept-Language: whoever prefers it shares the response.
	Language string
	// UnsetCookies leaves out the client's Cookie; Cookie, unless "", takes its place.
	UnsetCookies bool
	Cookie       string
}

// Target is what the origin is asked for: what the client asked for, or what the cache has to have.
func (f *Flow) Target() Asked {
	if f.Cache.Whole {
		return f.Cache.Asked
	}
	q := f.Effective()
	return Asked{Authority: q.Authority, Query: q.Query, HasQuery: q.HasQuery}
}

// CacheStatus is the cache's part in a response.
type CacheStatus uint8

// The values that a log shows.
const (
	Bypass      CacheStatus = iota // the cache was not asked
	Hit                            // served from memory
	Miss                           // not there
	Stale                          // served although stale
	Revalidated                    // stale, and the origin confirmed it
)

// String is the status's name in logs.
func (s CacheStatus) String() string {
	return [...]string{"bypass", "hit", "miss", "stale", "revalidated"}[s]
}

// Admission is how the request got its share of the origin's budget.
type Admission struct {
	// Busy tells that the budget is used up, or was a moment ago.
	Busy    bool
	Waited  time.Duration
	Lease   Lease
	Refusal *Refusal
}

// Lease is a share of an origin's budget. Origin gives it back when its exchange is over, at the latest when the message's
// body is closed.
type Lease interface {
	// Attempt asks for one more request on the same share (a retry) and reports whether the budget has room for it now.
	Attempt() bool
	// Upgraded turns the share into a place under the cap of upgraded connections and returns that place's lease; the share is
	// given back. It returns nil if the cap is reached: the share stays.
	Upgraded() Lease
	// Release gives the share back; it is called once.
	Release()
}

// Origin is what the origin was asked and answered.
type Origin struct {
	Address string
	// Attempts counts requests sent, retries included; 0 means that the origin never heard of this flow.
	Attempts int
	Reused   bool
	// FirstByte is the time from sending to the response's head.
	FirstByte time.Duration
	Status    int
	Message   *Message
	// Tunnel is what another protocol carried after a 101, or nil.
	Tunnel  *Tunnel
	Refusal *Refusal
}

// Tunnel is what an upgraded connection carried: bytes to the origin and from it, for how long, and why it ended if not in the
// ordinary way.
type Tunnel struct {
	Sent, Received int64
	Duration       time.Duration
	Err            error
}

// Response is what the client was sent.
type Response struct {
	Status int
	// Fields are the header as written.
	Fields []Field
	// Bytes counts body bytes written.
	Bytes int64
	// Done is when the last byte was handed to the connection.
	Done time.Time
	// Err is why the response did not end as it should, or nil.
	Err error
	// SealedID is the id shown on a refusal.
	SealedID string
}

// Refusal returns the first refusal on the path, or nil.
func (f *Flow) Refusal() *Refusal {
	for _, r := range [...]*Refusal{f.Request.Refusal, f.Unserved, f.Verdict.Refusal, f.Cache.Refusal, f.Admission.Refusal, f.Origin.Refusal} {
		if r != nil {
			return r
		}
	}
	return nil
}

// Message returns the response that the rooms found for the client, or nil.
func (f *Flow) Message() *Message {
	if f.Verdict.Answer != nil {
		return f.Verdict.Answer
	}
	if f.Cache.Message != nil {
		return f.Cache.Message
	}
	return f.Origin.Message
}

// Effective is the request that the cache and the origin are asked: the client's, or what rules have made of it.
func (f *Flow) Effective() *Request {
	if f.Verdict.Rewritten != nil {
		return f.Verdict.Rewritten
	}
	return &f.Request
}

// Now is the time, as precise as its task has it.
func (f *Flow) Now() time.Time {
	if f.Clock != nil {
		return *f.Clock
	}
	return f.Task.Now()
}

// Behind is a flow for the same request, without what became of it, that outlives it: it goes on behind the answer.
func (f *Flow) Behind() *Flow {
	b := &Flow{Abort: new(Abort), Conn: f.Conn, Request: f.Request, Zone: f.Zone}
	b.Request.Fields = slices.Clone(f.Request.Fields)
	b.Verdict.Unjudged, b.Verdict.Unlimited, b.Verdict.Spared = f.Verdict.Unjudged, f.Verdict.Unlimited, f.Verdict.Spared
	b.Verdict.Action, b.Verdict.Settings, b.Cache.Status = f.Verdict.Action, f.Verdict.Settings, f.Cache.Status
	if q := f.Verdict.Rewritten; q != nil {
		b.Verdict.Rewritten = new(Request)
		*b.Verdict.Rewritten = *q
		b.Verdict.Rewritten.Fields = slices.Clone(q.Fields)
	}
	return b
}

// Get returns the first value of the named request field; name is in lower case.
func (r *Request) Get(name string) string { return Get(r.Fields, name) }
