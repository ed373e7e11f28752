package xdp

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

const (
	banTweak   = 1000
	longestBan = 100 * 365 * 24 * time.Hour
)

// Lengths that can be banned, of 128 bits.
var (
	banLengths4 = []int{128, 120}
	banLengths6 = []int{64, 48, 128}
)

// now is the time as the program reads it.
func now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		panic(err) // the kernel has this clock
	}
	return uint64(ts.Nano())
}

func untilNs(until time.Time) uint64 {
	return now() + uint64(min(max(time.Until(until), 0), longestBan))
}

func banLengths(v4 bool) []int {
	if v4 {
		return banLengths4
	}
	return banLengths6
}

// Ban refuses a prefix until a time, from the next packet on. The prefix is a /32 or /24 of IPv4, or a /128, /64 or /48 of IPv6; others
// belong in a set (Replace). A ban of the same prefix is replaced.
func (f *Filter) Ban(p netip.Prefix, until time.Time) error {
	ban, err := f.banOf(p)
	if err == nil {
		err = f.bans.enter(ban, untilNs(until))
	}
	if err != nil {
		return fmt.Errorf("banning %v: %w", p, err)
	}
	return nil
}

// BanAll is Ban for many. One that can't be entered does not keep the others out.
func (f *Filter) BanAll(bans []packet.Ban) error {
	var errs []error
	for _, b := range bans {
		errs = append(errs, f.Ban(b.Source, b.Until))
	}
	return errors.Join(errs...)
}

// Unban ends a ban. It is no error if there is none.
func (f *Filter) Unban(p netip.Prefix) error {
	ban, err := f.banOf(p)
	if err == nil {
		err = f.bans.end(ban)
	}
	if err != nil {
		return fmt.Errorf("ending the ban of %v: %w", p, err)
	}
	return nil
}

// A banned is a prefix, and the hashes that say where it may lie and where it is marked.
type banned struct {
	prefix128
	hash, network uint64
}

func (f *Filter) banOf(p netip.Prefix) (banned, error) {
	if !p.IsValid() {
		return banned{}, errors.New("that is no prefix")
	}
	all := unmapped([]netip.Prefix{p.Masked()}, true, true)
	n := bits128(all[0])
	if !slices.Contains(banLengths(all[0].Addr().Is4()), n) {
		return banned{}, errors.New("only /32 and /24 of IPv4 can be banned, and /128, /64 and /48 of IPv6")
	}
	return f.bannedAs(halves(all[0].Addr()), n), nil
}

func (f *Filter) bannedAs(a address, bits int) banned {
	a = a.cut(bits)
	return banned{prefix128{a, bits}, f.salt.hash(a, uint64(banTweak+bits)), f.salt.network(a)}
}

// Bans are those in force, in no order.
func (f *Filter) Bans() iter.Seq2[netip.Prefix, time.Time] {
	return func(yield func(netip.Prefix, time.Time) bool) {
		for first := uint32(0); first < banBuckets; first += sweepBuckets {
			slots, err := f.bans.live(first, sweepBuckets)
			if err != nil {
				return // it has been closed
			}
			for _, s := range slots {
				if !yield(s.prefix(), timeOf(s.until)) {
					return
				}
			}
		}
	}
}

func timeOf(ns uint64) time.Time { return time.Now().Add(time.Duration(ns - now())) }

func (p prefix128) prefix() netip.Prefix {
	a := p.addr()
	if a.Is4() {
		return netip.PrefixFrom(a, p.bits-96)
	}
	return netip.PrefixFrom(a, p.bits)
}
