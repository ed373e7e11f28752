package wire

import (
	"fmt"
	"math/rand/v2"
)

// browsers by their shares in hundredths: what counters of European sites showed in 2025 and 2026, rounded.
var browsers = []struct {
	name  string
	share int
	draw  func(*rand.Rand) *Software
}{
	{"chrome", 32, chrome},
	{"android", 28, android},
	{"ios", 18, ios},
	{"firefox", 8, firefox},
	{"edge", 8, edge},
	{"safari", 6, safari},
}

// Majors of the day: each browser has two or three at a time.
const (
	oldestChromium, chromiums = 154, 4
	oldestFirefox, firefoxes  = 157, 3
)

// webkits are the versions of Safari; the systems' that it names stand still.
var webkits = []string{"26.4", "26.5", "26.5.2", "26.6"}

var chromiumHTTP2 = &HTTP2{
	Settings: []Setting{{1, 65536}, {2, 0}, {4, 6291456}, {6, 262144}},
	Window:   15663105,
	Pseudo:   "masp",
	Priority: &Priority{Exclusive: true, Weight: 255},
}

var firefoxHTTP2 = &HTTP2{
	Settings: []Setting{{1, 65536}, {2, 0}, {4, 131072}, {5, 16384}},
	Window:   12517377,
	Pseudo:   "mpas",
	Priority: &Priority{Weight: 41},
	First:    3,
}

var safariHTTP2 = &HTTP2{
	Settings: []Setting{{2, 0}, {3, 100}, {4, 2097152}, {9, 1}},
	Window:   10420225,
	Pseudo:   "msap",
}

