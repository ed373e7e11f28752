package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHalfLoad(t *testing.T) {
	type full struct {
		name string
		rate float64
		out  string
	}
	tests := []struct {
		name       string
		contenders []full
		want       int
		out        []string // who has no part
	}{
		{"haproxy's", []full{{seawall, 9000, ""}, {"nginx", 3000, ""}, {"haproxy", 5000, ""}}, 2500, nil},
		{"the slowest's", []full{{seawall, 9000, ""}, {"nginx", 8000, ""}, {"haproxy", 5000, "failed"}, {"caddy", 6000, ""}}, 3000, []string{"haproxy"}},
		{"our own", []full{{seawall, 9000, ""}, {"nginx", 0, "failed"}}, 4500, []string{"nginx"}},
		{"too much for one", []full{{seawall, 9000, ""}, {"haproxy", 8000, ""}, {"caddy", 3999, ""}}, 4000, []string{"caddy"}},
		{"too much for us", []full{{seawall, 1000, ""}, {"haproxy", 8000, ""}}, 4000, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var contenders []*contender
			for _, f := range tt.contenders {
				contenders = append(contenders, &contender{kind: kind{name: f.name}, full: f.rate, out: f.out})
			}
			if got := halfLoad(contenders); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			var out []string
			for _, c := range contenders {
				if c.out != "" {
					out = append(out, c.kind.name)
				}
			}
			if diff := cmp.Diff(tt.out, out); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}
