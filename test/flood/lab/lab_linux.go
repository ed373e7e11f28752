package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/test/flood"
)

// A Lab is the hosts of the package comment. Its visitors have 16 addresses of each family, in as many networks (IPv4 /24, IPv6 /64).
type Lab struct {
	Attacker, Visitors, Server, Management *Host
}

const (
	visitors = 16               // addresses of each family
	patience = 20 * time.Second // with commands
)

// needed are the commands that a lab is made with.
var needed = []string{"ip", "tc", "nsenter", "unshare", "ethtool", "mount"}

// For makes a lab for a test, or skips the test.
func For(t testing.TB) *Lab {
	t.Helper()
	if err := Unavailable(); err != nil {
		t.Skip(err)
	}
	l, err := New(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// Unavailable says why no lab can be had here, and is nil if one can.
func Unavailable() error {
	for _, command := range needed {
		if _, err := exec.LookPath(command); err != nil {
			return fmt.Errorf("a network of namespaces: %w", err)
		}
	}
	if out, err := exec.Command("unshare", "--net", "--mount", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("this machine does not let a test make a network namespace: %w: %s", err, out)
	}
	return nil
}

// New makes a lab. [Lab.Close] takes it down.
func New(ctx context.Context) (*Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l := &Lab{}
	name := fmt.Sprintf("%05x", rand.N(1<<20)) // interfaces' threads are looked for by name
	for i, host := range []**Host{&l.Server, &l.Attacker, &l.Visitors, &l.Management} {
		h, err := newHost()
		if err != nil {
			l.Close()
			return nil, err
		}
		h.Interface = []string{"server", "attack", "visit", "manage"}[i] + name
		h.MAC = net.HardwareAddr{2, 0, 0, 0, 0, byte(1 + i)}
		*host = h
	}
	l.address()
	if err := l.connect(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// address gives out addresses.
func (l *Lab) address() {
	at := func(h *Host, addresses ...string) {
		for _, a := range addresses {
			address := netip.MustParseAddr(a)
			if address.Is4() {
				h.IPv4 = append(h.IPv4, address)
			} else {
				h.IPv6 = append(h.IPv6, address)
			}
		}
	}
	at(l.Server, "198.18.0.1", "2001:db8::1")
	at(l.Attacker, "198.18.0.2", "2001:db8::2")
	at(l.Management, "198.19.0.2", "2001:db8:1::2")
	for i := 1; i <= visitors; i++ {
		at(l.Visitors, fmt.Sprintf("198.18.%d.1", i), fmt.Sprintf("2001:db8:0:%x::1", i))
	}
}

// connect makes the interfaces, and lets the hosts know each other.
func (l *Lab) connect(ctx context.Context) error {
	attack, server, visit, manage := l.Attacker, l.Server, l.Visitors, l.Management
	steps := []struct {
		host  *Host
		lines []string
	}{
		{attack, append([]string{
			fmt.Sprintf("link add %s address %s type veth peer name %s address %s netns %s",
				attack.Interface, attack.MAC, server.Interface, server.MAC, server.path()),
			fmt.Sprintf("link set %s alias \"%s\"", attack.Interface, flood.Mark),
			fmt.Sprintf("link add link %s name %s address %s netns %s type macvlan mode bridge",
				attack.Interface, visit.Interface, visit.MAC, visit.path()),
		}, attack.up(15, 47, server)...)},
		{manage, append([]string{
			fmt.Sprintf("link add %s address %s type veth peer name %s netns %s", manage.Interface, manage.MAC, managed, server.path()),
		}, manage.up(24, 64)...)},
		{visit, visit.up(15, 47, server)},
		{server, append(server.up(15, 47, attack, visit),
			"address add 198.19.0.1/24 dev "+managed, "address add 2001:db8:1::1/64 nodad dev "+managed, "link set "+managed+" up",
			fmt.Sprintf("route add default via %s", attack.IPv4[0]), fmt.Sprintf("route add default via inet6 %s", attack.IPv6[0]))},
	}
	for _, s := range steps {
		if _, err := s.host.Run(ctx, strings.Join(s.lines, "\n")+"\n", "ip", "-batch", "-"); err != nil {
			return err
		}
	}
	return errors.Join(attack.receive(ctx), server.receive(ctx))
}

// managed is the server's interface to the management.
const managed = "managed"

// up are commands of ip that bring the host up, and tell it of the others.
func (h *Host) up(bits4, bits6 int, others ...*Host) []string {
	lines := []string{"link set lo up", "link set " + h.Interface + " up"}
	for _, a := range h.IPv4 {
		lines = append(lines, fmt.Sprintf("address add %s/%d dev %s", a, bits4, h.Interface))
	}
	for _, a := range h.IPv6 {
		lines = append(lines, fmt.Sprintf("address add %s/%d nodad dev %s", a, bits6, h.Interface))
	}
	for _, other := range others {
		for _, a := range slices.Concat(other.IPv4, other.IPv6) {
			lines = append(lines, fmt.Sprintf("neighbour replace %s lladdr %s nud permanent dev %s", a, other.MAC, h.Interface))
		}
	}
	return lines
}

// ring is how many packets wait between sender and receiver, in each direction. A veth has room for 256, which a thread that does not run
// for 4 ms lets overflow; network cards have a few thousand.
const ring = 4096

// receive has the host's end of the veth pair received by a thread. That takes GRO, and packets that TSO has not joined. What it sends
// waits in a queue of its own while the other end has no room.
func (h *Host) receive(ctx context.Context) error {
	if _, err := h.Run(ctx, "", "ethtool", "-K", h.Interface, "gro", "on", "tso", "off"); err != nil {
		return err
	}
	queue := []string{"qdisc", "replace", "dev", h.Interface, "root", "pfifo", "limit", strconv.Itoa(ring)}
	if _, err := h.Run(ctx, "", "tc", queue...); err != nil {
		return err
	}
	threaded := fmt.Sprintf("mount -t sysfs sysfs /sys && echo 1 >/sys/class/net/%s/threaded", h.Interface) // /sys is of one namespace
	_, err := h.Run(ctx, "", "unshare", "--mount", "sh", "-c", threaded)
	return err
}

// Link is the attacker's, to the server.
func (l *Lab) Link() flood.Link {
	return flood.Link{Interface: l.Attacker.Interface, From: l.Attacker.MAC, To: l.Server.MAC}
}

// Flood has the attacker send a plan's packets.
func (l *Lab) Flood(ctx context.Context, plan flood.Plan) (sent flood.Sent, err error) {
	err = l.Attacker.Do(func() error {
		sent, err = flood.Send(ctx, l.Link(), plan)
		return err
	})
	return sent, err
}

// Close takes the lab down. Sockets and processes that are still in a namespace keep that alive.
func (l *Lab) Close() {
	for _, h := range []*Host{l.Attacker, l.Visitors, l.Server, l.Management} {
		if h != nil {
			h.namespace.Close()
		}
	}
}
