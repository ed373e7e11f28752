package scenario

import (
	"regexp"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/spec/config"
)

// Kinds of visitors who are there all along.
func Kinds() []string {
	return []string{
		"browser", "carrier", "office", "tor", "no-script", "text", "feed", "api", "git", "crawler", "webhook", "download", "websocket",
		"monitor", "phone",
	}
}

// Readers are the kinds of visitors who need nothing but pages: those of a scenario for a real site.
func Readers() []string {
	return []string{"browser", "carrier", "office", "tor", "no-script", "text", "phone", "prefetcher"}
}

// EventKinds are kinds of visitors that events can bring: [Kinds], and some that come only so.
func EventKinds() []string { return append(Kinds(), "app", "prefetcher", "backup", "preview") }

// Agents are what the bots of an attack can be: one tool, a tool for each request, random fingerprints, a mix of browsers, or one of the
// programs that people and sites use.
func Agents() []string {
	return []string{
		"tool", "tools", "random", "browsers", "chrome", "edge", "firefox", "safari", "ios", "android", "lynx", "feed", "git", "curl", "wget",
		"python", "go", "node", "java", "okhttp", "crawler", "monitor", "webhook", "backup",
	}
}

// Features are what a scenario may plant: by these its attack can be told from visitors, by all others it can't.
func Features() []string {
	return []string{
		"address", "network", "country", "user-agent", "ja4", "fields", "http2", "protocol", "method", "path", "query", "host", "referer",
		"body", "connection",
	}
}

func networks() []string {
	var names []string
	for _, k := range network.Kinds() {
		names = append(names, string(k))
	}
	return names
}

var (
	fieldName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
	oneLine    = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,80}$`)
	prose      = regexp.MustCompile(`^[^\x00-\x09\x0b-\x1f\x7f]{1,800}$`)
	target     = regexp.MustCompile(`^(/|\{article\})[!-~]{0,999}$`)
	identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	country    = config.Rule{Pattern: regexp.MustCompile(`^[A-Z]{2}$`), Want: "two capital letters, such as DE"}
)

const (
	maxLength  = 60 * time.Second
	maxService = 2 * time.Second // of the site, with one request
)

// rules bound what one key may be; what keys are together, [Scenario.Validate] checks.
func rules() map[string]config.Rule {
	within := config.Rule{Most: int64(maxLength)}
	service := config.Rule{Least: int64(100 * time.Microsecond), Most: int64(maxService)}
	nets := config.Rule{OneOf: networks()}
	called := config.Rule{Required: true, Pattern: identifier, Want: "at most 40 letters in lower case, digits and -"}
	return map[string]config.Rule{
		"Scenario.title":    {Required: true, Pattern: oneLine, Want: "one line of at most 80 letters"},
		"Scenario.about":    {Required: true, Pattern: prose, Want: "at most 800 letters"},
		"Scenario.group":    {Required: true, OneOf: []string{string(GroupAttack), string(GroupEvent)}},
		"Scenario.seed":     {Least: 1, Most: 1 << 31},
		"Scenario.length":   {Required: true, Least: int64(time.Second), Most: int64(maxLength)},
		"Scenario.patience": {Least: int64(100 * time.Millisecond), Most: int64(30 * time.Second)},
		"Scenario.plants":   {OneOf: Features()},

		"Site.pages":   {Pattern: regexp.MustCompile(`^/[!-~]{0,999}$`), Want: "a path without spaces, such as /about"},
		"Site.workers": {Least: 1, Most: 256},
		"Site.backlog": {Most: 10_000},
		"Site.page":    service, "Site.asset": service, "Site.search": service, "Site.login": service,

		"Visitors.count":     {Least: 1, Most: 2000},
		"Visitors.think":     {Least: int64(100 * time.Millisecond), Most: int64(maxLength)},
		"Visitors.kinds":     {Most: 1000, OneOf: Kinds()},
		"Visitors.http2":     {Most: 1},
		"Visitors.countries": country,

		"Attack.name":  called,
		"Attack.kind":  {OneOf: attackKinds()},
		"Attack.from":  within,
		"Attack.until": within,
		"Attack.rate":  {Most: maxRate},
		"Attack.agent": {OneOf: Agents()},
		"Attack.reuse": {Most: 1000},
		"Attack.burst": {Least: 1, Most: 1000},
		"Attack.host": {
			Pattern: regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*$`), Want: "a name in lower case, such as neighbour.test, or address",
		},
		"Shape.kind":        {OneOf: []string{string(Steady), string(Ramp), string(Pulse)}},
		"Shape.on":          within,
		"Shape.off":         within,
		"Sources.count":     {Least: 1, Most: 50_000},
		"Sources.networks":  nets,
		"Sources.countries": country,
		"Sources.shared":    {Most: 1},
		"Request.method":    {OneOf: []string{"GET", "HEAD", "POST"}},
		"Request.path":      {Required: true, Pattern: target, Want: "a path without spaces, such as /search?q={words}"},
		"Request.body":      {Pattern: regexp.MustCompile(`^[ -~\n]{1,1000}$`), Want: "at most 1000 letters of ASCII"},
		"Request.weight":    {Least: 1, Most: 1000},

		"Event.name":      called,
		"Event.kind":      {Required: true, OneOf: EventKinds()},
		"Event.from":      within,
		"Event.until":     within,
		"Event.arrivals":  {Most: 500},
		"Event.entry":     {Pattern: target, Want: "a path without spaces, such as /tickets"},
		"Event.referer":   {Pattern: regexp.MustCompile(`^https?://[!-~]{1,500}$`), Want: "a URL, such as https://news.example/"},
		"Event.steps":     {Least: 1, Most: 100},
		"Event.think":     within,
		"Event.networks":  nets,
		"Event.countries": country,
		"Event.addresses": {Most: 10_000},
	}
}

func attackKinds() []string {
	return []string{
		string(Requests), string(Sessions), string(Handshakes), string(Resets), string(SlowHead), string(SlowBody), string(SlowRead),
	}
}
