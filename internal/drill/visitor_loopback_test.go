package drill

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// On real sockets: sources bind, and the site sees everybody by the address that was claimed for them.
func TestCrowdOnLoopback(t *testing.T) {
	book := &ledger{claimed: map[netip.Addr]bool{}, town: &town{}}
	var mu sync.Mutex
	seen := map[netip.Addr]bool{}
	truth := func(source netip.Addr, _, _ string) site.Who {
		mu.Lock()
		defer mu.Unlock()
		seen[source] = true
		return site.Visitor
	}
	config := site.Config{Workers: 64, Backlog: 1024, Page: time.Millisecond, Asset: time.Millisecond}
	origin, err := site.Start(config, "127.0.0.1:0", "harbour.test", printed(), truth)
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	target, err := wire.Resolve(t.Context(), origin.URL(), "harbour.test")
	if err != nil {
		t.Fatal(err)
	}
	s := everybody()
	s.Length, s.Visitors.Think = time.Second, 300*time.Millisecond
	var rec score.Recorder
	c := newCrowd(s, &wire.Dialer{Target: target, Fault: func(err error) { t.Error(err) }}, printed(), &rec, &clock{start: time.Now()}, book)
	if err := c.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := town{}
	w.samples, _ = rec.Samples()
	if d := cmp.Diff(map[string]int{"served": len(w.samples)}, w.outcomes("")); d != "" || len(w.samples) < 50 {
		t.Errorf("%d steps, want at least 50; outcomes (-want +got):\n%s", len(w.samples), d)
	}
	for source := range seen {
		if !book.claimed[source] {
			t.Errorf("the site saw %s, which no visitor had claimed", source)
		}
	}
	if len(seen) < 20 || book.open != 0 {
		t.Errorf("the site saw %d addresses, and %d requests are left; want at least 20, and none", len(seen), book.open)
	}
}
