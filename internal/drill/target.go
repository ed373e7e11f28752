package drill

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

// target is where a story is played: a resolved loopback address, and the Host that requests name.
type target struct {
	addr netip.AddrPort
	host string
}

// resolve checks that raw is an http URL of the loopback and nothing else. Every address the host resolves to must be
// loopback (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3), and later dials go to the address found here, never to the name.
func resolve(ctx context.Context, raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("target %q: %w", raw, err)
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		return target{}, fmt.Errorf("target %q: want http://HOST:PORT", raw)
	}
	port := uint64(80)
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return target{}, fmt.Errorf("target %q: port %q is not 1 to 65535", raw, p)
		}
	}
	addrs, err := lookup(ctx, u.Hostname())
	if err != nil {
		return target{}, fmt.Errorf("target %q: %w", raw, err)
	}
	var found netip.Addr
	for _, a := range addrs {
		a = a.Unmap()
		if !a.IsLoopback() {
			return target{}, fmt.Errorf("target %q: %s is not a loopback address; the drill floods nothing but this machine", raw, a)
		}
		if a.Is4() && !found.IsValid() {
			found = a
		}
	}
	if !found.IsValid() {
		return target{}, fmt.Errorf("target %q: no address in 127.0.0.0/8; the drill's sources are IPv4", raw)
	}
	return target{addr: netip.AddrPortFrom(found, uint16(port)), host: u.Host}, nil
}

// lookup returns the addresses of host; a literal address needs no resolver.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// A dialer connects from one source address to the target of the run.
type dialer func(ctx context.Context, source netip.Addr) (net.Conn, error)

// dialFrom dials t over TCP, bound to the source address asked for.
func dialFrom(t target) dialer {
	return func(ctx context.Context, source netip.Addr) (net.Conn, error) {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), KeepAlive: -1}
		return d.DialContext(ctx, "tcp4", t.addr.String())
	}
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
