package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/seawall/seawall/internal/node"
)

// explain is the command line of an explanation.
type explain struct {
	ID    string `arg:"" name:"id" help:"The id, from an error page, a response's X-Request-Id or the access log; or an address, to see what keeps it from connecting."`
	Data  string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin string `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// errUnknown tells that an id explains nothing.
var errUnknown = errors.New("not explained")

// Run prints what is known of the id.
func (e *explain) Run(ctx context.Context, o output) error {
	if a, err := netip.ParseAddr(e.ID); err == nil {
		return e.address(ctx, o, a)
	}
	x, err := node.Explain(ctx, e.Data, e.Admin, e.ID)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	if e.JSON {
		return json.NewEncoder(o.out).Encode(x)
	}
	return x.Write(o.out)
}

// address prints how an address stands with the node.
func (e *explain) address(ctx context.Context, o output, a netip.Addr) error {
	s, err := node.ExplainAddress(ctx, e.Data, e.Admin, a)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	if e.JSON {
		return json.NewEncoder(o.out).Encode(s)
	}
	return s.Write(o.out)
}
