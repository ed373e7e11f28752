package xdp

import (
	"fmt"

	"github.com/seawall/seawall/internal/packet"
)

// Tend is to be called about ten times a second, and more often than once in ten seconds.
const (
	quietCalls    = 600 // without a cookie sent, until the kernel may do without
	reattachEvery = 20  // calls
)

// Tend does what takes user space and a while: it forgets the marks of bans that are over, and attaches again to interfaces that were gone and
// have come back; and while SYNs are answered with cookies it has the kernel want cookies for all connections (tcp_syncookies = 2). Without that, the kernel answers SYNs itself as long as its queue
// has room, and the program the rest. The kernel accepts cookies for two minutes after the last.
func (f *Filter) Tend() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.sweep(); err != nil {
		return fmt.Errorf("tending the packet filter: %w", err)
	}
	if f.calls++; f.calls%reattachEvery == 0 {
		if err := f.reattach(); err != nil {
			return fmt.Errorf("tending the packet filter: %w", err)
		}
	}
	sent, err := f.synsOver()
	if err != nil {
		return fmt.Errorf("tending the packet filter: %w", err)
	}
	switch {
	case sent != f.sent && !f.detached():
		f.sent, f.quiet = sent, 0
		err = f.sysctls.set(tcpSyncookies, cookiesAlways)
	case f.quiet < quietCalls:
		if f.quiet++; f.quiet == quietCalls {
			err = f.sysctls.restore(tcpSyncookies)
		}
	}
	if err != nil {
		return fmt.Errorf("tending the packet filter: %w", err)
	}
	return nil
}

// synsOver counts SYNs that came faster than their listener's rate: answered, or left to the kernel, which they made work.
func (f *Filter) synsOver() (uint64, error) {
	counts, err := f.Counters()
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for _, c := range counts {
		if c.Reason == packet.LeftToKernel || c.Reason == packet.Cookie || c.Reason == packet.NoCookie {
			n += c.Packets
		}
	}
	return n, nil
}
