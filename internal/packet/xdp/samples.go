package xdp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// A Sample is a packet's beginning and what became of it.
type Sample struct {
	Time     time.Time
	Reason   Reason
	Listener int // as in Counter
	Length   int // of the IP packet, as it says itself
	Network  int // where in Frame the IP header begins
	Frame    []byte
}

const (
	sampleHead  = 24
	sampleBytes = 160
)

// Samples hands over samples, one at a time, until ctx ends or the Filter closes. The frame is valid during the call. Only one caller at
// a time: samples go to whoever reads them first. What is not read in time is lost.
func (f *Filter) Samples(ctx context.Context, each func(Sample)) error {
	reader, err := ringbuf.NewReader(f.objects.Samples)
	if err != nil {
		return fmt.Errorf("reading samples: %w", err)
	}
	defer func() { _ = reader.Close() }()
	stop := context.AfterFunc(ctx, func() { reader.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var record ringbuf.Record
	for {
		err := reader.ReadInto(&record)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrClosed), errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("reading samples: %w", err)
		}
		if s, ok := parseSample(record.RawSample); ok {
			each(s)
		}
	}
}

// parseSample reads a struct sample of bpf/record.h.
func parseSample(b []byte) (Sample, bool) {
	if len(b) < sampleHead+sampleBytes {
		return Sample{}, false
	}
	captured := int(binary.LittleEndian.Uint16(b[12:]))
	s := Sample{
		Time:     timeOf(binary.LittleEndian.Uint64(b)),
		Length:   int(binary.LittleEndian.Uint32(b[8:])),
		Network:  int(binary.LittleEndian.Uint16(b[14:])),
		Reason:   Reason(b[16]),
		Listener: int(b[17]) - 1,
		Frame:    b[sampleHead : sampleHead+min(captured, sampleBytes)],
	}
	return s, s.Network < len(s.Frame)
}
