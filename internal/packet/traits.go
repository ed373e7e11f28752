package packet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seawall/seawall/contrast"
)

// A trait is a part of a feature that a term of a signature can be about. Traits are those that contrast looks at: what it says of their values
// holds, packet for packet, of the terms that the filter gets.
type trait struct {
	name    string
	feature Feature
	offset  uint16
	mask    uint32
	shift   int
	widest  uint32 // range, as in contrast.Feature
	weak    bool
	common  bool // normal is what nearly all packets have, and no term is about
	normal  uint32
}

const (
	all = ^uint32(0)

	payloadBytes = 8 // that are looked at
)

// traits are without the source: a signature is of what packets look like. Those that ever so many have in common, or one connection to
// itself, are weak.
func traits() []trait {
	list := []trait{
		{name: "version", feature: Version, mask: all, weak: true},
		{name: "protocol", feature: Protocol, mask: all, common: true, normal: protocolTCP},
		{name: "length", feature: Length, mask: all, widest: 512, weak: true},
		{name: "ttl", feature: TTL, mask: all, widest: 16, weak: true},
		{name: "id", feature: ID, mask: 0xffff0000, shift: 16, widest: 256, weak: true},
		{name: "don't-fragment", feature: ID, mask: 0x4000, shift: 14, weak: true},
		{name: "fragment", feature: ID, mask: 0x3fff, widest: 0x3fff, common: true},
		{name: "flow-label", feature: FlowLabel, mask: all, weak: true},
		{name: "tos", feature: TOS, mask: all, weak: true},
		{name: "source-port", feature: SourcePort, mask: all, widest: 0xffff, weak: true},
		{name: "port", feature: Port, mask: all, widest: 0xffff, weak: true},
		{name: "flags", feature: Flags, mask: all},
		{name: "window", feature: Window, mask: all, widest: 4096},
		{name: "sequence", feature: Sequence, mask: all, widest: 0xffff, weak: true},
		{name: "acknowledged", feature: Acknowledged, mask: all, widest: 0xffff, weak: true},
		{name: "options", feature: TCPOptions, mask: all},
		{name: "mss", feature: MSS, mask: all, widest: 64},
		{name: "window-scale", feature: WindowScale, mask: all},
		{name: "payload-length", feature: PayloadLength, mask: all, widest: 512},
	}
	for i := range payloadBytes {
		shift := 24 - i%4*8
		list = append(list, trait{
			name: fmt.Sprintf("payload[%d]", i), feature: Payload, offset: uint16(i &^ 3), mask: 0xff << shift, shift: shift, widest: 15,
		})
	}
	return list
}

// schemaOf is what contrast calls traits.
func schemaOf(traits []trait) contrast.Schema {
	schema := make(contrast.Schema, len(traits))
	for i, t := range traits {
		schema[i] = contrast.Feature{Name: t.name, Widest: t.widest, Weak: t.weak}
	}
	return schema
}

// valuesOf appends the traits of a sample.
func valuesOf(traits []trait, s *Sample, values []uint32) []uint32 {
	for i := range traits {
		t := &traits[i]
		v := uint32(contrast.Absent)
		if word, ok := s.Word(t.feature, int(t.offset)); ok {
			v = word & t.mask >> t.shift
		}
		if t.common && v == t.normal {
			v = contrast.Absent
		}
		values = append(values, v)
	}
	return values
}

// isEmpty tells what is always 0 in packets of a protocol. Of TCP, nothing is.
func isEmpty(f Feature, protocol uint32) bool {
	switch {
	case f == Window, f >= Sequence && f <= WindowScale:
		return protocol != protocolTCP
	case f == Flags:
		return protocol == protocolUDP
	}
	return false
}

// termsOf is a conjunction as terms of a signature, less those that always hold of packets of its protocol. Its terms have one range each,
// since the schema lists none.
func termsOf(traits []trait, c contrast.Conjunction) []Term {
	protocol := uint32(protocolTCP) // or any
	for _, t := range c {
		if traits[t.Feature].feature == Protocol {
			protocol = t.In[0].Lo // no range: protocols have no order
		}
	}
	terms := make([]Term, 0, len(c))
	for _, about := range c {
		t, in := &traits[about.Feature], about.In[0]
		if isEmpty(t.feature, protocol) {
			continue
		}
		terms = append(terms, Term{Feature: t.feature, Offset: t.offset, Mask: t.mask, Low: in.Lo << t.shift, High: in.Hi << t.shift})
	}
	return terms
}

// describe writes terms as people read them: "protocol = 6 and window = 1024".
func describe(traits []trait, terms []Term) string {
	var b strings.Builder
	for i, term := range terms {
		if i > 0 {
			b.WriteString(" and ")
		}
		t := trait{name: fmt.Sprintf("feature %d", term.Feature)} // of another version
		if at := slices.IndexFunc(traits, func(t trait) bool {
			return t.feature == term.Feature && t.offset == term.Offset && t.mask == term.Mask
		}); at >= 0 {
			t = traits[at]
		}
		low, high := term.Low>>t.shift, term.High>>t.shift
		switch {
		case t.feature == TCPOptions:
			fmt.Fprintf(&b, "%s = %#08x", t.name, low)
		case low == high:
			fmt.Fprintf(&b, "%s = %d", t.name, low)
		default:
			fmt.Fprintf(&b, "%s in %d..%d", t.name, low, high)
		}
	}
	return b.String()
}
