package zone

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/spec"
)

// Set is all zones of a node, by host. It is immutable.
type Set struct {
	exact    map[string]*Zone
	wildcard map[string]*Zone // by what follows "*."
	any      *Zone
	unserved *Zone
}

// NewSet makes a set that serves what no zone's host matches as unserved. Add fills it.
func NewSet(unserved *Zone) *Set {
	return &Set{exact: map[string]*Zone{}, wildcard: map[string]*Zone{}, unserved: unserved}
}

// Add puts a zone under its hosts. It changes nothing if one of them is taken or is no host.
func (s *Set) Add(z *Zone, hosts []string) error {
	for _, host := range hosts {
		if !valid(host) {
			return fmt.Errorf("zone %s: hosts: %q is no host: want a name without scheme and port, such as www.example.org, *.example.org for all below it, or * for all",
				z.name, host)
		}
		if other := s.Owner(host); other != nil && other != z {
			return fmt.Errorf("zone %s: hosts: %q already belongs to zone %s", z.name, host, other.name)
		}
	}
	for _, host := range hosts {
		host = normal(host)
		switch parent, ok := strings.CutPrefix(host, "*."); {
		case host == spec.AnyHost:
			s.any = z
		case ok:
			s.wildcard[parent] = z
		default:
			s.exact[host] = z
		}
	}
	return nil
}

// Owner is the zone that was added with this host, nil if none was.
func (s *Set) Owner(host string) *Zone {
	host = normal(host)
	if host == spec.AnyHost {
		return s.any
	}
	if parent, ok := strings.CutPrefix(host, "*."); ok {
		return s.wildcard[parent]
	}
	return s.exact[host]
}

// maxHost is the longest name there is (RFC 1035 §2.3.4). A longer host is not taken apart: that would cost its length squared.
const maxHost = 253

// normal is a zone's host in the form that requests' hosts have.
func normal(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// valid tells whether a request could have this host, or one below it.
func valid(host string) bool {
	if host == spec.AnyHost {
		return true
	}
	name := strings.TrimPrefix(normal(host), "*.")
	if address, ok := strings.CutPrefix(name, "["); ok && name == normal(host) {
		a, err := netip.ParseAddr(strings.TrimSuffix(address, "]"))
		return err == nil && a.Is6() && strings.HasSuffix(address, "]")
	}
	return name != "" && len(name) <= maxHost && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && name[0] != '.'
}

// Lookup finds the zone of a host in normal form: an exact one, else the wildcard with the longest parent, else that of any host. It
// returns nil if none serves it.
func (s *Set) Lookup(host string) *Zone {
	if z := s.exact[host]; z != nil {
		return z
	}
	if len(s.wildcard) > 0 && len(host) <= maxHost {
		for rest := host; ; {
			_, parent, ok := strings.Cut(rest, ".")
			if !ok {
				break
			}
			if z := s.wildcard[parent]; z != nil {
				return z
			}
			rest = parent
		}
	}
	return s.any
}

// The refusals of who came to the wrong place (421, RFC 9110 §15.5.20).
var (
	unserved    = flow.Refusal{Reason: flow.UnknownHost, Status: 421, Rule: "zone", Detail: "no zone serves this host"}
	misdirected = flow.Refusal{
		Reason: flow.Misdirected, Status: 421, Rule: "https",
		Detail: "the connection's handshake was for a zone with other https settings (client_certificates, min_version, deny_fingerprints)",
	}
)

// Enter finds the flow's zone, or refuses it. A flow that was refused before its host was known has no zone either.
func (s *Set) Enter(f *flow.Flow) *Zone {
	z := s.unserved
	if f.Request.Host != "" || f.Request.Refusal == nil {
		z = s.Lookup(f.Request.Host)
	}
	switch {
	case z == nil:
		z = s.unserved
		f.Unserved = &unserved
	case f.Conn != nil && f.Conn.TLS != nil && !z.admitted(f.Conn.TLS):
		f.Unserved = &misdirected
	}
	f.Zone = z
	return z
}

// admitted tells whether a handshake asked of its client what this zone asks.
func (z *Zone) admitted(t *flow.TLS) bool {
	asked, _ := t.Policy.(*hello.Policy)
	return z.Hello.Same(asked)
}
