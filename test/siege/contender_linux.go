package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/nft"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/test/flood/lab"
)

// A contender is what stands before the server.
type contender struct {
	name    string
	prepare func(ctx context.Context, l *lab.Lab, sources []netip.Prefix) error // those of the flood, for who denies sources
	mode    string                                                              // of node.packets, if a node is before the server
}

func contenders() []contender {
	return []contender{
		{name: "bare", prepare: func(_ context.Context, l *lab.Lab, _ []netip.Prefix) error {
			return l.Server.Set("ipv4/tcp_syncookies", "0")
		}},
		{name: "cookies", prepare: nothing},
		{name: "iptables-raw", prepare: func(ctx context.Context, l *lab.Lab, sources []netip.Prefix) error {
			return restore(ctx, l, sources, "raw", "PREROUTING")
		}},
		{name: "conntrack", prepare: func(ctx context.Context, l *lab.Lab, sources []netip.Prefix) error {
			return restore(ctx, l, sources, "filter", "INPUT", "-m conntrack --ctstate INVALID -j DROP")
		}},
		{name: "xdp", prepare: func(ctx context.Context, l *lab.Lab, _ []netip.Prefix) error { return program(ctx, l, nil) }},
		{name: "xdp-denied", prepare: program},
		{name: "nft", prepare: func(_ context.Context, l *lab.Lab, _ []netip.Prefix) error { return fallback(l, nil) }},
		{name: "nft-denied", prepare: func(_ context.Context, l *lab.Lab, sources []netip.Prefix) error { return fallback(l, sources) }},
		{name: "seawall", prepare: answerable, mode: "native"},
		{name: "seawall-nft", prepare: nothing, mode: "nftables"},
	}
}

func nothing(context.Context, *lab.Lab, []netip.Prefix) error { return nil }

// restore fills a chain of iptables' with rules, and with one for each source.
func restore(ctx context.Context, l *lab.Lab, sources []netip.Prefix, table, chain string, rules ...string) error {
	command := "iptables-legacy-restore"
	if sources[0].Addr().Is6() {
		command = "ip6tables-legacy-restore"
	}
	for _, source := range sources {
		rules = append(rules, fmt.Sprintf("-s %s -j DROP", source))
	}
	var script strings.Builder
	fmt.Fprintf(&script, "*%s\n", table)
	for _, rule := range rules {
		fmt.Fprintf(&script, "-A %s %s\n", chain, rule)
	}
	fmt.Fprintln(&script, "COMMIT")
	_, err := l.Server.Run(ctx, script.String(), command)
	return err
}

// answerable lets what a native program answers reach the other side of a veth pair until ctx ends: there has to be a program there, too. It has
// no policy, and passes everything.
func answerable(ctx context.Context, l *lab.Lab, _ []netip.Prefix) error {
	return l.Attacker.Do(func() error {
		f, err := xdp.Open(xdp.Options{Interfaces: []string{l.Attacker.Interface}, Mode: xdp.Native})
		if err == nil {
			context.AfterFunc(ctx, func() { _ = f.Close() })
		}
		return err
	})
}

// program puts Seawall's filter in force, and tends it until ctx ends, as a node does.
func program(ctx context.Context, l *lab.Lab, denied []netip.Prefix) error {
	if err := answerable(ctx, l, nil); err != nil {
		return err
	}
	var f *xdp.Filter
	err := l.Server.Do(func() (err error) {
		if f, err = xdp.Open(xdp.Options{Interfaces: []string{l.Server.Interface}, Mode: xdp.Native, CookieOptions: true}); err != nil {
			return err
		}
		host, group := packet.Ceilings{Packets: 20_000, Openings: 2000}, packet.Ceilings{Packets: 50_000, Openings: 10_000}
		return errors.Join(f.Replace(denied), f.SetPolicy(packet.Policy{
			Listeners: []packet.Listener{
				{Port: port, CheckState: true, SYNs: 1000, Host: host, Group: group},
				{Port: port, UDP: true, Reflected: 1000, Initials: 1000, Host: host, Group: group},
			},
			Addresses: packet.AddressLimits{Pieces: 1000, ICMP: 1000},
		}))
	})
	if err != nil {
		return err
	}
	go func() {
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				_ = f.Close()
				return
			case <-every.C:
				_ = l.Server.Do(f.Tend)
			}
		}
	}()
	return nil
}

// fallback puts Seawall's fallback in force, as it would be for a site of this size.
func fallback(l *lab.Lab, denied []netip.Prefix) error {
	return l.Server.Do(func() error {
		f, err := nft.Open(nft.Options{Table: "seawall_siege", Interfaces: []string{l.Server.Interface}})
		if err != nil {
			return err
		}
		host, group := packet.Ceilings{Packets: 20_000, Openings: 2000}, packet.Ceilings{Packets: 50_000, Openings: 10_000}
		return errors.Join(f.Replace(denied), f.SetPolicy(packet.Policy{
			Listeners: []packet.Listener{
				{Port: port, CheckState: true, SYNs: 1000, Host: host, Group: group},
				{Port: port, UDP: true, Reflected: 1000, Initials: 1000, Host: host, Group: group},
			},
			Addresses: packet.AddressLimits{Pieces: 1000, ICMP: 1000},
		}))
	})
}

// choose returns the contenders of these names, or all.
func choose(names []string) ([]contender, error) {
	all := contenders()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []contender
	for _, name := range names {
		i := slices.IndexFunc(all, func(c contender) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no contender is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
