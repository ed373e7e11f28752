package xdp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// A wire is two namespaces joined by a veth pair: "wire" in the lab, which is the server, and in the clients'.
type wire struct {
	*lab
	client *lab
}

// newWire has a wire on which a native program's answers arrive: the driver lets them through to the clients' side only if there is a program
// at that end too, here one without a policy, which passes everything.
func newWire(t *testing.T) *wire {
	t.Helper()
	w := plainWire(t)
	open := w.client.open(Options{Interfaces: []string{"wire"}, Mode: Native})
	t.Cleanup(func() { defer w.client.enter()(); open.Close() })
	return w
}

// plainWire gives both sides their addresses.
func plainWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{newLab(t), newLab(t)}
	server, client := filepath.Base(w.namespace.Name()), filepath.Base(w.client.namespace.Name())
	command(t, "ip", "-n", server, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", client)
	for _, args := range []string{
		"-n " + server + " addr flush dev lo", "-n " + client + " addr flush dev lo",
		"-n " + server + " addr add " + server4 + "/24 dev wire", "-n " + server + " addr add " + server6 + "/64 dev wire nodad",
		"-n " + client + " addr add " + client4 + "/24 dev wire", "-n " + client + " addr add " + client6 + "/64 dev wire nodad",
		"-n " + server + " link set wire up", "-n " + client + " link set wire up",
	} {
		command(t, "ip", strings.Fields(args)...)
	}
	awaitIPv6(t, server, server6, "wire")
	awaitIPv6(t, client, client6, "wire")
	return w
}

// TestInterfaceComesBack: the program is attached again to an interface that was gone, unless somebody has detached it.
func TestInterfaceComesBack(t *testing.T) {
	w := plainWire(t)
	server, client := filepath.Base(w.namespace.Name()), filepath.Base(w.client.namespace.Name())
	folder := pins(t)
	f := w.open(Options{Pins: folder, Interfaces: []string{"wire"}, CPUs: 1})
	defer w.inside(f.Close)
	attached := func(when string, want int) {
		t.Helper()
		if got := f.Attached(); len(got) != want {
			t.Errorf("%s: attached to %v, want %d", when, got, want)
		}
	}
	tend := func() {
		for range reattachEvery {
			w.inside(f.Tend)
		}
	}
	again := func() {
		command(t, "ip", "-n", server, "link", "del", "wire")
		attached("gone", 0)
		tend()
		attached("still gone", 0)
		command(t, "ip", "-n", server, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", client)
		tend()
	}
	again()
	attached("back", 1)
	again()
	attached("back again", 1)
	w.inside(func() error { return Detach(folder) })
	tend()
	attached("detached", 0)
}

func (l *lab) open(options Options) *Filter {
	l.tb.Helper()
	defer l.enter()()
	f, err := Open(options)
	if err != nil {
		l.tb.Fatal(err)
	}
	return f
}

// pins is a folder on bpffs of the test's own.
func pins(t *testing.T) string {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/bpf", &fs); err != nil || fs.Type != unix.BPF_FS_MAGIC {
		if err := unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""); err != nil {
			t.Skipf("needs bpffs: %v", err)
		}
	}
	dir := filepath.Join("/sys/fs/bpf", fmt.Sprintf("seawall-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// dial connects from the clients' side, sends a line and reads it back; and then looks around.
func (w *wire) dial(address string, look ...func()) error {
	c, err := func() (net.Conn, error) {
		defer w.client.enter()()
		return (&net.Dialer{Timeout: 3 * time.Second}).Dial("tcp", address)
	}()
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() {
		for _, l := range look {
			l()
		}
	}()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return err
	}
	answer := make([]byte, 6)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "hello\n" {
		return fmt.Errorf("answer %q: %w", answer, err)
	}
	return nil
}

// echo serves until the listener closes, and hands over what the kernel says of each connection.
func echo(ln *net.TCPListener) <-chan unix.TCPInfo {
	infos := make(chan unix.TCPInfo, 64)
	go func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			raw, _ := c.SyscallConn()
			raw.Control(func(fd uintptr) {
				if info, err := unix.GetsockoptTCPInfo(int(fd), syscall.IPPROTO_TCP, unix.TCP_INFO); err == nil {
					infos <- *info
				}
			})
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return infos
}

func servedOn(address string, syns uint32) packet.Policy {
	a := netip.MustParseAddrPort(address)
	return packet.Policy{Listeners: []packet.Listener{{Address: a.Addr(), Port: a.Port(), CheckState: true, SYNs: syns}}}
}

func (f *Filter) counted(t *testing.T, r packet.Reason) (n uint64) {
	t.Helper()
	all, err := f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Reason == r {
			n += c.Packets
		}
	}
	return n
}

