package main

import (
	"bytes"
	"net"
	"os"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/seawall/seawall/internal/drill/scenario/network"
)

// writePlaces writes the drill's address plan as a file of countries and autonomous systems, as MaxMind has them.
func writePlaces(path string) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "drill", IncludeReservedNetworks: true})
	if err != nil {
		return err
	}
	for _, n := range network.Plan() {
		record := mmdbtype.Map{
			"country":                        mmdbtype.Map{"iso_code": mmdbtype.String(n.Country)},
			"autonomous_system_number":       mmdbtype.Uint32(n.ASN),
			"autonomous_system_organization": mmdbtype.String(n.Name),
		}
		for _, prefix := range n.Prefixes {
			ip := &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
			if err := tree.Insert(ip, record); err != nil {
				return err
			}
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}
