package drill

import (
	"cmp"
	"math/rand/v2"

	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/wire"
)

// A role is one kind of visitor.
type role struct {
	name      string
	think     float64 // pause between errands, as a multiple of the scenario's
	steady    bool    // by the clock, not by whim
	stay      int     // errands of a visit in the mean; 0: as many as there is time for
	tries     int     // of an errand
	patience  int     // for an errand, as a multiple of the scenario's
	networks  []network.Kind
	homes     []string // networks by name, of programs that one knows by theirs, if their kind is among networks
	addresses int      // that all of them share; 0: everybody has their own
	turns     bool     // and take in turn
	software  func(*rand.Rand) *wire.Software
	http1     bool    // speaks nothing newer
	conns     int     // at once, over HTTP/1.1
	afresh    bool    // connects for each errand
	slowest   int     // bytes a second that the slowest of them read on a connection; 0: as they come
	lasting   float64 // share of the patience that the big file takes them at their pace; 0: as it comes
	cookies   bool
	caches    bool
	window    bool // a browser with a window
	next      func(v *visitor, n int) errand
	enter     func(v *visitor, path string) errand // by an event's entry; nil: as next does
}

// roles returns all kinds of visitors.
func roles() []role {
	all := append(people(), programs()...)
	for i := range all {
		r := &all[i]
		r.think = cmp.Or(r.think, 1)
		r.tries = cmp.Or(r.tries, 2)
		r.patience = cmp.Or(r.patience, 1)
		r.conns = cmp.Or(r.conns, 1)
		if r.enter == nil {
			r.enter = (*visitor).enterAny
		}
	}
	return all
}

const browserConns = 6 // to one host, over HTTP/1.1

// people returns those who sit before a screen.
func people() []role {
	browser := role{
		stay: 4, software: wire.Browser, conns: browserConns, cookies: true, caches: true, window: true, next: (*visitor).browse,
		networks: []network.Kind{network.Residential, network.University},
	}
	as := func(name string, edit func(*role)) role {
		r := browser
		r.name = name
		edit(&r)
		return r
	}
	return []role{
		as("browser", func(*role) {}),
		as("carrier", func(r *role) {
			r.networks, r.addresses, r.software = []network.Kind{network.Mobile}, 4, oneOf("ios", "android", "android")
		}),
		as("office", func(r *role) { r.networks, r.addresses = []network.Kind{network.Office}, 1 }),
		as("tor", func(r *role) { r.networks, r.addresses, r.software = []network.Kind{network.Tor}, 8, oneOf("firefox") }),
		as("no-script", func(r *role) { r.software = scriptless }),
		as("text", func(r *role) {
			r.software, r.conns, r.caches, r.window, r.next = oneOf("lynx"), 1, false, false, (*visitor).readText
		}),
		as("phone", func(r *role) {
			r.networks, r.software, r.http1, r.conns, r.slowest = []network.Kind{network.Mobile}, oneOf("phone"), true, 4, 96<<10
		}),
		as("websocket", func(r *role) {
			r.stay, r.http1, r.think, r.next, r.enter = 0, true, 0.5, (*visitor).talk, (*visitor).talkAt
		}),
		as("download", func(r *role) { r.stay, r.think, r.caches, r.lasting, r.next = 2, 2, false, 0.2, (*visitor).download }),
		as("prefetcher", func(r *role) { r.next, r.enter = (*visitor).browseAhead, (*visitor).enterAhead }),
	}
}

// programs returns those that run by themselves.
func programs() []role {
	return []role{
		{
			name: "feed", afresh: true, software: oneOf("feed"), caches: true, next: (*visitor).poll,
			networks: []network.Kind{network.Residential, network.Hosting},
		},
		{
			name: "api", think: 0.5, software: oneOf("python", "go", "curl", "okhttp"), next: (*visitor).call,
			networks: []network.Kind{network.Cloud, network.Hosting, network.Office},
		},
		{
			name: "git", stay: 1, patience: 3, software: oneOf("git"), next: (*visitor).clone, // which asks three times in a row
			networks: []network.Kind{network.Residential, network.Cloud, network.University},
		},
		{
			name: "crawler", think: 0.5, steady: true, software: oneOf("crawler"), caches: true,
			networks: []network.Kind{network.Crawler}, homes: []string{"Searchbot"}, addresses: 4, turns: true, next: (*visitor).crawl,
		},
		{
			name: "webhook", tries: 3, afresh: true, software: oneOf("webhook"), next: (*visitor).notify,
			networks: []network.Kind{network.Crawler}, homes: []string{"Paylane Webhooks"}, addresses: 2,
		},
		{
			name: "monitor", steady: true, afresh: true, software: oneOf("monitor"), next: (*visitor).probe,
			networks: []network.Kind{network.Crawler, network.Hosting}, addresses: 3, turns: true,
			homes: []string{"Watchtower Monitoring", "Rackhaus", "Lion City Servers"},
		},
		{
			name: "app", stay: 1, software: oneOf("okhttp"), next: (*visitor).inbox,
			networks: []network.Kind{network.Mobile, network.Residential},
		},
		{
			name: "backup", think: 0.05, steady: true, software: oneOf("backup"), next: (*visitor).backUp,
			networks: []network.Kind{network.Hosting, network.Cloud}, addresses: 1,
		},
		{
			name: "preview", stay: 1, software: oneOf("go", "node"), next: (*visitor).preview, enter: (*visitor).previewOf,
			networks: []network.Kind{network.Crawler}, homes: []string{"Chatterbox Previews"},
		},
	}
}

// oneOf draws software of one of these names.
func oneOf(names ...string) func(*rand.Rand) *wire.Software {
	return func(rng *rand.Rand) *wire.Software {
		name := names[rng.IntN(len(names))]
		s, err := wire.Named(name, rng)
		if err != nil {
			panic("drill: " + err.Error()) // the names above are wire's
		}
		return s
	}
}

// scriptless draws a browser that runs no scripts.
func scriptless(rng *rand.Rand) *wire.Software {
	s := *wire.Browser(rng)
	s.Scripts = false
	return &s
}
