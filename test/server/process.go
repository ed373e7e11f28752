package server

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// A Process is a server that we started, and end.
type Process struct {
	Cmd    *exec.Cmd
	said   string // the file that has its standard output and error
	exited chan struct{}
}

// Start runs a command, pinned to the cores if some are given. What it says goes to a file.
func Start(ctx context.Context, cores, said string, env, command []string) (*Process, error) {
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
	p := &Process{Cmd: exec.Command(command[0], command[1:]...), said: said, exited: make(chan struct{})}
	p.Cmd.Env = append(os.Environ(), env...)
	p.Cmd.Stdout, p.Cmd.Stderr = out, out
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // should we be killed
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.Cmd.Wait() //nolint:errcheck // how it ended is told by what it said
		close(p.exited)
	}()
	return p, nil
}

// WaitUntilReady returns when the process accepts connections at address.
func (p *Process) WaitUntilReady(ctx context.Context, address string) error {
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
			return p.Failure()
		case <-ctx.Done():
			return fmt.Errorf("no connection to %s: %w", address, ctx.Err())
		case <-poll.C:
		}
	}
}

// Failure is what a process said that has exited, and nil while it runs.
func (p *Process) Failure() error {
	select {
	case <-p.exited:
		said, _ := os.ReadFile(p.said)
		return fmt.Errorf("%s exited: %s", p.Cmd.Args[0], bytes.TrimSpace(said))
	default:
		return nil
	}
}

// Stop ends the process and its children: politely, then not.
func (p *Process) Stop() {
	pid := p.Cmd.Process.Pid
	workers, _ := Children(pid)           // in case their master does not end them
	p.Cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		for _, worker := range workers {
			syscall.Kill(worker, syscall.SIGKILL) //nolint:errcheck // it may have ended
		}
		p.Cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-p.exited
	}
}

// Children lists the processes whose parent is pid.
func Children(pid int) ([]int, error) {
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

// FreeAddress is an address on the loopback where nobody listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
