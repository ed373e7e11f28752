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
	"time"

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
	// Banned is the ban that the source is under, for what it did on connections that were cut off.
	Banned *Banned `json:"banned,omitempty"`
	// Denied is the entry of node.deny that the address falls under.
	Denied *netip.Prefix `json:"denied,omitempty"`
	// Listed are the zones' lists that it is on.
	Listed []Listed `json:"listed,omitempty"`
}

// Banned is why a source can't connect, and until when.
type Banned struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
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
	if b, ok := n.conns.BanOf(address); ok {
		s.Banned = &Banned{b.Until, b.Reason}
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
	if s.Banned != nil {
		line("banned", "until %s, for %s on a connection (node.connections.ban): new ones are reset", s.Banned.Until.UTC().Format(time.DateTime+" MST"), s.Banned.Reason)
		line("", "seawall undo %v lets it connect at once", s.Address)
	}
	for _, l := range s.Listed {
		line("zone", "%s: %v is on %s", l.Zone, l.Prefix, l.Rule)
	}
	if s.Denied == nil && s.Banned == nil && !sourceFull && !networkFull {
		line("", "nothing resets its connections now; of a request that was refused, the id tells more")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// serveUndo ends the ban of an address.
func (n *Node) serveUndo(w http.ResponseWriter, r *http.Request) {
	address, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil {
		http.Error(w, "undoing: "+err.Error(), http.StatusBadRequest)
		return
	}
	if !n.conns.Unban(address.Unmap().WithZone("")) {
		http.Error(w, fmt.Sprintf("%v is not banned", address), http.StatusNotFound)
		return
	}
	answer(w, http.StatusOK, n.standing(address))
}

// Undo ends the ban that an address is under with the node that runs on this machine; for admin see [Explain].
func Undo(ctx context.Context, data, admin string, address netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := call(ctx, http.MethodPost, data, admin, "/api/undo/"+address.WithZone("").String())
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