const (
	optionTimestamps = 1
	optionSACK       = 2
	optionScale      = 4
)

func TestCookiesOpenConnections(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		for _, address := range []string{server4 + ":443", "[" + server6 + "]:443"} {
			for _, timestamps := range []string{"1", "0"} {
				t.Run(fmt.Sprintf("%s %s timestamps %s", mode, address, timestamps), func(t *testing.T) {
					testCookies(t, mode, address, timestamps)
				})
			}
		}
	}
}

func testCookies(t *testing.T, mode Mode, address, timestamps string) {
	w := newWire(t)
	w.client.sysctl("tcp_timestamps", timestamps)
	w.sysctl("tcp_syncookies", "2")
	f := w.open(Options{Interfaces: []string{"wire"}, Mode: mode, CookieOptions: true, CPUs: 1})
	defer w.inside(f.Close)
	infos := echo(w.listen(address))
	kernels, kernelsScales := w.visit(t, address, infos)
	w.inside(func() error { return f.SetPolicy(servedOn(address, 1)) })
	const connections = 6
	for n := range connections {
		if ours, scales := w.visit(t, address, infos); ours.Options != kernels.Options || scales != kernelsScales {
			t.Errorf("connection %d has options %#x and %q; the kernel's own cookie gives %#x and %q",
				n, ours.Options, scales, kernels.Options, kernelsScales)
		}
	}
	want := uint8(0)
	if timestamps == "1" {
		want = optionTimestamps | optionSACK | optionScale
	}
	if got := kernels.Options & (optionTimestamps | optionSACK | optionScale); got != want {
		t.Errorf("the kernel's own cookie gives options %#x, want %#x", got, want)
	}
	if got := f.counted(t, packet.Cookie); got < connections-2 { // each of two CPUs lets one through
		t.Errorf("%d cookies sent, want %d", got, connections-2)
	}
}

// TestAutoOnVeth wants cookies to reach clients on a pair that has no program on their side.
func TestAutoOnVeth(t *testing.T) {
	w := plainWire(t)
	w.sysctl("tcp_syncookies", "2")
	f := w.open(Options{Interfaces: []string{"wire"}, CookieOptions: true, CPUs: 1})
	defer w.inside(f.Close)
	if got, want := f.Attached(), []packet.Attachment{{Interface: "wire", Mode: "xdp, generic"}}; !slices.Equal(got, want) {
		t.Errorf("got attached %v, want %v", got, want)
	}
	address := server4 + ":443"
	infos := echo(w.listen(address))
	w.inside(func() error { return f.SetPolicy(servedOn(address, 1)) })
	for range 6 {
		w.visit(t, address, infos)
	}
	if f.counted(t, packet.Cookie) == 0 {
		t.Error("no cookie was sent")
	}
}

// visit connects, and says what the kernel has of the connection.
func (w *wire) visit(t *testing.T, address string, infos <-chan unix.TCPInfo) (info unix.TCPInfo, scales string) {
	t.Helper()
	if err := w.dial(address, func() { scales = w.scales(t) }); err != nil {
		t.Fatalf("connecting: %v", err)
	}
	return <-infos, scales
}

// scales are the window scales of both sides of the connection that is open, as the kernel has them.
func (w *wire) scales(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", filepath.Base(w.namespace.Name()), "ss", "-tinH", "state", "established").Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`wscale:[0-9,]+`).FindString(string(out))
}

