package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/seawall/seawall/internal/packet"
)

// layout names the form of the maps. It changes when they do: a program then finds none of the older ones, and begins with empty ones.
const layout = "2"

// Where the tables' maps are held.
const (
	tableAllow = 0
	tableDeny4 = 1
	tableDeny6 = 2
	tables     = 3
)

// Options are what does not change while a Filter is open.
type Options struct {
	Pins          string   // a folder on bpffs, of this filter's own; "": nothing is pinned, and filtering ends with the process
	Interfaces    []string // where packets come in; none: nothing is attached
	Mode          Mode     // Auto, if it is empty
	Meters        int      // lines of a row of meters, a power of two; 0: 8,192
	CookieOptions bool     // cookies keep window scale and SACK of clients with timestamps; sets the sysctl tcp_timestamps to 2
	CPUs          int      // that receive packets; 0: all
}

// A Filter is the program, its maps, and where it is attached. Its methods may be called by several goroutines.
type Filter struct {
	options Options
	objects filterObjects
	salt    salt
	sysctls *sysctls
	inner   map[string]*ebpf.MapSpec // of the maps that slots hold, by the slots' map
	slots   slots

	attaching sync.Mutex
	attached  []attachment

	judged atomic.Int32 // listeners and one more, of this process's policy that had the most; 0 before the first

	reading sync.Mutex // of samples
	samples *ringbuf.Reader
	record  ringbuf.Record

	bans   *bans
	denial sync.Mutex // held while a set of the denied is built and put in force

	mu    sync.Mutex  // of all else that is written
	heads filterHeads // what allow_heads holds
	calls int         // of Tend
	sent  uint64      // cookies, when Tend last looked
	quiet int         // calls of Tend since cookies were sent
}

// Open loads the program and attaches it, or takes over what is pinned, whose bans, lists, policy, signatures and counters stay. Where the
// pinned maps have another form, as those of another version or with other Meters, new ones take their place between two packets; they are
// empty, and everything passes until SetPolicy. It reads and writes sysctls of the calling thread's network namespace, as do SetPolicy,
// Tend, Close and Detach.
func Open(options Options) (*Filter, error) {
	if options.Meters == 0 {
		options.Meters = 1 << 13
	}
	if options.CPUs == 0 {
		options.CPUs = runtime.NumCPU()
	}
	if options.Meters < 64 || options.Meters > 1<<20 || options.Meters&(options.Meters-1) != 0 {
		return nil, fmt.Errorf("%d lines of meters are not a power of two from 64 to 1048576", options.Meters)
	}
	spec, err := loadFilter()
	if err != nil {
		return nil, err
	}
	f, err := open(options, spec)
	if err != nil {
		return nil, fmt.Errorf("opening the packet filter: %w", err)
	}
	return f, nil
}

