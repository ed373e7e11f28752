package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// loadAverage is the machine's, over 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}

// diskFolder is for files that are to be on a disk (hier(7)), where the folder of temporary files may be in memory.
const diskFolder = "/var/tmp"

// memoryFolder is a folder whose files are in memory, or empty for the system's folder of temporary files.
func memoryFolder() string {
	const shm = "/dev/shm"
	if dir, err := os.MkdirTemp(shm, "seawall-bench-"); err == nil && os.Remove(dir) == nil {
		return shm
	}
	return ""
}

// A machineTime is what all cores together have spent, in the kernel's ticks.
type machineTime struct{ stolen, total uint64 }

// readMachineTime reads /proc/stat.
func readMachineTime() (machineTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machineTime{}, err
	}
	return parseMachineTime(string(text))
}

// parseMachineTime reads the first line of /proc/stat (proc_stat(5)): cpu, then user, nice, system, idle, iowait, irq, softirq and
// steal. What follows is counted in user and nice already.
func parseMachineTime(stat string) (machineTime, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return machineTime{}, errors.New("no times of the machine in " + strconv.Quote(line))
	}
	var m machineTime
	for _, field := range fields[1:9] {
		ticks, err := strconv.ParseUint(field, 10, 48)
		if err != nil {
			return machineTime{}, fmt.Errorf("times of the machine %q: %w", line, err)
		}
		m.total += ticks
		m.stolen = ticks // the last of them
	}
	return m, nil
}

// stolenSince is the share of the cores' time, in percent, that the hypervisor gave to others since an earlier reading. Idle time
// counts to the whole, so that what the busy core lost may be more.
func (m machineTime) stolenSince(earlier machineTime) float64 {
	if m.total <= earlier.total || m.stolen < earlier.stolen {
		return 0
	}
	return 100 * float64(m.stolen-earlier.stolen) / float64(m.total-earlier.total)
}
