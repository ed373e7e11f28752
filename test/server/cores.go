package server

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SplitCores gives servers one of the cores that the process may use, and clients and origins the others. With a single core both are
// empty: everybody shares.
func SplitCores() (server, others string, err error) {
	cores, err := CoresOf(0)
	if err != nil || len(cores) < 2 {
		return "", "", err
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return "", "", fmt.Errorf("%w: it keeps servers and clients apart: apt-get install util-linux", err)
	}
	return cores[0], strings.Join(cores[1:], ","), nil
}

// CoresOf lists the cores that a process (0 for this one) may use.
func CoresOf(pid int) ([]string, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &set); err != nil {
		return nil, fmt.Errorf("ask which cores process %d may use: %w", pid, err)
	}
	var cores []string
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, strconv.Itoa(i))
		}
	}
	return cores, nil
}
