package main

import (
	"context"
	"fmt"

	"github.com/seawall/seawall/internal/node"
)

// upgrade is the command line of an upgrade.
type upgrade struct {
	Binary string `help:"The new program. Default: the one that the node was started with, which may have been replaced." placeholder:"FILE" type:"path"`
	Data   string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin  string `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
}

// Run has the node that runs on this machine hand over to a new process.
func (u *upgrade) Run(ctx context.Context, o output) error {
	pid, err := node.AskUpgrade(ctx, u.Data, u.Admin, u.Binary)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "upgraded: process %d serves; the one before ends when its last connection does\n", pid)
	return nil
}
