package xdp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
	floods "github.com/seawall/seawall/test/flood/lab"
)

const (
	receiverRounds = 5
	receiverFrames = 2_000_000 // of each round
	enoughReceived = 20_000
)

// BenchmarkReceiver measures what a dropped packet costs the kernel's receiving thread at a veth, for the program and for iptables, in turns. Frames come as from
// a driver, without a buffer of the kernel's: a packet socket's would be copied for the program, which a network card does not do.
func BenchmarkReceiver(b *testing.B) {
	var medians [][]float64
	all := receivers()
	for range all {
		medians = append(medians, nil)
	}
	for b.Loop() {
		for range receiverRounds {
			for i, r := range all {
				medians[i] = append(medians[i], r.measure(b))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, r := range all {
		slices.Sort(medians[i])
		b.ReportMetric(medians[i][len(medians[i])/2], "ns-"+r.name)
	}
}

// A receiver is what drops packets of a source at the server.
type receiver struct {
	name  string
	flags byte // of the TCP segments
	drop  func(b *testing.B, l *floods.Lab, source netip.Addr) (end func() error)
}

func receivers() []receiver {
	return []receiver{
		{"iptables-raw", 2, iptables("*raw\n-A PREROUTING -s %s -j DROP\nCOMMIT\n")},
		{"conntrack", 16, iptables("*filter\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -s %s -j DROP\nCOMMIT\n")},
		{"drop-all", 2, dropAll},
		{"denied", 2, func(b *testing.B, l *floods.Lab, source netip.Addr) func() error {
			return filtered(b, l, []netip.Prefix{netip.PrefixFrom(source, 32)})
		}},
		{"no-state", 16, func(b *testing.B, l *floods.Lab, _ netip.Addr) func() error { return filtered(b, l, nil) }},
	}
}

func iptables(script string) func(*testing.B, *floods.Lab, netip.Addr) func() error {
	return func(b *testing.B, l *floods.Lab, source netip.Addr) func() error {
		b.Helper()
		if _, err := l.Server.Run(b.Context(), fmt.Sprintf(script, source), "iptables-legacy-restore"); err != nil {
			b.Skip(err)
		}
		return func() error { return nil } // goes with the namespace
	}
}

// dropAll has a program of one line drop everything: what is left is veth's.
func dropAll(b *testing.B, l *floods.Lab, _ netip.Addr) (end func() error) {
	b.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R0, drop), asm.Return(),
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	var attached link.Link
	err = l.Server.Do(func() error {
		itf, err := net.InterfaceByName(l.Server.Interface)
		if err != nil {
			return err
		}
		attached, err = link.AttachXDP(link.XDPOptions{Program: p, Interface: itf.Index, Flags: link.XDPDriverMode})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return attached.Close
}

// filtered has the program drop who is denied, and TCP of no connection.
func filtered(b *testing.B, l *floods.Lab, denied []netip.Prefix) (end func() error) {
	b.Helper()
	var f *Filter
	err := l.Server.Do(func() (err error) {
		if f, err = Open(Options{Interfaces: []string{l.Server.Interface}, Mode: Native}); err != nil {
			return err
		}
		if err := f.Replace(denied); err != nil {
			return err
		}
		return f.SetPolicy(packet.Policy{Listeners: []packet.Listener{{Port: 443, CheckState: true}}})
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() error { return l.Server.Do(f.Close) }
}

// measure is the time of the receiving thread for a packet, in ns.
func (r receiver) measure(b *testing.B) float64 {
	b.Helper()
	l := floods.For(b)
	defer l.Close()
	server, others, err := floods.Cores()
	if err != nil {
		b.Skip(err)
	}
	if err := l.Separate(server, others); err != nil {
		b.Skip(err)
	}
	source := netip.MustParseAddr("203.0.113.7")
	end := r.drop(b, l, source)
	defer func() {
		if err := end(); err != nil {
			b.Error(err)
		}
	}()
	thread, err := l.Receiver()
	if err != nil {
		b.Skip(err)
	}
	frame := r.frame(l, source)
	before, err := thread.Read()
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Attacker.Do(func() error { return redirect(l.Attacker.Interface, frame, receiverFrames) }); err != nil {
		b.Fatal(err)
	}
	after, err := thread.Read()
	if err != nil {
		b.Fatal(err)
	}
	did := after.Since(before)
	if did.Packets < enoughReceived {
		b.Fatalf("%s: received %d of %d frames", r.name, did.Packets, receiverFrames)
	}
	return float64(did.CPU.Nanoseconds()) / float64(did.Packets)
}

// frame is one that the kernel takes, with its checksums.
func (r receiver) frame(l *floods.Lab, source netip.Addr) []byte {
	b := craft{src: source, dst: l.Server.IPv4[0], protocol: protocolTCP, sport: 40000, dport: 443, flags: r.flags, window: 64240}.frame()
	copy(b, l.Server.MAC)
	copy(b[6:], l.Attacker.MAC)
	ip, tcp := b[14:34], b[34:]
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip))
	pseudo := append(slices.Clone(ip[12:20]), 0, protocolTCP, 0, byte(len(tcp)))
	binary.BigEndian.PutUint16(tcp[16:], ^sum(append(pseudo, tcp...)))
	return b
}

// sum is that of RFC 1071, of an even number of bytes.
func sum(b []byte) uint16 {
	var n uint32
	for ; len(b) > 1; b = b[2:] {
		n += uint32(binary.BigEndian.Uint16(b))
	}
	n = n&0xffff + n>>16
	return uint16(n + n>>16)
}

// redirect has a program send a frame out of an interface of the calling thread's network namespace, over and over. What the other end is too
// slow for is lost.
func redirect(name string, frame []byte, times uint32) error {
	itf, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R1, int32(itf.Index)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
	}})
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.Run(&ebpf.RunOptions{Data: frame, Repeat: times, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	return err
}
