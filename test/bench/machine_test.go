package main

import (
	"strings"
	"testing"
)

const machineStat = "cpu  1886302 1835 423128 2507190 23349 0 87462 378751 0 0\ncpu0 943151 917 211564 1253595 11674 0 43731 189375 0 0\n"

func TestParseMachineTime(t *testing.T) {
	tests := []struct {
		name, stat string
		want       machineTime
		ok         bool
	}{
		{"kernel's", machineStat, machineTime{378751, 5308017}, true},
		{"guests are in user", "cpu 1 2 3 4 5 6 7 8 100 100\n", machineTime{8, 36}, true},
		{"empty", "", machineTime{}, false},
		{"one core's", "cpu0 1 2 3 4 5 6 7 8 0 0\n", machineTime{}, false},
		{"an old kernel's", "cpu 1 2 3 4 5 6 7\n", machineTime{}, false},
		{"no number", "cpu 1 2 3 4 5 6 7 x\n", machineTime{}, false},
		{"negative", "cpu 1 2 3 4 5 6 7 -8\n", machineTime{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseMachineTime(tt.stat)
			if ok := err == nil; ok != tt.ok || got != tt.want {
				t.Errorf("got %+v and error %v, want %+v and an error: %t", got, err, tt.want, !tt.ok)
			}
		})
	}
}

func FuzzParseMachineTime(f *testing.F) {
	f.Add(machineStat)
	f.Fuzz(func(t *testing.T, stat string) {
		if m, err := parseMachineTime(stat); err == nil && (m.stolen > m.total || !strings.HasPrefix(strings.TrimSpace(stat), "cpu")) {
			t.Errorf("%q gave %+v", stat, m)
		}
	})
}

func TestStolenSince(t *testing.T) {
	earlier := machineTime{stolen: 10, total: 1000}
	tests := []struct {
		name string
		now  machineTime
		want float64
	}{
		{"a quarter", machineTime{35, 1100}, 25},
		{"none", machineTime{10, 1100}, 0},
		{"no time passed", earlier, 0},
		{"counted backwards", machineTime{5, 1100}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.now.stolenSince(earlier); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
