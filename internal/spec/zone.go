package spec

import (
	"net/netip"
	"time"

	"github.com/seawall/seawall/ja4"
)

// AnyHost as a zone's host takes every request that no other zone takes.
const AnyHost = "*"

// Zone is one site: its hosts, its origin and how both are protected.
type Zone struct {
	// Name identifies the zone in logs, metrics and explanations.
	Name string `yaml:"name"`
	// Hosts are exact names ("www.example.org"), wildcards for one or more labels ("*.example.org"), or [AnyHost].
	Hosts []string `yaml:"hosts"`

	Origin Origin `yaml:"origin"`
	// Pools are origins beside that one, at most 100, for requests that rules route to them: an API's servers, for example.
	Pools  []Pool `yaml:"pools"`
	HTTPS  HTTPS  `yaml:"https"`
	Lists  Lists  `yaml:"lists"`
	Limits Limits `yaml:"limits"`
	// Action is what a matching deny list or limit does.
	Action Action `yaml:"action"`
	Budget Budget `yaml:"budget"`
	Cache  Cache  `yaml:"cache"`

	Compression Compression `yaml:"compression"`
	// Profiles are ready sets of rules for sites of a kind, such as wordpress; docs/profiles.md shows them. Their rules come first, and are
	// called wordpress.xmlrpc, for example: a rule of the zone's that has that name takes the place of the profile's.
	Profiles []string `yaml:"profiles"`
	// Rules judge and change requests, in Cloudflare's language.
	Rules Rules `yaml:"rules"`
}

// HTTPS is how visitors reach a zone in private.
type HTTPS struct {
	// Redirect sends who comes over HTTP to HTTPS (308), ACME challenges aside.
	Redirect bool `yaml:"redirect"`
	HSTS     HSTS `yaml:"hsts"`
	// ACME obtains certificates for the zone's exact hosts, if the node has an ACME account.
	ACME bool `yaml:"acme"`
	// Certificates are the zone's own, which come before those obtained.
	Certificates []Certificate `yaml:"certificates"`
	// MinVersion is the least version of TLS: "1.2" or "1.3".
	MinVersion string `yaml:"min_version"`
	// DenyFingerprints are the JA4 fingerprints of clients whose handshakes for the zone's hosts are refused. A zone's entries come to
	// those of the node.
	DenyFingerprints   []ja4.Fingerprint  `yaml:"deny_fingerprints"`
	ClientCertificates ClientCertificates `yaml:"client_certificates"`
}

// ClientCertificates says whose certificates visitors show (mutual TLS). Without a CA, none is asked for.
type ClientCertificates struct {
	// CA is the authorities that issue them.
	CA PEM `yaml:"ca"`
	// Required refuses handshakes without one. If it is not, who shows none is served, but a bad one is refused.
	Required bool `yaml:"required"`
}

// HSTS is Strict-Transport-Security (RFC 6797): browsers come over HTTPS only, for MaxAge from their last visit. A MaxAge of 0 sends
// nothing.
type HSTS struct {
	// MaxAge is how long browsers remember it from their last visit; 0 sends nothing.
	MaxAge time.Duration `yaml:"max_age"`
	// IncludeSubdomains is for all hosts below, too.
	IncludeSubdomains bool `yaml:"include_subdomains"`
	// Preload asks for a place in the lists that browsers come with.
	Preload bool `yaml:"preload"`
}

// Lists are the sources that a zone always or never serves. The more specific prefix wins; at equal length, allow.
type Lists struct {
	// Allow is never refused by lists and limits. A zone's entries come to those of the defaults.
	Allow []netip.Prefix `yaml:"allow"`
	// Deny is always refused, or as the zone's action says. A zone's entries come to those of the defaults.
	Deny []netip.Prefix `yaml:"deny"`
	// Named are lists that this zone alone knows by their names. Allow and Deny may have names of lists of addresses among their
	// entries, the node's too: $name.
	Named []List `yaml:"named"`

	// AllowNamed and DenyNamed are the names among the entries of Allow and Deny, without the $.
	AllowNamed []string `yaml:"allow,names"`
	DenyNamed  []string `yaml:"deny,names"`
}

// Action is what a matching rule does.
type Action string

// ActionBlock refuses; ActionLog only records that it would have refused (a dry run).
const (
	ActionBlock Action = "block"
	ActionLog   Action = "log"
)

// Rate is Requests per Per, with Burst more at once. The zero Rate is no limit. As text it is "50/s", "50/s burst 200" or "off".
type Rate struct {
	Requests int
	Per      time.Duration
	Burst    int
}

// Limits are per source: an IPv4 address or an IPv6 /64. Requests counts everything, the others only what would reach the
// origin, so that many people behind one address who browse cached pages are not refused. A zero Rate ("off") is no limit.
type Limits struct {
	// Requests bounds all requests of a source.
	Requests Rate `yaml:"requests"`
	// OriginRequests bounds those that would reach the origin.
	OriginRequests Rate `yaml:"origin_requests"`
	// OriginRequestsBusy bounds them while the origin's budget is used up, and for 10 seconds after: a hall full of people behind one
	// address may take what nobody else needs. Requests count before, too. Without a budget it bounds nothing.
	OriginRequestsBusy Rate `yaml:"origin_requests_busy"`
	// PerNetwork is how many times as much the sources of one network may have together (an IPv4 /24 or an IPv6 /48), in which one
	// attacker may have many; 0 is no bound.
	PerNetwork int `yaml:"per_network"`
}

