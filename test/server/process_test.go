package server

import (
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		name, stat  string
		pid, parent int
		ok          bool
	}{
		{"plain", "12 (nginx) S 7 12 12 0 -1 4194560", 12, 7, true},
		{"spaces and parentheses", "12 (a) S 99 (b) ) R 7 12", 12, 7, true},
		{"first process", "1 (init) S 0 1", 1, 0, true},
		{"empty", "", 0, 0, false},
		{"no name", "12 S 7 12", 0, 0, false},
		{"cut off", "12 (nginx) S", 0, 0, false},
		{"no number", "x (nginx) S 7", 0, 0, false},
		{"no parent", "12 (nginx) S x", 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pid, parent, err := parseStat(tt.stat)
			if ok := err == nil; ok != tt.ok {
				t.Fatalf("got error %v, want one: %t", err, !tt.ok)
			}
			if tt.ok && (pid != tt.pid || parent != tt.parent) {
				t.Errorf("got %d, child of %d, want %d, child of %d", pid, parent, tt.pid, tt.parent)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("12 (nginx) S 7 12 12 0")
	f.Add("12 (a) S 99 (b) ) R 7 12")
	f.Fuzz(func(t *testing.T, stat string) {
		pid, _, err := parseStat(stat)
		if err == nil && pid == 0 && !strings.Contains(stat, "0") {
			t.Errorf("%q gave process 0", stat)
		}
	})
}

// What can't start says why, and leaves nothing behind.
func TestStartFails(t *testing.T) {
	said := t.TempDir() + "/said"
	p, err := Start(t.Context(), "", said, nil, []string{"sh", "-c", "echo no such setting >&2; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	err = p.WaitUntilReady(t.Context(), "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("got error %v, want what the command said", err)
	}
}
