package xdp

import (
	"fmt"
	"slices"
	"time"
)

// Bounds of signatures.
const (
	MaxSignatures = 64
	MaxTerms      = 8
	maxOffset     = 1400

	signatureEnforce = 1
	wantsOptions     = 1
	shortTable       = 256
)

// A Feature is what a term looks at: a number of up to 32 bits, 0 where a packet has no such thing.
type Feature uint16

// Features. An IPv6 source has four words; IPv4 is in the last, behind 0, 0, 0xffff.
const (
	Source0       = Feature(filterFeatureF_SOURCE_0)
	Source1       = Feature(filterFeatureF_SOURCE_1)
	Source2       = Feature(filterFeatureF_SOURCE_2)
	Source3       = Feature(filterFeatureF_SOURCE_3)
	Destination3  = Feature(filterFeatureF_DESTINATION_3) // the last word
	Protocol      = Feature(filterFeatureF_PROTOCOL)
	TTL           = Feature(filterFeatureF_TTL)
	Length        = Feature(filterFeatureF_LENGTH) // of the IP packet
	SourcePort    = Feature(filterFeatureF_SPORT)
	Port          = Feature(filterFeatureF_DPORT)
	Flags         = Feature(filterFeatureF_FLAGS) // TCP's, or the type of ICMP
	Window        = Feature(filterFeatureF_WINDOW)
	PayloadLength = Feature(filterFeatureF_PAYLOAD_LENGTH)
	ID            = Feature(filterFeatureF_ID) // identification<<16 | flags and fragment offset; IPv6: class and flow label
	TOS           = Feature(filterFeatureF_TOS)
	Sequence      = Feature(filterFeatureF_SEQ)
	Acknowledged  = Feature(filterFeatureF_ACK)
	TCPOptions    = Feature(filterFeatureF_OPTIONS) // see OptionLayout
	MSS           = Feature(filterFeatureF_MSS)
	WindowScale   = Feature(filterFeatureF_WINDOW_SCALE)
	Payload       = Feature(filterFeatureF_PAYLOAD) // four bytes at Term.Offset; a shorter payload doesn't match
)

const features = Feature(filterFeatureF_WINDOW_SCALE) + 1

// A Term holds when the feature, masked, lies from Low to High.
type Term struct {
	Feature   Feature
	Offset    uint16 // in the TCP or UDP payload, 0 to 1400; for Payload only
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

// SetSignatures replaces all signatures, and sets their counters to 0.
func (f *Filter) SetSignatures(signatures []Signature) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	set, err := compileSignatures(signatures)
	if err != nil {
		return fmt.Errorf("setting signatures: %w", err)
	}
	if err = f.clearSignatureCounts(); err == nil {
		err = hold(f.objects.SignatureSets, f.inner[filterMapSignatureSets], set)
	}
	if err != nil {
		return fmt.Errorf("setting signatures: %w", err)
	}
	return nil
}

func compileSignatures(signatures []Signature) (*filterSignatures, error) {
	if len(signatures) > MaxSignatures {
		return nil, fmt.Errorf("%d signatures are more than %d", len(signatures), MaxSignatures)
	}
	set := &filterSignatures{}
	for i, s := range signatures {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("signature %d: %w", i, err)
		}
		to := &set.All[i]
		to.Terms, to.Until = uint32(len(s.Terms)), untilNs(s.Until)
		if !s.Monitor {
			to.Flags = signatureEnforce
		}
		for j, t := range s.Terms {
			to.All[j].Feature, to.All[j].Offset = uint16(t.Feature), t.Offset
			to.All[j].Mask, to.All[j].Low, to.All[j].High = t.Mask, t.Low, t.High
			if t.Feature == TCPOptions || t.Feature == MSS || t.Feature == WindowScale {
				set.Wants |= wantsOptions
			}
		}
		s.index(set, uint64(1)<<i)
	}
	return set, nil
}

func (s *Signature) check() error {
	if len(s.Terms) == 0 || len(s.Terms) > MaxTerms {
		return fmt.Errorf("%d terms, not 1 to %d", len(s.Terms), MaxTerms)
	}
	for _, t := range s.Terms {
		switch {
		case t.Feature != Payload && t.Feature >= features:
			return fmt.Errorf("there is no feature %d", t.Feature)
		case t.Offset > maxOffset || (t.Offset > 0 && t.Feature != Payload):
			return fmt.Errorf("offset %d of feature %d", t.Offset, t.Feature)
		}
	}
	return nil
}

// index enters a signature in the tables that say which can match.
func (s *Signature) index(set *filterSignatures, bit uint64) {
	for v := range uint32(shortTable) {
		if s.allows(Protocol, v, v) {
			set.ByProtocol[v] |= bit
		}
		if s.allows(TTL, v, v) {
			set.ByTtl[v] |= bit
		}
		if s.allows(Flags, v, v) {
			set.ByFlags[v] |= bit
		}
		last := v*8 + 7
		if v == shortTable-1 {
			last = 1<<16 + 40
		}
		if s.allows(Length, v*8, last) {
			set.ByLength[v] |= bit
		}
	}
}

// allows reports whether all terms on a feature hold for some value from first to last.
func (s *Signature) allows(f Feature, first, last uint32) bool {
	var masked []Term // which need a look at each value
	for _, t := range s.Terms {
		switch {
		case t.Feature != f:
		case t.Mask == ^uint32(0):
			first, last = max(first, t.Low), min(last, t.High)
		default:
			masked = append(masked, t)
		}
	}
	if len(masked) == 0 {
		return first <= last
	}
	for v := first; v <= last; v++ {
		if !slices.ContainsFunc(masked, func(t Term) bool { return v&t.Mask < t.Low || v&t.Mask > t.High }) {
			return true
		}
	}
	return false
}
