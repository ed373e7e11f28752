package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/test/server"
)

// pinned makes sure that the processes and their children are on these cores, all of them and no others.
func pinned(processes []*server.Process, cores string) error {
	pids, err := family(processes)
	if err != nil || cores == "" {
		return err
	}
	for _, pid := range pids {
		got, err := server.CoresOf(pid)
		if err != nil {
			return err
		}
		if strings.Join(got, ",") != cores {
			return fmt.Errorf("process %d is on cores %v: want %s", pid, got, cores)
		}
	}
	return nil
}

// family lists the processes and their children.
func family(processes []*server.Process) (pids []int, err error) {
	for _, p := range processes {
		pid := p.Cmd.Process.Pid
		workers, err := server.Children(pid)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %w", p.Cmd.Args[0], err)
		}
		pids = append(append(pids, pid), workers...)
	}
	return pids, nil
}

// A cpuAccount is the CPU time that each process of a server has used.
type cpuAccount map[int]time.Duration

// cpu reads the clocks of processes and their children.
func cpu(processes []*server.Process) (cpuAccount, error) {
	pids, err := family(processes)
	if err != nil {
		return nil, err
	}
	account := cpuAccount{}
	for _, pid := range pids {
		used, err := cpuClock(pid)
		if errors.Is(err, unix.EINVAL) { // it has just ended
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
		}
		account[pid] = used
	}
	return account, nil
}

// since is what was used after an earlier reading, by processes that are still there.
func (a cpuAccount) since(earlier cpuAccount) (used time.Duration) {
	for pid := range maps.Keys(a) {
		used += a[pid] - earlier[pid]
	}
	return used
}

// cpuClock reads the CPU-time clock of a process in nanoseconds, all its threads included, also those that have ended
// (clock_getcpuclockid(3); the number is made as in the kernel's include/linux/posix-timers.h: ^pid<<3 | CPUCLOCK_SCHED).
func cpuClock(pid int) (time.Duration, error) {
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}
