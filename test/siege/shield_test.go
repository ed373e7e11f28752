package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

// low is what a short flood exceeds, whoever shares the machine.
const low = ", syns: 100, icmp: 100, fragments: 100"

// A guarded site is one of the lab's with a node before it.
type guarded struct {
	*testing.T
	*lab.Lab
	*shield
	before map[string]string // the server's sysctls
	others ebpf.ProgramID    // on its interface, that is not the node's; 0 for none
}

// guard has a node that filters in a mode of node.packets.
func guard(t *testing.T, program, mode string) *guarded {
	t.Helper()
	g := unguarded(t, program, mode)
	g.launch()
	g.filters(true)
	return g
}

// unguarded has a node that is still to be started.
func unguarded(t *testing.T, program, mode string) *guarded {
	t.Helper()
	g := &guarded{T: t, Lab: lab.For(t)}
	if mode == "native" {
		g.must(answerable(t.Context(), g.Lab, nil))
	}
	_, stop, err := launch(context.WithoutCancel(t.Context()), g.Lab, "", sitePort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	g.before = g.sysctls()
	if g.shield, err = newShield(g.Lab, program, t.TempDir(), mode, low); err != nil {
		t.Fatal(err)
	}
	return g
}

// launch starts the node, and has it end with the test.
func (g *guarded) launch() {
	g.Helper()
	if err := g.start(context.WithoutCancel(g.Context())); err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() {
		g.must(g.end(context.Background(), syscall.SIGKILL), g.detach(context.Background()))
	})
}

// filters wants the node to filter, or not to.
func (g *guarded) filters(want bool) {
	g.Helper()
	p, err := g.packets(g.Context())
	if err != nil || p.Filtering != want {
		said, _ := os.ReadFile(g.said())
		g.Fatalf("got packets %+v, %v, want them filtered: %t; the node said: %s", p, err, want, said)
	}
}

func (g *guarded) must(errs ...error) {
	g.Helper()
	if err := errors.Join(errs...); err != nil {
		g.Error(err)
	}
}

// addresses are the server's that are attacked: one of each family.
func (g *guarded) addresses() []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(g.Server.IPv4[0], port), netip.AddrPortFrom(g.Server.IPv6[0], port)}
}

// needProgram builds Seawall, or skips the test where packets can't be filtered.
func needProgram(t *testing.T) string {
	t.Helper()
	if err := lab.Unavailable(); err != nil {
		t.Skip(err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Skipf("needs root and BPF: %v", err)
	}
	m.Close()
	var bpffs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/bpf", &bpffs); err != nil || bpffs.Type != unix.BPF_FS_MAGIC {
		if err := unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""); err != nil {
			t.Skipf("needs bpffs: %v", err)
		}
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: Debian package nftables")
	}
	program := filepath.Join(os.Getenv(programFolder), "seawall")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	program, err = build(t.Context(), os.Getenv(programFolder))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// endsOf are the reasons for which the filter keeps a flood from the kernel; nil if it does not, because the node serves no such port. Of SYNs
// beyond the rate, the kernel is left those that it has room for, until it wants cookies for all.
func endsOf(kind string) []string {
	ends := map[string][]string{
		"syn": {"cookie"}, "syn-varied": {"cookie"}, "syn-ack": {"no-state", "malformed"},
		"ack": {"no-state", "bad-cookie"}, "rst": {"no-state"}, "fin": {"no-state", "bad-cookie"},
		"later-fragments": {"over-fragments"}, "icmp": {"over-icmp"},
		flood.Mixed: {"cookie", "no-state", "bad-cookie", "malformed", "over-fragments", "over-icmp"},
	}
	return ends[kind]
}

const (
	floodRate = 10_000 // packets a second, which a core has time for beside all else
	enough    = 500    // packets of a flood, of one kind
)

