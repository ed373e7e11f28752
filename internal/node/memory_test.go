package node

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestMachineMemory(t *testing.T) {
	const total = "MemFree: 1 kB\nMemTotal:       24606384 kB\nMemAvailable: 2 kB\n"
	tests := []struct {
		name, meminfo, group string
		want                 int64
	}{
		{"machine", total, "", 24606384 << 10},
		{"unbounded group", total, "max\n", 24606384 << 10},
		{"group", total, "536870912\n", 512 << 20},
		{"larger group", total, "99999999999999\n", 24606384 << 10},
		{"group alone", "", "536870912", 512 << 20},
		{"nothing", "", "", 0},
		{"nonsense", "MemTotal:", "-1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"meminfo": tt.meminfo, "group": tt.group} {
				if text != "" {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := machineMemory(filepath.Join(dir, "meminfo"), filepath.Join(dir, "group")); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestPercent wants room for what a cycle has to look through, and no more for what it has not.
func TestPercent(t *testing.T) {
	for _, live := range []uint64{0, 1, 4 << 20, 64 << 20, 256 << 20, 4 << 30} {
		for _, scanned := range []uint64{0, live / 16, live} {
			live := max(live, 4<<20)
			got := uint64(percent(live, scanned)) * live / 100
			if want := headroom + scanned; got < want-1 || got > want+live/100 {
				t.Errorf("%d live, %d scanned: got room for %d, want about %d", live, scanned, got, want)
			}
		}
	}
}

// TestPace wants the pace to be set anew after each cycle. (It is not parallel, since the pace is the process's.)
func TestPace(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "off") // is left alone
	paceCollector()
	for range 3 {
		debug.SetGCPercent(99)
		runtime.GC()
		for end := time.Now().Add(10 * time.Second); debug.SetGCPercent(99) == 99; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("the pace is as it was")
			}
		}
	}
}
