package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/seawall/seawall/internal/origin/lock"
	"github.com/seawall/seawall/internal/spec/config"
	"github.com/seawall/seawall/prefixes"
)

// originCommands are about origins.
type originCommands struct {
	Lock originLock `cmd:"" help:"Print firewall rules (nftables) with which an origin accepts its edges only."`
}

// originLock is the command line of the rules for one origin.
type originLock struct {
	URL    string   `arg:"" optional:"" help:"The origin, such as http://192.0.2.10:8080. Default: all servers of the configuration."`
	Config string   `help:"Take the origin's servers from this configuration." placeholder:"FILE" type:"path"`
	Edge   []string `help:"An edge's address or prefix; @FILE for a file of them. Repeatable. Default: the addresses from which this machine reaches the origin." placeholder:"PREFIX"`
	Port   []uint16 `help:"A port to lock. Repeatable. Default: the ports of the origin's URLs." placeholder:"PORT"`
}

// Run prints the rules.
func (l *originLock) Run(o output) error {
	servers, err := l.servers()
	if err != nil {
		return usageError{err}
	}
	var edges []netip.Prefix
	for _, text := range l.Edge {
		some, err := parsePrefixes(text)
		if err != nil {
			return usageError{fmt.Errorf("--edge: %w", err)}
		}
		edges = append(edges, some...)
	}
	ports := l.Port
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" {
			continue // a socket: nobody else reaches it
		}
		port := portOf(u)
		if len(l.Port) == 0 {
			ports = append(ports, port)
		}
		if len(l.Edge) == 0 {
			from, err := sourceTo(u.Hostname(), port)
			switch {
			case err != nil:
				return err
			case from.Addr().IsLoopback():
				fmt.Fprintf(o.err, "%s is this machine itself: have it listen on 127.0.0.1 only, which locks it better than a firewall\n", s)
			default:
				edges = append(edges, from)
			}
		}
	}
	script, err := lock.Script(edges, ports)
	if err != nil {
		return usageError{fmt.Errorf("%w; give some with --edge and --port", err)}
	}
	_, err = fmt.Fprint(o.out, script)
	return err
}

// servers are the URLs of what is to be locked.
func (l *originLock) servers() (urls []string, err error) {
	switch {
	case l.URL != "" && l.Config != "":
		return nil, errors.New("want an origin or --config, not both")
	case l.URL != "":
		u, err := originURL(l.URL)
		return []string{u}, err
	case l.Config == "" && len(l.Edge) > 0 && len(l.Port) > 0:
		return nil, nil
	case l.Config == "":
		return nil, errors.New("want an origin, such as http://192.0.2.10:8080, or --config FILE")
	}
	c, err := config.Load(l.Config)
	if err != nil {
		return nil, err
	}
	for _, z := range c.Zones {
		servers := z.Origin.Servers
		for _, p := range z.Pools {
			servers = slices.Concat(servers, p.Origin.Servers)
		}
		for _, s := range servers {
			urls = append(urls, s.URL)
		}
	}
	return urls, nil
}

func portOf(u *url.URL) uint16 {
	if p, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(p)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// sourceTo is the address from which this machine would reach another; nothing is sent.
func sourceTo(host string, port uint16) (netip.Prefix, error) {
	c, err := net.Dial("udp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("finding the way to the origin: %w; give this machine's address with --edge", err)
	}
	defer c.Close()
	return prefixes.Parse(c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("").String())
}
