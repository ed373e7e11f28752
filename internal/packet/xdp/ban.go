package xdp

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

const (
	banTweak   = 1000
	banChunk   = 1024 // buckets read at once
	wordBits   = 64
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
	f.mu.Lock()
	defer f.mu.Unlock()
	ban, err := f.banOf(p)
	if err == nil {
		err = f.write(ban, untilNs(until))
	}
	if err != nil {
		return fmt.Errorf("banning %v: %w", p, err)
	}
	return nil
}

// Unban ends a ban. It is no error if there is none.
func (f *Filter) Unban(p netip.Prefix) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ban, err := f.banOf(p)
	if err == nil {
		_, err = f.rewrite(ban, 0)
	}
	if err != nil {
		return fmt.Errorf("ending the ban of %v: %w", p, err)
	}
	return nil
}

// A banned is a prefix and where it may lie.
type banned struct {
	prefix128
	hash uint64
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
	return banned{prefix128{a, bits}, f.salt.hash(a, uint64(banTweak+bits))}
}

// buckets are the two that it may lie in.
func (f *Filter) buckets(b banned) [2]uint32 {
	mask := f.objects.Bans.MaxEntries() - 1
	return [2]uint32{uint32(b.hash>>24) & mask, uint32(b.hash>>44) & mask}
}

// rewrite changes the end of a ban that is there.
func (f *Filter) rewrite(b banned, until uint64) (found bool, err error) {
	for _, at := range f.buckets(b) {
		var bucket filterBanBucket
		if err := f.objects.Bans.Lookup(at, &bucket); err != nil {
			return false, err
		}
		for i := range bucket.Bans {
			s := &bucket.Bans[i]
			if s.Hi == b.hi && s.Lo == b.lo && s.Length == uint64(b.bits) {
				s.Until = until
				return true, f.objects.Bans.Put(at, bucket)
			}
		}
	}
	return false, nil
}

// write enters a ban. The prefix is written first and its end afterwards: a program that reads in between finds nothing.
func (f *Filter) write(b banned, until uint64) error {
	if found, err := f.rewrite(b, until); err != nil || found {
		return errors.Join(err, f.mark(b))
	}
	at, slot, err := f.free(b)
	if err != nil {
		return err
	}
	var bucket filterBanBucket
	if err := f.objects.Bans.Lookup(at, &bucket); err != nil {
		return err
	}
	s := &bucket.Bans[slot]
	s.Hi, s.Lo, s.Length, s.Until = b.hi, b.lo, uint64(b.bits), 0
	if err := f.objects.Bans.Put(at, bucket); err != nil {
		return err
	}
	s.Until = until
	if err := f.objects.Bans.Put(at, bucket); err != nil {
		return err
	}
	return f.mark(b)
}

// free finds a slot in the emptier of the two buckets.
func (f *Filter) free(b banned) (at uint32, slot int, err error) {
	best, t := 0, now()
	for _, candidate := range f.buckets(b) {
		var bucket filterBanBucket
		if err := f.objects.Bans.Lookup(candidate, &bucket); err != nil {
			return 0, 0, err
		}
		count, last := 0, 0
		for i := range bucket.Bans {
			if bucket.Bans[i].Until <= t {
				count, last = count+1, i
			}
		}
		if count > best {
			best, at, slot = count, candidate, last
		}
	}
	if best == 0 {
		return 0, 0, packet.ErrFull
	}
	return at, slot, nil
}

// bit is where a ban is marked in the filter: all of a /24, or an IPv6 /48, in one place.
func (f *Filter) bit(b banned) (word uint32, mask uint64) {
	network := b.hi >> 16
	if b.addr().Is4() {
		network = b.lo >> 8
	}
	h := f.salt.hash(address{network, 0}, banTweak)
	return uint32(h) & uint32(len(f.filter)-1), 1 << (h >> 16 & (wordBits - 1))
}

func (f *Filter) mark(b banned) error {
	word, mask := f.bit(b)
	if f.filter[word]&mask != 0 {
		return nil
	}
	f.filter[word] |= mask
	return f.objects.BanFilter.Put(word, f.filter[word])
}

func (f *Filter) readBanFilter() error {
	f.filter = make([]uint64, f.objects.BanFilter.MaxEntries())
	keys := make([]uint32, len(f.filter))
	var cursor ebpf.MapBatchCursor
	if _, err := f.objects.BanFilter.BatchLookup(&cursor, keys, f.filter, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("reading the bans in force: %w", err)
	}
	return nil
}

// sweep forgets the marks of bans that are over.
func (f *Filter) sweep() error {
	fresh := make([]uint64, len(f.filter))
	for b, until := range f.live() {
		if until > now() {
			word, mask := f.bit(b)
			fresh[word] |= mask
		}
	}
	for i, w := range fresh {
		if f.filter[i] == w {
			continue
		}
		f.filter[i] = w
		if err := f.objects.BanFilter.Put(uint32(i), w); err != nil {
			return fmt.Errorf("forgetting old bans: %w", err)
		}
	}
	return nil
}

// live are the bans that are in force, with their end in the program's time.
func (f *Filter) live() iter.Seq2[banned, uint64] {
	return func(yield func(banned, uint64) bool) {
		var cursor ebpf.MapBatchCursor
		keys := make([]uint32, banChunk)
		values := make([]filterBanBucket, banChunk)
		for {
			n, err := f.objects.Bans.BatchLookup(&cursor, keys, values, nil)
			for _, bucket := range values[:n] {
				for _, s := range bucket.Bans {
					if s.Until > now() && !yield(f.bannedAs(address{s.Hi, s.Lo}, int(s.Length)), s.Until) {
						return
					}
				}
			}
			if err != nil || n == 0 {
				return
			}
		}
	}
}

// Bans are those in force, in no order.
func (f *Filter) Bans() iter.Seq2[netip.Prefix, time.Time] {
	return func(yield func(netip.Prefix, time.Time) bool) {
		for b, until := range f.live() {
			if !yield(b.prefix(), timeOf(until)) {
				return
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
