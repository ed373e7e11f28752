package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/packet"
)

// packetsFile is what packets have taught, in the data folder.
const packetsFile = "packets.learnt"

// filterPackets has packets filtered for the open doors. Where that can't be had, the node serves without.
func (n *Node) filterPackets() {
	var serving []netip.AddrPort
	for _, l := range n.listening {
		if a, ok := l.Address.(*net.TCPAddr); ok {
			serving = append(serving, a.AddrPort())
		}
	}
	if err := n.packets.Open(&n.spec, serving); err != nil {
		n.warn("serving without a packet filter", err)
	}
}

// Packets is what the node's packet filter does.
type Packets struct {
	Filtering bool `json:"filtering"`
	packet.Report
}

// servePackets tells what the packet filter does.
func (n *Node) servePackets(w http.ResponseWriter, _ *http.Request) {
	report, on, err := n.packets.Report()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, &Packets{on && len(report.Interfaces) > 0, report})
}

// ShowPackets asks the node that runs on this machine what its packet filter does; for admin see [Explain].
func ShowPackets(ctx context.Context, data, admin string) (*Packets, error) {
	return askFor[*Packets](ctx, http.MethodGet, data, admin, "/api/packets", nil)
}

// DetachPackets ends all filtering of packets that the node with this data folder has left in the kernel, whether it runs or not.
func DetachPackets(data string) error {
	return packetFilters(slog.New(slog.DiscardHandler)).Detach(packet.Pins(data))
}

// Write tells it to a person.
func (p *Packets) Write(w io.Writer) error {
	var b strings.Builder
	if !p.Filtering {
		b.WriteString("no packets are filtered: node.packets.interfaces says where they are to be; the log says what failed\n")
	}
	for _, i := range p.Interfaces {
		fmt.Fprintf(&b, "interface   %s, %s\n", i.Interface, i.Mode)
	}
	if len(p.Counters) > 0 {
		fmt.Fprintf(&b, "\n%-24s %-16s %-8s %14s %18s\n", "for", "reason", "", "packets", "bytes")
	}
	for _, c := range p.Counters {
		end := "passed"
		if c.Dropped {
			end = "dropped"
		}
		fmt.Fprintf(&b, "%-24s %-16s %-8s %14d %18d\n", c.For, c.Reason, end, c.Packets, c.Bytes)
	}
	if p.Filtering && p.Learnt < 1 {
		fmt.Fprintf(&b, "\nsignatures  none yet: %.0f %% is known of what ordinary packets look like\n", 100*p.Learnt)
	}
	for _, s := range p.Signatures {
		end := "dropped"
		if s.Monitor {
			end = "counted"
		}
		fmt.Fprintf(&b, "\nsignature   %s\n            %s %d packets since %s; at most %.3f %% of ordinary ones match\n",
			s.Text, end, s.Packets, day(s.Since), 100*s.WrongAtMost)
	}
	if len(p.Samples) > 0 {
		b.WriteString("\ndropped of late\n")
	}
	for _, s := range p.Samples {
		fmt.Fprintf(&b, "  %s  %-16s %-24s %s\n", s.At.Format(time.TimeOnly), s.Reason, s.Network, s.Text)
	}
	if p.Banned > 0 {
		fmt.Fprintf(&b, "\nbanned      %d sources; those that are free first:\n", p.Banned)
	}
	for _, ban := range p.Bans {
		fmt.Fprintf(&b, "            %v until %s\n", ban.Source, day(ban.Until))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