// Budget is what an origin may be given, whatever arrives outside.
type Budget struct {
	// Concurrent bounds requests at the origin at one time, all servers together. 0 is no bound.
	Concurrent int `yaml:"concurrent"`
	// Rate bounds requests to the origin. The zero Rate ("off") is no bound.
	Rate Rate `yaml:"rate"`
	// Queue bounds the requests that wait for the budget. With a Queue of 0 none waits.
	Queue int `yaml:"queue"`
	// QueueTimeout is how long a request may wait for the budget.
	QueueTimeout time.Duration `yaml:"queue_timeout"`
	// Upgrades bounds WebSockets and other upgraded connections, which do not count as concurrent requests once the origin has
	// agreed to them. 0 allows none.
	Upgrades int `yaml:"upgrades"`
}

// Cache says whether and how responses are kept.
type Cache struct {
	// Enabled keeps what responses allow to be kept.
	Enabled bool `yaml:"enabled"`
	// Waiters bounds the requests that may wait for one fetch of the same object.
	Waiters int         `yaml:"waiters"`
	Key     CacheKey    `yaml:"key"`
	Static  CacheStatic `yaml:"static"`
	// Rules are tried in order: the first that fits says whether the cache has a part in a request (bypass), and the first that fits a
	// response how long it is kept (ttl).
	Rules []CacheRule `yaml:"rules"`
	// Survive keeps copies of the pages that visitors ask for, beside what caches may use, to serve them while the origin can't be reached or
	// fails, at most for this time; 0 keeps none. A copy is what anybody gets: never what says no-store or private, and only from requests
	// without Cookie and Authorization.
	Survive  time.Duration `yaml:"survive"`
	Prefetch Prefetch      `yaml:"prefetch"`
	// PurgeFrom are the sources whose requests with the method PURGE drop what is stored under their target.
	PurgeFrom []netip.Prefix `yaml:"purge_from"`
	// SetCookie is what becomes of responses with Set-Cookie: refuse, or store, and every later visitor gets the cookie, too. One that
	// the origin calls private ("Set-Cookie" in quotes) is kept from others in either case.
	SetCookie Storing `yaml:"set_cookie"`
	// RequestDirectives is what becomes of a client's no-cache, no-store, max-age and min-fresh: ignore, or honor, and anybody can have
	// the origin asked.
	RequestDirectives Obeying `yaml:"request_directives"`
	// BrokenAge is what an origin's Age means that is repeated or no number: ignore takes the first value and ignores what is no
	// number (RFC 9111), stale takes the response for stale at once.
	BrokenAge BrokenAge `yaml:"broken_age"`
	// Post is what becomes of responses to POST that say how long they are fresh and have the address itself as Content-Location:
	// refuse, or store, and they answer later GETs.
	Post Storing `yaml:"post"`
	// Languages are those that the site has, the one it falls back on first, such as [en, pt-br]: then the origin is asked for the one
	// that a visitor prefers and for nothing else, and responses that vary by Accept-Language are kept once for each. Without any,
	// every spelling of Accept-Language is another visitor's.
	Languages []string `yaml:"languages"`
}

// Prefetch fetches the pages of a site map that are not stored, before a visitor asks for them: as a visitor without cookies would, one at a time,
// only while nobody waits for the origin and half of its budget is free, not while it is unwell, and not what its robots.txt denies to
// seawall-prefetch.
type Prefetch struct {
	// Every is how often the map is gone through; 0 never.
	Every time.Duration `yaml:"every"`
	// Sitemap is the map: a path ("/sitemap.xml") on the zone's first host, or a URL of one of its hosts. Without it, the maps are those that
	// robots.txt names. Pages are fetched for visitors who come as the URL says; without one, over HTTPS if https.redirect is on, else over HTTP.
	Sitemap string `yaml:"sitemap"`
	// Rate bounds the requests, which come one after another: a burst means nothing here.
	Rate Rate `yaml:"rate"`
}

// CacheKey is what requests must have in common, beside host, path and the fields that a response names in Vary, to share a response.
// What it leaves out of a query is not sent to the origin either, or one visitor could choose what others get.
type CacheKey struct {
	// Query is "all" of it or "none".
	Query string `yaml:"query"`
	// QueryIgnore are the parameters that are left out. A * stands for anything: "utm_*".
	QueryIgnore []string `yaml:"query_ignore"`
	// QueryOnly, unless empty, are the only parameters that are left in.
	QueryOnly []string `yaml:"query_only"`
	// QuerySort takes parameters in the order of their names.
	QuerySort bool `yaml:"query_sort"`
	// Headers are fields whose values are part of the key.
	Headers []string `yaml:"headers"`
	// Cookies are those whose values are part of the key.
	Cookies []string `yaml:"cookies"`
	// Device tells mobile, tablet and desktop apart, by User-Agent; the origin is told in X-Device-Type.
	Device bool `yaml:"device"`
	// Country tells countries apart, by the node's geo.country; the origin is told in CF-IPCountry.
	Country bool `yaml:"country"`
}

