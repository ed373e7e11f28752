package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/seawall/seawall/internal/packet"
)

const reasonSlots = 32 // of a listener, in the map

// Counters are those that are not 0, since the maps were made. A policy with other listeners goes on with the counts of those before. They are
// read many times a second, so only those that a policy of this process can have counted in.
func (f *Filter) Counters() ([]packet.Counter, error) {
	listeners := int(f.judged.Load())
	if listeners == 0 {
		listeners = packet.MaxListeners + 1
	}
	all, err := readCounts(f.objects.Counts, listeners*reasonSlots)
	if err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	var out []packet.Counter
	for i, c := range all {
		if c.Packets > 0 {
			out = append(out, packet.Counter{Listener: i/reasonSlots - 1, Reason: packet.Reason(i % reasonSlots), Count: c})
		}
	}
	return out, nil
}

// SignatureCounts are by the signature's place in the set.
func (f *Filter) SignatureCounts() ([]packet.Count, error) {
	all, err := readCounts(f.objects.SignatureCounts, packet.MaxSignatures)
	if err != nil {
		return nil, fmt.Errorf("reading the signatures' counters: %w", err)
	}
	return all, nil
}

// readCounts sums what the CPUs counted in the first n.
func readCounts(m *ebpf.Map, n int) ([]packet.Count, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	keys, values := make([]uint32, n), make([]filterCount, n*cpus)
	var cursor ebpf.MapBatchCursor
	if _, err := m.BatchLookup(&cursor, keys, values, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, err
	}
	out := make([]packet.Count, n)
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
	for i := range uint32(packet.MaxSignatures) {
		if err := f.objects.SignatureCounts.Put(i, make([]filterCount, cpus)); err != nil {
			return err
		}
	}
	return nil
}
