package packet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/test/flood/lab"
)

const patience = 10 * time.Second

// program is the backend that has everything.
func program() packet.Backend {
	return packet.Backend{
		Open: func(s *spec.Packets, pins string) (packet.Filter, error) {
			f, err := xdp.Open(xdp.Options{Pins: pins, Interfaces: s.Interfaces, CookieOptions: true})
			if err != nil {
				return nil, err
			}
			return f, nil
		},
		Detach: xdp.Detach,
	}
}

// filtered is a server with a packet filter, and its visitors.
type filtered struct {
	*testing.T
	*lab.Lab
	room    *packet.Room
	pins    string
	node    spec.Node
	serving netip.AddrPort
	spared  atomic.Pointer[[]netip.Prefix]
}

// newFiltered serves a port of the lab's, behind a filter whose pins are gone in the end.
func newFiltered(t *testing.T) *filtered {
	t.Helper()
	f := &filtered{T: t, Lab: lab.For(t), node: spec.DefaultNode()}
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/bpf", &fs); err != nil || fs.Type != unix.BPF_FS_MAGIC {
		if err := unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""); err != nil {
			t.Skipf("needs bpffs: %v", err)
		}
	}
	pins := filepath.Join("/sys/fs/bpf", fmt.Sprintf("seawall-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	f.pins = pins
	f.room = packet.New(pins, program(), slog.New(slog.DiscardHandler))
	f.room.Spared = func() []netip.Prefix { return *f.spared.Load() }
	f.spared.Store(new([]netip.Prefix))
	l, err := f.Server.Listen(t.Context(), "tcp", netip.AddrPortFrom(f.Server.IPv4[0], 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.serving = netip.MustParseAddrPort(l.Addr().String())
	f.node.Packets.Interfaces = []string{f.Server.Interface}
	if err := f.Server.Do(func() error { return f.room.Open(&f.node, []netip.AddrPort{f.serving}) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.must(f.room.Close())
		f.must(f.Server.Do(func() error { return program().Detach(pins) }))
	})
	return f
}

func (f *filtered) must(err error) {
	f.Helper()
	if err != nil {
		f.Error(err)
	}
}

// visitor is one of their addresses.
func (f *filtered) visitor(i int) netip.Addr { return f.Visitors.IPv4[i] }

// wantServed wants a visitor to connect, as soon as what was changed is in force.
func (f *filtered) wantServed(what string, visitor netip.Addr) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	c, err := f.Visitors.Dial(ctx, visitor, "tcp", f.serving.String()) // a SYN that was dropped comes again
	if err != nil {
		f.Errorf("%s: got %v, want a connection", what, err)
		return
	}
	c.Close()
}

// wantDropped wants a visitor's SYNs to be dropped for a reason, as soon as what was changed is in force.
func (f *filtered) wantDropped(what string, visitor netip.Addr, reason string) {
	f.Helper()
	before := f.count(reason)
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	var visits sync.WaitGroup
	defer visits.Wait()
	defer cancel()
	visits.Go(func() {
		for ctx.Err() == nil {
			if c, err := f.Visitors.Dial(ctx, visitor, "tcp", f.serving.String()); err == nil {
				c.Close()
			}
		}
	})
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for f.count(reason) == before {
		select {
		case <-ctx.Done():
			f.Errorf("%s: nothing was dropped as %s", what, reason)
			return
		case <-every.C:
		}
	}
}

// count is how many packets met an end.
func (f *filtered) count(reason string) uint64 {
	f.Helper()
	report, ok, err := f.room.Report()
	if err != nil || !ok {
		f.Fatalf("got no report: %t, %v", ok, err)
	}
	for _, c := range report.Counters {
		if c.Reason == reason && c.For == f.serving.String() {
			return c.Packets
		}
	}
	return 0
}

// TestRoom: who is denied or banned is dropped until that ends or is undone, others and those allowed are served; what filters outlives the room.
func TestRoom(t *testing.T) {
	f := newFiltered(t)
	a, b := f.visitor(0), f.visitor(1)
	f.wantServed("anybody", a)

	f.node.Deny = []netip.Prefix{prefixes.Source(a)}
	f.must(f.room.Configure(&f.node))
	f.wantDropped("denied", a, "denied")
	f.must(f.room.Close())
	f.node.Deny = nil
	f.must(f.Server.Do(func() error { return f.room.Open(&f.node, []netip.AddrPort{f.serving}) }))
	f.wantServed("denied by the process before", a)
	f.node.Deny = []netip.Prefix{prefixes.Source(a)}
	f.must(f.room.Configure(&f.node))
	f.wantDropped("denied again", a, "denied")
	f.wantServed("another", b)
	if found, ok, err := f.room.Find(a); !found.Denied || !ok || err != nil {
		t.Errorf("got %+v, %t, %v, want it denied", found, ok, err)
	}
	f.node.Packets.Allow = []netip.Prefix{prefixes.Network(a)}
	f.must(f.room.Configure(&f.node))
	f.wantServed("denied and allowed", a)
	f.node.Deny, f.node.Packets.Allow = nil, nil
	f.must(f.room.Configure(&f.node))
	f.wantServed("not denied any more", a)

	until := time.Now().Add(time.Hour)
	f.room.Ban(prefixes.Source(b), until)
	f.wantDropped("banned", b, "banned")
	if found, _, _ := f.room.Find(b); found.Banned != prefixes.Source(b) || found.Until.Sub(until).Abs() > time.Minute {
		t.Errorf("got %+v, want it banned until %v", found, until)
	}
	if report, _, _ := f.room.Report(); report.Banned != 1 || report.Bans[0].Source != prefixes.Source(b) {
		t.Errorf("got bans %v of %d, want one of %v", report.Bans, report.Banned, b)
	}
	f.spared.Store(&[]netip.Prefix{prefixes.Source(b)})
	f.wantServed("banned and spared", b)
	f.spared.Store(new([]netip.Prefix))
	f.wantDropped("no longer spared", b, "banned")
	if lifted := f.room.Unban(prefixes.Network(b)); lifted != 1 {
		t.Errorf("got %d bans lifted, want 1", lifted)
	}
	f.wantServed("not banned any more", b)

	f.room.Ban(prefixes.Source(b), until)
	f.wantDropped("banned again", b, "banned")
	f.must(f.room.Close())
	if _, ok, _ := f.room.Report(); ok {
		t.Error("got a report of a room that is closed")
	}
	f.must(f.Server.Do(func() error { return f.room.Open(&f.node, []netip.AddrPort{f.serving}) }))
	f.wantDropped("banned by the process before", b, "banned")
}

// TestOff: without interfaces nothing is filtered, and what a process before has left is gone.
func TestOff(t *testing.T) {
	f := newFiltered(t)
	f.must(f.room.Close())
	f.node.Packets.Interfaces = nil
	f.must(f.Server.Do(func() error { return f.room.Open(&f.node, nil) }))
	if _, err := os.Stat(f.pins); !os.IsNotExist(err) {
		t.Errorf("got %v for the pins, want them gone", err)
	}
	f.room.Ban(prefixes.Source(f.visitor(0)), time.Now().Add(time.Hour))
	if _, ok, err := f.room.Find(f.visitor(0)); ok || err != nil {
		t.Errorf("got a finding (%v) of a filter that is off", err)
	}
	f.wantServed("anybody", f.visitor(0))
}
