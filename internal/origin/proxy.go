package origin

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/seawall/seawall/internal/flow"
)

// signature begins a header of the PROXY protocol's version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// appendProxy appends the header of the PROXY protocol's version ("" for none) for a flow, which names its client and where that came
// to ("The PROXY protocol", §2.1 and §2.2). The port is known only of a client that is the peer itself; of another it is 0.
func appendProxy(b []byte, version string, f *flow.Flow) []byte {
	if version == "" {
		return b
	}
	from, to := f.Request.Client.Unmap().WithZone(""), f.Conn.Local.Addr().Unmap().WithZone("")
	if !from.IsValid() || !to.IsValid() {
		return appendUnnamed(b, version)
	}
	var port uint16
	if f.Conn.Remote.Addr().Unmap().WithZone("") == from {
		port = f.Conn.Remote.Port()
	}
	if from.Is4() != to.Is4() { // a header has one family: the IPv4 address as an IPv6 one (RFC 4291 §2.5.5.2)
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	src, dst := netip.AddrPortFrom(from, port), netip.AddrPortFrom(to, f.Conn.Local.Port())
	if version == "v1" {
		return appendText(b, src, dst)
	}
	return appendBinary(b, src, dst)
}

// appendUnnamed appends the header of a connection that is nobody's but our own.
func appendUnnamed(b []byte, version string) []byte {
	switch version {
	case "v1":
		return append(b, "PROXY UNKNOWN\r\n"...)
	case "v2":
		return append(append(b, signature...), 0x20, 0, 0, 0) // LOCAL, unspecified, no addresses
	}
	return b
}

func appendText(b []byte, src, dst netip.AddrPort) []byte {
	family := "PROXY TCP6 "
	if src.Addr().Is4() {
		family = "PROXY TCP4 "
	}
	b = append(b, family...)
	b = append(src.Addr().AppendTo(b), ' ')
	b = append(dst.Addr().AppendTo(b), ' ')
	b = append(strconv.AppendUint(b, uint64(src.Port()), 10), ' ')
	b = strconv.AppendUint(b, uint64(dst.Port()), 10)
	return append(b, "\r\n"...)
}

func appendBinary(b []byte, src, dst netip.AddrPort) []byte {
	const proxy, ipv4, ipv6 = 0x21, 0x11, 0x21 // version 2 and PROXY; TCP over either
	b = append(b, signature...)
	if src.Addr().Is4() {
		from, to := src.Addr().As4(), dst.Addr().As4()
		b = append(b, proxy, ipv4, 0, 12)
		b = append(append(b, from[:]...), to[:]...)
	} else {
		from, to := src.Addr().As16(), dst.Addr().As16()
		b = append(b, proxy, ipv6, 0, 36)
		b = append(append(b, from[:]...), to[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, src.Port())
	return binary.BigEndian.AppendUint16(b, dst.Port())
}
