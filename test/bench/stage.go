package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/test/server"
)

const (
	// onStage is set in the environment of the bench that was started on the stage: it says what the stage is.
	onStage = "SEAWALL_BENCH_STAGE"
	// serverCore is set to the core that the servers have for themselves; empty if they share.
	serverCore = "SEAWALL_BENCH_CORE"

	private  = "a network namespace of its own, congestion control reno"
	loopback = "the machine's loopback"

	mostFiles = 20_000 // that a process may have open, if the system allows
)

// errSaid is a failure that the bench on the stage has already printed.
var errSaid = errors.New("failed on the stage")

// enterStage runs the bench again where it can measure: in a network namespace of its own if that is permitted, and off the
// servers' core.
func enterStage(ctx context.Context, w io.Writer, p plan) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	first, others, err := server.SplitCores()
	if err != nil {
		return err
	}
	command := append([]string{self}, p.args()...)
	if first != "" {
		command = append([]string{"taskset", "-c", others}, command...)
	}
	stage := func(what string, cloneFlags uintptr) error {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), onStage+"="+what, serverCore+"="+first)
		cmd.Stdout, cmd.Stderr = w, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneFlags, Pdeathsig: syscall.SIGTERM}
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 30 * time.Second
		err := cmd.Run()
		if _, ok := errors.AsType[*exec.ExitError](err); ok {
			return errSaid
		}
		return err
	}
	if _, err := exec.LookPath("ip"); err == nil && os.Geteuid() == 0 {
		if err := stage(private, syscall.CLONE_NEWNET); !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	return stage(loopback, 0)
}

// setStage prepares a new network namespace, and lets the servers and the bench open enough files.
func setStage(ctx context.Context) error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	files.Cur = min(files.Max, mostFiles)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil { // Go hands it on to children only if it was set
		return fmt.Errorf("raise the limit of open files to %d: %w", files.Cur, err)
	}
	if os.Getenv(onStage) != private {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %w: %s", err, out)
	}
	return os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte("reno\n"), 0o644)
}

// serverCores are the cores of a server in a scenario: the first is the servers' alone, a second one is shared with the client.
// Empty if everybody shares one.
func serverCores(s scenario, k kind) (string, error) {
	first := os.Getenv(serverCore)
	if first == "" || s.loops == 0 || k.name != seawall {
		return first, nil
	}
	ours, err := server.CoresOf(0)
	if err != nil {
		return "", err
	}
	return strings.Join(append([]string{first}, ours[:min(s.loops-1, len(ours))]...), ","), nil
}