func TestTimeWaitIsPassed(t *testing.T) {
	w := newWire(t)
	f := w.open(Options{Interfaces: []string{"wire"}, CPUs: 1})
	defer w.inside(f.Close)
	ln := w.listen(server4 + ":443")
	w.inside(func() error { return f.SetPolicy(servedOn(server4+":443", 0)) })
	for range 2 { // the second comes from the port that the first left in TIME_WAIT
		if err := w.reconnect(ln); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.counted(t, packet.NoState); got != 0 {
		t.Errorf("%d packets of closing connections dropped", got)
	}
}

// reconnect connects from one port, and has the server close first.
func (w *wire) reconnect(ln *net.TCPListener) error {
	client, err := func() (net.Conn, error) {
		defer w.client.enter()()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client4), Port: 40000}, Timeout: 3 * time.Second}
		d.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }), err)
		}
		return d.Dial("tcp", server4+":443")
	}()
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		return err
	}
	server.Close()
	client.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("reading to the end: %w", err)
	}
	return nil
}

func TestPinsOutliveTheFilter(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(string(mode), func(t *testing.T) { testPins(t, mode) })
	}
}

func testPins(t *testing.T, mode Mode) {
	w := newWire(t)
	echo(w.listen(server4 + ":443"))
	echo(w.listen(server4 + ":22"))
	options := Options{Pins: pins(t), Interfaces: []string{"wire"}, Mode: mode, CookieOptions: true, CPUs: 1}
	f := w.open(options)
	client := netip.MustParsePrefix(client4 + "/32")
	ban := func() error { return f.Ban(client, time.Now().Add(time.Hour)) }
	if got := f.Attached(); len(got) != 1 || got[0] != (packet.Attachment{Interface: "wire", Mode: "xdp, " + string(mode)}) {
		t.Errorf("attached to %v", got)
	}
	w.inside(func() error { return f.SetPolicy(servedOn(server4+":443", 0)) }, ban)
	w.reach(t, "banned", server4+":443", false)
	w.reach(t, "not served", server4+":22", true)
	w.inside(f.Close)
	w.reach(t, "closed", server4+":443", false)

	f = w.open(options)
	if got := f.counted(t, packet.Banned); got == 0 {
		t.Error("the counters are lost")
	}
	w.reach(t, "opened again", server4+":443", false)
	w.inside(func() error { return f.Unban(client) })
	w.reach(t, "unbanned", server4+":443", true)
	w.inside(ban, func() error { return Detach(options.Pins) })
	w.reach(t, "detached", server4+":443", true)
	if got := f.Attached(); len(got) != 0 {
		t.Errorf("detached, and attached to %v", got)
	}
	w.inside(f.Tend, f.Close, func() error { return Detach(options.Pins) })
	w.clean(t, options.Pins)
}

// TestOtherForm: who opens with maps of another form gets new ones, and the program that is attached is replaced all the same.
func TestOtherForm(t *testing.T) {
	w := newWire(t)
	echo(w.listen(server4 + ":443"))
	options := Options{Pins: pins(t), Interfaces: []string{"wire"}, Meters: 64}
	f := w.open(options)
	client := netip.MustParsePrefix(client4 + "/32")
	policy := func() error { return f.SetPolicy(servedOn(server4+":443", 0)) }
	w.inside(policy, func() error { return f.Replace([]netip.Prefix{client}) })
	w.reach(t, "denied", server4+":443", false)
	w.inside(f.Close)
	older := filepath.Join(options.Pins, "maps-0")
	if err := os.Mkdir(older, 0o700); err != nil {
		t.Fatal(err)
	}
	options.Meters = 128
	f = w.open(options)
	if _, err := os.Stat(older); !os.IsNotExist(err) {
		t.Errorf("maps of an older form stay pinned: %v", err)
	}
	w.reach(t, "without a policy", server4+":443", true)
	w.inside(policy)
	w.reach(t, "without the set", server4+":443", true)
	w.inside(func() error { return f.Replace([]netip.Prefix{client}) })
	w.reach(t, "denied again", server4+":443", false)
	w.inside(f.Close, func() error { return Detach(options.Pins) })
	w.reach(t, "detached", server4+":443", true)
}

