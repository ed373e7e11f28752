package packet

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/seawall/seawall/prefixes"
)

// A Telling is a sampled packet as it is shown to people: what it looked like, and the network that it says to come from.
type Telling struct {
	At      time.Time    `json:"at"`
	Reason  string       `json:"reason"`
	Network netip.Prefix `json:"network"`
	Text    string       `json:"text"`
}

// SignatureReport is a signature in force.
type SignatureReport struct {
	Text    string    `json:"text"`
	Monitor bool      `json:"monitor"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // unless it matches on
	Packets uint64    `json:"packets"`
	Bytes   uint64    `json:"bytes"`
	// WrongAtMost is the upper 95 % bound of the share of ordinary packets that match.
	WrongAtMost float64 `json:"wrong_at_most"`
}

// tell keeps a sample of what was dropped. It is called with mu held.
func (d *Detector) tell(s *Sample) {
	if !s.Reason.Dropped() {
		return
	}
	kept := d.recent[s.Reason]
	if len(kept) == tellings {
		if s.Time.Sub(kept[1].At) < time.Second { // a flood has more than anybody can read
			return
		}
		copy(kept, kept[1:])
		kept = kept[:tellings-1]
	}
	d.recent[s.Reason] = append(kept, Telling{s.Time.UTC(), s.Reason.String(), prefixes.Network(s.source()), s.String()})
}

// Signatures are those in force, the oldest first.
func (d *Detector) Signatures() []SignatureReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]SignatureReport, 0, len(d.live))
	for _, l := range d.live {
		list = append(list, SignatureReport{
			Text: l.text, Monitor: l.Monitor, Since: l.since.UTC(), Until: l.Until.UTC(),
			Packets: l.before.Packets + l.now.Packets, Bytes: l.before.Bytes + l.now.Bytes, WrongAtMost: l.bound,
		})
	}
	return list
}

// Samples are some of the packets that were dropped of late, by reason.
func (d *Detector) Samples() (list []Telling) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, of := range d.recent {
		list = append(list, of...)
	}
	return list
}

func (s *Sample) source() netip.Addr {
	var b [16]byte
	for i := range 4 {
		word := s.Features[int(Source0)+i]
		b[4*i], b[4*i+1], b[4*i+2], b[4*i+3] = byte(word>>24), byte(word>>16), byte(word>>8), byte(word)
	}
	return netip.AddrFrom16(b).Unmap()
}

const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58

	flagSYN, flagACK = 2, 16
)

// isOpening tells a SYN.
func (s *Sample) isOpening() bool {
	return s.Features[Protocol] == protocolTCP && s.Features[Flags]&(flagSYN|flagACK) == flagSYN
}

// String is what the packet looks like, but for its source.
func (s *Sample) String() string {
	f := &s.Features
	var b strings.Builder
	switch f[Protocol] {
	case protocolTCP:
		var flags strings.Builder
		for i, letter := range "FSRPAUEC" {
			if f[Flags]>>i&1 != 0 {
				flags.WriteRune(letter)
			}
		}
		fmt.Fprintf(&b, "tcp %s, port %d from %d, window %d", flags.String(), f[Port], f[SourcePort], f[Window])
		if f[MSS] > 0 {
			fmt.Fprintf(&b, ", mss %d", f[MSS])
		}
	case protocolUDP:
		fmt.Fprintf(&b, "udp, port %d from %d", f[Port], f[SourcePort])
	case protocolICMP, protocolICMPv6:
		fmt.Fprintf(&b, "icmp type %d", f[Flags])
	default:
		fmt.Fprintf(&b, "protocol %d", f[Protocol])
	}
	fmt.Fprintf(&b, ", ttl %d, length %d", f[TTL], f[Length])
	if f[ID]&0x3fff != 0 {
		fmt.Fprintf(&b, ", fragment at %d", f[ID]&0x1fff*8)
	}
	return b.String()
}
