package xdp

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// A sysctl of the network namespace that the program depends on.
type sysctl uint32

const (
	tcpSyncookies sysctl = iota
	tcpTimestamps
	sysctlCount
)

var sysctlNames = [sysctlCount]string{tcpSyncookies: "tcp_syncookies", tcpTimestamps: "tcp_timestamps"}

const (
	ipv4Dir          = "/proc/sys/net/ipv4"
	rmemMax          = "/proc/sys/net/core/rmem_max"
	maxWindowScale   = 14
	cookiesInReserve = 1
	cookiesAlways    = 2
)

// sysctls remembers what a sysctl was before it was changed, in a map: that can be pinned, and so outlives the process.
type sysctls struct {
	before *ebpf.Map // value + 1; 0 for one that is as it was
}

func openSysctls(pins string) (*sysctls, error) {
	spec := &ebpf.MapSpec{Name: "sysctls", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: uint32(sysctlCount)}
	var options ebpf.MapOptions
	if pins != "" {
		spec.Pinning = ebpf.PinByName
		options.PinPath = filepath.Join(pins, "sysctls-"+layout)
		if err := os.MkdirAll(options.PinPath, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder for pins: %w", err)
		}
	}
	m, err := ebpf.NewMapWithOptions(spec, options)
	if err != nil {
		return nil, fmt.Errorf("remembering sysctls: %w", err)
	}
	return &sysctls{m}, nil
}

func (s sysctl) get() (int, error) {
	b, err := os.ReadFile(filepath.Join(ipv4Dir, sysctlNames[s]))
	if err != nil {
		return 0, fmt.Errorf("reading a sysctl: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func (s sysctl) put(value int) error {
	if err := os.WriteFile(filepath.Join(ipv4Dir, sysctlNames[s]), strconv.AppendInt(nil, int64(value), 10), 0); err != nil {
		return fmt.Errorf("writing a sysctl: %w", err)
	}
	return nil
}

// set changes a sysctl, and remembers what it was.
func (s *sysctls) set(which sysctl, value int) error {
	now, err := which.get()
	if err != nil || now == value {
		return err
	}
	var before uint32
	if err := s.before.Lookup(uint32(which), &before); err != nil {
		return err
	}
	if before == 0 {
		if err := s.before.Put(uint32(which), uint32(now+1)); err != nil {
			return err
		}
	}
	return which.put(value)
}

// restore gives a sysctl back the value that it had.
func (s *sysctls) restore(which sysctl) error {
	var before uint32
	if err := s.before.Lookup(uint32(which), &before); err != nil || before == 0 {
		return err
	}
	if err := which.put(int(before - 1)); err != nil {
		return err
	}
	return s.before.Put(uint32(which), uint32(0))
}

func (s *sysctls) close(restore bool) error {
	var errs []error
	for which := range sysctlCount {
		if restore {
			errs = append(errs, s.restore(which))
		}
	}
	return errors.Join(append(errs, s.before.Close())...)
}

// windowScale is what the kernel chooses for a connection whose listener has no SO_RCVBUF and whose route no window: tcp_select_initial_window.
func windowScale() int {
	space := 212992
	if b, err := os.ReadFile(filepath.Join(ipv4Dir, "tcp_rmem")); err == nil {
		if fields := strings.Fields(string(b)); len(fields) == 3 {
			if n, err := strconv.Atoi(fields[2]); err == nil {
				space = n
			}
		}
	}
	if b, err := os.ReadFile(rmemMax); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			space = max(space, n)
		}
	}
	return min(max(bits.Len(uint(space))-1-15, 0), maxWindowScale)
}
