package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestAttackTable(t *testing.T) {
	cut := func(end string, held bool) attackResult {
		r := attackResult{Held: held, Connections: 5, Again: 2, Unopened: 4}
		r.First.End, r.First.Taken, r.First.Took = end, 301, 7*time.Millisecond
		return r
	}
	table := attackTable{
		scenario:   scenario{name: "h2-attacks", about: "attacks"},
		contenders: []*contender{turnsOf(seawall), turnsOf("nginx"), {kind: kind{name: "varnish"}, out: "it has no TLS"}},
		rows: []attackRow{
			{attack{Name: "rapid-reset", About: "resets"}, []*withstood{
				{attackResult: cut("GOAWAY ENHANCE_YOUR_CALM", true), cpu: 250 * time.Millisecond, grown: 1024, quiet: time.Millisecond, p95: 3 * time.Millisecond},
				{attackResult: cut("GOAWAY PROTOCOL_ERROR", true), cpu: time.Second, grown: 2048, quiet: time.Millisecond, p95: 4 * time.Millisecond},
				nil,
			}},
			{attack{Name: "reset-batches"}, []*withstood{
				{attackResult: cut("all refused", true), cpu: 500 * time.Millisecond, grown: 512, quiet: time.Millisecond, p95: time.Millisecond},
				{attackResult: cut("taken all", false), quiet: time.Millisecond, p95: time.Millisecond, failed: "a reset"},
				nil,
			}},
			{attack{Name: "reset-again"}, []*withstood{
				{attackResult: cut("closed", false), quiet: time.Millisecond, p95: time.Millisecond},
				nil,
				nil,
			}},
		},
	}
	var out bytes.Buffer
	table.print(&out)
	want := []string{
		"| seawall | nginx",
		"attack | end taken ms again cpu MiB p95 µs | end taken ms again cpu MiB p95 µs",
		"rapid-reset | goaway calm 301 7.0 2/9 0.25 1.0 1000→3000 | goaway protocol 301 7.0 2/9 1.00 2.0 1000→4000",
		"reset-batches | all refused 301 7.0 2/9 0.50 0.5 1000→1000 | taken all * 301 7.0 2/9 0.00 0.0 1000→1000 failed",
		"reset-again | closed * 301 7.0 2/9 0.00 0.0 1000→1000 | –",
		"rapid-reset: resets",
		"varnish: left out: it has no TLS",
		"bench h2-attacks attacks 3",
		"bench h2-attacks cut-within-a-second-seawall 2",
		"bench h2-attacks neighbour-within-twice-seawall 3",
		"bench h2-attacks most-cpu-seconds-seawall 0.50",
		"bench h2-attacks most-mib-seawall 1.0",
		"bench h2-attacks cut-within-a-second-nginx 1",
		"bench h2-attacks neighbour-within-twice-nginx 0",
		"bench h2-attacks most-cpu-seconds-nginx 1.00",
		"bench h2-attacks most-mib-nginx 2.0",
	}
	got := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		got[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, line := range want {
		if !got[line] {
			t.Errorf("no line %q in\n%s", line, &out)
		}
	}
}

func TestShortEnd(t *testing.T) {
	tests := []struct{ end, want string }{
		{"GOAWAY ENHANCE_YOUR_CALM", "goaway calm"},
		{"GOAWAY FRAME_SIZE_ERROR", "goaway frame_size"},
		{"GOAWAY NO_ERROR", "goaway no"},
		{"GOAWAY unknown error code 0x63", "goaway unknown error code 0x63"},
		{"streams reset", "streams reset"},
	}
	for _, tt := range tests {
		if got := shortEnd(tt.end); got != tt.want {
			t.Errorf("shortEnd(%q): got %q, want %q", tt.end, got, tt.want)
		}
	}
}
