package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cores is which of this machine's cores the drill's own node has for itself, and which the drill has. In life, who attacks a node and
// its origin are other machines. With one core, both share it.
type cores struct{ node, drill unix.CPUSet }

// splitCores gives each half of the cores that this process may use.
func splitCores() (cores, error) {
	var all unix.CPUSet
	var c cores
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return c, fmt.Errorf("asking for this process's cores: %w", err)
	}
	n := all.Count()
	if n < 2 {
		return cores{all, all}, nil
	}
	for i, seen := 0, 0; seen < n; i++ {
		if !all.IsSet(i) {
			continue
		}
		if seen++; seen <= n/2 {
			c.node.Set(i)
		} else {
			c.drill.Set(i)
		}
	}
	return c, nil
}

// keepTo keeps all threads of this process, and those they start, to the drill's cores.
func (c cores) keepTo() error {
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &c.drill); err != nil && err != unix.ESRCH { // it has ended meanwhile
			return fmt.Errorf("keeping to some cores: %w", err)
		}
	}
	return nil
}

// start calls f, which starts a process, so that this has the node's cores.
func (c cores) start(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &c.node); err != nil {
		return fmt.Errorf("giving a node its cores: %w", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &c.drill) }() // which this thread had
	return f()
}