func open(options Options, spec *ebpf.CollectionSpec) (*Filter, error) {
	if err := mayFilter(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lifting the limit on locked memory: %w", err)
	}
	if err := spec.Variables[filterVarMeterLines].Set(uint32(options.Meters)); err != nil {
		return nil, err
	}
	spec.Maps[filterMapMeters].MaxEntries = uint32(2 * options.Meters)
	spec.Maps[filterMapSamples].MaxEntries = samplesRoom(options.CPUs)
	f := &Filter{options: options, inner: make(map[string]*ebpf.MapSpec), slots: slots{open: make(map[string]*ebpf.Map)}}
	for name, m := range spec.Maps {
		if m.InnerMap != nil {
			f.inner[name] = m.InnerMap.Copy()
		}
	}
	if err := f.load(spec); err != nil {
		return nil, err
	}
	if err := f.resume(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// loaded is what LoadAndAssign loads: everything but the program that only a benchmark wants.
type loaded struct {
	filterMaps
	Filter    *ebpf.Program  `ebpf:"filter"`
	StoppedAt *ebpf.Variable `ebpf:"stopped_at"`
	Said      *ebpf.Variable `ebpf:"said"`
}

// load loads the program with the pinned maps, or new ones where those of another build have another form.
func (f *Filter) load(spec *ebpf.CollectionSpec) error {
	var collection ebpf.CollectionOptions
	if f.options.Pins != "" {
		collection.Maps.PinPath = f.mapsDir()
		if err := os.MkdirAll(collection.Maps.PinPath, 0o700); err != nil {
			return fmt.Errorf("making the folder for pins: %w: want bpffs there: mount -t bpf bpf /sys/fs/bpf", err)
		}
		for name, m := range spec.Maps {
			if name[0] != '.' {
				m.Pinning = ebpf.PinByName
			}
		}
	}
	var l loaded
	err := spec.LoadAndAssign(&l, &collection)
	if errors.Is(err, ebpf.ErrMapIncompatible) {
		if err = os.RemoveAll(collection.Maps.PinPath); err == nil {
			err = os.MkdirAll(collection.Maps.PinPath, 0o700)
		}
		if err == nil {
			err = spec.LoadAndAssign(&l, &collection)
		}
	}
	if err != nil {
		return err
	}
	f.objects.filterMaps, f.objects.Filter, f.objects.StoppedAt, f.objects.Said = l.filterMaps, l.Filter, l.StoppedAt, l.Said
	return nil
}

func (f *Filter) mapsDir() string { return filepath.Join(f.options.Pins, "maps-"+layout) }

// forget unpins maps of other forms, which no program that is attached reads now.
func (f *Filter) forget() error {
	others, err := filepath.Glob(filepath.Join(f.options.Pins, "maps-*"))
	if f.options.Pins == "" || err != nil {
		return err
	}
	for _, dir := range others {
		if dir == f.mapsDir() {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("forgetting older maps: %w", err)
		}
	}
	return nil
}

// resume takes over the salt and the bans of who was there before, and attaches.
func (f *Filter) resume() error {
	if f.options.Pins != "" {
		f.slots.dir = f.mapsDir()
		for of, n := range map[string]uint32{filterMapPolicies: 1, filterMapSignatureSets: 1, filterMapTables: tables} {
			if err := f.slots.resume(of, n); err != nil {
				return err
			}
		}
	}
	policy, err := f.policyInForce()
	if err != nil {
		return err
	}
	f.salt = salt{policy.Salt.A, policy.Salt.B}
	if f.salt == (salt{}) {
		if f.salt, err = newSalt(); err != nil {
			return err
		}
	}
	if f.bans, err = openBans(f.objects.Bans, f.objects.BanFilter); err != nil {
		return err
	}
	if err := f.objects.AllowHeads.Lookup(uint32(0), &f.heads); err != nil {
		return err
	}
	if f.sent, err = f.synsOver(); err != nil {
		return err
	}
	if f.sysctls, err = openSysctls(f.options.Pins); err != nil {
		return err
	}
	if f.options.CookieOptions {
		if err := f.sysctls.set(tcpTimestamps, 2); err != nil {
			return err
		}
	}
	if err := f.attachAll(); err != nil {
		return err
	}
	return f.forget()
}

// policyInForce is all zero if there is none.
func (f *Filter) policyInForce() (filterPolicy, error) {
	var policy filterPolicy
	m, err := f.slots.held(filterMapPolicies, 0)
	if m == nil || err != nil {
		return policy, err
	}
	defer func() { _ = m.Close() }()
	if err := m.Lookup(uint32(0), &policy); err != nil {
		return policy, fmt.Errorf("reading the policy in force: %w", err)
	}
	return policy, nil
}

// SetPolicy puts a policy in force, whole.
func (f *Filter) SetPolicy(p packet.Policy) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	policy, err := compile(&p, f.salt, windowScale(), f.options.CookieOptions, f.options.CPUs)
	if err != nil {
		return fmt.Errorf("setting the packet filter's policy: %w", err)
	}
	if err := f.put(f.objects.Policies, filterMapPolicies, policy); err != nil {
		return fmt.Errorf("setting the packet filter's policy: %w", err)
	}
	f.judged.Store(max(f.judged.Load(), int32(len(p.Listeners)+1)))
	return nil
}

// SetAllow replaces the set of those who are let through before all else.
func (f *Filter) SetAllow(prefixes []netip.Prefix) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	prefixes = unmapped(prefixes, true, true)
	cells, err := hashed(prefixes, f.salt)
	if err != nil {
		return fmt.Errorf("setting who is allowed: %w", err)
	}
	// In between, the heads are those of both sets.
	after := headsOf(prefixes)
	both := after
	for i := range both.Words {
		both.Words[i] |= f.heads.Words[i]
	}
	err = f.setHeads(both)
	if err == nil {
		err = f.setTable(tableAllow, cells)
	}
	if err == nil {
		err = f.setHeads(after)
	}
	if err != nil {
		return fmt.Errorf("setting who is allowed: %w", err)
	}
	return nil
}

