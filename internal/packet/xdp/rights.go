package xdp

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A right is a capability that the kernel asks for (capabilities(7)).
type right struct {
	name string
	bit  uint
}

// rights are what Open wants: to make maps and load the program, to let it compare pointers as it does, and to attach it. CAP_SYS_ADMIN, which
// was there before the first two, has them in it.
var rights = [...]right{{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}}

// mayFilter names the rights that the process lacks, because what the kernel says without them (of a verifier's doubts, of locked memory)
// leads nobody there.
func mayFilter() error {
	var data [2]unix.CapUserData // of 64 bits, in two halves
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("asking for the process's capabilities: %w", err)
	}
	has := uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
	if has>>unix.CAP_SYS_ADMIN&1 != 0 {
		has |= 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON
	}
	var lacking []string
	for _, r := range rights {
		if has>>r.bit&1 == 0 {
			lacking = append(lacking, r.name)
		}
	}
	if lacking == nil {
		return nil
	}
	return fmt.Errorf("the process lacks %s: %w", strings.Join(lacking, ", "), unix.EPERM)
}
