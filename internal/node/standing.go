package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/verdict/exceptions"
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
	// Refused is the latest of the source's connections that was refused or cut before there was a request, and how many there were.
	Refused *RefusedConnection `json:"refused,omitempty"`
	// Denied is the entry of node.deny that the address falls under.
	Denied *netip.Prefix `json:"denied,omitempty"`
	// Packets is how it stands with the packet filter, nil if there is none.
	Packets *packet.Finding `json:"packets,omitempty"`
	// Listed are the zones' lists that it is on, Limited their limits that its source is over now.
	Listed  []Listed  `json:"listed,omitempty"`
	Limited []Limited `json:"limited,omitempty"`
	// Spared are the exceptions that it falls under (seawall undo).
	Spared Exceptions `json:"spared,omitempty"`
	// Undo is a command that lets it through for an hour, if anything refuses it that can be undone.
	Undo string `json:"undo,omitempty"`
}

// Limited is a zone's limit that a source is over.
type Limited struct {
	Zone   string    `json:"zone"`
	Rule   string    `json:"rule"`
	Detail string    `json:"detail"`
	Until  time.Time `json:"until"` // if it sends nothing until then
}

// RefusedConnection is why a source's connection was refused or cut. Cause is one that metrics name, Detail what a handshake failed of, or
// which bound was broken. It is forgotten when many others have been refused since.
type RefusedConnection struct {
	Time   time.Time `json:"time"`
	Cause  string    `json:"cause"`
	Detail string    `json:"detail,omitempty"`
	Count  int64     `json:"count"`
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
	address, now := address.Unmap().WithZone(""), time.Now()
	s := &Standing{
		Address: address,
		Source:  prefixes.Source(address), Connections: n.conns.SourceOpen(address), Most: n.started.Connections.PerSource,
		Spared:  n.rooms.Verdict.Exceptions.Of(address),
		Network: prefixes.Network(address), NetworkConnections: n.conns.NetworkOpen(address), NetworkMost: n.started.Connections.PerNetwork,
	}
	if p, ok := n.conns.DeniedBy(address); ok {
		s.Denied = &p
	}
	if r, ok := n.conns.RefusedLately(address); ok {
		s.Refused = &RefusedConnection{r.Time.UTC(), r.Cause.String(), r.Detail, r.Count}
	}
	if b, ok := n.conns.BanOf(address); ok {
		s.Banned = &Banned{b.Until, b.Reason}
	}
	if found, ok, err := n.packets.Find(address); ok && err == nil {
		s.Packets = &found
	}
	n.snapshot.Each(func(z *zone.Zone) {
		if rule, p, ok := z.Verdict.Listed(address); ok {
			s.Listed = append(s.Listed, Listed{z.Name(), rule, p})
		}
		for _, l := range z.Verdict.Limited(address, now) {
			s.Limited = append(s.Limited, Limited{z.Name(), l.Rule, l.Detail, now.Add(l.Wait).UTC()})
		}
	})
	slices.SortFunc(s.Listed, func(a, b Listed) int { return strings.Compare(a.Zone, b.Zone) })
	slices.SortStableFunc(s.Limited, func(a, b Limited) int { return strings.Compare(a.Zone, b.Zone) })
	denied := slices.ContainsFunc(s.Listed, func(l Listed) bool { return l.Rule == "lists.deny" })
	everywhere := n.rooms.Verdict.Exceptions.Everywhere(address)
	if s.Banned != nil || !everywhere && (s.Denied != nil || denied || s.Limited != nil) {
		s.Undo = "seawall undo --address " + address.String() + " --for 1h"
	}
	return s
}

// ExplainAddress asks the node that runs on this machine how an address stands with it; for admin see [Explain].
func ExplainAddress(ctx context.Context, data, admin string, address netip.Addr) (*Standing, error) {
	return askFor[*Standing](ctx, http.MethodGet, data, admin, "/explain/"+address.WithZone("").String(), nil)
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
	if r := s.Refused; r != nil {
		line("refused", "connections lately: %d, the last at %s: %s", r.Count, day(r.Time), record.Printable(strings.TrimSuffix(r.Cause+": "+r.Detail, ": ")))
		if remedy := connectionRemedies[r.Cause]; remedy != "" {
			line("", "%s", remedy)
		}
	}
	resets := s.refused(line) || sourceFull || networkFull
	for _, e := range s.Spared {
		line("spared", "%s, until %s, by %s", e.Where(), day(e.Until), e.By)
	}
	switch {
	case s.Undo != "":
		line("undo", "%s", s.Undo)
	case !resets:
		line("", "nothing resets its connections now; of a request that was refused, the id tells more")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// refused tells what refuses it, and reports whether that resets connections.
func (s *Standing) refused(line func(what, format string, args ...any)) (resets bool) {
	everywhere := slices.ContainsFunc(s.Spared, func(e exceptions.Exception) bool { return e.Zone == "" })
	if s.Denied != nil && !everywhere {
		line("refused", "by node.deny: connections from %v are reset as soon as they are accepted", *s.Denied)
		line("", "take the prefix off the list, or undo it for a time")
	}
	if s.Banned != nil {
		line("banned", "until %s, for %s on a connection (node.connections.ban): new ones are reset", day(s.Banned.Until), s.Banned.Reason)
	}
	if p := s.Packets; p != nil {
		packetStanding(p, line)
	}
	for _, l := range s.Listed {
		line("zone", "%s: %v is on %s", l.Zone, l.Prefix, l.Rule)
	}
	for _, l := range s.Limited {
		line("zone", "%s: over %s (%s) until %s, if it sends nothing until then", l.Zone, l.Rule, l.Detail, day(l.Until))
	}
	return s.Denied != nil && !everywhere || s.Banned != nil
}

// packetStanding tells how an address stands with the packet filter.
func packetStanding(p *packet.Finding, line func(what, format string, args ...any)) {
	switch {
	case p.Allowed:
		line("packets", "always pass (node.packets.allow, or undone)")
	case p.Denied:
		line("packets", "are dropped as they come in, by node.deny")
	case p.Banned.IsValid():
		line("packets", "from %v are dropped as they come in, until %s", p.Banned, day(p.Until))
	case p.Over:
		line("packets", "beyond node.packets.per_source or per_network are dropped: it is over one of them now")
	}
}

// connectionRemedies say what helps against what an address's standing does not show any more, by the cause.
var connectionRemedies = map[string]string{
	conn.NodeFull.String():    "the node was full; raise node.connections.max if the machine can take more",
	conn.ProxyHeader.String(): "a proxy's connections have to begin with a PROXY protocol header, as node.proxy_protocol wants; see the log",
	conn.HandshakeFailed.String(): "no TLS handshake; of what node.tls decides there are deny_fingerprints, strict_names, min_version and " +
		"handshakes (how many at one time), of what a zone does https.client_certificates",
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
