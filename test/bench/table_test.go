package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 100, 2}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]float64(nil), tt.values...)
			if got := median(tt.values); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if diff := cmp.Diff(before, tt.values); diff != "" {
				t.Errorf("the values were reordered:\n%s", diff)
			}
		})
	}
}

func turnsOf(name string, turns ...turn) *contender {
	return &contender{kind: kind{name: name}, answers: 1000, lines: 1000, turns: turns}
}

// contenderOf has turns of 1000 requests a second that cost as many microseconds each, or KB.
func contenderOf(name string, costs ...float64) *contender {
	c := &contender{kind: kind{name: name}, answers: 1000 * len(costs), lines: 1000 * len(costs)}
	for _, cost := range costs {
		c.turns = append(c.turns, turn{cost: cost, rate: 1000, busy: cost / 1000})
	}
	return c
}

// A neighbour doubles the cost of the second round for everybody: the ratios don't see it, where the ratio of two medians or
// minima from different rounds would.
func TestPrintTable(t *testing.T) {
	hit := scenario{name: "hit-1k", about: "1 KiB from the cache"}
	idle := scenario{name: "idle-plain", about: "memory", client: idling}
	noted := contenderOf("caddy", 40, 40)
	noted.kind.note = func(scenario) string { return "a file" }
	header := "server µs CPU a request least requests/s core used log lines a request seawall is in rounds"
	tests := []struct {
		name       string
		scenario   scenario
		contenders []*contender
		want       []string // lines, without the spaces that align them
	}{
		{
			name: "two peers", scenario: hit,
			contenders: []*contender{
				contenderOf(seawall, 8, 16, 6), contenderOf("nginx", 16, 32, 16), contenderOf("haproxy", 10, 20, 10),
			},
			want: []string{
				"hit-1k: 1 KiB from the cache", header,
				"seawall 8.00 6.00 1000 1 % 1.00",
				"nginx 16.00 16.00 1000 2 % 1.00 × 0.50 0.38–0.50",
				"haproxy 10.00 10.00 1000 1 % 1.00 × 0.80 0.60–0.80",
				"bench hit-1k ratio-to-best-peer 0.80",
			},
		},
		{
			name: "no peer", scenario: hit,
			contenders: []*contender{contenderOf(seawall, 8)},
			want: []string{
				"hit-1k: 1 KiB from the cache", header,
				"seawall 8.00 8.00 1000 1 % 1.00",
				"bench hit-1k no peer to compare with",
			},
		},
		{
			name: "one out, in the middle of its turns", scenario: hit,
			contenders: []*contender{
				contenderOf(seawall, 8, 8),
				{kind: kind{name: "nginx"}, out: "failed: it fell", turns: []turn{{cost: 1}}},
				noted,
			},
			want: []string{
				"hit-1k: 1 KiB from the cache", header,
				"seawall 8.00 8.00 1000 1 % 1.00",
				"caddy 40.00 40.00 1000 4 % 1.00 × 0.20 0.20–0.20",
				"nginx: left out: failed: it fell",
				"caddy: a file",
				"bench hit-1k ratio-to-best-peer 0.20",
			},
		},
		{
			name: "memory", scenario: idle,
			contenders: []*contender{contenderOf(seawall, 4), contenderOf("nginx", 0.5), contenderOf("haproxy", 0)},
			want: []string{
				"idle-plain: memory", "server KB a connection least requests/s log lines a request seawall is in rounds",
				"seawall 4.00 4.00 1000 1.00",
				"nginx 0.50 0.50 1000 1.00 × 8.00 8.00–8.00",
				"haproxy 0.00 0.00 1000 1.00 × +Inf +Inf–+Inf",
				"bench idle-plain kb-per-connection 4.00",
				"bench idle-plain ratio-to-best-peer +Inf",
			},
		},
		{
			name: "memory of streams", scenario: scenario{name: "idle-h2-stream", about: "streams", client: withholding},
			contenders: []*contender{contenderOf(seawall, 0.5), contenderOf("nginx", 50)},
			want: []string{
				"idle-h2-stream: streams", "server KB a stream least streams/s log lines a request seawall is in rounds",
				"seawall 0.50 0.50 1000 1.00",
				"nginx 50.00 50.00 1000 1.00 × 0.01 0.01–0.01",
				"bench idle-h2-stream kb-per-stream 0.50",
				"bench idle-h2-stream ratio-to-best-peer 0.01",
			},
		},
		{
			name: "seawall out", scenario: scenario{name: "h2-16x8", about: "HTTP/2", client: multiplexing},
			contenders: []*contender{
				{kind: kind{name: seawall}, out: "failed: it does not speak HTTP/2"},
				turnsOf("nginx", turn{cost: 14, rate: 60000, busy: 0.84, client: 0.9}),
			},
			want: []string{
				"h2-16x8: HTTP/2", "server µs CPU a request least requests/s core used client used log lines a request seawall is in rounds",
				"nginx 14.00 14.00 60000 84 % 90 % 1.00",
				"seawall: left out: failed: it does not speak HTTP/2",
			},
		},
		{
			name: "latency", scenario: scenario{name: "latency-hit-1k", about: "half load", client: pacing},
			contenders: []*contender{
				turnsOf(seawall, turn{cost: 120, rate: 5000, busy: 0.4, latency: latency{50e3, 120e3, 9e3}}),
				turnsOf("haproxy", turn{cost: 150, rate: 5000, busy: 0.5, latency: latency{60e3, 150e3, 10e3}}),
			},
			want: []string{
				"latency-hit-1k: half load",
				"server p99 µs least p50 µs requests/s core used client late p99 µs log lines a request seawall is in rounds",
				"seawall 120.00 120.00 50 5000 40 % 9 1.00",
				"haproxy 150.00 150.00 60 5000 50 % 10 1.00 × 0.80 0.80–0.80",
				"bench latency-hit-1k ratio-to-best-peer 0.80",
			},
		},
		{
			name: "flood", scenario: scenario{name: "hit-under-handshakes", about: "flood", client: flooding},
			contenders: []*contender{
				turnsOf(seawall,
					turn{cost: 300, hellos: 4000, latency: latency{100e3, 300e3, 9e3}, quiet: latency{50e3, 200e3, 8e3}},
					turn{cost: 600, hellos: 4000, latency: latency{100e3, 600e3, 9e3}, quiet: latency{50e3, 240e3, 8e3}}),
				turnsOf("nginx",
					turn{cost: 3000, hellos: 3000, latency: latency{900e3, 3e6, 9e3}, quiet: latency{50e3, 100e3, 8e3}},
					turn{cost: 3000, hellos: 3000, latency: latency{900e3, 3e6, 9e3}, quiet: latency{50e3, 100e3, 8e3}}),
			},
			want: []string{
				"hit-under-handshakes: flood",
				"server flooded p99 µs least quiet p99 µs flooded is quiet p50 µs flooded p50 µs hellos answered/s client late p99 µs " +
					"log lines a request seawall is in rounds",
				"seawall 450.00 300.00 220 × 2.00 50 100 4000 9 1.00",
				"nginx 3000.00 3000.00 100 × 30.00 50 900 3000 9 1.00 × 0.15 0.10–0.20",
				"bench hit-under-handshakes flooded-to-quiet 2.00",
				"bench hit-under-handshakes ratio-to-best-peer 0.15",
			},
		},
		{
			name: "two cores", scenario: scenario{name: "two-loops", about: "itself", loops: 2},
			contenders: []*contender{contenderOf(seawall, 8, 9), contenderOf("on one core", 8, 8)},
			want: []string{
				"two-loops: itself", header,
				"seawall 8.50 8.00 1000 1 % 1.00",
				"on one core 8.00 8.00 1000 1 % 1.00 × 1.06 1.00–1.12",
				"bench two-loops ratio-to-one-core 1.06",
			},
		},
		{
			name: "full cache", scenario: scenario{name: "memory", about: "full", client: churning},
			contenders: []*contender{
				turnsOf(seawall, turn{cost: 1.25, rate: 900, memory: resident{first: 10 << 10, last: 70 << 10, most: 80 << 10}}),
				turnsOf("varnish", turn{cost: 2.5, rate: 800, memory: resident{first: 20 << 10, last: 160 << 10, most: 160 << 10}}),
			},
			want: []string{
				"memory: full", "server memory ÷ cache least MiB at first at last at most requests/s log lines a request seawall is in rounds",
				"seawall 1.25 1.25 10.0 70.0 80.0 900 1.00",
				"varnish 2.50 2.50 20.0 160.0 160.0 800 1.00 × 0.50 0.50–0.50",
				"bench memory memory-to-cache 1.25",
				"bench memory ratio-to-best-peer 0.50",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			printTable(&b, tt.scenario, tt.contenders)
			var got []string
			for line := range strings.Lines(strings.TrimSpace(b.String())) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}
