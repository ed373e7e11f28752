package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/prefixes"
)

// Standing is how an address stands with a node: what explains a connection that was reset before there was a request with an id.
type Standing struct {
	Address netip.Addr `json:"address"`
	// Source is what the address is counted by. It has Connections open, and may have Most.
	Source      netip.Prefix `json:"source"`
	Connections int          `json:"connections"`
	Most        int          `json:"most"`
	// Network is what the source is counted by, with others. It has NetworkConnections open, and may have NetworkMost.
	Network            netip.Prefix `json:"network"`
	NetworkConnections int          `json:"network_connections"`
	NetworkMost        int          `json:"network_most"`
	// Denied is the entry of node.deny that the address falls under.
	Denied *netip.Prefix `json:"denied,omitempty"`
	// Listed are the zones' lists that it is on.
	Listed []Listed `json:"listed,omitempty"`
}

// Listed is a zone's list with an address on it.
type Listed struct {
	Zone   string       `json:"zone"`
	Rule   string       `json:"rule"`
	Prefix netip.Prefix `json:"prefix"`
}

func (n *Node) standing(address netip.Addr) *Standing {
	address = address.Unmap().WithZone("")
	s := &Standing{
		Address: address,
		Source:  prefixes.Source(address), Connections: n.conns.SourceOpen(address), Most: n.started.Connections.PerSource,
		Network: prefixes.Network(address), NetworkConnections: n.conns.NetworkOpen(address), NetworkMost: n.started.Connections.PerNetwork,
	}
	if p, ok := n.conns.DeniedBy(address); ok {
		s.Denied = &p
	}
	n.snapshot.Each(func(z *zone.Zone) {
		if rule, p, ok := z.Verdict.Listed(address); ok {
			s.Listed = append(s.Listed, Listed{z.Name(), rule, p})
		}
	})
	slices.SortFunc(s.Listed, func(a, b Listed) int { return strings.Compare(a.Zone, b.Zone) })
	return s
}

// ExplainAddress asks the node that runs on this machine how an address stands with it; for admin see [Explain].
func ExplainAddress(ctx context.Context, data, admin string, address netip.Addr) (*Standing, error) {
	body, err := fetch(ctx, data, admin, "/explain/"+address.WithZone("").String())
	if err != nil {
		return nil, err
	}
	s := new(Standing)
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("reading the node's answer: %w", err)
	}
	return s, nil
}

// Write tells it to a person.
func (s *Standing) Write(w io.Writer) error {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s "+format+"\n", append([]any{what}, args...)...)
	}
	line("address", "%v, counted by %v", s.Address, s.Source)
	line("connections", "%d open of at most %d", s.Connections, s.Most)
	sourceFull := s.Connections >= s.Most
	if sourceFull {
		line("", "further ones are reset; raise node.connections.per_source if many people share the address")
	}
	line("network", "%v: %d open of at most %d", s.Network, s.NetworkConnections, s.NetworkMost)
	networkFull := s.NetworkConnections >= s.NetworkMost
	if networkFull {
		line("", "further ones are reset; raise node.connections.per_network if many people share the network")
	}
	if s.Denied != nil {
		line("refused", "by node.deny: connections from %v are reset as soon as they are accepted", *s.Denied)
		line("", "take the prefix off the list")
	}
	for _, l := range s.Listed {
		line("zone", "%s: %v is on %s", l.Zone, l.Prefix, l.Rule)
	}
	if s.Denied == nil && !sourceFull && !networkFull {
		line("", "nothing resets its connections now; of a request that was refused, the id tells more")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// serveStanding explains an address.
func (n *Node) serveStanding(w http.ResponseWriter, r *http.Request, address netip.Addr) {
	s := n.standing(address)
	if browser(r) {
		status.StoryPage(w, n.spec.Name, s.Address.String(), chunks(s.Write))
		return
	}
	answer(w, http.StatusOK, s)
}
