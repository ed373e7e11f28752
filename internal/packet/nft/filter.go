package nft

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"

	"github.com/seawall/seawall/internal/packet"
)

// Options say where to filter.
type Options struct {
	Interfaces []string // to judge where they receive; none: all, in prerouting
	Namespace  int      // a file descriptor of a network namespace; 0: the calling thread's. Sysctls are always the calling thread's.
}

// A Filter is the table in force. Its methods may be called by several goroutines.
type Filter struct {
	mu       sync.Mutex
	conn     *nftables.Conn
	table    *nftables.Table
	sets     map[string]sets // by family
	attached []packet.Attachment
	proxy    bool // the kernel has a SYN proxy
}

// buffer is how much may be on its way to the kernel, or back: a set of all prefixes is one message.
const buffer = 64 << 20

// Open puts the table in force, or takes over what is there already, with its lists, bans and counters. The policy is the one before, until
// SetPolicy.
func Open(o Options) (*Filter, error) {
	options := []nftables.ConnOption{nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(buffer), c.SetWriteBuffer(buffer))
	})}
	if o.Namespace != 0 {
		options = append(options, nftables.WithNetNSFd(o.Namespace))
	}
	conn, err := nftables.New(options...)
	if err != nil {
		return nil, fmt.Errorf("talk to nftables: %w", err)
	}
	f := &Filter{conn: conn, table: &nftables.Table{Name: Table, Family: nftables.TableFamilyINet}, sets: make(map[string]sets)}
	for _, family := range families() {
		f.sets[family.name] = f.describe(family)
	}
	f.proxy = f.probe() == nil
	there, err := f.chains()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(there, layout) {
		if err := f.build(); err != nil {
			return nil, fmt.Errorf("make table %s: %w", Table, err)
		}
		there = nil
	}
	return f, f.attach(o.Interfaces, there)
}

// chains are the names of those that the table has.
func (f *Filter) chains() ([]string, error) {
	all, err := f.conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	var names []string
	for _, c := range all {
		if c.Table.Name == Table {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// probe asks the kernel for a SYN proxy, in a table that is gone at once.
func (f *Filter) probe() error {
	probe := Filter{conn: f.conn, table: &nftables.Table{Name: Table + "_probe", Family: nftables.TableFamilyINet}}
	f.conn.AddTable(probe.table)
	probe.rule(probe.hook("probe", hookInput, beforeFilters, ""), protocol(protocolTCP), match{&expr.SynProxy{}})
	f.conn.DelTable(probe.table)
	return f.conn.Flush()
}

// attach has packets come to the table: where the interfaces receive them or, where the kernel can't, in prerouting.
func (f *Filter) attach(interfaces, there []string) error {
	var old []*nftables.Chain
	for _, name := range there {
		if strings.HasPrefix(name, "on_") {
			old = append(old, &nftables.Chain{Table: f.table, Name: name})
		}
	}
	if len(interfaces) > 0 {
		if err := f.attachTo(interfaces, old); err == nil {
			return nil
		}
	}
	return f.attachTo(nil, old)
}

func (f *Filter) attachTo(interfaces []string, old []*nftables.Chain) error {
	for _, chain := range old {
		f.conn.DelChain(chain)
	}
	var attached []packet.Attachment
	for _, name := range interfaces {
		f.rule(f.hook("on_"+name, hookIngress, beforeDefragmentation, name), jump(chainArrive))
		attached = append(attached, packet.Attachment{Interface: name, Mode: "nftables, ingress"})
	}
	if len(interfaces) == 0 {
		all := f.hook("on_all", hookPrerouting, beforeDefragmentation, "")
		f.rule(all, loopback(), accept())
		f.rule(all, jump(chainArrive))
		attached = append(attached, packet.Attachment{Interface: "all", Mode: "nftables, prerouting"})
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	f.attached = attached
	return nil
}

// Attached says where packets are judged.
func (f *Filter) Attached() []packet.Attachment { return slices.Clone(f.attached) }

// ChecksState says whether listeners' CheckState and SYNs have an effect: whether the kernel has a SYN proxy.
func (f *Filter) ChecksState() bool { return f.proxy }

// Tend does nothing: the kernel does all by itself.
func (f *Filter) Tend() error { return nil }

// Close lets go; filtering goes on.
func (f *Filter) Close() error { return nil }

// Detach removes the table of the calling thread's network namespace, if there is one, and restores the sysctl.
func Detach() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("talk to nftables: %w", err)
	}
	f := &Filter{conn: conn, table: &nftables.Table{Name: Table, Family: nftables.TableFamilyINet}}
	there, err := f.chains()
	if err != nil || len(there) == 0 {
		return err
	}
	conn.DelTable(f.table)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("delete table %s: %w", Table, err)
	}
	for _, name := range there {
		if before, ok := strings.CutPrefix(name, looseBefore); ok {
			return writeLoose(before)
		}
	}
	return nil
}

// looseBefore begins the name of a chain that does nothing but to remember what the sysctl was.
const looseBefore = "loose_was_"

const loose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"

// beStrict has connection tracking take nothing for a connection whose beginning it has not seen.
func (f *Filter) beStrict() error {
	before, err := os.ReadFile(loose)
	if err != nil {
		return err
	}
	value := strings.TrimSpace(string(before))
	if value == "0" {
		return nil
	}
	if _, err := strconv.Atoi(value); err != nil {
		return fmt.Errorf("%s: %w", loose, err)
	}
	f.chain(looseBefore + value)
	if err := f.conn.Flush(); err != nil {
		return err
	}
	return writeLoose("0")
}

func writeLoose(value string) error { return os.WriteFile(loose, []byte(value), 0o644) }
