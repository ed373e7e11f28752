package scenario

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNames: every embedded file is listed, attacks first.
func TestNames(t *testing.T) {
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, strings.TrimSuffix(e.Name(), suffix))
	}
	slices.Sort(have) // without the suffix, the order is another
	if got := slices.Sorted(slices.Values(Names())); !slices.Equal(got, have) {
		t.Errorf("names are %v, want those of the files, %v", got, have)
	}
	groups := make(map[Group]int)
	for _, s := range List() {
		if groups[s.Group]++; s.Group == GroupAttack && groups[GroupEvent] > 0 {
			t.Errorf("%s stands behind an event", s.Name)
		}
	}
	if groups[GroupAttack] < 22 || groups[GroupEvent] < 20 {
		t.Errorf("got %v scenarios, want at least 22 attacks and 20 events", groups)
	}
}

// TestTime: the standard drill takes 15 minutes at most, with some seconds around each scenario, and each has a quiet phase first to compare
// with.
func TestTime(t *testing.T) {
	const around = 3 * time.Second
	var sum time.Duration
	for _, s := range List() {
		sum += s.Length + around
		first, quiet := s.Length, 3*time.Second
		for i := range s.Attacks {
			first, quiet = min(first, s.Attacks[i].From), 4*time.Second
		}
		for i := range s.Events {
			first = min(first, s.Events[i].From)
		}
		if s.Name != "cold-start" && first < quiet {
			t.Errorf("%s: begins after %v, want at least %v", s.Name, first, quiet)
		}
	}
	if sum > 15*time.Minute {
		t.Errorf("all take %v, want at most 15m", sum)
	}
}

// TestFits: attack and site fit on two cores with whoever stands between them. New connections are dear, because of TLS.
func TestFits(t *testing.T) {
	const maxRate, maxConnections = 1500, 400
	for _, s := range List() {
		var rate, connections float64
		for i := range s.Attacks {
			a := &s.Attacks[i]
			rate += a.Rate
			switch {
			case a.Kind == Handshakes: // which cost one side only
				connections += a.Rate / 2
			case a.Kind == Sessions || a.Sources.Count <= 200: // which keep theirs
			default:
				connections += a.Rate / float64(a.Burst)
			}
			if joined := a.Total() / float64(a.Burst); a.Kind == Requests && s.Name != "mixed-browsers" && joined < 0.5*float64(a.Sources.Count) {
				t.Errorf("%s: of %d sources only %.0f have a turn", s.Name, a.Sources.Count, joined)
			}
		}
		for i := range s.Events {
			connections += s.Events[i].Arrivals * 2 // browsers over HTTP/1.1 have up to 6, the others one
		}
		if rate > maxRate || connections > maxConnections {
			t.Errorf("%s: %.0f requests and %.0f connections a second, want at most %v and %v", s.Name, rate, connections, maxRate, maxConnections)
		}
	}
}

// TestEverybody: all kinds of visitors are there all along, and enough of each to take some 20 steps.
func TestEverybody(t *testing.T) {
	for _, s := range List() {
		var sum float64
		for _, weight := range s.Visitors.Kinds {
			sum += weight
		}
		for _, kind := range Kinds() {
			seats := s.Visitors.Kinds[kind] / sum * float64(s.Visitors.Count)
			steps := seats * s.Length.Seconds() / s.Visitors.Think.Seconds()
			if s.Name != "tv-mention" && steps < 20 { // which is about few visitors
				t.Errorf("%s: %s takes %.0f steps, want at least 20", s.Name, kind, steps)
			}
		}
	}
}

// TestVariety: every kind of attack, shape and visitor of events is in some scenario.
func TestVariety(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range List() {
		for i := range s.Attacks {
			seen[string(s.Attacks[i].Kind)], seen[string(s.Attacks[i].Shape.Kind)] = true, true
		}
		for i := range s.Events {
			seen[s.Events[i].Kind] = true
		}
	}
	for _, want := range slices.Concat(attackKinds(), []string{"steady", "ramp", "pulse", "app", "prefetcher", "backup", "preview"}) {
		if !seen[want] {
			t.Errorf("%s is in no scenario", want)
		}
	}
}

// TestPlants: what an attack does as no visitor does is planted, as far as its file can tell.
func TestPlants(t *testing.T) {
	for _, s := range List() {
		for i := range s.Attacks {
			for _, feature := range tells(&s.Attacks[i]) {
				if !slices.Contains(s.Plants, feature) {
					t.Errorf("%s: attack %s can be told by its %s, which is not planted", s.Name, s.Attacks[i].Name, feature)
				}
			}
		}
	}
}

// tells are features that separate an attack from visitors.
func tells(a *Attack) []string {
	var out []string
	switch a.Agent {
	case "browsers", "chrome", "firefox", "safari", "edge", "ios", "android":
	default:
		out = append(out, "user-agent", "ja4", "fields", "http2")
	}
	if a.Kind != Requests && a.Kind != Sessions {
		out = append(out, "connection")
	}
	if a.Host != "" {
		out = append(out, "host")
	}
	if a.Rate/float64(a.Sources.Count) > 5 && a.Sources.Shared == 0 { // more than a person does
		out = append(out, "address")
	}
	for _, n := range a.Sources.Networks {
		if n == "hosting" || n == "cloud" {
			out = append(out, "network")
		}
	}
	for _, r := range a.Requests {
		out = append(out, tellsOf(&r, a.Host == "")...)
	}
	return out
}

// tellsOf are features of a request. To another host, any path is one that no visitor of the site sends.
func tellsOf(r *Request, here bool) []string {
	var out []string
	if r.Method != "GET" {
		out = append(out, "method", "body")
	}
	path, query, _ := strings.Cut(r.Path, "?")
	usual := []string{"/", "{article}", "/search", "/files/tide-tables.bin"}
	if here && r.Method == "GET" && !slices.Contains(usual, path) {
		out = append(out, "path")
	}
	if query != "" && (path != "/search" || query != "q={words}") {
		out = append(out, "query")
	}
	for _, f := range r.Fields {
		if f.Name == "Referer" {
			out = append(out, "referer")
		}
	}
	return out
}
