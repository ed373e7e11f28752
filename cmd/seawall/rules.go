package main

import (
	"context"
	"encoding/json"

	"github.com/seawall/seawall/internal/node"
)

// listRules is the command line of a list of rules.
type listRules struct {
	Zone    string `help:"The zone. Default: all." placeholder:"NAME"`
	Samples bool   `help:"Show the latest requests that each matched: whom it hurt or, with action: log, would have."`
	Data    string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin   string `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run prints the list.
func (r *listRules) Run(ctx context.Context, o output) error {
	list, err := node.ListRules(ctx, r.Data, r.Admin, r.Zone, r.Samples)
	if err != nil {
		return err
	}
	if r.JSON {
		return json.NewEncoder(o.out).Encode(list)
	}
	return list.Write(o.out)
}