// TestFloods: in every flood visitors get through to the node, and who works on the server's other ports; the filter keeps the flood from the kernel.
func TestFloods(t *testing.T) {
	program := needProgram(t)
	for _, mode := range []string{"auto", "native", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			if testing.Short() && mode == "native" {
				t.Skip("takes five seconds, and auto is the same program")
			}
			g := guard(t, program, mode)
			operators := make(map[netip.Addr]*operator)
			for _, at := range g.addresses() {
				o, err := newOperator(t.Context(), g.Lab, at.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer o.close()
				operators[at.Addr()] = o
			}
			for _, kind := range flood.Kinds() {
				for _, at := range g.addresses() {
					g.Run(kind.Name+" "+at.Addr().String(), func(t *testing.T) {
						test := *g
						test.T = t
						test.flooded(flood.Plan{Kind: kind.Name, Target: at, Rate: floodRate}, operators[at.Addr()])
					})
				}
			}
		})
	}
}

// flooded has visitors and the operator come while a flood goes on, until enough of it has met its end.
func (g *guarded) flooded(plan flood.Plan, operator *operator) {
	g.Helper()
	reasons := endsOf(plan.Kind)
	before, err := g.stopped(g.Context(), reasons...)
	g.must(err)
	ctx, stop := context.WithCancel(g.Context())
	defer stop()
	ended := make(chan error, 1)
	arrived := counter(g.T, g.Receiver)
	began := arrived()
	go func() {
		_, err := g.Flood(ctx, plan)
		ended <- err
	}()
	work := operator.start(g.Context())
	comes := func(n int) {
		g.must(until(ctx, fmt.Sprintf("%d packets have come", n), func() bool { return arrived()-began >= n }))
	}
	comes(enough / 10)
	g.visited(plan.Target, 10)
	comes(enough)
	if reasons != nil {
		g.must(until(g.Context(), fmt.Sprintf("%d packets met their end by %v", enough, reasons), func() bool {
			now, err := g.stopped(g.Context(), reasons...)
			return err == nil && now-before >= enough
		}))
	} else if now, err := g.stopped(g.Context()); err != nil || now-before > enough/10 {
		g.Errorf("got %d packets for no port of the node stopped, %v; want none", now-before, err)
	}
	stop()
	g.must(<-ended)
	if w := work(); w.failed > 0 {
		g.Errorf("of the operator's %d echoes %d failed, the first with: %v", w.echoes, w.failed, w.failure)
	}
	if g.Failed() {
		p, err := g.packets(g.Context())
		g.Logf("%+v, %v", p.Counters, err)
	}
}

// visited wants so many visitors to be served, one after the other.
func (g *guarded) visited(at netip.AddrPort, n int) {
	g.Helper()
	const rate = 200
	v := lab.Visits{URL: "http://" + at.String() + "/", Workers: n, Rate: rate, Lasting: time.Duration(n) * time.Second / rate, Timeout: startPatience}
	if got, err := g.Visit(g.Context(), v); err != nil || got.Kept != n {
		g.Errorf("%s: got %v (%v), %v; want %d kept", at, got, got.Failure, err, n)
	}
}

// TestLife: through a stop and a start, a kill and a start, and an upgrade, all under floods, the filter stops the packets of a banned source, each of
// them, and the flood of SYNs beside; what the kernel has of both meanwhile is what it would have in peace. Detaching leaves nothing.
func TestLife(t *testing.T) {
	program := needProgram(t)
	for _, mode := range []string{"auto", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			g := guard(t, program, mode)
			operator, err := newOperator(t.Context(), g.Lab, g.Server.IPv4[0])
			if err != nil {
				t.Fatal(err)
			}
			defer operator.close()
			work := operator.start(t.Context())
			at, banned := g.addresses()[0], g.Visitors.IPv4[15]
			g.ban(at, banned)
			before, sent := g.underFloods(at, banned, []change{
				{"stop", func(ctx context.Context) error { return g.end(ctx, syscall.SIGTERM) }},
				{"start", g.start},
				{"kill", func(ctx context.Context) error { return g.end(ctx, syscall.SIGKILL) }},
				{"start again", g.start},
				{"upgrade", g.upgradeBeside},
			})
			if got, err := g.stopped(t.Context(), "banned"); err != nil || got-before < sent {
				t.Errorf("got %d packets of the banned source stopped, %v; it has sent %d", got-before, err, sent)
			}
			g.visited(at, 10)
			if w := work(); w.failed > 0 {
				t.Errorf("of the operator's %d echoes %d failed, the first with: %v", w.echoes, w.failed, w.failure)
			}
			g.detached()
		})
	}
}