// inside does something in the namespace.
func (l *lab) inside(all ...func() error) {
	l.tb.Helper()
	defer l.enter()()
	for _, do := range all {
		if err := do(); err != nil {
			l.tb.Fatal(err)
		}
	}
}

func (w *wire) reach(t *testing.T, when, address string, want bool) {
	t.Helper()
	defer w.client.enter()()
	timeout := 3 * time.Second
	if !want {
		timeout = 300 * time.Millisecond
	}
	c, err := net.DialTimeout("tcp", address, timeout)
	if err == nil {
		c.Close()
	}
	if (err == nil) != want {
		t.Errorf("%s: connecting to %s: %v", when, address, err)
	}
}

// clean reports whether nothing is left.
func (w *wire) clean(t *testing.T, pins string) {
	t.Helper()
	if _, err := os.Stat(pins); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", pins, err)
	}
	defer w.enter()()
	if got, err := tcpTimestamps.get(); got != 1 || err != nil {
		t.Errorf("tcp_timestamps is %d, %v; want 1", got, err)
	}
	if out, err := exec.Command("ip", "-details", "link", "show", "wire").Output(); err != nil || strings.Contains(string(out), "prog/xdp") {
		t.Errorf("there is still a program: %s %v", out, err)
	}
}

func TestTendRaisesCookies(t *testing.T) {
	w := newWire(t)
	w.sysctl("tcp_syncookies", "1")
	f := w.open(Options{Interfaces: []string{"wire"}, CPUs: 1})
	echo(w.listen(server4 + ":443"))
	w.inside(func() error { return f.SetPolicy(servedOn(server4+":443", 1)) }, f.Tend)
	want := func(when string, value int) {
		t.Helper()
		defer w.enter()()
		if got, err := tcpSyncookies.get(); got != value || err != nil {
			t.Errorf("%s: tcp_syncookies is %d, %v; want %d", when, got, err, value)
		}
	}
	want("in peace", 1)
	for range 4 {
		if err := w.dial(server4 + ":443"); err != nil {
			t.Fatal(err)
		}
	}
	w.inside(f.Tend)
	want("under attack", 2)
	for range quietCalls {
		w.inside(f.Tend)
	}
	want("afterwards", 1)
	w.inside(f.Tend, f.Close)
}

// wantFeatures wants a sample to have the features that the model sees.
func wantFeatures(t *testing.T, s *packet.Sample) {
	t.Helper()
	v, ok := look(s.Frame)
	if !ok {
		t.Errorf("sample of a packet that can't be read: %x", s.Frame)
		return
	}
	for f := range packet.Features {
		if want, _ := v.feature(packet.Term{Feature: f}); s.Features[f] != want {
			t.Errorf("feature %d of %x: got %#x, want %#x", f, s.Frame, s.Features[f], want)
		}
	}
	want, has := v.feature(packet.Term{Feature: packet.Payload})
	if got, ok := s.Word(packet.Payload, 0); got != want || ok != has {
		t.Errorf("payload of %x: got %#x, %t, want %#x, %t", s.Frame, got, ok, want, has)
	}
}

func TestSamples(t *testing.T) {
	w := newWire(t)
	f := w.open(Options{Interfaces: []string{"wire"}, CPUs: 1})
	defer w.inside(f.Close)
	echo(w.listen(server4 + ":443"))
	policy := servedOn(server4+":443", 0)
	policy.Sampling = packet.Sampling{Drops: 1, Passes: 1, Most: 10000}
	w.inside(func() error { return f.SetPolicy(policy) })
	if err := w.dial(server4 + ":443"); err != nil {
		t.Fatal(err)
	}
	var first packet.Sample
	err := f.Samples(func(s *packet.Sample) {
		wantFeatures(t, s)
		if s.Reason == packet.Passed && first.Frame == nil {
			first = *s
			first.Frame = bytes.Clone(s.Frame)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	v, ok := look(first.Frame)
	if !ok || v.src.String() != client4 || v.dport != 443 || v.flags != 2 || first.Listener != 0 || first.Length != int(v.length) {
		t.Errorf("sample %+v", first)
	}
	if age := time.Since(first.Time); age < -time.Second || age > 10*time.Second {
		t.Errorf("the sample is %v old", age)
	}
}
