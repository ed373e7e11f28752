package packet

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/seawall/seawall/internal/packet/nft"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/internal/spec"
)

// filter is what filters packets in the kernel: a program in the driver, or a table of nftables.
type filter interface {
	SetAllow(prefixes []netip.Prefix) error
	Replace(deny []netip.Prefix) error
	Ban(p netip.Prefix, until time.Time) error
	Unban(p netip.Prefix) error
	Bans() iter.Seq2[netip.Prefix, time.Time]
	Close() error

	setPolicy(p xdp.Policy) error
	interfaces() []Interface
	counters() ([]counter, error)
	find(address netip.Addr) (Finding, error)
	tend() error
}

// counter is one of a listener, by its place in the policy; -1 of packets that tell no port.
type counter struct {
	listener int
	Counter
}

// open opens what the node wants, or what it can have: a program in the driver, one behind it, or nftables. Of several that fail, all
// say why.
func open(s *spec.Packets, pins string) (filter, error) {
	var xdpErr error
	if s.Mode != spec.PacketsNFTables {
		f, err := xdp.Open(xdp.Options{Pins: pins, Interfaces: s.Interfaces, Mode: xdp.Mode(s.Mode), CookieOptions: true})
		if err == nil {
			_ = nft.Detach(table(pins)) // of a time without BPF; a kernel without nftables has no table
			return driver{f}, nil
		}
		if xdpErr = err; s.Mode != spec.PacketsAuto {
			return nil, err
		}
	}
	f, err := nft.Open(nft.Options{Table: table(pins), Interfaces: s.Interfaces})
	if err != nil {
		return nil, errors.Join(xdpErr, err)
	}
	return firewall{f}, nil
}

// detach ends what either has left behind.
func detach(pins string) error { return errors.Join(xdp.Detach(pins), nft.Detach(table(pins))) }

// table is the name of a node's table, of which there may be several on a machine, as there may be pins.
func table(pins string) string { return "seawall_" + filepath.Base(pins) }

// driver is the program.
type driver struct{ *xdp.Filter }

func (d driver) setPolicy(p xdp.Policy) error { return d.SetPolicy(p) }
func (d driver) tend() error                  { return d.Tend() }

func (d driver) interfaces() (list []Interface) {
	for _, a := range d.Attached() {
		list = append(list, Interface{a.Interface, "xdp, " + string(a.Mode)})
	}
	return list
}

func (d driver) counters() ([]counter, error) {
	all, err := d.Counters()
	list := make([]counter, 0, len(all))
	for _, c := range all {
		list = append(list, counter{c.Listener, Counter{Reason: c.Reason.String(), Dropped: c.Reason.Dropped(), Packets: c.Packets, Bytes: c.Bytes}})
	}
	return list, err
}

func (d driver) find(address netip.Addr) (Finding, error) {
	f, err := d.Find(address)
	return Finding{f.Allowed, f.Denied, f.Banned, f.Until, f.Metered}, err
}

// firewall is the table.
type firewall struct{ *nft.Filter }

func (f firewall) setPolicy(p xdp.Policy) error {
	if len(p.Listeners) > nft.MaxListeners {
		return fmt.Errorf("the node listens on %d addresses: nftables has room for %d", len(p.Listeners), nft.MaxListeners)
	}
	q := nft.Policy{Addresses: nft.AddressLimits{
		Host: nft.Ceilings(p.Addresses.Host), Group: nft.Ceilings(p.Addresses.Group), Pieces: p.Addresses.Pieces, ICMP: p.Addresses.ICMP,
	}}
	for _, l := range p.Listeners {
		q.Listeners = append(q.Listeners, nft.Listener{
			Address: l.Address, Port: l.Port, CheckState: l.CheckState, SYNs: l.SYNs, Host: nft.Ceilings(l.Host), Group: nft.Ceilings(l.Group),
		})
	}
	return f.SetPolicy(q)
}

func (f firewall) tend() error { return nil }

func (f firewall) interfaces() (list []Interface) {
	for _, a := range f.Attached() {
		list = append(list, Interface{a.Interface, "nftables, " + a.Mode})
	}
	return list
}

func (f firewall) find(address netip.Addr) (Finding, error) {
	found, err := f.Find(address)
	return Finding{Allowed: found.Allowed, Denied: found.Denied, Banned: found.Banned, Until: found.Until}, err
}

// counters are of all listeners together: the table does not count them apart, and only what it does not let through as it came.
func (f firewall) counters() ([]counter, error) {
	all, err := f.Counters()
	list := make([]counter, 0, len(all))
	for _, c := range all {
		if c.Packets > 0 {
			list = append(list, counter{-1, Counter{Reason: c.Reason, Dropped: c.Reason != xdp.Cookie.String(), Packets: c.Packets, Bytes: c.Bytes}})
		}
	}
	return list, err
}
