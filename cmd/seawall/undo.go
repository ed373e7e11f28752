package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seawall/seawall/internal/node"
)

// undo is the command line that lets through what is refused.
type undo struct {
	Address string        `help:"An address or a prefix that nothing is to refuse: no ban, deny list, limit or rule." placeholder:"ADDR"`
	Rule    string        `help:"A rule that is only to note whom it would refuse, such as lists.deny, limits.requests or one of the zone's rules." placeholder:"NAME"`
	Zone    string        `help:"The zone. Default for an address: all; for a rule: the one that has it." placeholder:"NAME"`
	For     time.Duration `help:"For how long, at most 168h (${default})." default:"1h" placeholder:"TIME"`
	Cancel  bool          `help:"End it before its time."`
	List    bool          `help:"List what is undone."`
	Data    string        `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin   string        `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Validate implements kong's interface.
func (u *undo) Validate() error {
	switch {
	case u.List && (u.Address != "" || u.Rule != "" || u.Cancel):
		return errors.New("--list goes alone")
	case !u.List && (u.Address == "") == (u.Rule == ""):
		return errors.New("want --address or --rule, or --list")
	}
	return nil
}

// Run undoes, lists or cancels.
func (u *undo) Run(ctx context.Context, o output) (err error) {
	what := &node.Undo{Address: u.Address, Rule: u.Rule, Zone: u.Zone, For: u.For.String()}
	var done interface{ Write(w io.Writer) error }
	switch {
	case u.List:
		done, err = node.ListUndone(ctx, u.Data, u.Admin)
	case u.Cancel:
		done, err = node.CancelUndone(ctx, u.Data, u.Admin, what)
	default:
		done, err = node.UndoRefusals(ctx, u.Data, u.Admin, what)
	}
	if err != nil {
		return err
	}
	if u.JSON {
		return json.NewEncoder(o.out).Encode(done)
	}
	if u.Cancel {
		fmt.Fprint(o.out, "no longer undone: ")
	}
	return done.Write(o.out)
}
