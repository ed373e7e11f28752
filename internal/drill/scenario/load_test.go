package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec/config"
)

// good is an attack in which everything is as it should be.
const good = `title: T
about: A
group: attack
length: 20s
attacks:
  - name: botnet
    from: 4s
    rate: 100
    requests: [{path: /}]
`

// event is an event likewise.
const event = `title: T
about: A
group: event
length: 10s
events:
  - name: launch
    from: 3s
    arrivals: 10
`

// with has more lines in the first attack or event; the first has number 10, or 9 in an event.
func with(text, lines string) string {
	return text + "    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n"
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		// What a key may be.
		{"empty", "# nothing\n", `s.yaml: is empty`},
		{"no keys", "- a\n", `s.yaml:1: is a list: want keys with values: title, about, group, seed, length, patience, plants, site, visitors, attacks, events`},
		{"no YAML", "title: [\n", `s.yaml:1:`},
		{"unknown key", good + "visitor: {}\n", `s.yaml:10: visitor: is no key here: did you mean visitors?`},
		{"name is no key", good + "name: x\n", `s.yaml:10: name: is no key here: want one of title, about,`},
		{"unknown key in a section", good + "site: {workrs: 5}\n", `s.yaml:10: site.workrs: is no key here: did you mean workers?`},
		{"unknown key in an attack", with(good, "rates: 5"), `s.yaml:10: attacks[0].rates: is no key here: did you mean rate?`},
		{"key of elsewhere", with(good, "count: 5"), `s.yaml:10: attacks[0].count: is no key here: did you mean visitors.count?`},
		{"twice", good + "length: 5s\n", `s.yaml:10: length: stands in line 4 already`},
		{"no title", strings.Replace(good, "title: T\n", "", 1), `s.yaml:1: title: is missing: want one line of at most 80 letters`},
		{"long title", strings.Replace(good, "title: T", "title: "+strings.Repeat("x", 81), 1), `s.yaml:1: title: "xxxxxx`},
		{"no group", strings.Replace(good, "group: attack\n", "", 1), `s.yaml:1: group: is missing: want attack, event`},
		{"no such group", strings.Replace(good, "group: attack", "group: flood", 1), `s.yaml:3: group: "flood" is unknown: want attack, event`},
		{"no length", strings.Replace(good, "length: 20s\n", "", 1), `s.yaml:1: length: is missing: want a time from 1s to 1m`},
		{"too long", strings.Replace(good, "20s", "61s", 1), `s.yaml:4: length: "61s" is out of bounds: want a time from 1s to 1m`},
		{"length without a unit", strings.Replace(good, "20s", "20", 1), `s.yaml:4: length: "20" is no time: want a number with ms, s, m, h or d, such as 10s`},
		{"seed zero", good + "seed: 0\n", `s.yaml:10: seed: "0" is out of bounds: want a number from 1 to 2147483648`},
		{"seed below zero", good + "seed: -1\n", `s.yaml:10: seed: "-1" is out of bounds: want a number from 1 to 2147483648`},
		{"seed is text", good + "seed: x\n", `s.yaml:10: seed: "x" is no whole number`},
		{"impatient", good + "patience: 1ms\n", `s.yaml:10: patience: "1ms" is out of bounds: want a time from 100ms to 30s`},
		{"no such feature", good + "plants: [agent]\n", `s.yaml:10: plants[0]: "agent" is unknown: want address, network, country,`},
		{"no workers", good + "site: {workers: 0}\n", `s.yaml:10: site.workers: "0" is out of bounds: want a number from 1 to 256`},
		{"page in no time", good + "site: {page: 0s}\n", `s.yaml:10: site.page: "0s" is out of bounds: want a time from 100µs to 2s`},
		{"too many visitors", good + "visitors: {count: 2001}\n", `s.yaml:10: visitors.count: "2001" is out of bounds: want a number from 1 to 2000`},
		{"no such kind", good + "visitors: {kinds: {human: 1}}\n", `s.yaml:10: visitors.kinds.human: is no key here: want one of browser, carrier, office,`},
		{"kind of events only", good + "visitors: {kinds: {app: 1}}\n", `s.yaml:10: visitors.kinds.app: is no key here`},
		{"kind twice", good + "visitors: {kinds: {git: 1, git: 2}}\n", `s.yaml:10: visitors.kinds.git: stands twice`},
		{"kinds as a list", good + "visitors: {kinds: [git]}\n", `s.yaml:10: visitors.kinds: is a list: want keys with values`},
		{"weight is text", good + "visitors: {kinds: {git: much}}\n", `s.yaml:10: visitors.kinds.git: "much" is no number`},
		{"weight below zero", good + "visitors: {kinds: {git: -1}}\n", `s.yaml:10: visitors.kinds.git: "-1" is out of bounds: want a number from 0 to 1000`},
		{"weight is no number", good + "visitors: {kinds: {git: .nan}}\n", `s.yaml:10: visitors.kinds.git: ".nan" is no number`},
		{"no weight", good + "visitors: {kinds: {}}\n", `s.yaml:10: visitors.kinds: have no weight: want at least one with a weight of more than 0`},
		{"more than all", good + "visitors: {http2: 1.5}\n", `s.yaml:10: visitors.http2: "1.5" is out of bounds: want a number from 0 to 1`},
		{"country in words", good + "visitors: {countries: [Germany]}\n", `s.yaml:10: visitors.countries[0]: "Germany" does not fit: want two capital letters, such as DE`},
		{"no such country", good + "visitors: {countries: [XX]}\n", `s.yaml:10: visitors.countries: there is no network of kind [residential] in [XX]`},
		{"name with space", strings.Replace(good, "botnet", "bot net", 1), `s.yaml:6: attacks[0].name: "bot net" does not fit: want at most 40 letters in lower case, digits and -`},
		{"no name", strings.Replace(good, "name: botnet\n    ", "", 1), `s.yaml:6: attacks[0].name: is missing: want at most 40 letters in lower case, digits and -`},
		{"no such kind of attack", with(good, "kind: flood"), `s.yaml:10: attacks[0].kind: "flood" is unknown: want requests, sessions,`},
		{"rate too high", strings.Replace(good, "rate: 100", "rate: 20001", 1), `s.yaml:8: attacks[0].rate: "20001" is out of bounds: want a number from 0 to 20000`},
		{"too many sources", with(good, "sources: {count: 50001}"), `s.yaml:10: attacks[0].sources.count: "50001" is out of bounds: want a number from 1 to 50000`},
		{"no such network", with(good, "sources: {networks: [home]}"), `s.yaml:10: attacks[0].sources.networks[0]: "home" is unknown: want residential, mobile,`},
		{"no such agent", with(good, "agent: opera"), `s.yaml:10: attacks[0].agent: "opera" is unknown: want tool, tools, random, browsers,`},
		{"no host", with(good, "host: http://x"), `s.yaml:10: attacks[0].host: "http://x" does not fit: want a name in lower case, such as neighbour.test, or address`},
		{"no such shape", with(good, "shape: {kind: wave}"), `s.yaml:10: attacks[0].shape.kind: "wave" is unknown: want steady, ramp, pulse`},
		{"shape as text", with(good, "shape: ramp"), `s.yaml:10: attacks[0].shape: is text: want keys with values: kind, on, off`},
		{"no such method", strings.Replace(good, "{path: /}", "{path: /, method: PUT}", 1), `s.yaml:9: attacks[0].requests[0].method: "PUT" is unknown: want GET, HEAD, POST`},
		{"no path", strings.Replace(good, "{path: /}", "{method: GET}", 1), `s.yaml:9: attacks[0].requests[0].path: is missing: want a path without spaces, such as /search?q={words}`},
		{"no slash", strings.Replace(good, "path: /", "path: search", 1), `s.yaml:9: attacks[0].requests[0].path: "search" does not fit: want a path without spaces`},
		{"field without a colon", strings.Replace(good, "path: /", "path: /, fields: [Referer]", 1), `s.yaml:9: attacks[0].requests[0].fields[0]: "Referer" is no field: want a name and a value, such as`},
		{"field with a line break", strings.Replace(good, "path: /", `path: /, fields: ["A: b\r\nC: d"]`, 1), `s.yaml:9: attacks[0].requests[0].fields[0]: "A: b\r\nC: d" is no field`},
		{"weight zero", strings.Replace(good, "path: /", "path: /, weight: 0", 1), `s.yaml:9: attacks[0].requests[0].weight: "0" is out of bounds: want a number from 1 to 1000`},
		{"no such kind of event", with(event, "kind: people"), `s.yaml:9: events[0].kind: "people" is unknown: want browser, carrier,`},
		{"too many arrivals", strings.Replace(event, "arrivals: 10", "arrivals: 501", 1), `s.yaml:8: events[0].arrivals: "501" is out of bounds: want a number from 0 to 500`},
		{"no referer", with(event, "referer: news"), `s.yaml:9: events[0].referer: "news" does not fit: want a URL, such as https://news.example/`},
		{"steps without end", with(event, "steps: 101"), `s.yaml:9: events[0].steps: "101" is out of bounds: want a number from 1 to 100`},

		// What keys may be together.
		{"no attack", strings.Split(good, "attacks")[0], `s.yaml:1: attacks: is missing: want at least one where the group is attack`},
		{"no event", strings.Split(event, "events")[0], `s.yaml:1: events: is missing: want at least one where the group is event`},
		{"attack in an event", strings.Replace(good, "group: attack", "group: event", 1), `s.yaml:5: attacks: stands in an event: want none, or the group attack`},
		{"tell in an event", event + "plants: [path]\n", `s.yaml:9: plants: stands in an event: want it only where there is an attack`},
		{"too many attacks", good + strings.Repeat("  - {name: a, rate: 1, requests: [{path: /}]}\n", 16), `s.yaml:1: has 17 attacks and 0 events: want at most 16 of each`},
		{"too much computing", good + "site: {cpu: 0.6}\n", `s.yaml:10: site.cpu: is 0.6: want at most 0.5`},
		{"begins too late", strings.Replace(good, "from: 4s", "from: 20s", 1), `s.yaml:7: attacks[0].from: is 20s: want less than the length of 20s`},
		{"ends too late", with(good, "until: 21s"), `s.yaml:10: attacks[0].until: is 21s: want at most the length of 20s`},
		{"ends before it begins", with(good, "until: 4s"), `s.yaml:10: attacks[0].until: is 4s: want more than from, which is 4s`},
		{"no rate", strings.Replace(good, "    rate: 100\n", "", 1), `s.yaml:6: attacks[0].rate: is missing: want more than 0 a second`},
		{"nothing to ask for", strings.Replace(good, "    requests: [{path: /}]\n", "", 1), `s.yaml:6: attacks[0].requests: is missing: want what is asked for, such as [{path: /}]`},
		{"session with requests", with(good, "kind: sessions"), `s.yaml:9: attacks[0].requests: stands beside the kind sessions, which does as browsers do: leave it out`},
		{"slow body of a GET", with(good, "kind: slow-body"), `s.yaml:9: attacks[0].requests[0].method: is GET: want POST, which has the body to be slow with`},
		{"body of a GET", strings.Replace(good, "path: /", "path: /, body: x", 1), `s.yaml:9: attacks[0].requests[0].body: stands beside the method GET: want POST`},
		{"no such placeholder", strings.Replace(good, "path: /", `path: "/{word}"`, 1), `s.yaml:9: attacks[0].requests[0].path: has {word} in it: want one of {words}, {article},`},
		{"no such placeholder in a body", strings.Replace(good, "path: /", `path: /, method: POST, body: "{x}"`, 1), `s.yaml:9: attacks[0].requests[0].body: has {x} in it`},
		{"no such placeholder in a field", strings.Replace(good, "path: /", `path: /, fields: ["A: {x}"]`, 1), `s.yaml:9: attacks[0].requests[0].fields[0]: has {x} in it`},
		{"too many requests to draw from", strings.Replace(good, "[{path: /}]", "["+strings.Repeat("{path: /},", 65)+"]", 1), `s.yaml:9: attacks[0].requests: has 65 entries: want at most 64`},
		{"too many fields", strings.Replace(good, "path: /", "path: /, fields: ["+strings.Repeat(`"A: b",`, 17)+"]", 1), `s.yaml:9: attacks[0].requests[0].fields: has 17 entries: want at most 16`},
		{"ramp with pulses", with(good, "shape: {kind: ramp, on: 1s}"), `s.yaml:10: attacks[0].shape.on: stands beside the kind ramp: want it and off only of a pulse`},
		{"pulse without end", with(good, "shape: {kind: pulse, on: 1s}"), `s.yaml:10: attacks[0].shape: is on for 1s and off for 0s: want at least 100ms of both`},
		{"more bots than exits", with(good, "sources: {networks: [tor], count: 1000}"), `s.yaml:10: attacks[0].sources.count: is 1000: want at most 76, which is what these networks have`},
		{"no network in the country", with(good, "sources: {networks: [tor], countries: [KE]}"), `s.yaml:10: attacks[0].sources.networks: there is no network of kind [tor] in [KE]`},
		{"too much a second", good + "  - {name: b, rate: 20000, until: 1s, requests: [{path: /}]}\n", `s.yaml:5: attacks: send 20100 requests a second together: want at most 20000`},
		{"too much in all", strings.Replace(strings.Replace(good, "rate: 100", "rate: 20000", 1), "20s", "60s", 1), `s.yaml:5: attacks: send 1120000 requests together: want at most 500000`},
		{"too much held", with(strings.Replace(good, "rate: 100", "rate: 400", 1), "kind: slow-head"), `s.yaml:5: attacks: hold 6400 slow connections together: want at most 6000`},
		{"no arrivals", strings.Replace(event, "    arrivals: 10\n", "", 1), `s.yaml:6: events[0].arrivals: is missing: want more than 0 newcomers a second`},
		{"reload of nothing", with(event, "reload: true"), `s.yaml:9: events[0].reload: stands without an entry: want what is asked for again and again`},
		{"entry to be drawn", with(event, `entry: "/search?q={words}"`), `s.yaml:9: events[0].entry: has {words} in it: want {article}, or a path as it is`},
		{"event without a network", with(event, "networks: [office]\ncountries: [KE]"), `s.yaml:9: events[0].networks: there is no network of kind [office] in [KE]`},
		{"too many newcomers", strings.Replace(strings.Replace(event, "arrivals: 10", "arrivals: 500", 1), "10s", "60s", 1), `s.yaml:5: events: bring 28500 newcomers together: want at most 20000`},
		{"pages that are none", good + "site: {pages: [about]}\n", `s.yaml:10: site.pages[0]: "about" does not fit: want a path without spaces, such as /about`},
		{"a program on a real site", with(event, "kind: git") + "site: {pages: [/]}\n", `s.yaml:9: events[0].kind: is git, which needs the drill's own site: want one of browser,`},
		{"nobody on a real site", event + "site: {pages: [/]}\nvisitors: {kinds: {git: 1}}\n", `s.yaml:10: visitors.kinds: have no weight`},
		{"too many at once", with(strings.Replace(event, "arrivals: 10", "arrivals: 400", 1), "steps: 5"), `s.yaml:5: events: have 2920 people there at once, with the visitors: want at most 2000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("s.yaml", tt.text)
			if _, ok := errors.AsType[*config.Problem](err); !ok {
				t.Fatalf("got %+v and error %v, want a Problem", s, err)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("\ngot  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my-flood.yaml")
	text := with(good, "agent: browsers\nshape: {kind: pulse, on: 1s, off: 2s}\nsources: {count: 40, networks: [mobile], shared: 0.5}") +
		"visitors: {kinds: {browser: 2, git: 0.5}, countries: [DE]}\nevents: [{name: e, arrivals: 1.5, until: 9s, entry: \"{article}\"}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := standard("my-flood")
	want.Title, want.About, want.Group, want.Length = "T", "A", GroupAttack, 20*time.Second
	want.Visitors.Kinds, want.Visitors.Countries = map[string]float64{"browser": 2, "git": 0.5}, []string{"DE"}
	want.Attacks = []Attack{{
		Name: "botnet", Kind: Requests, From: 4 * time.Second, Until: 20 * time.Second, Rate: 100, Agent: "browsers", Burst: 1,
		Shape:    Shape{Kind: Pulse, On: time.Second, Off: 2 * time.Second},
		Sources:  Sources{Count: 40, Networks: []string{"mobile"}, Shared: 0.5},
		Requests: []Request{{Method: "GET", Path: "/", Weight: 1}},
	}}
	want.Events = []Event{{
		Name: "e", Kind: "browser", Until: 9 * time.Second, Arrivals: 1.5, Shape: Shape{Kind: Steady}, Entry: "{article}", Steps: 1,
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := Load(path + ".none"); err == nil || !strings.HasSuffix(err.Error(), "my-flood.yaml.none: cannot be read: no such file or directory") {
		t.Errorf("got error %v of a missing file", err)
	}
}

func TestBuiltin(t *testing.T) {
	s, err := Builtin("pulse-wave")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "pulse-wave" || s.Attacks[0].Shape.Kind != Pulse {
		t.Errorf("got %+v, want the pulse wave", s)
	}
	if _, err := Builtin("../doc"); err == nil || !strings.HasPrefix(err.Error(), `there is no scenario "../doc": want one of few-hot-sources, `) {
		t.Errorf("got error %v of an unknown name", err)
	}
}

func TestShape(t *testing.T) {
	const span = 10 * time.Second
	pulse := Shape{Kind: Pulse, On: 3 * time.Second, Off: time.Second}
	tests := []struct {
		name  string
		shape Shape
		at    time.Duration
		want  float64
	}{
		{"steady, first", Shape{Kind: Steady}, 0, 1},
		{"steady, last", Shape{Kind: Steady}, span - 1, 1},
		{"steady, over", Shape{Kind: Steady}, span, 0},
		{"steady, not yet", Shape{Kind: Steady}, -1, 0},
		{"ramp, first", Shape{Kind: Ramp}, 0, 0},
		{"ramp, half", Shape{Kind: Ramp}, span / 2, 0.5},
		{"pulse, on", pulse, 3*time.Second - 1, 1},
		{"pulse, off", pulse, 3 * time.Second, 0},
		{"pulse, on again", pulse, 4 * time.Second, 1},
		{"pulse, over", pulse, span, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.shape.At(tt.at, span); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	for _, shape := range []Shape{{Kind: Steady}, {Kind: Ramp}, pulse} {
		var sum float64 // of what Total counts, moment by moment
		for at := time.Millisecond / 2; at < span; at += time.Millisecond {
			sum += shape.At(at, span) / 1000
		}
		if got := shape.share(span); got < sum-0.01 || got > sum+0.01 {
			t.Errorf("%s lasts for %v seconds, want %v", shape.Kind, got, sum)
		}
	}
}
