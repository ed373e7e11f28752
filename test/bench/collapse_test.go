package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSlowOrigin(t *testing.T) {
	const takes = 20 * time.Millisecond
	o, err := newSlowOrigin([]byte("seawall\n"), takes)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	began := time.Now()
	var asks sync.WaitGroup
	for range 3 {
		asks.Go(func() {
			res, err := http.Get("http://" + o.listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || string(body) != "seawall\n" || !strings.Contains(res.Header.Get("Cache-Control"), "public") {
				t.Errorf("got %q, %v and error %v, want what a cache may store", body, res.Header, err)
			}
		})
	}
	asks.Wait()
	if took := time.Since(began); o.fetched.Load() != 3 || took < takes {
		t.Errorf("got %d fetches in %v, want 3 in %v at least", o.fetched.Load(), took, takes)
	}
}

func TestPrintCollapsed(t *testing.T) {
	named := func(name string) *contender { return &contender{kind: kind{name: name}} }
	out := named("caddy")
	out.out = "it has no cache"
	contenders := []*contender{named(seawall), named("nginx"), named("varnish"), out}
	results := []collapsed{
		{fetched: 1, answered: collapseRequests, last: 1200 * time.Millisecond},
		{fetched: 10, answered: collapseRequests, last: 2 * time.Second},
		{fetched: 2, answered: collapseRequests - 3, last: time.Second, problem: "EOF"},
		{},
	}
	var text strings.Builder
	printCollapsed(&text, scenario{name: "collapse", about: "a crowd"}, contenders, results)
	want := []string{
		"collapse: a crowd",
		"server origin fetches answered last answer after s",
		"seawall 1 10000 1.20", "nginx 10 10000 2.00", "varnish 2 9997 1.00",
		"varnish: 3 requests failed, such as: EOF",
		"caddy: left out: it has no cache",
		"bench collapse origin-fetches 1",
		"bench collapse ratio-to-best-peer 0.60", // who does not answer everybody is no peer
	}
	if diff := cmp.Diff(want, unaligned(text.String())); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
