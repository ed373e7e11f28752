package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// A Reason is what became of a packet, and why.
type Reason uint8

// Reasons, in the order in which they are looked for.
const (
	Passed       = Reason(filterReasonR_PASSED)     // let through
	Allowed      = Reason(filterReasonR_ALLOWED)    // let through before all else
	LeftToKernel = Reason(filterReasonR_ROOM)       // a SYN over the listener's rate, for which the kernel had room
	Cookie       = Reason(filterReasonR_COOKIE)     // such a SYN, answered with a cookie
	Banned       = Reason(filterReasonR_BANNED)     // a ban
	Denied       = Reason(filterReasonR_DENIED)     // in the set
	BySignature  = Reason(filterReasonR_SIGNATURE)  // looks like an attack
	Malformed    = Reason(filterReasonR_MALFORMED)  // impossible TCP flags or header length
	NoState      = Reason(filterReasonR_NO_STATE)   // TCP that belongs to no connection
	BadCookie    = Reason(filterReasonR_BAD_COOKIE) // an ACK without the cookie that it would need
	NoCookie     = Reason(filterReasonR_NO_COOKIE)  // a SYN that could not be answered
	OverInitials = Reason(filterReasonR_INITIAL)    // QUIC Initials over the listener's rate
	OverReflects = Reason(filterReasonR_REFLECTED)  // answers of amplifiers over the listener's rate
	OverPieces   = Reason(filterReasonR_PIECE)      // fragments over the addresses' rate
	OverICMP     = Reason(filterReasonR_ICMP)       // ICMP over the addresses' rate
	OverHost     = Reason(filterReasonR_HOST)       // the source is over its ceiling
	OverGroup    = Reason(filterReasonR_GROUP)      // its /24 or /48 is
)

const reasonSlots = 32 // of a listener, in the map

var reasonNames = [filterReasonREASONS]string{
	Passed: "passed", Allowed: "allowed", LeftToKernel: "left-to-kernel", Cookie: "cookie", Banned: "banned", Denied: "denied", BySignature: "signature",
	Malformed: "malformed", NoState: "no-state", BadCookie: "bad-cookie", NoCookie: "no-cookie", OverInitials: "over-initials",
	OverReflects: "over-reflected", OverPieces: "over-fragments", OverICMP: "over-icmp", OverHost: "over-source", OverGroup: "over-network",
}

// String is a word, the same in metrics.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Dropped reports whether packets with this reason go no further.
func (r Reason) Dropped() bool { return r > Cookie }

// A Count is packets, and bytes of them as IP packets.
type Count struct{ Packets, Bytes uint64 }

// A Counter counts the packets to a listener that met one end.
type Counter struct {
	Listener int // in the policy; -1: fragments and ICMP for the listeners' addresses
	Reason   Reason
	Count
}

// Counters are those that are not 0, since the maps were made. A policy with other listeners goes on with the counts of those before.
func (f *Filter) Counters() ([]Counter, error) {
	all, err := readCounts(f.objects.Counts)
	if err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	var out []Counter
	for i, c := range all {
		if c.Packets > 0 {
			out = append(out, Counter{i/reasonSlots - 1, Reason(i % reasonSlots), c})
		}
	}
	return out, nil
}

// SignatureCounts are by the signature's place in the set.
func (f *Filter) SignatureCounts() ([]Count, error) {
	all, err := readCounts(f.objects.SignatureCounts)
	if err != nil {
		return nil, fmt.Errorf("reading the signatures' counters: %w", err)
	}
	return all, nil
}

// readCounts sums what the CPUs counted.
func readCounts(m *ebpf.Map) ([]Count, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	n := int(m.MaxEntries())
	keys, values := make([]uint32, n), make([]filterCount, n*cpus)
	var cursor ebpf.MapBatchCursor
	if _, err := m.BatchLookup(&cursor, keys, values, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, err
	}
	out := make([]Count, n)
	for i, v := range values {
		out[i/cpus].Packets += v.Packets
		out[i/cpus].Bytes += v.Bytes
	}
	return out, nil
}

func (f *Filter) clearSignatureCounts() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	for i := range uint32(MaxSignatures) {
		if err := f.objects.SignatureCounts.Put(i, make([]filterCount, cpus)); err != nil {
			return err
		}
	}
	return nil
}
