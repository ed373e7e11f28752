package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/seawall/seawall/internal/node"
)

// undo is the command line that ends a ban.
type undo struct {
	Address netip.Addr `arg:"" name:"address" help:"The address that is to connect again. Its whole source, an IPv6 /64, is meant."`
	Data    string     `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin   string     `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
}

// Run ends the ban that an address is under.
func (u *undo) Run(ctx context.Context, o output) error {
	if err := node.Undo(ctx, u.Data, u.Admin, u.Address); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "%v can connect again\n", u.Address)
	return nil
}
