package h2attack

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/http2"
)

// A Target is the server to attack.
type Target struct {
	Address string     // IP address and port
	TLS     bool       // speak HTTP/2 by ALPN, else by prior knowledge
	Host    string     // for :authority; Address if empty
	Small   string     // path of something small
	Large   string     // path of something larger than all buffers on its way
	Sink    string     // path that reads a body to its end
	From    netip.Addr // where the attacker's connections come from; any if it is zero
	Sources int        // how many addresses the attacker has: From and the same host in the next networks (IPv4 /24); 0 is 1
}

// patience bounds the wait for what a server has to do at once: accept, shake hands, send SETTINGS, acknowledge.
const patience = 5 * time.Second

// testNetworks may be attacked besides the loopback: benchmarks' (RFC 2544) and documentation's (RFC 3849), which no one else has.
var testNetworks = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8::/32")}

// attackable returns the target's address if it may be attacked.
func (t Target) attackable() (netip.AddrPort, error) {
	address, err := netip.ParseAddrPort(t.Address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("target: %w", err)
	}
	ip := address.Addr().Unmap()
	if ip.IsLoopback() {
		return address, nil
	}
	for _, network := range testNetworks {
		if network.Contains(ip) {
			return address, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("target %s: want an address on the loopback or in %v", address, testNetworks)
}

// source is the attacker's address of this number; after the last one comes the first again.
func (t Target) source(number int) netip.Addr {
	if !t.From.Is4() || t.Sources < 2 {
		return t.From
	}
	b := t.From.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(number%t.Sources)<<8)
	return netip.AddrFrom4(b)
}

// dial connects to the target, from an address if that is valid. Closed, the connection is reset, as by a tool that keeps nothing of
// those that it has had.
func (t Target) dial(ctx context.Context, from netip.Addr) (net.Conn, error) {
	address, err := t.attackable()
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: patience}
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	c, err := dialer.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	err = errors.Join(c.(*net.TCPConn).SetLinger(0), c.SetDeadline(time.Now().Add(patience)))
	if err == nil && t.TLS {
		c, err = shakeHands(ctx, c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// errProtocol is what a server earns that doesn't speak HTTP/2.
var errProtocol = errors.New("the target does not choose HTTP/2 by ALPN")

func shakeHands(ctx context.Context, raw net.Conn) (net.Conn, error) {
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http2.NextProtoTLS}}) // whoever it is, it is ours
	if err := c.HandshakeContext(ctx); err != nil {
		return raw, err
	}
	if c.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		return raw, errProtocol
	}
	return c, nil
}
