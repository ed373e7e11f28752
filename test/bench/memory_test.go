package main

import (
	"strings"
	"testing"
)

const (
	rollup = "00400000-7ffd0000 ---p 00000000 00:00 0 [rollup]\nRss:   2048 kB\nPss:                1234 kB\nPss_Dirty:   7 kB\n"
	status = "Name:\tseawall\nVmHWM:\t   81920 kB\nVmRSS:\t   70000 kB\nThreads:\t7\n"
)

func TestParseKilobytes(t *testing.T) {
	tests := []struct {
		name, text, line string
		want             int64
		ok               bool
	}{
		{"smaps_rollup", rollup, "Pss", 1234, true},
		{"status", status, "VmHWM", 81920, true},
		{"a later line", status, "VmRSS", 70000, true},
		{"empty", "", "Pss", 0, false},
		{"another line", "Pss_Dirty:   7 kB\n", "Pss", 0, false},
		{"another unit", status, "Threads", 0, false},
		{"no number", "Pss:   x kB\n", "Pss", 0, false},
		{"too large", "Pss: 99999999999999999999 kB\n", "Pss", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseKilobytes(tt.text, tt.line)
			if ok := err == nil; ok != tt.ok || tt.ok && got != tt.want {
				t.Errorf("got %d and error %v, want %d and an error: %t", got, err, tt.want, !tt.ok)
			}
		})
	}
}

func FuzzParseKilobytes(f *testing.F) {
	f.Add(rollup)
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseKilobytes(text, "Pss"); err == nil && (n < 0 || !strings.Contains(text, "Pss:")) {
			t.Errorf("%q gave %d", text, n)
		}
	})
}
