package workers

import "golang.org/x/sys/unix"

// renice gives the calling thread a nice value; on Linux each thread has its own.
func renice(nice int) error {
	if nice == 0 {
		return nil
	}
	return unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice)
}