// upgradeBeside has another process take over while the one before still has a visitor, and wants that one to leave the filter alone.
func (g *guarded) upgradeBeside(ctx context.Context) error {
	before, visitor := g.main, g.Visitors.IPv4[0]
	c, err := g.Visitors.Dial(ctx, visitor, "tcp", g.addresses()[0].String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: site\r\n\r\nGET / HTTP/1.1\r\n"); err != nil { // and half of another
		return err
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		return err
	}
	if err := g.upgrade(ctx); err != nil {
		return err
	}
	return until(ctx, "the process before holds no map", func() bool {
		held, err := heldMaps(before)
		return err == nil && held == 0
	})
}

// heldMaps counts those of BPF that a process has open.
func heldMaps(process int) (n int, err error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", process))
	for _, file := range files {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", process, file.Name())); err == nil && to == "anon_inode:bpf-map" {
			n++
		}
	}
	return n, err
}

// ban has a visitor do what no honest one does: requests over HTTP/2 that it takes back, hundreds of them.
func (g *guarded) ban(at netip.AddrPort, visitor netip.Addr) {
	g.Helper()
	c, err := g.Visitors.Dial(g.Context(), visitor, "tcp", at.String())
	if err != nil {
		g.Fatal(err)
	}
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, field := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: at.String()}, {Name: ":path", Value: "/"}} {
		g.must(encoder.WriteField(field))
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, http2.ClientPreface)
		framer := http2.NewFramer(c, c)
		err = errors.Join(err, framer.WriteSettings())
		for id := uint32(1); err == nil && id < 20_000; id += 2 { // until the node has had enough
			err = errors.Join(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head.Bytes(), EndHeaders: true, EndStream: true}),
				framer.WriteRSTStream(id, http2.ErrCodeCancel))
			head.Reset()
			head.WriteString("\x82\x86\x84\xbe") // the same, out of the dynamic table
		}
		ended <- err
	}()
	banned := func() bool {
		p, err := g.packets(g.Context())
		return err == nil && slices.ContainsFunc(p.Bans, func(b packet.Ban) bool { return b.Source == prefixes.Source(visitor) })
	}
	late := until(g.Context(), "the source is banned", banned)
	c.Close() // it may wait for what nobody takes any more
	if err := <-ended; late != nil {
		g.Fatalf("%v; its connection ended with: %v", late, err)
	}
}

// A change is one of the node's processes.
type change struct {
	what string
	make func(context.Context) error
}

// underFloods makes changes while a banned source sends SYNs, and others of no name do so over IPv6. After each change it waits until some of
// both have arrived, and looks at what the kernel made of them. It returns how many of the banned source's packets had been stopped before, and
// how many arrived.
func (g *guarded) underFloods(at netip.AddrPort, banned netip.Addr, changes []change) (before, arrived int) {
	g.Helper()
	before, err := g.stopped(g.Context(), "banned")
	g.must(err)
	end, err := g.Lab.Receiver()
	if err != nil {
		g.Fatal(err)
	}
	lost, err := end.Read()
	g.must(err)
	plans := []flood.Plan{
		{Kind: "syn", Target: at, Rate: 2000, Sources: []netip.Prefix{prefixes.Source(banned)}},
		{Kind: "syn", Target: g.addresses()[1], Rate: floodRate},
	}
	ctx, stop := context.WithCancel(g.Context())
	defer stop()
	sent := make([]flood.Sent, len(plans))
	var floods sync.WaitGroup
	for i, plan := range plans {
		floods.Go(func() {
			var err error
			sent[i], err = g.Flood(ctx, plan)
			g.must(err)
		})
	}
	g.kernelHasPeace("before")
	for _, c := range changes {
		if err := c.make(context.WithoutCancel(g.Context())); err != nil {
			g.Fatalf("%s: %v", c.what, err)
		}
		g.kernelHasPeace(c.what)
	}
	stop()
	floods.Wait()
	now, err := end.Read()
	g.must(err)
	return before, sent[0].Packets - now.Since(lost).Dropped
}

