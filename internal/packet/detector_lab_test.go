package packet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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
	*testing.T
	*lab.Lab
	filter   *xdp.Filter
	detector *packet.Detector
	serving  netip.AddrPort
}

const (
	floodRate = 40_000 // packets a second
	enough    = floodRate / 2
)

// newDetected knows what its visitors' packets look like.
func newDetected(t *testing.T) *detected {
	t.Helper()
	d := &detected{T: t, Lab: lab.For(t)}
	l, err := d.Server.Listen(t.Context(), "tcp", netip.AddrPortFrom(d.Server.IPv4[0], 0).String())
	if err != nil {
		t.Fatal(err)
	}
	d.serving = netip.MustParseAddrPort(l.Addr().String())
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	d.inside(func() (err error) {
		d.filter, err = xdp.Open(xdp.Options{Interfaces: []string{d.Server.Interface}, CookieOptions: true})
		return err
	})
	t.Cleanup(func() { d.inside(d.filter.Close) })
	d.inside(func() error {
		return d.filter.SetPolicy(packet.Policy{
			Listeners: []packet.Listener{{Address: d.serving.Addr(), Port: d.serving.Port(), CheckState: true, SYNs: 2000}},
			Sampling:  packet.Sampling{Drops: 1, Passes: 1, Most: 20_000},
		})
	})
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

// visit has visitors come until ctx ends, some hundred a second.
func (d *detected) visit(ctx context.Context, rate int) lab.Visited {
	visited, err := d.Visit(ctx, lab.Visits{
		URL: fmt.Sprintf("http://%v/", d.serving), Workers: 8, Rate: rate, Timeout: patience, Lasting: 2 * patience,
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		d.Error(err)
	}
	return visited
}

// until looks again and again until done, or for as long as anybody waits.
func (d *detected) until(what string, done func() bool) {
	d.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(2 * patience); !done(); {
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
	ctx, cancel := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	defer flooding.Wait()
	defer cancel()
	flooding.Go(func() {
		if _, err := d.Flood(ctx, flood.Plan{Kind: "syn", Target: d.serving, Rate: floodRate, Lasting: 2 * patience}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	d.until("a signature", func() bool { return d.dropped() > floodRate/10 })
	var c net.Conn
	var err error
	if c, err = d.Visitors.Dial(t.Context(), d.Visitors.IPv4[0], "tcp", d.serving.String()); err != nil {
		t.Fatalf("a visitor beside the flood: %v, signatures %+v", err, d.detector.Signatures())
	}
	_ = c.Close()
}

// learn has visitors come until it is known what their packets look like.
func (d *detected) learn() {
	d.Helper()
	ctx, cancel := context.WithCancel(d.Context())
	var visits sync.WaitGroup
	defer visits.Wait()
	defer cancel()
	visits.Go(func() { d.visit(ctx, 1200) })
	d.until("learning", func() bool { return d.detector.Learnt() == 1 })
}

// dropped is how many packets signatures have dropped.
func (d *detected) dropped() (n uint64) {
	d.Helper()
	counters, err := d.filter.Counters()
	if err != nil {
		d.Fatal(err)
	}
	for _, c := range counters {
		if c.Reason == packet.BySignature {
			n += c.Packets
		}
	}
	return n
}