// The values of CacheKey.Query.
const (
	QueryAll  = "all"
	QueryNone = "none"
)

// CacheStatic keeps files of usual kinds whose responses say nothing of how long (neither Cache-Control nor Expires), if their type is
// that of their name's extension.
type CacheStatic struct {
	// TTL is for how long; those not found and moved for 3 minutes at most. 0 keeps none.
	TTL time.Duration `yaml:"ttl"`
	// Extensions are those of the paths.
	Extensions []string `yaml:"extensions"`
}

// CacheRule is what to do with requests of certain paths and cookies. It has bypass or a ttl.
type CacheRule struct {
	// Paths are those it is for, in which a * stands for anything; none is for all.
	Paths []string `yaml:"paths"`
	// Cookies makes it be for requests that have one of these. A * in a name stands for anything.
	Cookies []string `yaml:"cookies"`
	// Statuses makes a ttl be for responses with one of these, such as "200-299"; with none it is for those that may be stored without being asked to.
	Statuses []string `yaml:"statuses"`
	// Bypass leaves such requests to the origin.
	Bypass bool `yaml:"bypass"`
	// TTL is how long such responses are fresh if they do not say so themselves.
	TTL time.Duration `yaml:"ttl"`
	// Override takes the ttl whatever Cache-Control and Expires say, but for private; what sets a cookie is not stored either.
	Override bool `yaml:"override"`
	// UnsetCookies makes such pages, and keeps them, as for a visitor without cookies: the origin is not sent Cookie (but for those in
	// cache.key.cookies), and what is kept goes to nobody with Set-Cookie. Requests with Authorization are bypassed; who is logged in by a cookie
	// wants a rule with bypass.
	UnsetCookies bool `yaml:"unset_cookies"`
}

// staticExtensions are what CDNs usually keep.
func staticExtensions() []string {
	return []string{
		"7z", "apk", "avi", "avif", "bin", "bmp", "bz2", "css", "csv", "deb", "eot", "flac", "gif", "gz", "ico", "iso", "jar", "jpeg", "jpg", "js",
		"mid", "midi", "mjs", "mkv", "mp3", "mp4", "ogg", "opus", "otf", "pdf", "png", "svg", "svgz", "tar", "tif", "tiff", "ttf", "wasm", "wav", "webm",
		"webmanifest", "webp", "woff", "woff2", "xz", "zip", "zst",
	}
}

// DefaultZone protects a typical site on one server; name, hosts and origin are left to the caller.
func DefaultZone() Zone {
	return Zone{
		Origin: Origin{
			Balance:         BalanceRoundRobin,
			AllDown:         AllDownRefuse,
			Protocol:        ProtocolHTTP1,
			ConnectTimeout:  5 * time.Second,
			ResponseTimeout: 60 * time.Second,
			StallTimeout:    60 * time.Second,
			IdleTimeout:     60 * time.Second,
			Retries:         1,
			Health: Health{
				Interval:    5 * time.Second,
				Timeout:     2 * time.Second,
				Status:      "200-399",
				Rise:        2,
				Fall:        3,
				MaxFails:    3,
				FailTimeout: 10 * time.Second,
				SlowStart:   10 * time.Second,
			},
		},
		HTTPS: HTTPS{ACME: true, MinVersion: "1.2", ClientCertificates: ClientCertificates{Required: true}},
		Limits: Limits{
			// A hall of people behind one address opens pages with dozens of files each, most of which the cache has.
			Requests:           Rate{Requests: 200, Per: time.Second, Burst: 2000},
			OriginRequestsBusy: Rate{Requests: 30, Per: time.Second, Burst: 300},
			// A quarter of a /24 may use its limits up, and thousands of people behind a carrier's or a university's addresses may
			// browse at once; of an IPv6 /48's 65,536 sources an attacker gains no more than 64.
			PerNetwork: 64,
		},
		Action: ActionBlock,
		Budget: Budget{
			Concurrent:   64,
			Queue:        2048,
			QueueTimeout: 10 * time.Second,
			Upgrades:     1024,
		},
		Cache: Cache{
			Enabled:   true,
			Waiters:   10_000,
			Key:       CacheKey{Query: QueryAll},
			Static:    CacheStatic{TTL: 2 * time.Hour, Extensions: staticExtensions()},
			Prefetch:  Prefetch{Rate: Rate{Requests: 1, Per: time.Second}},
			SetCookie: StoringRefuse, RequestDirectives: ObeyingIgnore, BrokenAge: BrokenAgeIgnore, Post: StoringRefuse,
		},
		Compression: defaultCompression(),
	}
}