// kernelHasPeace waits until some thousand packets have come, for hardly any of which the kernel is to answer that nobody listens.
func (g *guarded) kernelHasPeace(after string) {
	g.Helper()
	const some = 5000
	arrived := counter(g.T, g.Receiver)
	began, resets := arrived(), g.resets()
	g.must(until(g.Context(), "packets have arrived", func() bool { return arrived()-began >= some }))
	if got := g.resets() - resets; got > some/4 {
		g.Errorf("%s: the kernel answered %d of %d packets with a reset: they were not filtered", after, got, some)
	}
}

// resets are those that the server's kernel has sent.
func (g *guarded) resets() int {
	g.Helper()
	text, err := g.Server.Get("net/snmp")
	g.must(err)
	var names, values []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "Tcp:" {
			names, values = values, fields
		}
	}
	n, err := strconv.Atoi(values[slices.Index(names, "OutRsts")])
	g.must(err)
	return n
}

// detached ends the node, and wants nothing to be left of its filter.
func (g *guarded) detached() {
	g.Helper()
	ctx := g.Context()
	program, maps := g.attached()
	if program == g.others {
		program, maps = 0, nil
	}
	g.must(g.end(ctx, syscall.SIGTERM), g.detach(ctx))
	if _, err := os.Stat(packet.Pins(g.data())); !errors.Is(err, fs.ErrNotExist) {
		g.Errorf("got %v for the pins, want them gone", err)
	}
	if left, _ := g.attached(); left != g.others {
		g.Errorf("program %d is on the interface still", left)
	}
	g.must(until(ctx, fmt.Sprintf("program %d is gone", program), func() bool {
		p, err := ebpf.NewProgramFromID(program)
		if err == nil {
			p.Close()
		}
		return program == 0 || err != nil
	}))
	for _, id := range maps {
		g.must(until(ctx, fmt.Sprintf("map %d is gone", id), func() bool {
			m, err := ebpf.NewMapFromID(id)
			if err == nil {
				m.Close()
			}
			return err != nil
		}))
	}
	rules, err := g.Server.Run(ctx, "", "nft", "list", "ruleset")
	if g.must(err); rules != "" {
		g.Errorf("got rules, want none: %s", rules)
	}
	if diff := cmp.Diff(g.before, g.sysctls()); diff != "" {
		g.Errorf("sysctls are not as they were: -before +after:\n%s", diff)
	}
}

// attached are the program on the server's interface, 0 for none, and its maps.
func (g *guarded) attached() (program ebpf.ProgramID, maps []ebpf.MapID) {
	g.Helper()
	out, err := g.Server.Run(g.Context(), "", "ip", "-details", "link", "show", g.Server.Interface)
	g.must(err)
	found := regexp.MustCompile(`prog/xdp id (\d+)`).FindStringSubmatch(out)
	if found == nil {
		return 0, nil
	}
	id, err := strconv.ParseUint(found[1], 10, 32)
	g.must(err)
	program = ebpf.ProgramID(id)
	p, err := ebpf.NewProgramFromID(program)
	if err != nil {
		g.Fatal(err)
	}
	defer p.Close()
	info, err := p.Info()
	g.must(err)
	maps, ok := info.MapIDs()
	if !ok || len(maps) == 0 {
		g.Error("the program has no maps that can be told")
	}
	return program, maps
}

