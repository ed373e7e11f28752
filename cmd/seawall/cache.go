package main

import (
	"context"
	"encoding/json"

	"github.com/seawall/seawall/internal/node"
)

// purge is the command line of a purge.
type purge struct {
	URLs     []string `arg:"" optional:"" name:"url" help:"URLs, each with all its variants and for both schemes."`
	Prefixes []string `name:"prefix" help:"What begins so, such as www.example.org/images/." placeholder:"PREFIX" sep:"none"`
	Hosts    []string `name:"host" help:"Everything of a host." placeholder:"HOST"`
	Tags     []string `name:"tag" help:"What the origin gave this tag, in Cache-Tag, Surrogate-Key or xkey." placeholder:"TAG"`
	All      bool     `help:"Everything of the zone."`
	Soft     bool     `help:"Only make stale: it is validated when it is asked for next, and served meanwhile where that is allowed."`
	Zone     string   `help:"The zone, if there are several and it is not told by a host." placeholder:"NAME"`
	Data     string   `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin    string   `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// Run purges, and prints the receipt.
func (p *purge) Run(ctx context.Context, o output) error {
	receipt, err := node.PurgeCache(ctx, p.Data, p.Admin, &node.Purge{
		Zone: p.Zone, URLs: p.URLs, Prefixes: p.Prefixes, Hosts: p.Hosts, Tags: p.Tags, All: p.All, Soft: p.Soft,
	})
	if err != nil {
		return err
	}
	if p.JSON {
		return json.NewEncoder(o.out).Encode(receipt)
	}
	return receipt.Write(o.out)
}

type cacheCommands struct {
	Why cacheWhy `cmd:"" help:"Tell, step by step, what the cache would do with a request now, and why."`
	Top cacheTop `cmd:"" help:"List the commonest misses of the newest requests, and why they were none."`
}

// cacheTop is the command line of a list of misses.
type cacheTop struct {
	Zone  string `help:"The zone. Default: all." placeholder:"NAME"`
	N     int    `short:"n" help:"How many." default:"20" placeholder:"N"`
	Data  string `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin string `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run prints the list.
func (c *cacheTop) Run(ctx context.Context, o output) error {
	misses, err := node.TopMisses(ctx, c.Data, c.Admin, c.Zone, c.N)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(o.out).Encode(misses)
	}
	return misses.Write(o.out)
}

// cacheWhy is the command line of a question to the cache.
type cacheWhy struct {
	URL     string   `arg:"" name:"url" help:"What is asked for, with GET."`
	Headers []string `name:"header" short:"H" help:"A header of the request, as 'Name: value'." placeholder:"LINE" sep:"none"`
	Data    string   `help:"The node's data folder (${default})." default:"${data}" placeholder:"DIR"`
	Admin   string   `help:"The node's admin address. Default: the one it left in its data folder." placeholder:"ADDR"`
	JSON    bool     `name:"json" help:"Print JSON."`
}

// Run prints the steps.
func (c *cacheWhy) Run(ctx context.Context, o output) error {
	why, err := node.WhyCached(ctx, c.Data, c.Admin, c.URL, c.Headers)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(o.out).Encode(why)
	}
	return why.Write(o.out)
}
