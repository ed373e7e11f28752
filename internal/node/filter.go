package node

import (
	"errors"
	"path/filepath"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/packet/nft"
	"github.com/seawall/seawall/internal/packet/xdp"
	"github.com/seawall/seawall/internal/spec"
)

// packetFilters is what this machine filters packets with.
func packetFilters() packet.Backend {
	return packet.Backend{
		Open:   openFilter,
		Detach: func(pins string) error { return errors.Join(xdp.Detach(pins), nft.Detach(table(pins))) },
	}
}

// table is the name of the node's table in nftables. There may be several on a machine, as there may be pins.
func table(pins string) string { return "seawall_" + filepath.Base(pins) }

// openFilter opens what the node wants, or what it can have: a program in the driver, one behind it, or nftables. Of several that fail,
// all say why.
func openFilter(s *spec.Packets, pins string) (packet.Filter, error) {
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
	return f, nil
}
