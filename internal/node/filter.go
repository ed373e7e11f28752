package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/nft"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/internal/spec"
)

// packetFilters is what this machine filters packets with.
func packetFilters(log *slog.Logger) packet.Backend {
	return packet.Backend{
		Open:   func(s *spec.Packets, pins string) (packet.Filter, error) { return openFilter(s, pins, log) },
		Detach: func(pins string) error { return errors.Join(xdp.Detach(pins), nft.Detach(table(pins))) },
	}
}

// table is the name of the node's table in nftables. There may be several on a machine, as there may be pins.
func table(pins string) string { return "seawall_" + filepath.Base(pins) }

// openFilter opens what the node wants, or what it can have: a program in the driver, one behind it, or nftables, and then the log says why no
// program. Of several that fail, all say why.
func openFilter(s *spec.Packets, pins string, log *slog.Logger) (packet.Filter, error) {
	if err := knownInterfaces(s.Interfaces); err != nil {
		return nil, fmt.Errorf("node.packets.interfaces: %w", err)
	}
	var xdpErr error
	if s.Mode != spec.PacketsNFTables {
		f, err := xdp.Open(xdp.Options{Pins: pins, Interfaces: s.Interfaces, Mode: xdp.Mode(s.Mode), CookieOptions: true})
		if err == nil {
			_ = nft.Detach(table(pins)) // of a time without BPF; a kernel without nftables has no table
			return f, nil
		}
		if xdpErr = err; s.Mode != spec.PacketsAuto {
			return nil, err
		}
	}
	f, err := nft.Open(nft.Options{Table: table(pins), Interfaces: s.Interfaces})
	if err != nil {
		return nil, errors.Join(xdpErr, err)
	}
	if xdpErr != nil {
		log.Warn("nftables is to filter packets, as XDP can't be had", "error", xdpErr)
	}
	if err := xdp.Detach(pins); err != nil { // of a time when it was wanted, or could be had
		log.Warn("a program filters packets besides", "error", err)
	}
	return f, nil
}

// knownInterfaces refuses one that the machine does not have. nftables would wait for it.
func knownInterfaces(wanted []string) error {
	all, err := net.Interfaces()
	if err != nil { // who may not ask that may not filter either, and is told why
		return nil //nolint:nilerr // see above
	}
	var there []string
	for _, i := range all {
		there = append(there, i.Name)
	}
	for _, name := range wanted {
		if !slices.Contains(there, name) {
			return fmt.Errorf("%s is none of this machine's: %s", name, strings.Join(there, ", "))
		}
	}
	return nil
}
