package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/seawall/seawall/internal/drill"
	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/node"
	"github.com/seawall/seawall/internal/spec"
)

// demo is the command line of the story.
type demo struct {
	Quick bool `help:"Tell the story at half the size, in ten seconds."`
	JSON  bool `name:"json" help:"Print the result as JSON instead of a table, and no picture."`
}

// Run plays the story bare and behind a node of its own, and prints how visitors fared.
func (d *demo) Run(ctx context.Context, o output) error {
	story, err := drill.Demo(d.Quick)
	if err != nil {
		return err
	}
	if d.JSON {
		result, err := drill.Perform(ctx, story, shield(story), nil)
		if err != nil {
			return err
		}
		return json.NewEncoder(o.out).Encode(result)
	}
	picture := drill.NewPicture(os.Stdout)
	result, err := drill.Perform(ctx, story, shield(story), picture.Draw)
	picture.Close()
	if err != nil {
		return err
	}
	return result.WriteTable(o.out)
}

// shielding is a node before the story's site.
type shielding struct {
	node *node.Node
	data string
	spec spec.Zone
}

// shield starts a node as protect would, with the budget that a site of the story's size has room for.
func shield(story *scenario.Scenario) drill.Shield {
	return func(ctx context.Context, origin string) (drill.Proxy, error) {
		data, err := os.MkdirTemp("", "seawall-demo-")
		if err != nil {
			return nil, fmt.Errorf("making a folder for keys: %w", err)
		}
		s, z := spec.DefaultNode(), spec.DefaultZone()
		s.Data = data
		s.HTTP = []spec.Listener{{Address: "127.0.0.1:0"}}
		s.Connections.DrainTimeout = time.Second
		z.Name, z.Hosts, z.Origin.Servers = "demo", []string{spec.AnyHost}, spec.OneServer(origin)
		z.Budget.Concurrent = story.Site.Workers
		n, err := node.Start(ctx, s, []spec.Zone{z}, slog.New(slog.DiscardHandler))
		if err != nil {
			os.RemoveAll(data)
			return nil, err
		}
		return &shielding{node: n, data: data, spec: z}, nil
	}
}

// URL implements [drill.Proxy].
func (s *shielding) URL() string { return "http://" + s.node.Listening()[0].Address.String() }

// Facts implements [drill.Proxy].
func (s *shielding) Facts() drill.Facts {
	counts := s.node.Counts(s.spec.Name)
	refused := make(map[string]int64)
	for reason, n := range counts.Refused {
		if n > 0 {
			refused[flow.Reason(reason).String()] = n
		}
	}
	return drill.Facts{
		Budget:    s.spec.Budget.Concurrent,
		CacheHits: counts.Cache[flow.Hit],
		Refused:   refused,
	}
}

// Close implements [drill.Proxy].
func (s *shielding) Close() error {
	err := s.node.Shutdown(context.Background())
	os.RemoveAll(s.data)
	return err
}
