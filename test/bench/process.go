package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// A process is a server that the bench started, and ends.
type process struct {
	cmd    *exec.Cmd
	said   string // the file that has its standard output and error
	exited chan struct{}
}

// start runs a command, pinned to the cores if some are given.
func start(ctx context.Context, cores, said string, env, command []string) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cores != "" {
		command = append([]string{"taskset", "-c", cores}, command...)
	}
	out, err := os.Create(said)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(command[0], command[1:]...), said: said, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // should the bench be killed
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait() //nolint:errcheck // how it ended is told by what it said
		close(p.exited)
	}()
	return p, nil
}

// waitUntilReady returns when the process accepts connections at address.
func (p *process) waitUntilReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		select {
		case <-p.exited:
			said, _ := os.ReadFile(p.said)
			return fmt.Errorf("%s exited: %s", p.cmd.Args[0], bytes.TrimSpace(said))
		case <-ctx.Done():
			return fmt.Errorf("no connection to %s: %w", address, ctx.Err())
		case <-poll.C:
		}
	}
}

// stop ends the process and its children: politely, then not.
func (p *process) stop() {
	pid := p.cmd.Process.Pid
	workers, _ := children(pid)           // in case their master does not end them
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		for _, worker := range workers {
			syscall.Kill(worker, syscall.SIGKILL) //nolint:errcheck // it may have ended
		}
		p.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-p.exited
	}
}

// pinned makes sure that the processes and their children are on these cores, all of them and no others.
func pinned(processes []*process, cores string) error {
	pids, err := family(processes)
	if err != nil || cores == "" {
		return err
	}
	for _, pid := range pids {
		got, err := coresOf(pid)
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
func family(processes []*process) (pids []int, err error) {
	for _, p := range processes {
		pid := p.cmd.Process.Pid
		workers, err := children(pid)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %w", p.cmd.Args[0], err)
		}
		pids = append(append(pids, pid), workers...)
	}
	return pids, nil
}

// A cpuAccount is the CPU time that each process of a server has used.
type cpuAccount map[int]time.Duration

// cpu reads the clocks of processes and their children.
func cpu(processes []*process) (cpuAccount, error) {
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

// children lists the processes whose parent is pid.
func children(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil { // it has just ended
			continue
		}
		child, parent, err := parseStat(string(stat))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if parent == pid {
			pids = append(pids, child)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// parseStat reads the process id and the parent's from /proc/PID/stat (proc_pid_stat(5)). The name between them is in
// parentheses, and may hold anything.
func parseStat(stat string) (pid, parent int, err error) {
	before, _, _ := strings.Cut(stat, " ")
	_, after, ok := cutLast(stat, ") ")
	fields := strings.Fields(after)
	if !ok || len(fields) < 2 {
		return 0, 0, fmt.Errorf("%q: want PID (NAME) STATE PARENT", stat)
	}
	if pid, err = strconv.Atoi(before); err != nil {
		return 0, 0, err
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, parent, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// freeAddress is an address on the loopback where nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
