// Package lock writes the firewall rules with which an origin accepts its edges only, so that an attacker who knows its address gains
// nothing. It knows addresses and ports, changes nothing itself, and fails only for want of either.
package lock

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Table is the name of the table that holds the rules.
const Table = "seawall_origin"

// Script is a file for nft -f, to be run on the origin. It replaces the rules of an earlier one in one step. The chain comes before
// destination NAT, so that the ports that containers publish are locked, too; what the machine forwards for others is left alone.
func Script(edges []netip.Prefix, ports []uint16) (string, error) {
	switch {
	case len(edges) == 0:
		return "", errors.New("no edge is given: nobody could reach the origin")
	case len(ports) == 0:
		return "", errors.New("no port is given: nothing would be locked")
	}
	var four, six []netip.Prefix
	for _, p := range edges {
		if p = p.Masked(); p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	ports = slices.Clone(ports)
	slices.Sort(ports)
	var list []string
	for _, p := range slices.Compact(ports) {
		list = append(list, strconv.Itoa(int(p)))
	}
	to := "fib daddr type local %s dport { " + strings.Join(list, ", ") + " }"
	tcp, udp := fmt.Sprintf(to, "tcp"), fmt.Sprintf(to, "udp")
	var b strings.Builder
	fmt.Fprintf(&b, `#!/usr/sbin/nft -f
# Only these edges reach the origin's web ports. On the origin, as root:
#   put in force   nft -f FILE   (and add it to /etc/nftables.conf, to have it after a restart)
#   take back      nft delete table inet %[1]s
table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
`, Table)
	set(&b, "edges4", "ipv4_addr", four)
	set(&b, "edges6", "ipv6_addr", six)
	b.WriteString("\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n\t\tiif lo accept\n")
	if len(four) > 0 {
		fmt.Fprintf(&b, "\t\t%s ip saddr @edges4 accept\n", tcp)
	}
	if len(six) > 0 {
		fmt.Fprintf(&b, "\t\t%s ip6 saddr @edges6 accept\n", tcp)
	}
	fmt.Fprintf(&b, "\t\t%s counter drop\n\t\t%s counter drop comment \"HTTP/3\"\n\t}\n}\n", tcp, udp)
	return b.String(), nil
}

// set writes a set of prefixes, unless it is empty.
func set(b *strings.Builder, name, kind string, elements []netip.Prefix) {
	if len(elements) == 0 {
		return
	}
	slices.SortFunc(elements, func(x, y netip.Prefix) int {
		return cmp.Or(x.Addr().Compare(y.Addr()), cmp.Compare(x.Bits(), y.Bits()))
	})
	var text []string
	for _, p := range slices.Compact(elements) {
		text = append(text, p.String())
	}
	fmt.Fprintf(b, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n\t\telements = { %s }\n\t}\n", name, kind, strings.Join(text, ", "))
}
