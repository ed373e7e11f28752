package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seawall/seawall/internal/node"
)

// packetCommands are the command lines about the packet filter.
type packetCommands struct {
	Show   showPackets   `cmd:"" default:"withargs" help:"Show what is dropped below TCP, and why."`
	Detach detachPackets `cmd:"" help:"End all filtering of packets, whether the node runs or not."`
}

// showPackets is the command line that shows what the packet filter does.
type showPackets struct {
	Data  string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin string `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run shows it.
func (s *showPackets) Run(ctx context.Context, o output) error {
	p, err := node.ShowPackets(ctx, s.Data, s.Admin)
	if err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(o.out).Encode(p)
	}
	return p.Write(o.out)
}

// detachPackets is the command line that ends all filtering.
type detachPackets struct {
	Data string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
}

// Run ends it.
func (d *detachPackets) Run(o output) error {
	if err := node.DetachPackets(d.Data); err != nil {
		return err
	}
	fmt.Fprintln(o.out, "no packets are filtered any more")
	return nil
}
