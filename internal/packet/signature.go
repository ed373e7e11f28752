package packet

import "time"

// Bounds of signatures.
const (
	MaxSignatures = 64
	MaxTerms      = 8
	MaxOffset     = 1400
)

// A Feature is what a term looks at: a number of up to 32 bits, 0 where a packet has no such thing.
type Feature uint16

// Features. An IPv6 source has four words; IPv4 is in the last, behind 0, 0, 0xffff.
const (
	Source0 Feature = iota
	Source1
	Source2
	Source3
	Destination3 // the last word
	Protocol
	TTL
	Length // of the IP packet
	SourcePort
	Port
	Flags // TCP's, or the type of ICMP
	Window
	PayloadLength
	ID // IPv4: identification<<16 | flags and fragment offset
	TOS
	Sequence
	Acknowledged
	TCPOptions // see OptionLayout
	MSS
	WindowScale
	FlowLabel // of IPv6
	Version   // 4 or 6
	Features  // how many there are

	// Payload is the four bytes at Term.Offset behind the TCP or UDP header. A shorter payload doesn't match.
	Payload Feature = 64
)

// A Term holds when the feature, masked, lies from Low to High.
type Term struct {
	Feature   Feature
	Offset    uint16 // in the TCP or UDP payload, 0 to MaxOffset; for Payload only
	Mask      uint32
	Low, High uint32
}

// A Signature drops the packets for which all its terms hold.
type Signature struct {
	Terms   []Term // 1 to MaxTerms; the rarest first is the fastest
	Monitor bool   // counts and lets on
	Until   time.Time
}

// OptionLayout is the feature TCPOptions of TCP options of these kinds, in order, the end (0) included; 0 if there are none.
func OptionLayout(kinds ...byte) uint32 {
	if len(kinds) == 0 {
		return 0
	}
	h := uint32(0x811c9dc5)
	for _, k := range kinds {
		h = (h ^ uint32(k)) * 0x01000193
	}
	return h
}

// Match reports whether all terms hold for a packet, as the filter does.
func (s *Signature) Match(packet *Sample) bool {
	for _, t := range s.Terms {
		word, ok := packet.Word(t.Feature, int(t.Offset))
		if word &= t.Mask; !ok || word < t.Low || word > t.High {
			return false
		}
	}
	return len(s.Terms) > 0
}
