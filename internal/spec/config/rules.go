package config

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// rule is what a value may be beside its type. Where it stands at a list of texts, it is for each of them.
type rule struct {
	least, most int64          // of numbers, sizes (bytes) and durations (nanoseconds); a most of 0 is no bound
	oneOf       []string       // for text
	pattern     *regexp.Regexp // for text that is not empty
	want        string         // what would be right in place of what does not match the pattern
	required    bool
	off         bool // "off" is the empty text
	secret      bool // never shown
	path        bool // from the folder of the file, if it is relative
	followed    bool // a path whose file is read again when it changes
	appended    bool // to the list of the defaults instead of taking its place
}

// Numbers, sizes and durations that must not be zero.
var positive = rule{least: 1}

var host = rule{
	pattern: regexp.MustCompile(`^(\*|(\*\.)?[A-Za-z0-9_-][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])$`),
	want:    `a name without scheme and port, such as www.example.org, "*.example.org" for all below it, or "*" for all`,
}

var fieldName = rule{pattern: regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), want: "a name, such as X-Currency"}

var pool = rule{pattern: regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`), want: "at most 64 letters, digits, dots, - and _"}

// rules by type and key. What is not here may be anything its type can hold, but nothing is below zero.
var rules = map[string]rule{
	"Node.name": {required: true},
	"Node.admin": {
		pattern: regexp.MustCompile(`:[0-9]{1,5}$`), off: true, want: "an address and a port, such as 127.0.0.1:9901, or off",
	},
	"Node.data": {required: true, path: true},

	"Certificate.chain": {required: true},
	"Certificate.key":   {required: true, secret: true},

	"ACME.email":            {pattern: regexp.MustCompile(`^[^@\s]+@[^@\s]+$`), want: "an address, such as ops@example.org"},
	"Handshakes.open":       positive,
	"Handshakes.per_source": positive,
	"Handshakes.queue":      {least: 1, most: 1 << 20},
	"ECH.config":            {required: true},
	"ECH.key":               {required: true, secret: true},
	"HTTPS.min_version":     {oneOf: []string{"1.2", "1.3"}},

	"Authority.directory": {
		required: true, pattern: regexp.MustCompile(`^https://[^/]+`), want: "the https URL of a directory, such as " + spec.LetsEncrypt,
	},
	"Authority.hmac": {secret: true, pattern: regexp.MustCompile(`^[A-Za-z0-9_-]+={0,2}$`), want: "a key in base64url"},

	"Packets.interfaces":     {pattern: regexp.MustCompile(`^[^/\s]{1,15}$`), want: "the name of an interface, such as eth0"},
	"Packets.mode":           {oneOf: []string{string(spec.PacketsAuto), string(spec.PacketsNative), string(spec.PacketsGeneric), string(spec.PacketsNFTables)}},
	"Packets.syns":           {most: math.MaxUint32},
	"Packets.signatures":     {oneOf: []string{string(spec.SignaturesOff), string(spec.SignaturesMonitor), string(spec.SignaturesEnforce)}},
	"Packets.unusual":        {least: 100, most: math.MaxUint32},
	"Packets.icmp":           {most: math.MaxUint32},
	"Packets.fragments":      {most: math.MaxUint32},
	"PacketCeilings.packets": {most: math.MaxUint32},
	"PacketCeilings.syns":    {most: math.MaxUint32},

	"Connections.max":            positive,
	"Connections.per_source":     positive,
	"Connections.per_network":    positive,
	"Connections.head_timeout":   positive,
	"Connections.idle_timeout":   positive,
	"Connections.stall_timeout":  positive,
	"Connections.tunnel_timeout": positive,
	"HTTP2.streams":              {least: 1, most: 1000},
	"Heads.line":                 positive,
	"Heads.size":                 positive,
	"Heads.fields":               positive,
	"Memory.object":              positive,
	"Disk.path":                  {path: true},
	"Disk.size":                  {least: 4 << 20},
	"Disk.object":                positive,
	"Disk.objects":               {least: 1, most: 1 << 28},
	"Geo.country":                {path: true, followed: true},
	"Geo.asn":                    {path: true, followed: true},
	"Log.path":                   {path: true, off: true},
	"Log.sample":                 positive,
	"Log.fields":                 {oneOf: spec.LogFields()},

	"Zone.name": {
		required: true, pattern: regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`),
		want: "at most 128 letters, digits, dots, - and _, and no dot first",
	},
	"Zone.hosts":               host,
	"Pool.name":                {required: true, pattern: pool.pattern, want: pool.want},
	"Zone.profiles":            {oneOf: profiles.Names()},
	"Zone.action":              {oneOf: []string{string(spec.ActionBlock), string(spec.ActionLog)}},
	"Limits.per_network":       {most: 1 << 16},
	"Cache.set_cookie":         {oneOf: []string{string(spec.StoringRefuse), string(spec.StoringStore)}},
	"Cache.request_directives": {oneOf: []string{string(spec.ObeyingIgnore), string(spec.ObeyingHonor)}},
	"Cache.broken_age":         {oneOf: []string{string(spec.BrokenAgeIgnore), string(spec.BrokenAgeStale)}},
	"Cache.post":               {oneOf: []string{string(spec.StoringRefuse), string(spec.StoringStore)}},
	"Cache.languages": {
		pattern: regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`), want: "language tags, such as en or pt-br",
	},
	"Prefetch.sitemap": {
		pattern: regexp.MustCompile(`^(https?://[^/?#@\s]+)?/\S*$`), want: "a path, such as /sitemap.xml, or a URL of the zone's, such as https://www.example.org/sitemap.xml",
	},
	"CacheKey.query":     {oneOf: []string{spec.QueryAll, spec.QueryNone}},
	"CacheKey.headers":   fieldName,
	"CacheKey.cookies":   fieldName,
	"CacheRule.paths":    {pattern: regexp.MustCompile(`^[/*]`), want: "a path, such as /assets/* or *.css"},
	"CacheRule.statuses": {pattern: regexp.MustCompile(`^[2-5][0-9][0-9](-[2-5][0-9][0-9])?$`), want: "a status or a range of them, such as 404 or 200-299"},
	"CacheStatic.extensions": {
		pattern: regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`), want: "letters and digits without a dot, such as css",
	},
	"List.name": {
		required: true, pattern: regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`), want: "at most 50 letters in lower case, digits and _, a letter first",
	},
	"List.kind": {required: true, oneOf: spec.ListKinds()},

	"Crawlers.resolver": {
		pattern: regexp.MustCompile(`^([0-9.]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?|[0-9A-Fa-f:]+:[0-9A-Fa-f:]*)$`),
		want:    "a DNS server's address, such as 127.0.0.1 or [2001:db8::53]:53",
	},
	"Crawler.name":  {required: true, pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`), want: "at most 64 letters, digits, spaces, dots, - and _"},
	"Crawler.agent": {required: true, pattern: regexp.MustCompile(`^[!-~]{3,64}$`), want: "3 to 64 letters, digits and signs"},
	"Crawler.category": {
		pattern: regexp.MustCompile(`^[a-z][a-z_]{0,31}$`), want: "a word in lower case, such as search",
	},
	"Crawler.names": {pattern: regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`), want: "a domain in lower case, such as googlebot.com"},

	"Crawler.directory": {
		pattern: regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`), want: "a host, such as bot.example.org",
	},

	"Lists.allow": {appended: true},
	"Lists.deny":  {appended: true},

	"Rules.http_request_dynamic_redirect":   {appended: true},
	"Rules.http_request_transform":          {appended: true},
	"Rules.http_config_settings":            {appended: true},
	"Rules.http_request_origin":             {appended: true},
	"Rules.http_request_firewall_custom":    {appended: true},
	"Rules.http_ratelimit":                  {appended: true},
	"Rules.http_request_late_transform":     {appended: true},
	"Rules.http_request_cache_settings":     {appended: true},
	"Rules.http_response_headers_transform": {appended: true},
	"Rule.name": {
		required: true, pattern: regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`), want: "at most 64 letters, digits, dots, - and _",
	},
	"Rule.expression": {required: true},
	"Rule.action": {required: true, oneOf: []string{
		string(spec.RuleBlock), string(spec.RuleLog), string(spec.RuleSkipping), string(spec.RuleRedirects), string(spec.RuleRewrites),
		string(spec.RuleRoutes), string(spec.RuleSetCache), string(spec.RuleSetConfig),
	}},
	"RuleRoute.pool":       pool,
	"RuleHeader.name":      fieldName,
	"RuleHeader.operation": {oneOf: []string{"", "set", "add", "remove"}},
	"RuleRateLimit.period": {most: int64(24 * time.Hour)},

	"Compression.codings": {oneOf: spec.Codings()},
	"Compression.types": {
		pattern: regexp.MustCompile(`^[a-z0-9.+-]+/([a-z0-9.+-]+|\*)$`), want: "a media type in lower case, such as text/html, or text/* for all of a kind",
	},

	"Origin.balance": {oneOf: []string{
		string(spec.BalanceRoundRobin), string(spec.BalanceLeastRequests), string(spec.BalanceSource),
	}},
	"Origin.all_down":         {oneOf: []string{string(spec.AllDownRefuse), string(spec.AllDownTry)}},
	"Origin.protocol":         {oneOf: []string{string(spec.ProtocolHTTP1), string(spec.ProtocolHTTP2)}},
	"Origin.proxy_protocol":   {oneOf: []string{"", "v1", "v2"}},
	"Origin.connect_timeout":  positive,
	"Origin.response_timeout": positive,
	"Origin.stall_timeout":    positive,
	"Origin.idle_timeout":     positive,
	"Server.url": {
		required: true, pattern: regexp.MustCompile(`^(https?://[^/?#@\s]+/?|unix:/\S+)$`),
		want: "a server's address, such as http://10.0.0.5:3000, https://app.internal or unix:/run/app.sock",
	},
	"Server.weight": {most: 256},
	"TLS.key":       {secret: true},

	"Health.path":     {pattern: regexp.MustCompile(`^/\S*$`), want: "a path, such as /healthz"},
	"Health.host":     host,
	"Health.interval": positive,
	"Health.timeout":  positive,
	"Health.status": {
		pattern: regexp.MustCompile(`^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$`),
		want:    "statuses, such as 200-399 or 200,204", required: true,
	},
	"Health.rise": positive,
	"Health.fall": positive,
}

