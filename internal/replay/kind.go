package replay

import "strings"

// Kind is what sort of visitor a request comes from, as far as its User-Agent tells, which anybody can forge.
type Kind uint8

// The kinds.
const (
	Crawlers Kind = iota // search engines, archives, previews
	Feeds                // readers of feeds and podcasts
	Tools                // programs: curl, git, libraries, monitoring
	Browsers
	Nameless // without an agent
	Others
	kinds // how many there are
)

// String is the kind's name.
func (k Kind) String() string {
	return [...]string{"crawlers", "feed readers", "tools", "browsers", "no agent", "others"}[k]
}

// MarshalText is for JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// sign is what agents of a kind have in them, in lower case. Those that come first count: feed readers call themselves bots, and all call
// themselves Mozilla.
type sign struct {
	text  string
	first bool // only at the beginning
	kind  Kind
}

var signs = []sign{
	{"feed", false, Feeds}, {"rss", false, Feeds}, {"subscribers", false, Feeds}, {"readers)", false, Feeds}, {"newsblur", false, Feeds},
	{"netnewswire", false, Feeds}, {"liferea", false, Feeds}, {"akregator", false, Feeds}, {"miniflux", false, Feeds}, {"inoreader", false, Feeds},
	{"oldreader", false, Feeds}, {"newsboat", false, Feeds}, {"newsbeuter", false, Feeds}, {"newsify", false, Feeds}, {"reeder", false, Feeds},
	{"simplepie", false, Feeds}, {"bazqux", false, Feeds}, {"livejournal.com", false, Feeds}, {"aggregator", false, Feeds}, {"podcast", false, Feeds},
	{"antennapod", false, Feeds}, {"overcast/", false, Feeds}, {"readkit", false, Feeds}, {"elfeed", false, Feeds}, {"gpodder", false, Feeds},
	{"cubot", false, Browsers}, // a telephone
	{"bot", false, Crawlers}, {"crawl", false, Crawlers}, {"spider", false, Crawlers}, {"slurp", false, Crawlers}, {"archiver", false, Crawlers},
	{"mediapartners", false, Crawlers}, {"facebookexternalhit", false, Crawlers}, {"meta-external", false, Crawlers}, {"embedly", false, Crawlers},
	{"whatsapp/", false, Crawlers}, {"bingpreview", false, Crawlers}, {"google-inspectiontool", false, Crawlers}, {"ezooms", false, Crawlers},
	{"siteexplorer", false, Crawlers}, {"nutch", false, Crawlers}, {"heritrix", false, Crawlers}, {"link sleuth", false, Crawlers},
	{"link validator", false, Crawlers}, {"daumoa", false, Crawlers}, {"scrapy", false, Crawlers}, {"chatgpt-user", false, Crawlers},
	{"curl/", true, Tools}, {"wget/", true, Tools}, {"git/", true, Tools}, {"git-lfs/", true, Tools}, {"jgit/", true, Tools},
	{"python", true, Tools}, {"aiohttp", false, Tools}, {"go-http-client", true, Tools}, {"java/", true, Tools}, {"ruby", true, Tools},
	{"libwww-perl", false, Tools}, {"okhttp", true, Tools}, {"axios", true, Tools}, {"node", true, Tools}, {"undici", true, Tools}, {"php", true, Tools},
	{"guzzle", false, Tools}, {"httpclient", false, Tools}, {"httpie", true, Tools}, {"postman", true, Tools}, {"insomnia", true, Tools},
	{"aria2", true, Tools}, {"restsharp", true, Tools}, {"powershell", false, Tools}, {"chef", true, Tools}, {"docker", true, Tools},
	{"containerd", true, Tools}, {"npm/", true, Tools}, {"pip/", true, Tools}, {"debian apt", true, Tools}, {"fetch libfetch", true, Tools},
	{"http_request", true, Tools}, {"faraday", true, Tools}, {"kube-probe", true, Tools}, {"prometheus", true, Tools}, {"zabbix", false, Tools},
	{"uptime", false, Tools}, {"rclone", true, Tools}, {"portscout", true, Tools}, {"stripe/", true, Tools}, {"github-hookshot", true, Tools},
	{"+http", false, Crawlers}, // an address to ask who it is
	{"mozilla/", true, Browsers}, {"opera", true, Browsers}, {"webkit", false, Browsers}, {"safari", false, Browsers}, {"midp", false, Browsers},
	{"wap browser", false, Browsers}, {"cfnetwork", false, Browsers},
}

// kindOf is the kind of who sends an agent.
func kindOf(agent string) Kind {
	if agent == "" {
		return Nameless
	}
	agent = strings.ToLower(agent)
	for i := range signs {
		s := &signs[i]
		if s.first && strings.HasPrefix(agent, s.text) || !s.first && strings.Contains(agent, s.text) {
			return s.kind
		}
	}
	return Others
}

// maxAgents bounds the agents whose kinds are remembered.
const maxAgents = 10_000

// kindsOf remembers the kinds of agents.
type kindsOf map[string]Kind

func (k kindsOf) of(agent string) Kind {
	kind, known := k[agent]
	if !known {
		kind = kindOf(agent)
		if len(k) < maxAgents {
			k[strings.Clone(agent)] = kind
		}
	}
	return kind
}
