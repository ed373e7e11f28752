package nft

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
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

// Ban drops a prefix's packets until then, in place of a ban of the same prefix. Bans are of hosts, of an IPv4 /24 or an IPv6 /64 or /48;
// what is between is several of them, at most 256.
func (f *Filter) Ban(prefix netip.Prefix, until time.Time) error {
	return f.BanAll([]packet.Ban{{Source: prefix, Until: until}})
}

// BanAll is Ban for many, at a fraction of the cost. Of two for one prefix the later in the list counts. One that can't be entered does not
// keep the others out, but for those that packet.ErrFull comes of: they are let in or left out by up to 800 at one time.
func (f *Filter) BanAll(bans []packet.Ban) error {
	elements := make(map[*nftables.Set]map[netip.Addr]nftables.SetElement)
	var errs []error
	for _, b := range bans {
		left := time.Until(b.Until).Round(time.Millisecond)
		if left <= 0 {
			continue
		}
		family, pieces, err := split(b.Source)
		if err != nil {
			errs = append(errs, fmt.Errorf("ban %s: %w", b.Source, err))
			continue
		}
		set := f.sets[family.name].bans[pieces[0].Bits()]
		if elements[set] == nil {
			elements[set] = make(map[netip.Addr]nftables.SetElement)
		}
		for _, p := range pieces {
			elements[set][p.Addr()] = nftables.SetElement{Key: p.Addr().AsSlice(), Timeout: left}
		}
	}
	for set, of := range elements {
		for some := range slices.Chunk(slices.Collect(maps.Values(of)), chunk) {
			if err := f.enter(set, some, true); err != nil {
				errs = append(errs, fmt.Errorf("enter %d bans into %s: %w", len(some), set.Name, err))
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
		err = packet.ErrFull
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

// Counters are of all listeners together, since the table was made, and only of what does not pass as it came.
func (f *Filter) Counters() ([]packet.Counter, error) {
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