// bounds are the least and the most that a number may be.
func (r *rule) bounds() (least, most int64) {
	if r.most == 0 {
		return r.least, math.MaxInt64
	}
	return r.least, r.most
}

// excludes tells whether a value is a number that is out of bounds.
func (r *rule) excludes(v reflect.Value) bool {
	least, most := r.bounds()
	switch {
	case v.CanInt():
		return v.Int() < least || v.Int() > most
	case v.CanUint():
		return v.Uint() < uint64(least) || v.Uint() > uint64(most)
	case v.CanFloat():
		return v.Float() < float64(least) || v.Float() > float64(most)
	}
	return false
}

// A section is a struct of spec as keys with values.
type section struct {
	name   string
	fields []field
	byKey  map[string]*field
}

// field is one key of a section.
type field struct {
	key   string
	index int // of the struct's field; shorthand for none
	typ   reflect.Type
	rule  rule
	names int // of the struct's field that has what begins with a $ of this list; 0 for none
}

// namesOption marks a field that holds a part of the one before it with the same key.
const namesOption = "names"

// shorthand is the index of origin.url, which stands for the list of one server.
const shorthand = -1

// sections are all that a file can hold, by their types.
var sections = sync.OnceValue(func() map[reflect.Type]*section {
	all := make(map[reflect.Type]*section)
	describe(all, reflect.TypeFor[spec.Node](), rules)
	describe(all, reflect.TypeFor[spec.Zone](), rules)
	return all
})

func sectionOf(t reflect.Type) *section { return sections()[t] }

// describe adds a type, and those in it, with the rules by "Type.key". A field tagged "-" is no key.
func describe(all map[reflect.Type]*section, t reflect.Type, by map[string]rule) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isText(t) || all[t] != nil {
		return
	}
	s := &section{name: t.Name(), byKey: make(map[string]*field)}
	all[t] = s
	if t == reflect.TypeFor[spec.Origin]() {
		s.fields = append(s.fields, field{key: "url", index: shorthand, typ: reflect.TypeFor[string](), rule: rules["Server.url"]})
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "-" {
			continue
		}
		if option == namesOption {
			at := slices.IndexFunc(s.fields, func(of field) bool { return of.key == key })
			s.fields[at].names = i
			continue
		}
		s.fields = append(s.fields, field{key: key, index: i, typ: f.Type, rule: by[s.name+"."+key]})
		describe(all, f.Type, by)
	}
	for i := range s.fields {
		s.byKey[s.fields[i].key] = &s.fields[i]
	}
}
