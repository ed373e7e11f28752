package workers

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Since Linux 6.12 a thread that wakes takes the core at once from one that runs only if its slice is the shorter one (sched_setattr(2),
// sched_runtime); otherwise it may wait for the next tick, up to 10 ms, whatever its nice value. Older kernels don't look at slices.
const (
	shortSlice = 100 * time.Microsecond // the least that the kernel takes
	slice      = 3 * time.Millisecond   // about the kernel's own
)

// renice gives the calling thread a nice value, and a slice; on Linux each thread has its own.
func renice(nice int) error {
	if nice == 0 {
		return nil
	}
	return unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: int32(nice), Runtime: uint64(slice)}, 0)
}

// Precede has the process's threads, and those that they will start, take the core from a worker when they wake. It is for a process's
// start, before there is a pool. Threads of another policy than the system's usual one are left alone.
func Precede() error {
	const threads = "/proc/self/task"
	done := make(map[int]bool)
	for found := true; found; { // a thread that was not done may have started one
		found = false
		entries, err := os.ReadDir(threads)
		if err != nil {
			return fmt.Errorf("list the process's threads: %w", err)
		}
		for _, e := range entries {
			id, err := strconv.Atoi(e.Name())
			if err != nil || done[id] {
				continue
			}
			found, done[id] = true, true
			if err := shorten(id); err != nil && err != unix.ESRCH {
				return fmt.Errorf("set the slice of a thread: %w", err)
			}
		}
	}
	return nil
}

func shorten(thread int) error {
	a, err := unix.SchedGetAttr(thread, 0)
	if err != nil || a.Policy != unix.SCHED_NORMAL {
		return err
	}
	a.Runtime = uint64(shortSlice)
	return unix.SchedSetAttr(thread, a, 0)
}
