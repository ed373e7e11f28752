package conn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol (W. Tarreau, The PROXY protocol, versions 1 and 2): a line of text (§2.1) or a block of bytes (§2.2).
const (
	v1Start = "PROXY "
	v1Least = len("PROXY UNKNOWN\r\n")
	v1Most  = 107
	v1TCP4  = len("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n") // the shortest
	v1TCP6  = len("PROXY TCP6 :: :: 1 1\r\n")

	v2Start = "\r\n\r\n\x00\r\nQUIT\n"
	v2Fixed = len(v2Start) + 4 // command, family, and the length of what follows in two bytes
	v2Most  = 4 << 10          // of what follows, where the protocol has 64 KiB
	v2Kept  = v2Fixed + v2IP6  // beyond that nothing is read that matters here
	v2IP4   = 2*4 + 2*2        // of a family's addresses and ports
	v2IP6   = 2*16 + 2*2
	v2Unix  = 2 * 108
	v2Local = 0x20 // commands, with the version
	v2Proxy = 0x21
)

var (
	errProxyMissing   = errors.New("no PROXY protocol header")
	errProxyMalformed = errors.New("malformed PROXY protocol header")
	errProxyTooLong   = errors.New("PROXY protocol header too long")
)

// proxyHeader collects a PROXY protocol header, and not a byte of what follows it.
type proxyHeader struct {
	size   int       // what has come of it
	buffer [256]byte // its beginning: a whole line, or all that matters of a block
}

// readFrom reads a header and waits for all of it.
func (h *proxyHeader) readFrom(t transport) error {
	for {
		space, err := h.space()
		if err != nil || len(space) == 0 {
			return err
		}
		n, err := t.read(space)
		h.size += n
		if err != nil {
			return err
		}
	}
}

// space is where the next bytes belong: no more than the header has for certain, and none if it is whole.
func (h *proxyHeader) space() ([]byte, error) {
	b := h.buffer[:min(h.size, len(h.buffer))]
	at, least := h.size, 0
	var err error
	switch {
	case begins(b, v1Start):
		least, err = leastV1(b)
	case begins(b, v2Start):
		least, err = leastV2(b)
		at = min(at, v2Kept) // the rest is read over itself
	default:
		err = errProxyMissing
	}
	if err != nil {
		return nil, err
	}
	return h.buffer[at:min(at+least-h.size, len(h.buffer))], nil
}

// begins tells whether b begins with start, as far as it goes.
func begins(b []byte, start string) bool {
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n]
}

// leastV1 is the length of the shortest line that begins with b.
func leastV1(b []byte) (int, error) {
	least := len(b) + len("\r\n")
	switch end := bytes.IndexByte(b, '\n') + 1; {
	case end > 0 && end < len(b):
		return 0, errProxyMalformed
	case end > 0:
		return end, nil
	case len(b) < v1Least:
		return v1Least, nil
	case b[len(b)-1] == '\r':
		least--
	case string(b[len(v1Start):len(v1Start)+5]) == "TCP4 ":
		least = max(least, v1TCP4)
	case string(b[len(v1Start):len(v1Start)+5]) == "TCP6 ":
		least = max(least, v1TCP6)
	}
	if least > v1Most {
		return 0, errProxyTooLong
	}
	return least, nil
}

// leastV2 is the length of a block that begins with b, as far as that is known.
func leastV2(b []byte) (int, error) {
	if len(b) < v2Fixed {
		return v2Fixed, nil
	}
	command, family := b[len(v2Start)], b[len(v2Start)+1]
	length := int(binary.BigEndian.Uint16(b[len(v2Start)+2:]))
	addresses := 0
	switch family {
	case 0x00: // unspecified
	case 0x11, 0x12: // TCP or UDP over IPv4
		addresses = v2IP4
	case 0x21, 0x22:
		addresses = v2IP6
	case 0x31, 0x32:
		addresses = v2Unix
	default:
		return 0, errProxyMalformed
	}
	switch {
	case command == v2Local: // of which all that follows is ignored
	case command != v2Proxy || length < addresses:
		return 0, errProxyMalformed
	}
	if length > v2Most {
		return 0, errProxyTooLong
	}
	return v2Fixed + length, nil
}

// addresses are those of the connection that the proxy passes on, once the header is whole. They are not valid if the header names none
// that is of use here: of a connection of the proxy's own, of a Unix socket, or of a protocol that is not known.
func (h *proxyHeader) addresses() (source, destination netip.AddrPort, err error) {
	if h.buffer[0] == v1Start[0] {
		return addressesV1(string(h.buffer[:h.size]))
	}
	source, destination = addressesV2(h.buffer[:])
	return source, destination, nil
}

// addressesV1 reads a whole line.
func addressesV1(line string) (source, destination netip.AddrPort, err error) {
	line, ok := strings.CutSuffix(strings.TrimPrefix(line, v1Start), "\r\n")
	if !ok {
		return source, destination, errProxyMalformed
	}
	if line == "UNKNOWN" || strings.HasPrefix(line, "UNKNOWN ") {
		return source, destination, nil
	}
	var words [5]string
	n := 0
	for word := range strings.SplitSeq(line, " ") {
		if n == len(words) {
			return source, destination, errProxyMalformed
		}
		words[n] = word
		n++
	}
	ip6 := words[0] == "TCP6"
	source, fine := endpoint(words[1], words[3], ip6)
	destination, also := endpoint(words[2], words[4], ip6)
	if !ip6 && words[0] != "TCP4" || !fine || !also {
		return netip.AddrPort{}, netip.AddrPort{}, errProxyMalformed
	}
	return source, destination, nil
}

// endpoint reads an address and a port in the only form that the protocol allows.
func endpoint(address, port string, ip6 bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is6() != ip6 || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), true
}

// addressesV2 reads a whole block, of which b has what matters.
func addressesV2(b []byte) (source, destination netip.AddrPort) {
	command, family, b := b[len(v2Start)], b[len(v2Start)+1], b[v2Fixed:]
	switch {
	case command != v2Proxy:
		return source, destination
	case family>>4 == 1:
		return pair(netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:])), b[8:])
	case family>>4 == 2:
		return pair(netip.AddrFrom16([16]byte(b)), netip.AddrFrom16([16]byte(b[16:])), b[32:])
	}
	return source, destination
}

func pair(source, destination netip.Addr, ports []byte) (from, to netip.AddrPort) {
	return netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:]))
}
