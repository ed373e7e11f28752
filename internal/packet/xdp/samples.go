package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/seawall/seawall/internal/packet"
)

// The form of struct sample, bpf/sample.h.
const (
	sampleHead    = 24
	sampleWords   = 32
	sampleFrame   = sampleHead + 4*sampleWords
	sampleBytes   = 160
	samplesOfCPU  = 1 << 19 // bytes
	mostSamplesOf = 32      // CPUs
)

// samplesRoom is the size of the ring, some 1,600 samples for each CPU.
func samplesRoom(cpus int) uint32 {
	return samplesOfCPU << bits.Len(uint(min(cpus, mostSamplesOf)-1))
}

// Samples hands over the packets sampled since it was called last. What the ring had no room for meanwhile is lost.
func (f *Filter) Samples(each func(*packet.Sample)) error {
	f.reading.Lock()
	defer f.reading.Unlock()
	if f.samples == nil {
		reader, err := ringbuf.NewReader(f.objects.Samples)
		if err != nil {
			return fmt.Errorf("reading samples: %w", err)
		}
		reader.SetDeadline(time.Unix(1, 0)) // what is there, without waiting
		f.samples = reader
	}
	var sample packet.Sample
	for range f.samples.BufferSize() / sampleFrame { // what comes meanwhile is for the next call
		err := f.samples.ReadInto(&f.record)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ringbuf.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading samples: %w", err)
		}
		if parseSample(f.record.RawSample, &sample) {
			each(&sample)
		}
	}
	return nil
}

func parseSample(b []byte, s *packet.Sample) bool {
	if len(b) < sampleFrame+sampleBytes {
		return false
	}
	little := binary.LittleEndian
	*s = packet.Sample{
		Time:     timeOf(little.Uint64(b)),
		Length:   int(little.Uint32(b[8:])),
		Network:  int(little.Uint16(b[14:])),
		Reason:   packet.Reason(b[16]),
		Listener: int(b[17]) - 1,
		Payload:  int(little.Uint16(b[18:])),
		Frame:    b[sampleFrame : sampleFrame+min(int(little.Uint16(b[12:])), sampleBytes)],
	}
	for i := range s.Features {
		s.Features[i] = little.Uint32(b[sampleHead+4*i:])
	}
	return s.Network < len(s.Frame)
}
