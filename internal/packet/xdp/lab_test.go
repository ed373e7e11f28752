package xdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// A lab is a network namespace of the test's own, with listeners and connections for the program to look up.
type lab struct {
	tb        testing.TB
	namespace *os.File
	states    map[flow]int // of sockets
	closers   []func() error
}

// A flow is a packet's four-tuple.
type flow struct{ src, dst netip.AddrPort }

const (
	stateEstablished = 1
	stateTimeWait    = 6
	stateListen      = 10
)

const (
	server4, server6 = "198.18.0.1", "2001:db8::1"
	client4, client6 = "198.18.0.2", "2001:db8::2"
)

// needsBPF skips where the kernel or the user may not do it.
func needsBPF(tb testing.TB) {
	tb.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		tb.Skipf("needs root and BPF: %v", err)
	}
	m.Close()
	if _, err := exec.LookPath("ip"); err != nil {
		tb.Skip("needs ip: Debian package iproute2")
	}
}

// newLab makes a namespace whose loopback has the servers' and the clients' addresses, and leaves the calling thread outside.
func newLab(tb testing.TB) *lab {
	tb.Helper()
	needsBPF(tb)
	l := &lab{tb: tb, states: make(map[flow]int)}
	name := fmt.Sprintf("seawall-xdp-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)
	command(tb, "ip", "netns", "add", name)
	tb.Cleanup(func() {
		for _, c := range l.closers {
			_ = c()
		}
		l.namespace.Close()
		command(tb, "ip", "netns", "del", name)
	})
	var err error
	if l.namespace, err = os.Open("/run/netns/" + name); err != nil {
		tb.Fatal(err)
	}
	for _, args := range []string{
		"link set lo up", "addr add " + server4 + "/32 dev lo", "addr add " + client4 + "/32 dev lo",
		"addr add " + server6 + "/128 dev lo nodad", "addr add " + client6 + "/128 dev lo nodad",
	} {
		command(tb, "ip", append([]string{"-n", name}, strings.Fields(args)...)...)
	}
	awaitIPv6(tb, name, server6, "lo")
	awaitIPv6(tb, name, client6, "lo")
	return l
}

// awaitIPv6 asks until an address can be reached: the kernel makes its route a little later than the address.
func awaitIPv6(tb testing.TB, namespace, address, itf string) {
	tb.Helper()
	for range 1000 {
		out, err := exec.Command("ip", "-n", namespace, "-6", "route", "show", "table", "local").CombinedOutput()
		if err != nil {
			tb.Fatalf("ip route: %v: %s", err, out)
		}
		if strings.Contains(string(out), address+" dev "+itf) {
			return
		}
	}
	tb.Fatalf("no route to %s in %s", address, namespace)
}

func command(tb testing.TB, name string, args ...string) {
	tb.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// enter puts the calling goroutine into the namespace, and on one CPU, until the function that it returns is called.
func (l *lab) enter() (leave func()) {
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		l.tb.Fatal(err)
	}
	var all unix.CPUSet
	if err := errors.Join(unix.SchedGetaffinity(0, &all), unix.Setns(int(l.namespace.Fd()), unix.CLONE_NEWNET)); err != nil {
		l.tb.Fatal(err)
	}
	var one unix.CPUSet
	for cpu := range len(all) * 64 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		l.tb.Fatal(err)
	}
	return func() {
		if err := errors.Join(unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET), unix.SchedSetaffinity(0, &all)); err != nil {
			panic(err) // the thread is of no use to others
		}
		outside.Close()
		runtime.UnlockOSThread()
	}
}

// listen opens a listener, which the model then knows.
func (l *lab) listen(address string) *net.TCPListener {
	l.tb.Helper()
	defer l.enter()()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		l.tb.Fatal(err)
	}
	l.closers = append(l.closers, ln.Close)
	l.states[flow{dst: netip.MustParseAddrPort(address)}] = stateListen
	return ln.(*net.TCPListener)
}

// connect opens a connection from a port, and returns both ends.
func (l *lab) connect(ln *net.TCPListener, from string) (client, server net.Conn) {
	l.tb.Helper()
	defer l.enter()()
	local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	client, err := (&net.Dialer{LocalAddr: local}).Dial("tcp", ln.Addr().String())
	if err != nil {
		l.tb.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		l.tb.Fatal(err)
	}
	l.closers = append(l.closers, client.Close, server.Close)
	l.states[flow{netip.MustParseAddrPort(from), netip.MustParseAddrPort(ln.Addr().String())}] = stateEstablished
	return client, server
}

// state is what the kernel finds.
func (l *lab) state(f flow) (int, bool) {
	if s, ok := l.states[f]; ok {
		return s, true
	}
	s, ok := l.states[flow{dst: f.dst}]
	return s, ok
}

func (l *lab) sysctl(name, value string) {
	l.tb.Helper()
	defer l.enter()()
	if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
		l.tb.Fatal(err)
	}
}

// A bench is a Filter whose clock stands, and what it says of packets.
type bench struct {
	*Filter
	tb   testing.TB
	lab  *lab
	now  uint64
	out  []byte
	last uint32 // what it said last
}

func newBench(tb testing.TB, l *lab) *bench {
	tb.Helper()
	spec, err := loadFilter()
	if err != nil {
		tb.Fatal(err)
	}
	if err := spec.Variables[filterVarClockStopped].Set(uint32(1)); err != nil {
		tb.Fatal(err)
	}
	defer l.enter()()
	f, err := open(Options{Meters: 1 << 14, CPUs: 1, CookieOptions: true}, spec)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { defer l.enter()(); f.Close() })
	b := &bench{Filter: f, tb: tb, lab: l, now: now(), out: make([]byte, 4096)}
	b.stopAt(b.now)
	return b
}

func (b *bench) stopAt(t uint64) {
	b.now = t
	if err := b.objects.StoppedAt.Set(t); err != nil {
		b.tb.Fatal(err)
	}
}

const untouched = 0xffffffff // what a packet's reason is that is not judged

// run has the program judge a frame. The caller has entered the lab.
func (b *bench) run(frame []byte) (action, listener int, reason uint32, out []byte) {
	if err := b.objects.Said.Set(uint32(untouched)); err != nil {
		b.tb.Fatal(err)
	}
	options := ebpf.RunOptions{Data: frame, DataOut: b.out, Repeat: 1}
	ret, err := b.objects.Filter.Run(&options)
	if err != nil {
		b.tb.Fatalf("running the program: %v", err)
	}
	var said uint32
	if err := b.objects.Said.Get(&said); err != nil {
		b.tb.Fatal(err)
	}
	b.last = said & 0xff
	if said == untouched {
		b.last = untouched
		return int(ret), -1, untouched, options.DataOut
	}
	return int(ret), int(said >> 8), said & 0xff, options.DataOut
}
