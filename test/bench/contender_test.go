package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestPlausible(t *testing.T) {
	hit, pass := scenario{cacheable: true}, scenario{}
	deny := scenario{cacheable: true, refuse: refuseRequests}
	limited := scenario{cacheable: true, refuse: refuseExcess}
	tests := []struct {
		name              string
		scenario          scenario
		requests, refused int
		asked             int // of the origin
		ok                bool
	}{
		{"hits", hit, 1000, 0, 0, true},
		{"one miss", hit, 1000, 0, 1, false},
		{"one refused", hit, 1000, 1, 0, false},
		{"passes", pass, 1000, 0, 1000, true},
		{"passes, some unanswered at the end", pass, 1000, 0, 1064, true},
		{"answered without the origin", pass, 1000, 0, 999, false},
		{"refusals", deny, 1000, 1000, 0, true},
		{"one served", deny, 1000, 999, 0, false},
		{"one within a limit", limited, 1000, 999, 1, true},
		{"many within a limit", limited, 1000, 997, 0, false},
		{"refused after the origin was asked", deny, 1000, 1000, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.scenario.plausible(load{requests: tt.requests, refused: tt.refused}, tt.asked)
			if ok := err == nil; ok != tt.ok {
				t.Errorf("got error %v, want one: %t", err, !tt.ok)
			}
		})
	}
}

// A peer that fails is out, and not asked again, and so is a Seawall of before HTTP/2. Any other failure of Seawall's, or the end of the
// run, is everybody's.
func TestAttempt(t *testing.T) {
	fails := func(context.Context) error { return errors.New("it\n  fell") }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	lacks := func(context.Context) error { return fmt.Errorf("check: %w", errNoHTTP2) }
	tests := []struct {
		name, kind string
		ctx        context.Context
		do         func(context.Context) error
		ok         bool
		out        string
	}{
		{"peer", "nginx", t.Context(), fails, true, "failed: it fell"},
		{"seawall", seawall, t.Context(), fails, false, ""},
		{"seawall lacks the protocol", seawall, t.Context(), lacks, true, "failed: check: it does not speak HTTP/2"},
		{"run ends", "nginx", canceled, fails, false, ""},
		{"run ends, the protocol lacks", seawall, canceled, lacks, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &contender{kind: kind{name: tt.kind}}
			err := c.attempt(tt.ctx, tt.do)
			if ok := err == nil; ok != tt.ok || c.out != tt.out {
				t.Errorf("got error %v and out %q, want an error: %t, out %q", err, c.out, !tt.ok, tt.out)
			}
			if c.out == "" {
				return
			}
			if err := c.attempt(tt.ctx, func(context.Context) error { t.Error("asked again"); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

// Lines are counted from the first turn on, each once, and the file is cut.
func TestCutLog(t *testing.T) {
	c := &contender{setting: setting{Log: filepath.Join(t.TempDir(), "log")}}
	c.cutLog() // there is none yet
	log := func(text string) {
		t.Helper()
		f, err := os.OpenFile(c.setting.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		text    string
		checked bool
		want    int
	}{
		{"check\ncheck\n", false, 0},
		{"one\ntwo\nthr", true, 2},
		{"ee\n", true, 3},
		{"", true, 3},
	}
	for _, step := range steps {
		log(step.text)
		c.checked = step.checked
		c.cutLog()
		if c.lines != step.want {
			t.Errorf("after %q: got %d lines, want %d", step.text, c.lines, step.want)
		}
		if info, err := os.Stat(c.setting.Log); err != nil || info.Size() != 0 {
			t.Errorf("after %q: the log was not cut: %v, %v", step.text, info, err)
		}
	}
}