// sysctls are all of the server's network, but for those that count.
func (g *guarded) sysctls() map[string]string {
	g.Helper()
	all := make(map[string]string)
	g.must(g.Server.Do(func() error {
		return filepath.WalkDir("/proc/sys/net", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "nf_conntrack_count") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil {
				all[path] = string(text)
			}
			return nil // it may be one that can only be written
		})
	}))
	return all
}

// TestTrouble: where the filter can't be had, or not as it is wanted, the node says what is in the way, and serves. Afterwards nothing is left.
func TestTrouble(t *testing.T) {
	program := needProgram(t)
	without := func(rights string) []string { return []string{"setpriv", "--bounding-set", rights} }
	noBPFFS := []string{"unshare", "--mount", "sh", "-c", `umount /sys/fs/bpf && exec "$@"`, "sh"}
	tests := []struct {
		name, mode string
		trouble    func(*guarded)
		want       []string // in the log
		filters    bool
	}{
		{"no such interface", "auto", func(g *guarded) { g.rewrite(g.Server.Interface, "nosuch0") }, []string{`node.packets.interfaces: nosuch0 is none of this machine's: lo, `}, false},
		{"another's program", "native", (*guarded).occupy, []string{"native: ", "another program is there: ip -details link show server"}, false},
		{"another's program, and nftables", "auto", (*guarded).occupy, []string{"nftables is to filter packets, as XDP can't be had", "another program is there"}, true},
		{"no bpffs", "generic", func(g *guarded) { g.through = noBPFFS }, []string{"want bpffs there: mount -t bpf bpf /sys/fs/bpf"}, false},
		{"no bpffs, and nftables", "auto", func(g *guarded) { g.through = noBPFFS }, []string{"nftables is to filter", "want bpffs there"}, true},
		{"no CAP_BPF", "generic", func(g *guarded) { g.through = without("-bpf,-sys_admin") }, []string{"the process lacks CAP_BPF: operation"}, false},
		{"no CAP_PERFMON", "generic", func(g *guarded) { g.through = without("-perfmon,-sys_admin") }, []string{"the process lacks CAP_PERFMON: operation"}, false},
		{"no CAP_NET_ADMIN", "auto", func(g *guarded) { g.through = without("-net_admin,-sys_admin") }, []string{"serving without a packet filter", "the process lacks CAP_NET_ADMIN: operation"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := unguarded(t, program, tt.mode)
			tt.trouble(g)
			g.launch()
			g.filters(tt.filters)
			said, err := os.ReadFile(g.said())
			g.must(err)
			for _, want := range tt.want {
				if !strings.Contains(string(said), want) {
					t.Errorf("got log\n%s\nwant %q", said, want)
				}
			}
			for _, at := range g.addresses() {
				g.visited(at, 2)
			}
			g.detached()
		})
	}
}

// rewrite changes the node's configuration.
func (g *guarded) rewrite(from, to string) {
	g.Helper()
	text, err := os.ReadFile(g.file())
	g.must(err, os.WriteFile(g.file(), bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600))
}

// occupy has somebody else's program on the server's interface, one that passes everything.
func (g *guarded) occupy() {
	g.Helper()
	var other *xdp.Filter
	g.must(g.Server.Do(func() (err error) {
		other, err = xdp.Open(xdp.Options{Interfaces: []string{g.Server.Interface}, Mode: xdp.Generic})
		return err
	}))
	g.Cleanup(func() { g.must(other.Close()) })
	g.others, _ = g.attached()
}

