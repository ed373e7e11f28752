package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/seawall/seawall/test/server"
)

// kilobytes sums up a line of a file in /proc/PID over processes and their children: of smaps_rollup Pss, the proportional set size
// (proc_pid_smaps(5)); of status VmRSS, what is in memory, and VmHWM, the most that ever was (proc_pid_status(5)).
func kilobytes(processes []*server.Process, file, name string) (int64, error) {
	pids, err := family(processes)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range pids {
		path := "/proc/" + strconv.Itoa(pid) + "/" + file
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		kb, err := parseKilobytes(string(text), name)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += kb
	}
	return sum, nil
}

// parseKilobytes reads the line "NAME: N kB".
func parseKilobytes(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != name+":" || fields[2] != "kB" {
			continue
		}
		kb, err := strconv.ParseUint(fields[1], 10, 40)
		return int64(kb), err
	}
	return 0, fmt.Errorf("no line \"%s: N kB\" in %q", name, text)
}
