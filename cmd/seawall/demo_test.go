package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/seawall/seawall/internal/drill"
)

// TestDemo tells the short story and checks what does not depend on how fast the machine is: the origin never got more than its budget.
// How many visitors are served does depend on it: `make run` measures that, and here the shield only has to serve more, unless the story
// itself says that its figures can't be trusted.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("the story takes ten seconds")
	}
	var out, errs bytes.Buffer
	if code := run([]string{"demo", "--quick", "--json"}, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	var c drill.Comparison
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if got, budget := c.Shielded.Origin.Peak, c.Shield.Budget; got > budget || budget != c.Shielded.Site.Workers {
		t.Errorf("the origin had %d requests at once, want at most its budget of %d", got, budget)
	}
	if c.Shielded.Attack.Offered < 1000 {
		t.Errorf("the flood was %d requests, want a flood", c.Shielded.Attack.Offered)
	}
	if why, yes := c.Starved(); yes {
		t.Logf("shares not checked: %s", why)
		return
	}
	if bare, shielded := c.Bare.Everyone.During.Served.Value, c.Shielded.Everyone.During.Served.Value; shielded <= bare {
		t.Errorf("visitors served: %.0f %% bare and %.0f %% behind Seawall, want more behind it", 100*bare, 100*shielded)
	}
}
