package xdp

import (
	"fmt"
	"slices"

	"github.com/seawall/seawall/internal/packet"
)

const (
	signatureEnforce = 1
	wantsOptions     = 1
	shortTable       = 256
)

// SetSignatures replaces all signatures, and sets their counters to 0.
func (f *Filter) SetSignatures(signatures []packet.Signature) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	set, err := compileSignatures(signatures)
	if err != nil {
		return fmt.Errorf("setting signatures: %w", err)
	}
	if err = f.clearSignatureCounts(); err == nil {
		err = f.put(f.objects.SignatureSets, filterMapSignatureSets, set)
	}
	if err != nil {
		return fmt.Errorf("setting signatures: %w", err)
	}
	return nil
}

// Signatures are those that were set last, by a process before perhaps.
func (f *Filter) Signatures() ([]packet.Signature, error) {
	m, err := f.slots.held(filterMapSignatureSets, 0)
	if m == nil || err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }()
	var set filterSignatures
	if err := m.Lookup(uint32(0), &set); err != nil {
		return nil, fmt.Errorf("reading the signatures in force: %w", err)
	}
	var out []packet.Signature
	for _, s := range set.All {
		if s.Terms == 0 {
			break
		}
		signature := packet.Signature{Monitor: s.Flags&signatureEnforce == 0, Until: timeOf(s.Until)}
		for _, t := range s.All[:min(s.Terms, packet.MaxTerms)] {
			signature.Terms = append(signature.Terms, packet.Term{
				Feature: packet.Feature(t.Feature), Offset: t.Offset, Mask: t.Mask, Low: t.Low, High: t.High,
			})
		}
		out = append(out, signature)
	}
	return out, nil
}

func compileSignatures(signatures []packet.Signature) (*filterSignatures, error) {
	if len(signatures) > packet.MaxSignatures {
		return nil, fmt.Errorf("%d signatures are more than %d", len(signatures), packet.MaxSignatures)
	}
	set := &filterSignatures{}
	for i, s := range signatures {
		if err := check(&s); err != nil {
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
			if t.Feature == packet.TCPOptions || t.Feature == packet.MSS || t.Feature == packet.WindowScale {
				set.Wants |= wantsOptions
			}
		}
		index(&s, set, uint64(1)<<i)
	}
	return set, nil
}

func check(s *packet.Signature) error {
	if len(s.Terms) == 0 || len(s.Terms) > packet.MaxTerms {
		return fmt.Errorf("%d terms, not 1 to %d", len(s.Terms), packet.MaxTerms)
	}
	for _, t := range s.Terms {
		switch {
		case t.Feature != packet.Payload && t.Feature >= packet.Features:
			return fmt.Errorf("there is no feature %d", t.Feature)
		case t.Offset > packet.MaxOffset || (t.Offset > 0 && t.Feature != packet.Payload):
			return fmt.Errorf("offset %d of feature %d", t.Offset, t.Feature)
		}
	}
	return nil
}

// index enters a signature in the tables that say which can match.
func index(s *packet.Signature, set *filterSignatures, bit uint64) {
	for v := range uint32(shortTable) {
		if allows(s, packet.Protocol, v, v) {
			set.ByProtocol[v] |= bit
		}
		if allows(s, packet.TTL, v, v) {
			set.ByTtl[v] |= bit
		}
		if allows(s, packet.Flags, v, v) {
			set.ByFlags[v] |= bit
		}
		last := v*8 + 7
		if v == shortTable-1 {
			last = 1<<16 + 40
		}
		if allows(s, packet.Length, v*8, last) {
			set.ByLength[v] |= bit
		}
	}
}

// allows reports whether all terms on a feature hold for some value from first to last.
func allows(s *packet.Signature, f packet.Feature, first, last uint32) bool {
	var masked []packet.Term // which need a look at each value
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
		if !slices.ContainsFunc(masked, func(t packet.Term) bool { return v&t.Mask < t.Low || v&t.Mask > t.High }) {
			return true
		}
	}
	return false
}