func (f *Filter) setHeads(heads filterHeads) error {
	err := f.objects.AllowHeads.Put(uint32(0), heads)
	if err == nil {
		f.heads = heads
	}
	return err
}

// headsOf marks the beginnings of addresses that may be in a set: see bpf/table.h.
func headsOf(prefixes []netip.Prefix) (heads filterHeads) {
	mark := func(bit uint32) { heads.Words[bit>>6] |= 1 << (bit & 63) }
	for _, p := range prefixes {
		a := halves(p.Masked().Addr())
		if p.Addr().Is4() {
			first := uint32(a.lo) >> 19
			for i := range uint32(1) << max(13-p.Bits(), 0) {
				mark(first + i)
			}
			continue
		}
		first := uint32(a.hi >> 48)
		for i := range uint32(1) << max(16-p.Bits(), 0) {
			mark((first + i) * 0x9e3779b1 >> 19)
		}
	}
	return heads
}

// Replace replaces the set of those who are refused. A million prefixes take less than a second; packets meet the old set, or the new.
// The sets of the two families are swapped one after the other. Nothing but another Replace waits meanwhile.
func (f *Filter) Replace(deny []netip.Prefix) error {
	f.denial.Lock()
	defer f.denial.Unlock()
	flat, err := flatten(unmapped(deny, true, false))
	if err != nil {
		return fmt.Errorf("replacing who is denied: %w", err)
	}
	longer, err := hashed(unmapped(deny, false, true), f.salt)
	if err != nil {
		return fmt.Errorf("replacing who is denied: %w", err)
	}
	if err := errors.Join(f.setTable(tableDeny4, flat), f.setTable(tableDeny6, longer)); err != nil {
		return fmt.Errorf("replacing who is denied: %w", err)
	}
	return nil
}

// unmapped leaves the prefixes of the families asked for, with IPv4 as IPv4.
func unmapped(prefixes []netip.Prefix, v4, v6 bool) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.IsValid() && (p.Addr().Is4() && v4 || p.Addr().Is6() && v6) {
			out = append(out, p)
		}
	}
	return out
}

// setTable swaps a table; without cells its slot becomes empty.
func (f *Filter) setTable(slot uint32, cells []byte) error {
	if cells == nil {
		return f.slots.hold(f.objects.Tables, filterMapTables, slot, nil)
	}
	spec := f.inner[filterMapTables].Copy()
	spec.MaxEntries = uint32(len(cells) / (lineCells * cellBytes))
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return fmt.Errorf("making a table of %d lines: %w", spec.MaxEntries, err)
	}
	memory, err := m.Memory()
	if err == nil {
		_, err = memory.WriteAt(cells, 0)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing a table: %w", err), m.Close())
	}
	return f.slots.hold(f.objects.Tables, filterMapTables, slot, m)
}

// Close lets go of the program. What is pinned goes on.
func (f *Filter) Close() error {
	f.denial.Lock()
	defer f.denial.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bans != nil {
		f.bans.close()
	}
	errs := []error{f.letGo()}
	if f.samples != nil {
		errs = append(errs, f.samples.Close())
	}
	if f.sysctls != nil {
		errs = append(errs, f.sysctls.close(f.options.Pins == ""))
	}
	errs = append(errs, f.slots.close(), f.objects.filterMaps.Close())
	if f.objects.Filter != nil {
		errs = append(errs, f.objects.Filter.Close())
	}
	return errors.Join(errs...)
}

// letGo closes the links, which go on if they are pinned.
func (f *Filter) letGo() error {
	f.attaching.Lock()
	defer f.attaching.Unlock()
	var errs []error
	for _, a := range f.attached {
		errs = append(errs, a.link.Close())
	}
	f.attached = nil
	return errors.Join(errs...)
}

// An attachment is the program on one interface.
type attachment struct {
	name string
	mode Mode
	link link.Link
}
