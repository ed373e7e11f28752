package nft

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// One prefix may take so many bans: what is between it and a length that can be banned is 8 bits at the most.
const (
	maxBetween = 8
	maxPieces  = 1 << maxBetween
)

// ErrFull says that as many bans of one length are in force as there is room for, 65,536.
var ErrFull = errors.New("no room for another ban")

// A Ban is a prefix whose packets are dropped, and until when.
type Ban struct {
	Prefix netip.Prefix
	Until  time.Time
}

// Ban drops a prefix's packets until then, in place of a ban of the same prefix. Bans are of hosts, of an IPv4 /24 or an IPv6 /64 or /48;
// what is between is several of them, at most 256.
func (f *Filter) Ban(prefix netip.Prefix, until time.Time) error {
	return f.BanAll([]Ban{{prefix, until}})
}

// BanAll is Ban for many, at a fraction of the cost. Of two for one prefix the later in the list counts. One that can't be entered does not
// keep the others out, but for those that ErrFull comes of: they are let in or left out by up to 800 at one time.
func (f *Filter) BanAll(bans []Ban) error {
	type place struct {
		family string
		bits   int
	}
	until := make(map[place]map[netip.Addr]time.Duration)
	var errs []error
	for _, b := range bans {
		left := time.Until(b.Until).Round(time.Millisecond)
		if left <= 0 {
			continue
		}
		family, pieces, err := split(b.Prefix)
		if err != nil {
			errs = append(errs, fmt.Errorf("ban %s: %w", b.Prefix, err))
			continue
		}
		at := place{family.name, pieces[0].Bits()}
		if until[at] == nil {
			until[at] = make(map[netip.Addr]time.Duration)
		}
		for _, p := range pieces {
			until[at][p.Addr()] = left
		}
	}
	for at, hosts := range until {
		var elements []nftables.SetElement
		for address, left := range hosts {
			elements = append(elements, nftables.SetElement{Key: address.AsSlice(), Timeout: left})
		}
		for some := range slices.Chunk(elements, chunk) {
			if err := f.enter(f.sets[at.family].bans[at.bits], some, true); err != nil {
				errs = append(errs, fmt.Errorf("ban %d of /%d: %w", len(some), at.bits, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Unban ends a ban, as it was entered. It is no error if there is none.
func (f *Filter) Unban(prefix netip.Prefix) error {
	family, pieces, err := split(prefix)
	if err == nil {
		var elements []nftables.SetElement
		for _, p := range pieces {
			elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		}
		err = f.enter(f.sets[family.name].bans[pieces[0].Bits()], elements, false)
	}
	if err != nil {
		return fmt.Errorf("unban %s: %w", prefix, err)
	}
	return nil
}

// enter has a set contain elements anew, or no more, in one transaction. An element that is there keeps its time, so it has to go first;
// and only what is there can go.
func (f *Filter) enter(set *nftables.Set, elements []nftables.SetElement, stay bool) error {
	f.bansMu.Lock()
	defer f.bansMu.Unlock()
	err := errors.Join(f.bans.SetAddElements(set, elements), f.bans.SetDeleteElements(set, elements))
	if stay {
		err = errors.Join(err, f.bans.SetAddElements(set, elements))
	}
	if err == nil {
		err = f.bans.Flush()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENFILE):
		err = ErrFull
	}
	return errors.Join(err, f.bans.CloseLasting(), f.dialBans()) // answers to the rest of the transaction may still come
}

// dialBans opens the connection that bans go over. It lasts, since the kernel waits for all CPUs (RCU) when one is closed after a
// deletion, which takes it some 13 ms.
func (f *Filter) dialBans() error {
	conn, err := nftables.New(append(f.options(), nftables.AsLasting())...)
	if err != nil {
		return fmt.Errorf("talk to nftables: %w", err)
	}
	f.bans = conn
	return nil
}

// split says which bans are a prefix.
func split(prefix netip.Prefix) (family, []netip.Prefix, error) {
	if !prefix.IsValid() {
		return family{}, nil, errors.New("no prefix")
	}
	prefix = unmapped(prefix).Masked()
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

// Bans are those in force, and when they end, a family's longest prefixes first. It reads a set at a time, which is 65,536 bans at the
// most, and ends early if the kernel does not answer.
func (f *Filter) Bans() iter.Seq2[netip.Prefix, time.Time] {
	return func(yield func(netip.Prefix, time.Time) bool) {
		for _, family := range families() {
			for _, bits := range family.lengths {
				elements, err := f.conn.GetSetElements(f.sets[family.name].bans[bits])
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

// A Counter is what was done for a reason since the table was made.
type Counter struct {
	Reason         string
	Packets, Bytes uint64
}

// Counters are all of them, in the order in which packets meet them.
func (f *Filter) Counters() ([]Counter, error) {
	objects, err := f.conn.GetObjects(f.table)
	if err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	var counters []Counter
	for _, reason := range reasons() {
		for _, o := range objects {
			if c, ok := o.(*nftables.CounterObj); ok && c.Name == reason {
				counters = append(counters, Counter{reason, c.Packets, c.Bytes})
			}
		}
	}
	return counters, nil
}
