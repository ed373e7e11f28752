package nft

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// Options say where to filter.
type Options struct {
	Table      string   // its name: nodes that share a network namespace have one each
	Interfaces []string // to judge where they receive; none: all, in prerouting
	Namespace  int      // a file descriptor of a network namespace; 0: the calling thread's. Sysctls are always the calling thread's.
}

// A Filter is the table in force. Its methods may be called by several goroutines.
type Filter struct {
	namespace int
	table     *nftables.Table
	sets      map[string]sets // by family
	attached  []packet.Attachment
	proxy     bool // the kernel has a SYN proxy

	mu   sync.Mutex // guards what waits in conn to be sent
	conn *nftables.Conn

	bansMu sync.Mutex // likewise; a ban does not wait until a set is replaced
	bans   *nftables.Conn
}

// buffer is how much may be on its way to the kernel, or back: a set of all prefixes is one message.
const buffer = 64 << 20

// Open puts the table in force, or takes over what is there already, with its lists, bans and counters. The policy is the one before, until
// SetPolicy.
func Open(o Options) (*Filter, error) {
	if o.Table == "" {
		return nil, errors.New("the table has no name")
	}
	f, err := connect(o.Table, o.Namespace)
	if err != nil {
		return nil, err
	}
	for _, family := range families() {
		f.sets[family.name] = f.describe(family)
	}
	f.proxy = f.probe() == nil
	there, _, err := f.chains()
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("nftables wants CAP_NET_ADMIN: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(there, layout) {
		if err := f.build(there); err != nil {
			return nil, fmt.Errorf("make table %s: %w", o.Table, err)
		}
		there = nil
	}
	if err := f.attach(o.Interfaces, there); err != nil {
		return nil, err
	}
	return f, f.dialBans()
}

// connect returns a filter that can ask and change a table, and knows nothing of it yet.
func connect(table string, namespace int) (*Filter, error) {
	f := &Filter{
		namespace: namespace, table: &nftables.Table{Name: table, Family: nftables.TableFamilyINet}, sets: make(map[string]sets),
	}
	conn, err := nftables.New(f.options()...)
	if err != nil {
		return nil, fmt.Errorf("talk to nftables: %w", err)
	}
	f.conn = conn
	return f, nil
}

func (f *Filter) options() []nftables.ConnOption {
	options := []nftables.ConnOption{nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(buffer), c.SetWriteBuffer(buffer))
	})}
	if f.namespace != 0 {
		options = append(options, nftables.WithNetNSFd(f.namespace))
	}
	return options
}

// chains are the names of those that the table has, and of those in other tables.
func (f *Filter) chains() (own, others []string, err error) {
	all, err := f.conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, nil, fmt.Errorf("list chains: %w", err)
	}
	for _, c := range all {
		if c.Table.Name == f.table.Name {
			own = append(own, c.Name)
		} else {
			others = append(others, c.Name)
		}
	}
	return own, others, nil
}

// probe asks the kernel for a SYN proxy, in a table that is gone at once.
func (f *Filter) probe() error {
	probe := Filter{conn: f.conn, table: &nftables.Table{Name: f.table.Name + "_probe", Family: nftables.TableFamilyINet}}
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
func (f *Filter) Close() error {
	f.bansMu.Lock()
	defer f.bansMu.Unlock()
	return f.bans.CloseLasting()
}

// Detach removes a table from the calling thread's network namespace, if it is there, and restores the sysctl, unless another node's
// table wants that as it is. It is no error if the kernel has no nftables.
func Detach(table string) error {
	f, err := connect(table, 0)
	if err != nil {
		return err
	}
	return f.detach()
}

func (f *Filter) detach() error {
	there, others, err := f.chains()
	if isAbsent(err) {
		return nil
	}
	if err != nil || len(there) == 0 {
		return err
	}
	f.conn.DelTable(f.table)
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("delete table %s: %w", f.table.Name, err)
	}
	before, changed := looseOf(there)
	if _, wanted := looseOf(others); wanted || !changed {
		return nil
	}
	return writeLoose(before)
}

// isAbsent tells whether a kernel without nftables gave this answer: to a question for nobody (EINVAL), or because netlink has no such
// protocol.
func isAbsent(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT)
}
