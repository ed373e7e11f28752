package packet_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

// detected is a server whose packets are looked at, and its visitors.
type detected struct {
	testing.TB
	*lab.Lab
	filter   *xdp.Filter
	detector *packet.Detector
	serving  []netip.AddrPort // of each family
}

const (
	floodRate = 40_000 // packets a second
	enough    = 9000   // more than the visitors send
)

// newDetected knows nothing yet.
func newDetected(t testing.TB) *detected {
	t.Helper()
	d := &detected{TB: t, Lab: lab.For(t)}
	policy := packet.Policy{
		Addresses: packet.AddressLimits{Pieces: 1000, ICMP: 1000},
		Sampling:  packet.Sampling{Drops: 1, Passes: 1, Most: 20_000},
	}
	for _, a := range []netip.Addr{d.Server.IPv4[0], d.Server.IPv6[0]} {
		l, err := d.Server.Listen(t.Context(), "tcp", netip.AddrPortFrom(a, 0).String())
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(l.Addr().String())
		d.serving = append(d.serving, at)
		policy.Listeners = append(policy.Listeners,
			packet.Listener{Address: a, Port: at.Port(), CheckState: true, SYNs: 2000},
			packet.Listener{Address: a, Port: at.Port(), UDP: true, Initials: 1000, Reflected: 1000},
		)
		t.Cleanup(func() { _ = l.Close() })
		go echo(l)
	}
	d.inside(func() (err error) {
		d.filter, err = xdp.Open(xdp.Options{Interfaces: []string{d.Server.Interface}, CookieOptions: true})
		return err
	})
	t.Cleanup(func() { d.inside(d.filter.Close) })
	d.inside(func() error { return d.filter.SetPolicy(policy) })
	var err error
	d.detector, err = packet.NewDetector(d.filter, packet.DetectorOptions{Floor: enough, Slot: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *detected) inside(f func() error) {
	d.Helper()
	if err := d.Server.Do(f); err != nil {
		d.Fatal(err)
	}
}

// echo answers what each connection sends with the same.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

// visiting has visitors at each address, who send about 12,000 packets a second, until they are ended.
func (d *detected) visiting() (end func()) {
	ctx, cancel := context.WithCancel(d.Context())
	var visits sync.WaitGroup
	for _, at := range d.serving {
		from := d.Visitors.IPv4
		if at.Addr().Is6() {
			from = d.Visitors.IPv6
		}
		for _, address := range from[:6] {
			visits.Go(func() {
				for ctx.Err() == nil {
					if err := d.visit(ctx, address, at); err != nil && ctx.Err() == nil {
						d.Errorf("a visitor at %v: %v", address, err)
						return
					}
				}
			})
		}
	}
	return func() { cancel(); visits.Wait() }
}

// visit connects, says something thirty times, and leaves.
func (d *detected) visit(ctx context.Context, from netip.Addr, at netip.AddrPort) error {
	c, err := d.Visitors.Dial(ctx, from, "tcp", at.String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for i := 1; i <= 30; i++ {
		said := make([]byte, 40*i)
		if _, err := c.Write(said); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, said); err != nil {
			return err
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// flooding attacks until it is ended.
func (d *detected) flooding(kind string, at netip.AddrPort) (end func()) {
	ctx, cancel := context.WithCancel(d.Context())
	var attack sync.WaitGroup
	attack.Go(func() {
		plan := flood.Plan{Kind: kind, Target: at, Rate: floodRate, Lasting: 2 * patience}
		if _, err := d.Flood(ctx, plan); err != nil && ctx.Err() == nil {
			d.Error(err)
		}
	})
	return func() { cancel(); attack.Wait() }
}

// until looks again and again until done, or for as long as anybody waits.
func (d *detected) until(what string, done func() bool) {
	d.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(6 * patience); !done(); {
		now := <-every.C
		if err := d.detector.Look(now); err != nil {
			d.Fatal(err)
		}
		if now.After(end) {
			d.Fatalf("%s: waited in vain; %.2f learnt, signatures %+v", what, d.detector.Learnt(), d.detector.Signatures())
		}
	}
}

// TestSignatures: a flood that the detector has never seen is dropped by what it looks like, and visitors connect meanwhile.
func TestSignatures(t *testing.T) {
	d := newDetected(t)
	d.learn()
	defer d.flooding("syn", d.serving[0])()
	d.until("a signature", func() bool { return d.dropped() > floodRate/10 })
	c, err := d.Visitors.Dial(t.Context(), d.Visitors.IPv4[0], "tcp", d.serving[0].String())
	if err != nil {
		t.Fatalf("a visitor beside the flood: %v, signatures %+v", err, d.detector.Signatures())
	}
	_ = c.Close()
}

// learn has visitors come until it is known what their packets look like.
func (d *detected) learn() {
	d.Helper()
	defer d.visiting()()
	d.until("learning", func() bool { return d.detector.Learnt() == 1 })
}

// dropped is how many packets signatures have dropped.
func (d *detected) dropped() uint64 {
	return d.count(func(r packet.Reason) bool { return r == packet.BySignature })
}

// total is how many packets came in.
func (d *detected) total() uint64 { return d.count(func(packet.Reason) bool { return true }) }

func (d *detected) count(wanted func(packet.Reason) bool) (n uint64) {
	d.Helper()
	counters, err := d.filter.Counters()
	if err != nil {
		d.Fatal(err)
	}
	for _, c := range counters {
		if wanted(c.Reason) {
			n += c.Packets
		}
	}
	return n
}

// BenchmarkFirstDrop begins every kind of flood, and measures the time to the first packet that a signature drops: the median, the slowest, and how
// many kinds took more than 100 ms; and the share of visitors' packets that were dropped afterwards.
func BenchmarkFirstDrop(b *testing.B) {
	d := newDetected(b)
	d.learn()
	defer d.looking()()
	var took []time.Duration
	var wrong, visited, missed, late int
	for b.Loop() {
		for _, at := range d.serving {
			for _, kind := range flood.Kinds() {
				first, ok := d.firstDrop(kind.Name, at)
				if !ok {
					b.Logf("%s to %v: no signature; %.2f learnt", kind.Name, at, d.detector.Learnt())
					missed++
					continue
				}
				if first > 100*time.Millisecond {
					late++
				}
				took = append(took, first)
				w, v := d.wrongDrops()
				wrong, visited = wrong+w, visited+v
				b.Logf("%-16s to %-24v %4d ms, %d of %d packets of visitors dropped: %s", kind.Name, at, first.Milliseconds(), w, v, d.texts())
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-slowest")
	b.ReportMetric(float64(late), "over-100ms")
	b.ReportMetric(float64(missed), "missed")
	b.ReportMetric(1e6*float64(wrong)/float64(max(visited, 1)), "wrong-ppm")
}

// firstDrop is how long a flood goes on before a signature drops one of its packets. What was found before is forgotten.
func (d *detected) firstDrop(kind string, at netip.AddrPort) (took time.Duration, ok bool) {
	d.forget()
	before, dropped := d.total(), d.dropped()
	defer d.flooding(kind, at)()
	for d.total() < before+10 {
		runtime.Gosched()
	}
	began := time.Now()
	for time.Since(began) < 2*time.Second {
		if d.dropped() > dropped {
			return time.Since(began), true
		}
		time.Sleep(time.Millisecond)
	}
	return 0, false
}

// forget ends the signatures in force.
func (d *detected) forget() {
	d.Helper()
	for _, off := range []bool{true, false} {
		if err := d.detector.Configure(packet.DetectorOptions{Off: off, Floor: enough}); err != nil {
			d.Fatal(err)
		}
	}
}

// looking looks as often as a room does, until it is stopped.
func (d *detected) looking() (stop func()) {
	ctx, cancel := context.WithCancel(d.Context())
	var looks sync.WaitGroup
	looks.Go(func() {
		every := time.NewTicker(25 * time.Millisecond)
		defer every.Stop()
		for ctx.Err() == nil {
			if err := d.detector.Look(<-every.C); err != nil {
				d.Error(err)
			}
		}
	})
	return func() { cancel(); looks.Wait() }
}

// wrongDrops has visitors come for a second, with the signatures in force.
func (d *detected) wrongDrops() (wrong, of int) {
	before, all := d.dropped(), d.total()
	end := d.visiting()
	time.Sleep(time.Second)
	end()
	return int(d.dropped() - before), int(d.total() - all)
}

func (d *detected) texts() string {
	var texts []string
	for _, s := range d.detector.Signatures() {
		texts = append(texts, s.Text)
	}
	return strings.Join(texts, "; ")
}
