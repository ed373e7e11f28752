package contrast

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// captures are real floods, which are not ours to ship.
const captures = "../../shared/data/pcap"

// readPcap returns the packets of a capture in the classic format, with Ethernet or bare IP in it.
func readPcap(name string) ([]packet, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(data) < 24 {
		return nil, errors.New("shorter than a header")
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.LittleEndian.Uint32(data) {
	case 0xa1b2c3d4, 0xa1b23c4d:
	case 0xd4c3b2a1, 0x4d3cb2a1:
		order = binary.BigEndian
	default:
		return nil, errors.New("not a capture in the classic format")
	}
	skip := map[uint32]int{1: 14, 101: 0, 113: 16}[order.Uint32(data[20:])]
	var packets []packet
	for data = data[24:]; len(data) >= 16; {
		size := int(order.Uint32(data[8:]))
		if size > len(data)-16 {
			break
		}
		if frame := data[16 : 16+size]; len(frame) > skip {
			if p, ok := dissect(frame[skip:]); ok {
				packets = append(packets, p)
			}
		}
		data = data[16+size:]
	}
	return packets, nil
}

// dissect takes the features out of an IPv4 packet.
func dissect(b []byte) (packet, bool) {
	if len(b) < 20 || b[0]>>4 != 4 || int(b[0]&15)*4 > len(b) {
		return packet{}, false
	}
	p := blank(uint32(b[9]), uint32(b[8]))
	p[tos], p[length], p[ident] = uint32(b[1]), uint32(binary.BigEndian.Uint16(b[2:])), uint32(binary.BigEndian.Uint16(b[4:]))
	p[dontFragment], p[fragment] = uint32(b[6]>>6&1), uint32(binary.BigEndian.Uint16(b[6:])&0x1fff)
	body := b[int(b[0]&15)*4:]
	if end := int(p[length]) - int(b[0]&15)*4; end >= 0 && end < len(body) {
		body = body[:end] // what follows pads the frame
	}
	if p[fragment] == 0 {
		switch {
		case b[9] == 6 && len(body) >= 20:
			body = p.dissectTCP(body)
		case b[9] == 17 && len(body) >= 8:
			p[sport], p[dport] = uint32(binary.BigEndian.Uint16(body)), uint32(binary.BigEndian.Uint16(body[2:]))
			body = body[8:]
		}
	}
	p[payload] = uint32(len(body))
	p.write(body...)
	return p, true
}

// dissectTCP fills in what a TCP header says, and returns what follows it.
func (p *packet) dissectTCP(b []byte) []byte {
	p[sport], p[dport] = uint32(binary.BigEndian.Uint16(b)), uint32(binary.BigEndian.Uint16(b[2:]))
	p[seq], p[ack] = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	p[flags], p[window], p[options] = uint32(b[13]), uint32(binary.BigEndian.Uint16(b[14:])), 0
	end := min(max(int(b[12]>>4)*4, 20), len(b))
	for o := b[20:end]; len(o) > 0; {
		p[options] = p[options]<<4 | uint32(o[0])&15
		if o[0] < 2 || len(o) < 2 || int(o[1]) < 2 || int(o[1]) > len(o) {
			o = o[1:]
			continue
		}
		switch {
		case o[0] == 2 && o[1] == 4:
			p[mss] = uint32(binary.BigEndian.Uint16(o[2:]))
		case o[0] == 3 && o[1] == 3:
			p[scale] = uint32(o[2])
		}
		o = o[o[1]:]
	}
	return b[end:]
}

// isFlood tells the flood of a capture from what else was on the wire.
func isFlood(name string, p packet) bool {
	switch name {
	case "amp.dns.RRSIG.fragmented.pcap":
		return p[proto] == 17 && (p[sport] == 53 || p[fragment] > 0)
	case "amp.TCP.reflection.SYNACK.pcap":
		return p[proto] == 6 && (p[sport] == 80 || p[sport] == 443)
	case "amp.UDP.isakmp.pcap":
		return p[proto] == 17
	}
	return p[flags] == syn
}

// TestCaptures mixes the first half of real floods into ordinary traffic, finds what tells them apart, and counts what that
// matches in the second half.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captures, "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures in %s", captures)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFinder(t, packets(), Options{})
			all, err := readPcap(path)
			flood := slices.DeleteFunc(slices.Clone(all), func(p packet) bool { return !isFlood(name, p) })
			if err != nil || len(flood) < 1000 {
				t.Fatalf("%d packets of the flood, %v", len(flood), err)
			}
			t.Logf("%d packets, %d of the flood", len(all), len(flood))
			seen, later := flood[:len(flood)/2], flood[len(flood)/2:]
			for _, part := range []float64{0.9, 0.3, 0.1} {
				testFlood(t, f, part, func(r *rand.Rand) packet { return seen[r.IntN(len(seen))] }, later, 0.95)
			}
		})
	}
}
