package packet_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/spec"
)

// batches is a filter that keeps nothing, and tells of the bans that come at one time.
type batches struct {
	packet.Filter
	banned chan int
}

func (batches) SetPolicy(packet.Policy) error    { return nil }
func (batches) SetAllow([]netip.Prefix) error    { return nil }
func (batches) Replace([]netip.Prefix) error     { return nil }
func (batches) Attached() []packet.Attachment    { return nil }
func (batches) Tend() error                      { return nil }
func (batches) Close() error                     { return nil }
func (b batches) BanAll(bans []packet.Ban) error { b.banned <- len(bans); return nil }

// TestBansTogether: what waits while the filter is at work is entered at one time.
func TestBansTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batches{banned: make(chan int)}
		room := packet.New(t.TempDir(), packet.Backend{Open: func(*spec.Packets, string) (packet.Filter, error) { return f, nil }}, slog.New(slog.DiscardHandler))
		node := spec.DefaultNode()
		node.Packets.Interfaces = []string{"lo"}
		if err := room.Open(&node, nil); err != nil {
			t.Fatal(err)
		}
		ban := func(n int) {
			for i := range n {
				room.Ban(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), time.Now().Add(time.Hour))
			}
			synctest.Wait()
		}
		ban(1) // which the filter is busy with
		ban(100)
		for _, want := range []int{1, 100} {
			if got := <-f.banned; got != want {
				t.Errorf("got %d bans at one time, want %d", got, want)
			}
		}
		if err := room.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestEndsBefore: a node without interfaces ends what the one before has left, pins or not.
func TestEndsBefore(t *testing.T) {
	forbidden := fmt.Errorf("list chains: %w", os.ErrPermission)
	there := t.TempDir()
	nowhere := filepath.Join(there, "nowhere")
	tests := []struct {
		name      string
		pins      string
		err, want error
	}{
		{"a table without pins", nowhere, nil, nil},
		{"pins", there, nil, nil},
		{"no rights, and no pins", nowhere, forbidden, nil},
		{"no rights to end what is there", there, forbidden, forbidden},
		{"a failure", nowhere, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		detached := ""
		backend := packet.Backend{Detach: func(pins string) error { detached = pins; return tt.err }}
		node := spec.DefaultNode()
		err := packet.New(tt.pins, backend, slog.New(slog.DiscardHandler)).Open(&node, nil)
		if !errors.Is(err, tt.want) || detached != tt.pins {
			t.Errorf("%s: got %v, %q detached; want %v, %q", tt.name, err, detached, tt.want, tt.pins)
		}
	}
}
