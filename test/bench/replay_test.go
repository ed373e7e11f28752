package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every request of a trace is made once, and what the server calls a hit is counted from when the cache is warm.
func TestWalk(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.String()]++
		mu.Unlock()
		object, err := strconv.Atoi(r.URL.RawQuery)
		if err != nil || object >= traceWarm+100 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Hit", strconv.FormatBool(object < traceWarm || object%2 == 0)) // those before do not count
		w.Write(make([]byte, 8))
	}))
	defer server.Close()
	c := &contender{kind: kind{hit: func(h http.Header) bool { return h.Get("Hit") == "true" }}}
	c.setting.Address = server.Listener.Addr().String()
	var requests []traced
	for i := range traceWarm + 100 {
		requests = append(requests, traced{i, 8})
	}
	share, err := c.walk(t.Context(), requests)
	if err != nil || len(asked) != len(requests) || share != 0.5 {
		t.Errorf("got %d objects, %v of hits and error %v, want %d and half", len(asked), share, err, len(requests))
	}
	if _, err := c.walk(t.Context(), []traced{{len(requests), 8}}); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("got error %v, want the status", err)
	}
}

func TestPrintRatios(t *testing.T) {
	named := func(name string) *contender { return &contender{kind: kind{name: name}} }
	out := named("nginx")
	out.out = "its cache is on disk"
	rows := []ratioRow{
		{trace{name: "zipf"}, []float64{0.5, 0.4}, []float64{0.52, -1, 0.41}},
		{trace{name: "scans"}, []float64{0.3, 0.1}, []float64{0.27, -1, 0.1}},
	}
	var text strings.Builder
	printRatios(&text, scenario{name: "hit-ratio", about: "traces"}, []*contender{named(seawall), out, named("varnish")}, rows)
	want := []string{
		"hit-ratio: traces (% of 40000 requests, after 20000)",
		"trace seawall varnish otter LRU",
		"zipf 52.00 41.00 50.00 40.00", "scans 27.00 10.00 30.00 10.00",
		"nginx: left out: its cache is on disk",
		"bench hit-ratio zipf ratio-to-otter 1.040", "bench hit-ratio zipf ratio-to-LRU 1.300",
		"bench hit-ratio scans ratio-to-otter 0.900", "bench hit-ratio scans ratio-to-LRU 2.700",
	}
	if diff := cmp.Diff(want, unaligned(text.String())); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
