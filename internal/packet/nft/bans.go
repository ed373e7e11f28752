package nft

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// One prefix may take so many bans: what is between it and a length that can be banned is 8 bits at the most.
const (
	maxBetween = 8
	maxPieces  = 1 << maxBetween
)

// Ban drops a prefix's packets until then. Bans are of hosts, of an IPv4 /24 or an IPv6 /64 or /48; what is between is several of them, at
// most 256.
func (f *Filter) Ban(prefix netip.Prefix, until time.Time) error {
	left := time.Until(until).Round(time.Millisecond)
	if left <= 0 {
		return nil
	}
	family, pieces, err := split(prefix)
	if err != nil {
		return fmt.Errorf("ban %s: %w", prefix, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set := f.sets[family.name].bans[pieces[0].Bits()]
	var elements []nftables.SetElement
	for _, p := range pieces {
		elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice(), Timeout: left})
	}
	// An element that is there keeps its time, so it has to go first; and only what is there can go.
	for _, change := range []func() error{
		func() error { return f.conn.SetAddElements(set, elements) },
		func() error { return f.conn.SetDeleteElements(set, elements) },
		func() error { return f.conn.SetAddElements(set, elements) },
	} {
		if err := change(); err != nil {
			return fmt.Errorf("ban %s: %w", prefix, err)
		}
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("ban %s: %w", prefix, err)
	}
	return nil
}

// split says which bans are a prefix.
func split(prefix netip.Prefix) (family, []netip.Prefix, error) {
	if !prefix.IsValid() {
		return family{}, nil, errors.New("no prefix")
	}
	prefix = prefix.Masked()
	for _, f := range families() {
		if !f.has(prefix.Addr()) {
			continue
		}
		for _, bits := range slices.Backward(f.lengths) { // the shortest first
			if between := bits - prefix.Bits(); between >= 0 && between <= maxBetween {
				var pieces []netip.Prefix
				for a := prefix.Addr(); a.IsValid() && prefix.Contains(a); {
					p := netip.PrefixFrom(a, bits)
					pieces = append(pieces, p)
					a = last(p).Next()
				}
				return f, pieces, nil
			}
		}
	}
	return family{}, nil, fmt.Errorf("it would take more than %d bans", maxPieces)
}

// Unban ends all bans within a prefix.
func (f *Filter) Unban(prefix netip.Prefix) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, family := range families() {
		if !family.has(prefix.Addr()) {
			continue
		}
		for _, bits := range family.lengths {
			set := f.sets[family.name].bans[bits]
			elements, err := f.conn.GetSetElements(set)
			if err != nil {
				return fmt.Errorf("unban %s: %w", prefix, err)
			}
			elements = slices.DeleteFunc(elements, func(e nftables.SetElement) bool {
				a, _ := netip.AddrFromSlice(e.Key)
				return !prefix.Contains(a) || bits < prefix.Bits()
			})
			for some := range slices.Chunk(elements, chunk) {
				if err := f.remove(set, some); err != nil {
					return fmt.Errorf("unban %s: %w", prefix, err)
				}
			}
		}
	}
	return nil
}

// remove takes elements out of a set. One whose time is up meanwhile takes the others' transaction with it, and so they go one by one.
func (f *Filter) remove(set *nftables.Set, elements []nftables.SetElement) error {
	if err := f.conn.SetDeleteElements(set, elements); err != nil {
		return err
	}
	err := f.conn.Flush()
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	for _, e := range elements {
		if err := f.conn.SetDeleteElements(set, []nftables.SetElement{e}); err != nil {
			return err
		}
		if err := f.conn.Flush(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Bans are those in force, and when they end. It ends early if the kernel does not answer.
func (f *Filter) Bans() iter.Seq2[netip.Prefix, time.Time] {
	return func(yield func(netip.Prefix, time.Time) bool) {
		for _, family := range families() {
			for _, bits := range family.lengths {
				elements, err := f.elements(f.sets[family.name].bans[bits])
				if err != nil {
					return
				}
				now := time.Now()
				for _, e := range elements {
					a, _ := netip.AddrFromSlice(e.Key)
					if !yield(netip.PrefixFrom(a, bits), now.Add(e.Expires)) {
						return
					}
				}
			}
		}
	}
}

func (f *Filter) elements(set *nftables.Set) ([]nftables.SetElement, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn.GetSetElements(set)
}

// Counters are of all listeners together, since the table was made, and only of what does not pass as it came.
func (f *Filter) Counters() ([]packet.Counter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	objects, err := f.conn.GetObjects(f.table)
	if err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	var counters []packet.Counter
	for _, reason := range reasons() {
		for _, o := range objects {
			if c, ok := o.(*nftables.CounterObj); ok && c.Name == reason.String() && c.Packets > 0 {
				counters = append(counters, packet.Counter{Listener: -1, Reason: reason, Count: packet.Count{Packets: c.Packets, Bytes: c.Bytes}})
			}
		}
	}
	return counters, nil
}
