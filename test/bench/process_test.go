package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/test/server"
)

// The clock counts what a process and its children use, and what they have used by now.
func TestCPU(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	// The shell waits for a child that works for as long as its input is open.
	cmd := exec.Command("sh", "-c", "(while :; do :; done) & echo ready; read line; kill $!")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	pids, err := server.Children(cmd.Process.Pid)
	if err != nil || len(pids) != 1 {
		t.Fatalf("got children %v and error %v, want one", pids, err)
	}
	processes := []*server.Process{{Cmd: cmd}}
	first, err := cpu(processes)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		now, err := cpu(processes)
		if err != nil {
			t.Fatal(err)
		}
		if used := now.since(first); used > 10*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child used no CPU time: %v, then %v", first, now)
		}
	}
}

func TestSince(t *testing.T) {
	earlier := cpuAccount{1: 5, 2: 100, 3: 7}
	later := cpuAccount{1: 8, 3: 17, 4: 2} // 2 has ended, 4 is new
	if got, want := later.since(earlier), time.Duration(3+10+2); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What was started with cores is on them, and nowhere else.
func TestPinned(t *testing.T) {
	cores, err := server.CoresOf(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("no taskset here")
	}
	cmd := exec.Command("taskset", "-c", cores[0], "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := in.Write([]byte{'\n'}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // cat runs
		t.Fatal(err)
	}
	processes := []*server.Process{{Cmd: cmd}}
	for _, want := range []string{cores[0], ""} {
		if err := pinned(processes, want); err != nil {
			t.Errorf("on %q: %v", want, err)
		}
	}
	if err := pinned(processes, "4095"); err == nil || !strings.Contains(err.Error(), "want 4095") {
		t.Errorf("got error %v, want one about the core", err)
	}
}

// Servers have one core, but Seawall where it is compared with itself.
func TestServerCores(t *testing.T) {
	ours, err := server.CoresOf(0)
	if err != nil {
		t.Fatal(err)
	}
	two := scenario{loops: 2}
	tests := []struct {
		name, first string
		scenario    scenario
		kind        kind
		want        string
	}{
		{"most", "7", scenario{}, kinds[0], "7"},
		{"two", "7", two, kinds[0], "7," + ours[0]},
		{"compared with one", "7", two, two.kinds()[1], "7"},
		{"a shared core", "", two, kinds[0], ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(serverCore, tt.first)
			if got, err := serverCores(tt.scenario, tt.kind); err != nil || got != tt.want {
				t.Errorf("got %q and error %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestSplitCores(t *testing.T) {
	first, others, err := server.SplitCores()
	if err != nil {
		t.Fatal(err)
	}
	if (first == "") != (others == "") || slices.Contains(strings.Split(others, ","), first) && first != "" {
		t.Errorf("got %q for servers and %q for the others", first, others)
	}
}
