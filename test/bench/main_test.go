package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePlan(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want plan
		err  string // within the error; empty for none
	}{
		{name: "default", want: plan{rounds: 5, duration: 3 * time.Second, scenarios: scenarios}},
		{
			name: "all said", args: []string{"-rounds", "7", "-duration", "1s", "-seawall", "/bin/s", "pass-1k", "hit-1k"},
			want: plan{rounds: 7, duration: time.Second, seawall: "/bin/s", scenarios: []scenario{scenarios[2], scenarios[0]}},
		},
		{name: "unknown name", args: []string{"hit-2k"}, err: `no scenario is called "hit-2k": there are hit-1k, hit-64k, pass-1k`},
		{name: "no rounds", args: []string{"-rounds", "0"}, err: "-rounds 0"},
		{name: "half a second", args: []string{"-duration", "1500ms"}, err: "-duration 1.5s"},
		{name: "too long", args: []string{"-duration", "2m"}, err: "-duration 2m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePlan(tt.args)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			allow := cmp.AllowUnexported(plan{}, scenario{})
			if diff := cmp.Diff(tt.want, got, allow); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			again, err := parsePlan(got.args())
			if diff := cmp.Diff(got, again, allow); diff != "" || err != nil {
				t.Errorf("its arguments don't say the same: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