var chromiumLoads = &loads{
	order: []string{"Connection", "Content-Length", "Cache-Control", "sec-ch-ua-platform", "User-Agent", "sec-ch-ua", "Content-Type", "sec-ch-ua-mobile",
		"Accept", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Referer", "Accept-Encoding", "Accept-Language", "Range", "Cookie",
		"If-None-Match", "If-Modified-Since", "Priority"},
	accept: map[string]string{"style": "text/css,*/*;q=0.1",
		"image": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"},
	priority: map[string]string{"style": "u=0", "script": "u=1", "font": "u=0", "image": "u=2, i", "empty": "u=1, i"},
	weights:  map[string]uint8{"script": 219, "image": 182, "empty": 219},
	http2:    []string{"Priority"},
	sockets: []string{"Connection", "Pragma", "Cache-Control", "User-Agent", "Upgrade", "Origin", "Sec-WebSocket-Version", "Accept-Encoding",
		"Accept-Language", "Cookie", "Sec-WebSocket-Key"},
}

var agedHTTP2 = &HTTP2{
	Settings: []Setting{{1, 65536}, {3, 1000}, {4, 6291456}, {6, 262144}},
	Window:   15663105,
	Pseudo:   "masp",
	Priority: &Priority{Exclusive: true, Weight: 255},
}

// agedLoads are those of a Chromium of 2020.
var agedLoads = &loads{
	order: []string{"Connection", "Content-Length", "Cache-Control", "Origin", "User-Agent", "Content-Type", "Sec-Fetch-Dest", "Accept", "Sec-Fetch-Site",
		"Sec-Fetch-Mode", "Referer", "Accept-Encoding", "Accept-Language", "Range", "Cookie", "If-None-Match", "If-Modified-Since"},
	accept:  map[string]string{"style": "text/css,*/*;q=0.1", "image": "image/webp,image/apng,image/*,*/*;q=0.8"},
	weights: map[string]uint8{"script": 219, "image": 146, "empty": 219},
	sockets: chromiumLoads.sockets,
}

var firefoxLoads = &loads{
	order: []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Range", "Referer", "Content-Type", "Content-Length", "Origin",
		"Connection", "Cookie", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "If-Modified-Since", "If-None-Match", "Priority",
		"Cache-Control", "TE"},
	accept: map[string]string{"style": "text/css,*/*;q=0.1",
		"image": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"},
	priority: map[string]string{"style": "u=2", "script": "u=2", "font": "u=2", "image": "u=5, i", "empty": "u=4"},
	weights:  map[string]uint8{"style": 31, "script": 31, "font": 21, "image": 21, "empty": 21},
	http2:    []string{"TE"},
	sockets: []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Sec-WebSocket-Version", "Origin", "Sec-WebSocket-Key", "Connection",
		"Cookie", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Pragma", "Cache-Control", "Upgrade"},
}

var safariLoads = &loads{
	order: []string{"Content-Type", "Accept", "Sec-Fetch-Site", "Cookie", "Sec-Fetch-Dest", "Range", "If-None-Match", "If-Modified-Since",
		"Accept-Language", "Sec-Fetch-Mode", "Origin", "User-Agent", "Referer", "Content-Length", "Accept-Encoding", "Connection", "Priority"},
	accept: map[string]string{"style": "text/css,*/*;q=0.1",
		"image": "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"},
	priority: map[string]string{"style": "u=1", "script": "u=1", "font": "u=3", "image": "u=5, i", "empty": "u=3, i"},
	http2:    []string{"Priority"},
	sockets: []string{"Upgrade", "Connection", "Sec-WebSocket-Key", "Origin", "Sec-WebSocket-Version", "Cookie", "Sec-Fetch-Site", "Sec-Fetch-Mode",
		"User-Agent", "Pragma", "Cache-Control", "Accept-Language", "Accept-Encoding", "Sec-Fetch-Dest"},
}

// chromiumLanguages and those of the others differ in how they weigh.
var chromiumLanguages = []string{
	"en-GB,en-US;q=0.9,en;q=0.8", "en-US,en;q=0.9", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7",
	"nl-NL,nl;q=0.9,en-US;q=0.8,en;q=0.7", "es-ES,es;q=0.9", "pl-PL,pl;q=0.9,en-US;q=0.8,en;q=0.7", "da-DK,da;q=0.9,en-US;q=0.8,en;q=0.7",
	"it-IT,it;q=0.9,en-US;q=0.8,en;q=0.7", "uk-UA,uk;q=0.9,en-US;q=0.8,en;q=0.7",
}

var firefoxLanguages = []string{
	"en-GB,en;q=0.9", "en-US,en;q=0.9", "de,en-US;q=0.9,en;q=0.8", "fr,fr-FR;q=0.9,en-US;q=0.8,en;q=0.7", "nl,en-US;q=0.9,en;q=0.8",
	"es-ES,es;q=0.9,en-US;q=0.8,en;q=0.7", "pl,en-US;q=0.9,en;q=0.8", "da,en-US;q=0.9,en;q=0.8",
}

var safariLanguages = []string{
	"en-GB,en;q=0.9", "en-US,en;q=0.9", "de-DE,de;q=0.9", "fr-FR,fr;q=0.9", "nl-NL,nl;q=0.9", "es-ES,es;q=0.9", "pl-PL,pl;q=0.9", "da-DK,da;q=0.9",
}

const chromiumHTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8," +
	"application/signed-exchange;v=b3;q=0.7"

// desktop draws a system as user agents and client hints name it.
func desktop(rng *rand.Rand) (agent, hint string) {
	switch n := rng.IntN(100); {
	case n < 72:
		return "Windows NT 10.0; Win64; x64", "Windows"
	case n < 93:
		return "Macintosh; Intel Mac OS X 10_15_7", "macOS"
	}
	return "X11; Linux x86_64", "Linux"
}

func chrome(rng *rand.Rand) *Software {
	major := oldestChromium + rng.IntN(chromiums)
	system, hint := desktop(rng)
	return chromium(rng, "chrome", "Google Chrome", system, hint, major, "Safari/537.36")
}

func edge(rng *rand.Rand) *Software {
	major := oldestChromium + rng.IntN(chromiums)
	return chromium(rng, "edge", "Microsoft Edge", "Windows NT 10.0; Win64; x64", "Windows", major, fmt.Sprintf("Safari/537.36 Edg/%d.0.0.0", major))
}

func android(rng *rand.Rand) *Software {
	major := oldestChromium + rng.IntN(chromiums)
	return chromium(rng, "chrome", "Google Chrome", "Linux; Android 10; K", "Android", major, "Mobile Safari/537.36")
}

// chromium is what browsers of that engine have in common, which is nearly all.
func chromium(rng *rand.Rand, name, brand, system, hint string, major int, suffix string) *Software {
	mobile := "?0"
	if hint == "Android" {
		mobile = "?1"
	}
	return &Software{
		Name: fmt.Sprintf("%s %d on %s", name, major, hint), Hello: Hello{kind: chromiumHello}, HTTP2: chromiumHTTP2, Scripts: true, loads: chromiumLoads,
		Fields: []Field{
			{"Connection", "keep-alive"}, {"Content-Length", ""}, {"Cache-Control", ""},
			{"sec-ch-ua", brands(major, brand)}, {"sec-ch-ua-mobile", mobile}, {"sec-ch-ua-platform", `"` + hint + `"`},
			{"Origin", ""}, {"Content-Type", ""}, {"Upgrade-Insecure-Requests", "1"},
			{"User-Agent", fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 %s", system, major, suffix)},
			{"Accept", chromiumHTML}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-User", "?1"}, {"Sec-Fetch-Dest", "document"},
			{"Referer", ""}, {"Accept-Encoding", "gzip, deflate, br, zstd"}, {"Accept-Language", one(rng, chromiumLanguages...)}, {"Range", ""},
			{"Cookie", ""}, {"If-None-Match", ""}, {"If-Modified-Since", ""}, {"Priority", "u=0, i"},
		},
	}
}

// brands is sec-ch-ua, whose order and whose brand that is none change with the version, so that nobody relies on them
// (User-Agent Client Hints §3.2; Chromium's components/embedder_support/user_agent_utils.cc).
func brands(major int, brand string) string {
	marks := []string{" ", "(", ":", "-", ".", "/", ")", ";", "=", "?", "_"}
	orders := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	none := fmt.Sprintf(`"Not%sA%sBrand";v="%s"`, marks[major%len(marks)], marks[(major+1)%len(marks)], []string{"8", "99", "24"}[major%3])
	order, list := orders[major%len(orders)], [3]string{}
	list[order[0]] = none
	list[order[1]] = fmt.Sprintf(`"Chromium";v="%d"`, major)
	list[order[2]] = fmt.Sprintf(`"%s";v="%d"`, brand, major)
	return list[0] + ", " + list[1] + ", " + list[2]
}

func firefox(rng *rand.Rand) *Software {
	major := oldestFirefox + rng.IntN(firefoxes)
	system, hint := desktop(rng)
	if hint == "macOS" {
		system = "Macintosh; Intel Mac OS X 10.15"
	}
	return &Software{
		Name: fmt.Sprintf("firefox %d on %s", major, hint), Hello: Hello{kind: firefoxHello}, HTTP2: firefoxHTTP2, Scripts: true, loads: firefoxLoads,
		Fields: []Field{
			{"User-Agent", fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%[2]d.0", system, major)},
			{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
			{"Accept-Language", one(rng, firefoxLanguages...)}, {"Accept-Encoding", "gzip, deflate, br, zstd"},
			{"Range", ""}, {"Referer", ""}, {"Content-Type", ""}, {"Content-Length", ""}, {"Origin", ""}, {"Connection", "keep-alive"}, {"Cookie", ""},
			{"Upgrade-Insecure-Requests", "1"}, {"Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", "none"},
			{"Sec-Fetch-User", "?1"}, {"If-Modified-Since", ""}, {"If-None-Match", ""}, {"Priority", "u=0, i"}, {"Cache-Control", ""}, {"TE", "trailers"},
		},
	}
}

func safari(rng *rand.Rand) *Software {
	version := one(rng, webkits...)
	return webkit(rng, "safari "+version,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/"+version+" Safari/605.1.15")
}

func ios(rng *rand.Rand) *Software {
	version := one(rng, webkits...)
	return webkit(rng, "safari "+version+" on ios", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 "+
		"(KHTML, like Gecko) Version/"+version+" Mobile/15E148 Safari/604.1")
}

func webkit(rng *rand.Rand, name, agent string) *Software {
	return &Software{
		Name: name, Hello: Hello{kind: safariHello}, HTTP2: safariHTTP2, Scripts: true, loads: safariLoads,
		Fields: []Field{
			{"Content-Type", ""}, {"Sec-Fetch-Dest", "document"}, {"User-Agent", agent},
			{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, {"Origin", ""}, {"Sec-Fetch-Site", "none"}, {"Cookie", ""},
			{"Sec-Fetch-Mode", "navigate"}, {"Range", ""}, {"If-None-Match", ""}, {"If-Modified-Since", ""}, {"Referer", ""}, {"Content-Length", ""},
			{"Accept-Language", one(rng, safariLanguages...)}, {"Priority", "u=0, i"}, {"Accept-Encoding", "gzip, deflate, br, zstd"}, {"Connection", "keep-alive"},
		},
	}
}
