package play

import (
	"bytes"
	"net"
	"os"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// atlas FILE NETWORK=COUNTRY... writes a file of networks and their countries, as MaxMind has them.
func atlas(p *play, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", IncludeReservedNetworks: true})
	if err != nil {
		return err
	}
	for _, arg := range args[1:] {
		network, country, _ := strings.Cut(arg, "=")
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			return err
		}
		record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}}
		if err := tree.Insert(n, record); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		return err
	}
	path := p.MkAbs(args[0])
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