// TestInterface: what is done to the interface is nothing to the filter.
func TestInterface(t *testing.T) {
	g := guard(t, needProgram(t), "auto")
	tests := []struct{ name, commands string }{
		{"down and up", "link set %[1]s down\nlink set %[1]s up\n"},
		{"longer packets", "link set %[1]s mtu 9000\n"},
		{"short ones", "link set %[1]s mtu 1280\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			test := *g
			test.T = t
			_, err := g.Server.Run(t.Context(), fmt.Sprintf(tt.commands, g.Server.Interface), "ip", "-batch", "-")
			test.must(err)
			test.filters(true)
			o, err := newOperator(t.Context(), g.Lab, g.Server.IPv4[0])
			if err != nil {
				t.Fatal(err)
			}
			defer o.close()
			test.flooded(flood.Plan{Kind: "ack", Target: g.addresses()[0], Rate: floodRate}, o)
		})
	}
}

// TestModes: who filters in another way than the process before ends what that has left, in either direction.
func TestModes(t *testing.T) {
	g := guard(t, needProgram(t), "auto")
	for _, tt := range []struct{ from, to string }{{"auto", "nftables"}, {"nftables", "auto"}} {
		g.must(g.end(t.Context(), syscall.SIGTERM))
		g.rewrite("mode: "+tt.from, "mode: "+tt.to)
		g.must(g.start(context.WithoutCancel(t.Context())))
		g.filters(true)
		program, _ := g.attached()
		rules, err := g.Server.Run(t.Context(), "", "nft", "list", "ruleset")
		g.must(err)
		if by := map[string]bool{"auto": program != 0, "nftables": rules != ""}; !by[tt.to] || by[tt.from] {
			t.Errorf("%s after %s: got filtered by %v", tt.to, tt.from, by)
		}
		g.visited(g.addresses()[0], 5)
	}
	g.detached()
}

// TestNeighbours: of two nodes on a machine, each filters for its own port, and one that goes leaves the other alone. An interface has one program
// of XDP: the second node has to make do with nftables.
func TestNeighbours(t *testing.T) {
	program := needProgram(t)
	for _, mode := range []string{"auto", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			g := guard(t, program, mode)
			second := *g
			var err error
			if second.shield, err = newShield(g.Lab, program, t.TempDir(), mode, low); err != nil {
				t.Fatal(err)
			}
			second.port = port + 1
			second.rewrite(fmt.Sprintf("[%d]", port), fmt.Sprintf("[%d]", port+1))
			second.launch()
			second.filters(true)
			o, err := newOperator(t.Context(), g.Lab, g.Server.IPv4[0])
			if err != nil {
				t.Fatal(err)
			}
			defer o.close()
			for _, node := range []*guarded{g, &second, g} {
				at := netip.AddrPortFrom(g.Server.IPv4[0], uint16(node.port))
				node.flooded(flood.Plan{Kind: "ack", Target: at, Rate: floodRate}, o)
				if node == &second {
					second.must(second.end(t.Context(), syscall.SIGTERM), second.detach(t.Context()))
				}
			}
			g.detached()
		})
	}
}

// TestDetach: the filter goes while the node runs, in the midst of a flood, and the node knows.
func TestDetach(t *testing.T) {
	program := needProgram(t)
	for _, mode := range []string{"auto", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			g := guard(t, program, mode)
			at := g.addresses()[0]
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				_, err := g.Flood(ctx, flood.Plan{Kind: "syn", Target: at, Rate: floodRate})
				ended <- err
			}()
			g.must(until(ctx, "SYNs are answered", func() bool {
				n, err := g.stopped(ctx, "cookie")
				return err == nil && n > enough
			}))
			g.must(g.detach(ctx))
			if left, _ := g.attached(); left != 0 {
				t.Errorf("program %d is on the interface still", left)
			}
			g.visited(at, 10)
			if mode == "auto" { // of nftables, the node does not know
				g.filters(false)
				g.must(until(ctx, "the node tells", func() bool {
					said, err := os.ReadFile(g.said())
					return err == nil && strings.Contains(string(said), `packets are not filtered any more`)
				}))
			}
			stop()
			g.must(<-ended)
			g.detached()
		})
	}
}
