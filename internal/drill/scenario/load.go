package scenario

import (
	"embed"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/spec/config"
)

//go:embed files/*.yaml
var files embed.FS

const suffix = ".yaml"

var form = sync.OnceValue(func() *config.Form[Scenario] {
	return config.NewForm[Scenario](rules(), standardAttack(), standardRequest(), standardEvent())
})

func standardAttack() Attack {
	return Attack{Kind: Requests, Shape: Shape{Kind: Steady}, Sources: Sources{Count: 1000}, Agent: "tool", Burst: 1}
}

func standardRequest() Request { return Request{Method: "GET", Weight: 1} }

func standardEvent() Event { return Event{Kind: "browser", Shape: Shape{Kind: Steady}, Steps: 1} }

// standard is what a scenario is where its file does not say.
func standard(name string) *Scenario {
	return &Scenario{
		Name: name, Seed: 1, Patience: 5 * time.Second,
		Site: Site{
			Workers: 8, Backlog: 256, Page: 50 * time.Millisecond, Asset: 4 * time.Millisecond, Search: 100 * time.Millisecond,
			Login: 100 * time.Millisecond,
		},
		Visitors: Visitors{Count: 120, Think: 2 * time.Second, Kinds: Everybody(), HTTP2: 0.7},
	}
}

// Everybody is the weights of a scenario that names none.
func Everybody() map[string]float64 {
	return map[string]float64{
		"browser": 22, "carrier": 10, "office": 9, "tor": 6, "no-script": 5, "text": 5, "feed": 5, "api": 5, "git": 4, "crawler": 4,
		"webhook": 5, "download": 8, "websocket": 5, "monitor": 4, "phone": 5,
	}
}

// Load reads the scenario of a file. What is wrong with it is a [*config.Problem].
func Load(path string) (*Scenario, error) {
	s := standard(strings.TrimSuffix(filepath.Base(path), suffix))
	if err := form().Read(path, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Parse reads the scenario that a file of this name would have as its text.
func Parse(name, text string) (*Scenario, error) {
	s := standard(strings.TrimSuffix(filepath.Base(name), suffix))
	if err := form().Decode(name, text, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Text is the file of a built-in scenario.
func Text(name string) (string, error) {
	text, err := files.ReadFile("files/" + name + suffix)
	if err != nil {
		return "", fmt.Errorf("there is no scenario %.64q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}

// Builtin is the built-in scenario of this name.
func Builtin(name string) (*Scenario, error) {
	text, err := Text(name)
	if err != nil {
		return nil, err
	}
	return Parse(name+suffix, text)
}

// List is all built-in scenarios, attacks first.
func List() []*Scenario {
	var all []*Scenario
	for _, name := range Names() {
		s, err := Builtin(name)
		if err != nil {
			panic(err) // a test reads each
		}
		all = append(all, s)
	}
	return all
}

// Names are those of the built-in scenarios, in the order of List.
func Names() []string {
	return []string{
		"few-hot-sources", "one-agent", "rotating-agents", "random-fingerprints", "one-browser", "mixed-browsers", "cache-busting",
		"search-posts", "login-posts", "expensive-path", "low-and-slow", "whisper", "referrer-and-pingback", "pulse-wave", "ramp",
		"two-at-once", "launch-under-attack", "handshake-flood", "rapid-reset", "slow-head", "slow-body", "slow-read", "unknown-host",
		"neighbour-zone", "carrier-bots", "tor-bots", "headless-sessions",

		"product-launch", "newsletter", "big-link", "live-event", "ticket-sale", "exam-results", "classroom", "conference-hall",
		"app-push", "app-push-anonymous", "crawler-visit", "two-crawlers", "monitoring-misfire", "backup-job", "prefetching-browser",
		"cold-start", "feed-readers", "webhook-burst", "software-release", "ci-fleet", "polling-screen", "websocket-reconnect",
		"holiday-abroad", "shared-link", "tv-mention", "login-rush",
	}
}
