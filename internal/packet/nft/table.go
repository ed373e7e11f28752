package nft

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// layout is the name of a chain: a table without it is of another version, and is replaced.
const layout = "layout_2"

// Names of chains and sets; those of a family have its name behind them.
const (
	chainArrive  = "arrive"  // every packet
	chainSources = "sources" // whose source is looked up
	chainPieces  = "pieces"  // fragments behind the first
	chainEchoes  = "echoes"  // echo requests
	chainTracked = "tracked" // hook input: whether it belongs to a connection
	chainStray   = "stray"   // it does not
	chainSent    = "sent"    // hook output
	setAllow     = "allow"
	setDeny      = "deny"
	setBans      = "bans"      // and their length
	setServed    = "served"    // by address, protocol and port
	setPorts     = "ports"     // by protocol and port
	setAddresses = "addresses" // of listeners
)

// Bounds of sets.
const (
	maxPrefixes = 200_000
	maxBans     = 1 << 16
	maxMetered  = 1 << 14
)

// reasons are those that packets are counted by. Among those of no connection are ACKs with a cookie, which are let in.
func reasons() []packet.Reason {
	return []packet.Reason{
		packet.Cookie, packet.Banned, packet.Denied, packet.Malformed, packet.NoState, packet.OverInitials, packet.OverReflects, packet.OverPieces,
		packet.OverICMP, packet.OverHost, packet.OverGroup,
	}
}

// sets of the table that outlive a change of policy.
type sets struct {
	allow, deny *nftables.Set
	bans        map[int]*nftables.Set // by length
}

func (f family) key() nftables.SetDatatype {
	if f.length == 4 {
		return nftables.TypeIPAddr
	}
	return nftables.TypeIP6Addr
}

// build makes the table, with everything in it that does not depend on the policy, in place of one that has these chains. It is one
// transaction.
func (f *Filter) build(before []string) error {
	f.conn.AddTable(f.table)
	f.conn.DelTable(f.table) // added first, it is there for sure
	f.conn.AddTable(f.table)
	f.chain(layout)
	for _, name := range before {
		if strings.HasPrefix(name, looseBefore) {
			f.chain(name)
		}
	}
	for _, reason := range reasons() {
		f.conn.AddObj(&nftables.CounterObj{Table: f.table, Name: reason.String()})
	}
	for _, family := range families() {
		if err := f.buildSources(family); err != nil {
			return err
		}
	}
	f.chain(chainArrive) // filled by the policy
	return f.conn.Flush()
}

// buildSources makes the sets of a family, and the chain that looks a source up in them.
func (f *Filter) buildSources(family family) error {
	s := f.sets[family.name]
	all := []*nftables.Set{s.allow, s.deny}
	for _, bits := range family.lengths {
		all = append(all, s.bans[bits])
	}
	for _, set := range all {
		if err := f.conn.AddSet(set, nil); err != nil {
			return fmt.Errorf("make set %s: %w", set.Name, err)
		}
	}
	chain := f.chain(chainSources + family.name)
	for _, bits := range family.lengths {
		f.rule(chain, family.network(bits), in(s.bans[bits]), drop(packet.Banned))
	}
	f.rule(chain, family.network(int(family.length)*8), in(s.deny), drop(packet.Denied))
	return nil
}

// describe says which sets a family has.
func (f *Filter) describe(family family) sets {
	interval := func(name string) *nftables.Set {
		return &nftables.Set{Table: f.table, Name: name + family.name, KeyType: family.key(), Interval: true}
	}
	s := sets{allow: interval(setAllow), deny: interval(setDeny), bans: make(map[int]*nftables.Set)}
	for _, bits := range family.lengths {
		s.bans[bits] = &nftables.Set{
			Table: f.table, Name: setBans + family.name + "_" + strconv.Itoa(bits), KeyType: family.key(), HasTimeout: true, Size: maxBans,
		}
	}
	return s
}

// chain adds a chain that others jump to.
func (f *Filter) chain(name string) *nftables.Chain {
	return f.conn.AddChain(&nftables.Chain{Table: f.table, Name: name})
}

// hook adds a chain that packets come to by themselves.
func (f *Filter) hook(name string, hook nftables.ChainHook, priority nftables.ChainPriority, device string) *nftables.Chain {
	policy := nftables.ChainPolicyAccept
	return f.conn.AddChain(&nftables.Chain{
		Table: f.table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: &hook, Priority: &priority, Policy: &policy, Device: device,
	})
}

// rule adds a rule to a chain.
func (f *Filter) rule(chain *nftables.Chain, parts ...match) {
	if m := and(parts...); len(m) > 0 {
		f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: chain, Exprs: m})
	}
}

// Hooks and their priorities.
const (
	hookIngress    = nftables.ChainHook(5) // NF_INET_INGRESS, of family inet
	hookPrerouting = nftables.ChainHook(unix.NF_INET_PRE_ROUTING)
	hookInput      = nftables.ChainHook(unix.NF_INET_LOCAL_IN)
	hookOutput     = nftables.ChainHook(unix.NF_INET_LOCAL_OUT)

	beforeDefragmentation = nftables.ChainPriority(-450)
	beforeTracking        = nftables.ChainPriority(-300)
	beforeFilters         = nftables.ChainPriority(-5)
)
