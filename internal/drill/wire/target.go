package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
)

// Target is where a drill is played: a loopback address, what requests name, and whether TLS is spoken.
type Target struct {
	Addr netip.AddrPort
	Host string // of requests, with the port where it is not the scheme's own; its name is the TLS server name
	TLS  bool
}

// Origin is what the target's URLs begin with: scheme and host (RFC 6454).
func (t Target) Origin() string {
	if t.TLS {
		return "https://" + t.Host
	}
	return "http://" + t.Host
}

// Resolve checks that rawURL is an http or https URL of the loopback and nothing else. Every address its host resolves to must
// be loopback (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3), and later dials go to the address found here, never to the name.
// Requests name host, or what the URL names if host is "".
func Resolve(ctx context.Context, rawURL, host string) (Target, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", rawURL, err)
	}
	port := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	if port == 0 || u.Hostname() == "" {
		return Target{}, fmt.Errorf("target %q: want http://HOST:PORT or https://HOST:PORT", rawURL)
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return Target{}, fmt.Errorf("target %q: port %q is not 1 to 65535", rawURL, p)
		}
	}
	addr, err := loopback(ctx, u.Hostname())
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", rawURL, err)
	}
	if host == "" {
		host = u.Host
	}
	return Target{Addr: netip.AddrPortFrom(addr, uint16(port)), Host: host, TLS: u.Scheme == "https"}, nil
}

// loopback returns the first IPv4 address of host, all of whose addresses must be loopback.
func loopback(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := lookup(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	var found netip.Addr
	for _, a := range addrs {
		a = a.Unmap()
		if !a.IsLoopback() {
			return netip.Addr{}, fmt.Errorf("%s is not a loopback address; the drill floods nothing but this machine", a)
		}
		if a.Is4() && !found.IsValid() {
			found = a
		}
	}
	if !found.IsValid() {
		return netip.Addr{}, errors.New("no address in 127.0.0.0/8; the drill's sources are IPv4")
	}
	return found, nil
}

// lookup returns the addresses of host; a literal address needs no resolver.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// machineFault reports whether a dial failed for want of something on this machine, which spoils the score: no
// descriptors or buffers left, or a loopback that is not the whole of 127.0.0.0/8 (Linux has it all).
func machineFault(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
