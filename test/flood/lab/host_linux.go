package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Host is a network namespace.
type Host struct {
	Interface string // towards the other side
	MAC       net.HardwareAddr
	IPv4      []netip.Addr
	IPv6      []netip.Addr

	namespace *os.File
}

// newHost makes a namespace that lasts as long as the file is open, or a socket or process is in it.
func newHost() (*Host, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer before.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	namespace, err := os.Open("/proc/thread-self/ns/net")
	return &Host{namespace: namespace}, errors.Join(err, unix.Setns(int(before.Fd()), unix.CLONE_NEWNET))
}

// path is where other processes find the namespace while this one keeps it.
func (h *Host) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.namespace.Fd()) }

// Do calls f on a thread that is in the host's namespace: sockets that f makes are the host's, for ever. What f starts with go is not
// in there.
func (h *Host) Do(f func() error) error {
	runtime.LockOSThread()
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer before.Close()
	defer func() {
		if unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // else the thread ends with its goroutine, and nobody else gets it
		}
	}()
	if err := unix.Setns(int(h.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return f()
}

// Command is one that runs on the host. It is killed when ctx ends.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + h.path(), "--", name}, args...)...)
}

// Run runs a command on the host to its end, with an input, and returns what it wrote.
func (h *Host) Run(ctx context.Context, input, name string, args ...string) (string, error) {
	c := h.Command(ctx, name, args...)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Set sets one of the host's parameters below /proc/sys/net, such as ipv4/tcp_syncookies.
func (h *Host) Set(parameter, value string) error {
	return h.Do(func() error { return os.WriteFile("/proc/sys/net/"+parameter, []byte(value), 0o644) })
}

// Get reads one of the host's files below /proc/net or /proc/sys/net, by its name there: net/snmp, sys/net/ipv4/tcp_syncookies.
func (h *Host) Get(file string) (string, error) {
	name, ok := strings.CutPrefix(file, "net/")
	if ok {
		file = "thread-self/net/" + name // /proc/net is that of the process
	}
	var text []byte
	err := h.Do(func() (err error) {
		text, err = os.ReadFile("/proc/" + file)
		return err
	})
	return string(text), err
}

// Dial connects from the host, and from one of its addresses unless that is the zero address.
func (h *Host) Dial(ctx context.Context, from netip.Addr, network, address string) (c net.Conn, err error) {
	dialer := net.Dialer{}
	dialer.SetMultipathTCP(false)
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	err = h.Do(func() error {
		c, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens on the host.
func (h *Host) Listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	err = h.Do(func() error {
		l, err = config.Listen(ctx, network, address)
		return err
	})
	return l, err
}
